use super::fetched::{Fetched, Splits};
use super::sources::Source;
use crate::context::Context;
use crate::stage::{About, DATASET, OutputAbout, Stage};
use anyhow::{Context as _, Result, ensure};
use std::path::Path;

/// STL-10 (Coates et al. 2011): photographs of 96x96 pixels, 13,000 of 10 classes and 100,000 of which nobody says what they show.
pub struct Stl10;

const CLASSES: [&str; 10] = ["airplane", "bird", "car", "cat", "deer", "dog", "horse", "monkey", "ship", "truck"];
const SIZE: usize = 96;
const PLANE: usize = SIZE * SIZE;
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
    type Params = Splits<5_000, 1_000>;
    const ABOUT: About = About {
        name: "data/stl10",
        summary: "STL-10: photographs of 96x96 pixels, 13,000 in 10 classes and 100,000 without (Coates et al. 2011)",
        docs: "Fetched once from its official address (2.6 GB) and kept in the store's cache; its content is checked by its length and its \
               labels, and not by a digest. Validation is drawn from the 5,000 training images; methods that need no classes train on what \
               is left of them and on the 100,000 unlabelled images. The ten folds of the paper are not used.",
        gives: &[OutputAbout { doc: "train, validation, test and unlabelled split", ..DATASET }],
        ..About::NONE
    };

    fn run(splits: Self::Params, context: &Context) -> Result<()> {
        STL10.publish(&STL10.open(context)?, &CLASSES, i32::from, &splits, context)
    }
}

fn decode(folder: &Path) -> Result<Vec<u8>> {
    let (mut labels, mut images) = (vec![], vec![]);
    let folder = folder.join("stl10_binary");
    let read = |name: String| std::fs::read(folder.join(&name)).with_context(|| format!("cannot read {name}"));
    for split in ["train", "test", "unlabelled"] {
        let before = images.len();
        let name = if split == "unlabelled" { "unlabeled" } else { split };
        add_images(&read(format!("{name}_X.bin"))?, &mut images)?;
        let count = (images.len() - before) / (3 * PLANE);
        if split == "unlabelled" {
            labels.extend(vec![UNLABELLED; count]);
            continue;
        }
        let classes = read(format!("{name}_y.bin"))?;
        ensure!(classes.len() == count, "{name} has {count} images and {} labels", classes.len());
        for class in classes {
            ensure!((1..=10).contains(&class), "{name} has a label {class}: 1 to 10 were expected");
            labels.push(class - 1);
        }
    }
    labels.append(&mut images);
    Ok(labels)
}

/// Images lie as three planes, red, green and blue, and each plane column by column.
fn add_images(file: &[u8], to: &mut Vec<u8>) -> Result<()> {
    ensure!(file.len().is_multiple_of(3 * PLANE), "{} bytes are no whole number of images", file.len());
    for image in file.chunks_exact(3 * PLANE) {
        let at = |channel: usize, y: usize, x: usize| image[channel * PLANE + x * SIZE + y];
        to.extend((0..SIZE).flat_map(|y| (0..SIZE).flat_map(move |x| [0, 1, 2].map(|channel| at(channel, y, x)))));
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
        let image: Vec<u8> = (0..3 * PLANE)
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
        let decoded = decode(place.path()).unwrap();
        assert_eq!(decoded[..3], [0, 9, UNLABELLED]);
        let second = &decoded[3 + 3 * PLANE..];
        assert_eq!(second[..6], [0, 0, 200, 1, 0, 200], "along the first row");
        assert_eq!(second[3 * SIZE..][..3], [0, 1, 200]);
        std::fs::write(folder.join("test_y.bin"), [11]).unwrap();
        assert_eq!(decode(place.path()).unwrap_err().to_string(), "test has a label 11: 1 to 10 were expected");
    }
}
