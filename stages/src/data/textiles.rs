use super::dataset::Labels;
use super::fetched::Fetched;
use super::pictures;
use super::sources::Source;
use super::split::Shares;
use super::summary::Summary;
use super::writer::{DatasetWriter, Format, Sample};
use crate::context::Context;
use crate::stage::{About, OutputAbout, Stage};
use anyhow::{Context as _, Result, ensure};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::io::Write;
use std::path::Path;

/// Simulated woven textiles, of which some have a defect (Megahed et al. 2025, arXiv:2501.12596).
pub struct Textiles;

#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct Params {
    /// width and height of the data set's images, of 250
    #[schemars(range(min = 8, max = 250), extend("x-unit" = "pixels"))]
    size: u32,
    #[serde(flatten)]
    shares: Shares,
}

impl Default for Params {
    fn default() -> Self {
        Self { size: 64, shares: Shares::default() }
    }
}

const SIZE: usize = 250;
/// By their folders, and how many there are of each.
const CLASSES: [(&str, usize); 3] = [("nominal", 1000), ("local", 500), ("global", 500)];

pub(super) const TEXTILES: Fetched = Fetched {
    name: "textiles",
    cache: "textiles",
    size: [SIZE, SIZE, 1],
    labels: CLASSES.len(),
    images: [CLASSES[0].1 + CLASSES[1].1 + CLASSES[2].1, 0, 0],
    sources: &[Source::PyPi("conformal-clip-data==0.1.4")],
    download: 42_000_000,
    digest: Some("19788d66bfdf9fe091dbd6f275a29eec0ffe3d16ac347337303d60d594e7fd98"),
    decode,
    by_hand: "the repository fmegahed/qe_genai, its folder data/textile_images",
};

impl Stage for Textiles {
    type Params = Params;
    const ABOUT: About = About {
        name: "data/textiles",
        summary: "Simulated woven textiles: 1,000 nominal, 500 with a local and 500 with a global defect (Megahed et al. 2025)",
        docs: "Grey images of 250x250 pixels, made smaller to `size` (bilinear, antialiased), which the R package spc4sts simulated: a \
               nominal weave; one with a small disturbance somewhere, `local`; one whose two parameters are 5 % lower, `global`. They are \
               no photographs. Where a local defect lies is not published, so that there are no masks. Fetched once from the Python \
               package conformal-clip-data and kept in the store's cache; the decoded content is checked against a digest. There are no \
               official splits: they are drawn, of each class the same share. For anomalies, connect data/one_class with `normal: nominal` \
               behind it.\n\nLicence: MIT.",
        gives: &[OutputAbout { name: "dataset", type_: "dataset", doc: "train, validation and test split" }],
        ..About::NONE
    };

    fn run(params: Params, context: &Context) -> Result<()> {
        let kept = TEXTILES.open(context)?;
        let labels: Vec<i32> = kept.labels.iter().map(|&label| i32::from(label)).collect();
        let splits = params.shares.split(&labels, CLASSES.len())?;
        let side = params.size;
        let format = Format {
            name: "textiles".into(),
            height: side as usize,
            width: side as usize,
            channels: 1,
            classes: CLASSES.map(|(name, _)| name.to_owned()).to_vec(),
            labels: Labels::Images,
            pictures: None,
        };
        let folder = context.output("dataset")?;
        let mut writer = DatasetWriter::create(&folder, format, labels.len())?;
        for (split, images) in splits {
            for number in images {
                writer.add(Sample::new(split, &kept.scaled(number, side), labels[number]))?;
            }
        }
        let title = format!("textiles: simulated weaves, {side} x {side} pixels");
        Summary { title, ..Summary::default() }.publish(&writer.finish()?, &folder, context)
    }
}

/// The classes' folders one after the other, of each its pictures by number.
fn decode(folder: &Path, to: &mut dyn Write) -> Result<()> {
    let root = folder.join("conformal_clip_data/data/textile_images/simulated");
    for (class, (_, count)) in (0u8..).zip(CLASSES) {
        to.write_all(&vec![class; count])?;
    }
    for (name, count) in CLASSES {
        for number in 1..=count {
            let path = root.join(name).join(format!("textile_{number:04}.jpg"));
            let picture = pictures::read(&path, false).with_context(|| format!("cannot decode {}", path.display()))?;
            ensure!(
                [picture.height, picture.width] == [SIZE; 2],
                "{} is not of {SIZE} x {SIZE} pixels",
                path.display()
            );
            // Red, green and blue are alike.
            to.write_all(&picture.rgb.iter().step_by(3).copied().collect::<Vec<u8>>())?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::dataset::{Dataset, Split};
    use super::super::fetched::write_stand_in;
    use super::*;
    use pretext_protocol::Run;
    use std::sync::Mutex;

    #[test]
    fn folders_are_classes_and_a_missing_picture_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().join("conformal_clip_data/data/textile_images/simulated");
        for (value, (name, count)) in [40, 120, 200].into_iter().zip(CLASSES) {
            std::fs::create_dir_all(root.join(name)).unwrap();
            let path = |number: usize| root.join(name).join(format!("textile_{number:04}.jpg"));
            let picture = image::RgbImage::from_pixel(SIZE as u32, SIZE as u32, image::Rgb([value; 3]));
            picture.save(path(1)).unwrap();
            (2..=count).for_each(|number| drop(std::fs::hard_link(path(1), path(number))));
        }
        let mut bytes = vec![];
        decode(folder.path(), &mut bytes).unwrap();
        let (labels, images) = bytes.split_at(2000);
        assert_eq!(images.len(), 2000 * SIZE * SIZE);
        for (number, image) in images.chunks(SIZE * SIZE).enumerate() {
            let class = usize::from(number >= 1000) + usize::from(number >= 1500);
            assert_eq!(usize::from(labels[number]), class);
            // A flat JPEG may be one step off.
            assert!(image.iter().all(|value| value.abs_diff([40, 120, 200][class]) <= 1), "picture {number}");
        }
        std::fs::remove_file(root.join("local/textile_0007.jpg")).unwrap();
        let error = decode(folder.path(), &mut vec![]).unwrap_err().to_string();
        assert!(error.starts_with("cannot decode ") && error.ends_with("local/textile_0007.jpg"), "{error}");
    }

    #[test]
    fn every_class_is_divided_alike() {
        let place = tempfile::tempdir().unwrap();
        let run = Run::in_folder("data/textiles", serde_json::Map::new(), &[], place.path()).unwrap();
        write_stand_in(&TEXTILES, &run.cache, |number| {
            let class = u8::from(number >= 1000) + u8::from(number >= 1500);
            (class, vec![50 * class + 20; SIZE * SIZE])
        });
        let heard = Mutex::new(Vec::<u8>::new());
        let params = Params { size: 10, ..Params::default() };
        Textiles::run(params, &Context::new(&run, &heard, &|| false).unwrap()).unwrap();
        let data = Dataset::open(&run.out.join("dataset")).unwrap();
        assert_eq!(
            (data.manifest.input(), &data.manifest.classes[..]),
            ([1, 10, 10], &CLASSES.map(|c| c.0.to_owned())[..])
        );
        assert_eq!(Split::ALL.map(|split| data.len(split)), [1350, 150, 500, 0]);
        let counts = |split| [0, 1, 2].map(|class| data.labels(split).iter().filter(|&&label| label == class).count());
        assert_eq!(counts(Split::Test), [250, 125, 125]);
        assert!((0..2000).all(|row| i32::from(data.image(row)[0]) == 50 * data.class(row) + 20));
    }
}
