use super::dataset::Labels;
use super::fetched::Fetched;
use super::sources::Source;
use super::split::Shares;
use super::summary::Summary;
use super::writer::{DatasetWriter, Format, Sample};
use crate::context::Context;
use crate::stage::{About, OutputAbout, Stage};
use anyhow::{Context as _, Result, bail, ensure};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::io::Write;
use std::path::Path;

/// Solar cells that are sound or defective (Buerhop-Lutz et al. 2018; Deitsch et al. 2019 and 2021).
pub struct SolarCells;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
enum Cells {
    All,
    Mono,
    Poly,
}

#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct Params {
    /// width and height of the data set's images, of 300
    #[schemars(range(min = 8, max = 300), extend("x-unit" = "pixels"))]
    size: u32,
    /// cells of silicon of one crystal, of many, or all
    cells: Cells,
    /// the least probability of a defect with which a cell counts as defective; there are 0, 1/3, 2/3 and 1
    #[schemars(range(min = 0.01, max = 1.0), extend("x-unit" = "probability"))]
    defective_from: f64,
    #[serde(flatten)]
    shares: Shares,
}

impl Default for Params {
    fn default() -> Self {
        Self { size: 64, cells: Cells::All, defective_from: 0.5, shares: Shares::default() }
    }
}

const SIZE: usize = 300;
const COUNT: usize = 2_624;

pub(super) const SOLAR_CELLS: Fetched = Fetched {
    name: "elpv",
    cache: "solar-cells",
    size: [SIZE, SIZE, 1],
    labels: 8,
    images: [COUNT, 0, 0],
    sources: &[Source::PyPi("elpv-dataset==1.0.0.post1")],
    download: 91_000_000,
    digest: Some("84406cc4be1f864b57a81a5434f76a6440577e307e352e16ad19b48ae3bb3609"),
    decode,
    by_hand: "the repository zae-bayern/elpv-dataset",
};

impl Stage for SolarCells {
    type Params = Params;
    const ABOUT: About = About {
        name: "data/solar_cells",
        summary: "elpv: 2,624 solar cells in electroluminescence, sound or defective (Deitsch et al. 2019)",
        docs: "Grey images of 300x300 pixels, made smaller to `size` (bilinear, antialiased), cut from photographs of 44 solar \
               modules, with the probability of a defect that an expert gave. Fetched once from the Python package elpv-dataset \
               and kept in the store's cache; the decoded content is checked against a digest. There are no official splits: they \
               are drawn, of each class the same share. Which cell is of which module is not published, so that cells of one \
               module are in all splits: another module's cells may be harder than the test split says.\n\n\
               Licence: CC BY-NC-SA 4.0, not for commerce.",
        gives: &[OutputAbout { name: "dataset", type_: "dataset", doc: "train, validation and test split" }],
        ..About::NONE
    };

    fn run(params: Params, context: &Context) -> Result<()> {
        let kept = SOLAR_CELLS.open(context)?;
        let chosen: Vec<usize> = (0..COUNT).filter(|&cell| params.cells.hold(kept.labels[cell])).collect();
        let class = |cell: usize| i32::from(probability(kept.labels[cell]) >= params.defective_from - 1e-9);
        let labels: Vec<i32> = chosen.iter().map(|&cell| class(cell)).collect();
        let splits = params.shares.split(&labels, 2)?;

        let side = params.size as usize;
        let classes = ["sound", "defective"].map(String::from).to_vec();
        let format = Format {
            name: "elpv".into(),
            height: side,
            width: side,
            channels: 1,
            classes,
            labels: Labels::Images,
            pictures: None,
        };
        let folder = context.output("dataset")?;
        let mut writer = DatasetWriter::create(&folder, format, chosen.len())?;
        for (split, places) in splits {
            for place in places {
                let image = kept.scaled(chosen[place], params.size);
                writer.add(Sample::new(split, &image, labels[place]))?;
            }
        }
        let summary = Summary {
            title: format!("elpv: solar cells, {side} x {side} pixels"),
            remarks: vec![format!("defective: from a probability of {} on", params.defective_from)],
            ..Summary::default()
        };
        summary.publish(&writer.finish()?, &folder, context)
    }
}

/// A label is twice the thirds of a defect's probability, and 1 more for silicon of many crystals.
fn label(thirds: u8, is_poly: bool) -> u8 {
    2 * thirds + u8::from(is_poly)
}

fn probability(label: u8) -> f64 {
    f64::from(label / 2) / 3.0
}

impl Cells {
    fn hold(self, label: u8) -> bool {
        match self {
            Self::All => true,
            Self::Mono => label.is_multiple_of(2),
            Self::Poly => label % 2 == 1,
        }
    }
}

/// The pictures that `labels.csv` lists: their paths, probabilities and silicon, with spaces between.
fn decode(folder: &Path, to: &mut dyn Write) -> Result<()> {
    let folder = folder.join("elpv_dataset/data");
    let list = std::fs::read_to_string(folder.join("labels.csv")).context("cannot read labels.csv")?;
    let (mut labels, mut images) = (vec![], vec![]);
    for line in list.lines() {
        let [name, probability, silicon] = line.split_whitespace().collect::<Vec<_>>()[..] else {
            bail!("labels.csv has the line `{line}`, expected a path, a probability and mono or poly");
        };
        let thirds = 3.0 * probability.parse::<f64>().with_context(|| format!("`{probability}` is no probability"))?;
        labels.push(label(thirds.round() as u8, silicon == "poly"));
        let picture = image::open(folder.join(name)).with_context(|| format!("cannot decode {name}"))?.into_luma8();
        ensure!(picture.dimensions() == (SIZE as u32, SIZE as u32), "{name} is not of {SIZE} x {SIZE} pixels");
        images.extend(picture.into_raw());
    }
    to.write_all(&labels)?;
    Ok(to.write_all(&images)?)
}

#[cfg(test)]
mod tests {
    use super::super::dataset::{Dataset, Split};
    use super::super::fetched::write_stand_in;
    use super::*;
    use image::GrayImage;
    use pretext_protocol::Run;
    use std::collections::BTreeSet;
    use std::sync::Mutex;

    fn all_of(folder: &Path) -> Result<Vec<u8>> {
        let mut bytes = vec![];
        decode(folder, &mut bytes)?;
        Ok(bytes)
    }

    #[test]
    fn the_list_says_what_a_picture_shows() {
        let folder = tempfile::tempdir().unwrap();
        let data = folder.path().join("elpv_dataset/data");
        std::fs::create_dir_all(data.join("images")).unwrap();
        let write = |lines: &str| std::fs::write(data.join("labels.csv"), lines).unwrap();
        let side = SIZE as u32;
        for (name, value) in [("a", 10), ("b", 20)] {
            let file = data.join(format!("images/{name}.png"));
            GrayImage::from_pixel(side, side, image::Luma([value])).save(file).unwrap();
        }
        write("images/a.png  0.6666666666666666   poly\nimages/b.png  0.0   mono\n");
        let decoded = all_of(folder.path()).unwrap();
        let pixels = SIZE * SIZE;
        assert_eq!(decoded.len(), 2 * (1 + pixels));
        assert_eq!([decoded[0], decoded[1]], [5, 0]);
        assert!(
            decoded[2..2 + pixels].iter().all(|&value| value == 10) && decoded[2 + pixels..].iter().all(|&v| v == 20)
        );
        assert!((probability(5) - 2.0 / 3.0).abs() < 1e-12 && Cells::Poly.hold(5) && !Cells::Mono.hold(5));
        write("images/a.png 1.0\n");
        let error = all_of(folder.path()).unwrap_err().to_string();
        assert_eq!(
            error,
            "labels.csv has the line `images/a.png 1.0`, expected a path, a probability and mono or poly"
        );
    }

    /// Stand-ins whose left and right halves say which they are.
    fn halves(number: usize) -> (u8, Vec<u8>) {
        let row: Vec<u8> = [number % 256, number / 256].map(|value| [value as u8; SIZE / 2]).concat();
        ((number % 8) as u8, row.repeat(SIZE))
    }

    #[test]
    fn every_cell_that_is_asked_for_is_in_one_split_with_its_class() {
        let place = tempfile::tempdir().unwrap();
        let run = Run::in_folder("data/solar_cells", serde_json::Map::new(), &[], place.path()).unwrap();
        write_stand_in(&SOLAR_CELLS, &run.cache, halves);
        let heard = Mutex::new(Vec::<u8>::new());
        let params = Params { size: 8, cells: Cells::Mono, defective_from: 2.0 / 3.0, ..Params::default() };
        SolarCells::run(params, &Context::new(&run, &heard, &|| false).unwrap()).unwrap();
        let data = Dataset::open(&run.out.join("dataset")).unwrap();
        assert_eq!((data.manifest.input(), data.manifest.classes.len()), ([1, 8, 8], 2));
        assert_eq!(Split::ALL.map(|split| data.len(split)), [886, 98, 328, 0], "of 1,312 a quarter, then a tenth");
        let defective = |split| data.labels(split).iter().filter(|&&class| class == 1).count();
        assert_eq!(Split::LABELLED.map(defective), [443, 49, 164], "two of four probabilities");
        let mut cells = BTreeSet::new();
        for row in 0..1312 {
            let image = data.image(row);
            let cell = usize::from(image[0]) + 256 * usize::from(image[7]);
            assert!(cells.insert(cell) && cell % 2 == 0, "cell {cell} is once there and of one crystal");
            assert_eq!(data.class(row), i32::from(cell % 8 / 2 >= 2));
        }
    }
}
