//! A folder of one's own photographs as a data set.

mod tree;

use super::dataset::{DatasetWriter, Manifest, Split};
use super::pictures;
use super::split::{self, Draw};
use crate::context::Context;
use crate::stage::{About, OutputAbout, Stage};
use anyhow::{Context as _, Result, bail, ensure};
use image::RgbImage;
use image::imageops::{FilterType, crop_imm, resize};
use memmap2::{Mmap, MmapMut};
use rayon::prelude::*;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fs::File;
use std::path::{Path, PathBuf};
use tree::Tree;

/// A folder of JPEG and PNG files, of one sub-folder for each class or without labels.
pub struct Folder;

#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct Params {
    /// the folder, relative to the recipe's file; what is in it counts, and where it lies does not
    #[schemars(extend("x-path" = true))]
    path: PathBuf,
    /// width and height of the data set's images
    #[schemars(range(min = 8, max = 1024), extend("x-unit" = "pixels"))]
    size: u32,
    /// images to train on, of each class in proportion; all that are left where it is null
    #[schemars(range(min = 1), extend("x-unit" = "images"))]
    train: Option<u32>,
    /// images held out to choose settings on, of each class in proportion; where it is null, all of their own folder, or a
    /// tenth of what the test split leaves
    #[schemars(range(min = 1), extend("x-unit" = "images"))]
    validation: Option<u32>,
    /// share of each class that is the test split, where that has no folder of its own
    #[schemars(range(min = 0.0, max = 0.9), extend("x-unit" = "fraction"))]
    test: f64,
    /// of the draw of the splits
    #[schemars(range(min = 0))]
    seed: u64,
    /// leave out files that cannot be decoded, in place of ending with their names
    skip_damaged: bool,
}

impl Default for Params {
    fn default() -> Self {
        let (train, validation, skip_damaged) = (None, None, false);
        Self { path: PathBuf::new(), size: 64, train, validation, test: 0.2, seed: 0, skip_damaged }
    }
}

impl Stage for Folder {
    type Params = Params;
    const ABOUT: About = About {
        name: "data/folder",
        summary: "A folder of one's own JPEG and PNG files, a sub-folder for each class",
        docs: "The layout of torchvision's ImageFolder: the folders at the top are the classes, and whatever lies beneath \
               one is of its class. Where they are called train, val (or valid, validation) and test, those are the splits \
               and the classes lie within; what has no folder is drawn from train: the same share of every class, by the \
               seed. Images beside each other without a folder have no labels: an encoder can be trained on them, and \
               evaluations refuse them.\n\n\
               Of each image the largest central square is taken and made smaller or larger (bilinear, antialiased). Files \
               and folders whose names begin with a dot are passed over.",
        gives: &[OutputAbout { name: "dataset", type_: "dataset", doc: "train, validation and test split" }],
        ..About::NONE
    };

    fn run(params: Params, context: &Context) -> Result<()> {
        let tree = Tree::read(&params.path)?;
        let images = chosen(&tree, &params)?;
        let files: Vec<&Path> = images.values().flatten().map(|&number| tree.files[number].path.as_path()).collect();
        let folder = context.output("dataset")?;
        let decoded = folder.join("decoded");
        let damaged = decode_all(&files, &decoded, params.size as usize, context)?;
        refuse(&damaged, &files, params.skip_damaged)?;
        write(&tree, images, &damaged, &decoded, params.size as usize, folder)?;
        std::fs::remove_file(&decoded).with_context(|| format!("cannot remove {}", decoded.display()))
    }
}

/// The files of each split by their numbers.
fn chosen(tree: &Tree, params: &Params) -> Result<BTreeMap<Split, Vec<usize>>> {
    let (classes, seed) = (tree.classes.len(), params.seed);
    let mut left = tree.of(Split::Train);
    let mut images = BTreeMap::new();
    for (split, count) in [
        (Split::Test, Draw::Share(params.test)),
        (Split::Validation, params.validation.map_or(Draw::Share(0.1), |count| Draw::Count(count as usize))),
        (Split::Train, params.train.map_or(Draw::Share(1.0), |count| Draw::Count(count as usize))),
    ] {
        let labels = |files: &[usize]| -> Vec<i32> { files.iter().map(|&file| tree.files[file].label).collect() };
        let drawn = if split != Split::Train && tree.has(split) {
            let own = tree.of(split);
            let count = if matches!(count, Draw::Share(_)) { Draw::Share(1.0) } else { count };
            split::proportional(&labels(&own), classes, count, seed).map(|(drawn, _)| pick(&own, &drawn))
        } else {
            split::proportional(&labels(&left), classes, count, seed).map(|(drawn, rest)| {
                let picked = pick(&left, &drawn);
                left = pick(&left, &rest);
                picked
            })
        };
        let drawn = drawn.with_context(|| format!("cannot draw the {} split", split.name()))?;
        ensure!(!drawn.is_empty(), "there is no image for the {} split: more images are needed", split.name());
        images.insert(split, drawn);
    }
    Ok(images)
}

fn pick(files: &[usize], places: &[usize]) -> Vec<usize> {
    places.iter().map(|&place| files[place]).collect()
}

/// So many files are decoded between two looks at the clock.
const BLOCK: usize = 256;

/// Writes the images one behind the other into a file, `[size, size, 3]` each, and returns the numbers of those that
/// cannot be decoded, with the reason. Through the page cache, so that it takes no memory of ours.
fn decode_all(files: &[&Path], to: &Path, size: usize, context: &Context) -> Result<BTreeMap<usize, anyhow::Error>> {
    let bytes = size * size * 3;
    let file = File::options().read(true).write(true).create_new(true).open(to);
    let file = file.with_context(|| format!("cannot create {}", to.display()))?;
    file.set_len((files.len() * bytes) as u64).with_context(|| format!("cannot write {}", to.display()))?;
    // Safety: the file was made here, and nobody else knows it.
    let mut pixels = unsafe { MmapMut::map_mut(&file) }?;
    let mut meter = context.meter("decode", files.len() as u64, "images");
    let mut damaged = BTreeMap::new();
    for (block, (pixels, files)) in pixels.chunks_mut(BLOCK * bytes).zip(files.chunks(BLOCK)).enumerate() {
        context.check_stop()?;
        let errors = pixels.par_chunks_mut(bytes).zip(files).enumerate().filter_map(|(number, (pixels, file))| {
            let square = square(file, size as u32).map(|square| pixels.copy_from_slice(&square));
            square.err().map(|error| (block * BLOCK + number, error))
        });
        damaged.extend(errors.collect::<Vec<_>>());
        meter.at((block * BLOCK + files.len()) as u64, &[]);
    }
    Ok(damaged)
}

/// The largest central square of a picture, `[size, size, 3]`.
fn square(file: &Path, size: u32) -> Result<Vec<u8>> {
    let picture = pictures::decode(file)?;
    let (width, height) = (picture.width as u32, picture.height as u32);
    let side = width.min(height);
    ensure!(side > 0, "{} has no pixels", file.display());
    let whole = RgbImage::from_raw(width, height, picture.rgb).context("a picture has three values a pixel")?;
    let middle = crop_imm(&whole, (width - side) / 2, (height - side) / 2, side, side).to_image();
    if side == size {
        return Ok(middle.into_raw());
    }
    Ok(resize(&middle, size, size, FilterType::Triangle).into_raw())
}

/// Ends with the names of the damaged files, or notes them in the log.
fn refuse(damaged: &BTreeMap<usize, anyhow::Error>, files: &[&Path], skips: bool) -> Result<()> {
    const NAMED: usize = 10;
    if skips || damaged.is_empty() {
        damaged.values().for_each(|error| eprintln!("left out: {error:#}"));
        return Ok(());
    }
    let named: Vec<String> = damaged.values().take(NAMED).map(|error| format!("\n    {error:#}")).collect();
    let more = damaged.len().saturating_sub(NAMED);
    bail!(
        "{} of {} files cannot be decoded: mend or remove them, or say `skip_damaged: true`{}{}",
        damaged.len(),
        files.len(),
        named.concat(),
        if more > 0 { format!("\n    and {more} more") } else { String::new() }
    )
}

/// The artifact, of what was decoded in the order of the splits.
fn write(
    tree: &Tree,
    images: BTreeMap<Split, Vec<usize>>,
    damaged: &BTreeMap<usize, anyhow::Error>,
    decoded: &Path,
    size: usize,
    folder: PathBuf,
) -> Result<()> {
    let bytes = size * size * 3;
    // Safety: the file was written by this stage, which has ended doing so.
    let pixels = unsafe { Mmap::map(&File::open(decoded)?) }?;
    let labels: Vec<i32> = images.values().flatten().map(|&number| tree.files[number].label).collect();
    let source = |place: usize| (&pixels[place * bytes..(place + 1) * bytes], labels[place]);
    let manifest = Manifest {
        // Not the folder's: the same files under another name are the same data set.
        name: "folder".into(),
        height: size,
        width: size,
        channels: 3,
        classes: tree.classes.clone(),
        images: BTreeMap::new(),
        mean: vec![],
        sd: vec![],
    };
    let mut writer = DatasetWriter::new(folder, manifest, &source);
    let mut first = 0;
    for (split, numbers) in images {
        let places = first..first + numbers.len();
        first = places.end;
        let whole: Vec<usize> = places.filter(|place| !damaged.contains_key(place)).collect();
        ensure!(!whole.is_empty(), "no file of the {} split can be decoded", split.name());
        writer.split(split, &whole)?;
    }
    writer.finish()
}

#[cfg(test)]
mod tests;
