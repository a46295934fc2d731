use super::fetched::{Fetched, Splits};
use super::sources::Source;
use crate::context::Context;
use crate::stage::{About, DATASET, OutputAbout, Stage};
use anyhow::{Context as _, Result, ensure};
use std::fs::File;
use std::io::{BufReader, Read, Write};
use std::path::Path;

/// STL-10 (Coates et al. 2011): photographs of 96x96 pixels, 13,000 of 10 classes and 100,000 of which nobody says what they show.
pub struct Stl10;

const CLASSES: [&str; 10] = ["airplane", "bird", "car", "cat", "deer", "dog", "horse", "monkey", "ship", "truck"];
const SIZE: usize = 96;
const PLANE: usize = SIZE * SIZE;
const IMAGE: usize = 3 * PLANE;
/// The label of an image without a class.
const UNLABELLED: u8 = 255;

pub(super) const STL10: Fetched = Fetched {
    name: "STL-10",
    cache: "stl10",
    size: [SIZE, SIZE, 3],
    labels: 10,
    images: [5_000, 8_000, 100_000],
    sources: &[Source::Address("http://ai.stanford.edu/~acoates/stl10/stl10_binary.tar.gz")],
    download: 2_640_000_000,
    // Its official address does not answer where this was written.
    digest: None,
    decode,
    by_hand: "stl10_binary.tar.gz from its official page",
};

impl Stage for Stl10 {
    type Params = Splits<5_000, 1_000, 100_000>;
    const ABOUT: About = About {
        name: "data/stl10",
        // 2: what train and validation leave is used without classes too, unless `unlabelled` says otherwise.
        version: 2,
        summary: "STL-10: photographs of 96x96 pixels, 13,000 in 10 classes and 100,000 without (Coates et al. 2011)",
        docs: "Fetched once from its official address (2.6 GB) and kept in the store's cache; its content is checked by its length and its \
               labels, and not by a digest, which `summary.txt` shows, so that two machines can compare. Validation is drawn from the 5,000 training images; methods that need no classes train on what \
               is left of them and on the 100,000 unlabelled images. The ten folds of the paper are not used.",
        gives: &[OutputAbout { doc: "train, validation, test and unlabelled split", ..DATASET }],
        ..About::NONE
    };

    fn run(splits: Self::Params, context: &Context) -> Result<()> {
        STL10.publish(&STL10.open(context)?, &CLASSES, i32::from, &splits, context)
    }
}

/// In a stream, since all images are three gigabytes: their number is that of their files, which are read twice.
fn decode(folder: &Path, to: &mut dyn Write) -> Result<()> {
    let folder = folder.join("stl10_binary");
    let files = ["train", "test", "unlabeled"].map(|name| (name, folder.join(format!("{name}_X.bin"))));
    for (name, images) in &files {
        let bytes = images.metadata().with_context(|| format!("cannot read {name}_X.bin"))?.len() as usize;
        ensure!(bytes.is_multiple_of(IMAGE), "{name}_X.bin has {bytes} bytes, which are no whole number of images");
        let labels = match *name {
            "unlabeled" => vec![UNLABELLED; bytes / IMAGE],
            name => labels(&folder, name, bytes / IMAGE)?,
        };
        to.write_all(&labels)?;
    }
    for (name, images) in &files {
        write_images(images, to).with_context(|| format!("cannot read {name}_X.bin"))?;
    }
    Ok(())
}

/// The classes of so many images, counted from 0.
fn labels(folder: &Path, name: &str, count: usize) -> Result<Vec<u8>> {
    let file = format!("{name}_y.bin");
    let classes = std::fs::read(folder.join(&file)).with_context(|| format!("cannot read {file}"))?;
    ensure!(classes.len() == count, "{name} has {count} images and {} labels", classes.len());
    let wrong = classes.iter().find(|class| !(1..=10).contains(*class));
    ensure!(wrong.is_none(), "{name} has a label {}: 1 to 10 were expected", wrong.copied().unwrap_or_default());
    Ok(classes.into_iter().map(|class| class - 1).collect())
}

/// Images lie as three planes, red, green and blue, and each plane column by column.
fn write_images(file: &Path, to: &mut dyn Write) -> Result<()> {
    let file = File::open(file)?;
    let count = file.metadata()?.len() as usize / IMAGE;
    let (mut file, mut planes, mut image) = (BufReader::with_capacity(1 << 20, file), [0; IMAGE], [0; IMAGE]);
    for _ in 0..count {
        file.read_exact(&mut planes)?;
        for (place, pixel) in image.chunks_exact_mut(3).enumerate() {
            let column_by_column = place % SIZE * SIZE + place / SIZE;
            pixel
                .iter_mut()
                .enumerate()
                .for_each(|(channel, value)| *value = planes[channel * PLANE + column_by_column]);
        }
        to.write_all(&image)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_become_rows_and_classes_count_from_0() {
        let place = tempfile::tempdir().unwrap();
        let folder = place.path().join("stl10_binary");
        std::fs::create_dir_all(&folder).unwrap();
        // Its red says the column, its green the row.
        let image: Vec<u8> = (0..IMAGE)
            .map(|i| match i / PLANE {
                0 => (i % PLANE / SIZE) as u8,
                1 => (i % SIZE) as u8,
                _ => 200,
            })
            .collect();
        for name in ["train", "test", "unlabeled"] {
            std::fs::write(folder.join(format!("{name}_X.bin")), &image).unwrap();
        }
        std::fs::write(folder.join("train_y.bin"), [1]).unwrap();
        std::fs::write(folder.join("test_y.bin"), [10]).unwrap();
        let mut decoded = vec![];
        decode(place.path(), &mut decoded).unwrap();
        assert_eq!(decoded.len(), 3 + 3 * IMAGE);
        assert_eq!(decoded[..3], [0, 9, UNLABELLED]);
        let second = &decoded[3 + IMAGE..];
        assert_eq!(second[..6], [0, 0, 200, 1, 0, 200], "along the first row");
        assert_eq!(second[3 * SIZE..][..3], [0, 1, 200]);
        std::fs::write(folder.join("test_y.bin"), [11]).unwrap();
        let refused = || decode(place.path(), &mut vec![]).unwrap_err().to_string();
        assert_eq!(refused(), "test has a label 11: 1 to 10 were expected");
        std::fs::write(folder.join("test_X.bin"), &image[1..]).unwrap();
        assert_eq!(refused(), "test_X.bin has 27647 bytes, which are no whole number of images");
    }
}
