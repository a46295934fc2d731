//! What data sets share that are fetched: they are decoded once, checked by a digest and kept in the cache, and their splits are drawn.

use super::dataset::{Labels, Split};
use super::sources::{Source, first_that_works};
use super::split::{stratified, unlabelled};
use super::summary::Summary;
use super::writer::{DatasetWriter, Format, Sample};
use crate::context::Context;
use crate::random::{Purpose, Rng};
use anyhow::{Context as _, Result, bail, ensure};
use image::GrayImage;
use image::imageops::{FilterType, resize};
use memmap2::Mmap;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

/// Which images are used how. `ALL`: images of the official training split; `VALIDATION`: how many of them are held out by default;
/// `WITHOUT`: images that have no classes.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct Splits<const ALL: u32, const VALIDATION: u32, const WITHOUT: u32 = 0> {
    /// images to train on, of the official training split; stratified
    #[serde(default = "all_but::<ALL, VALIDATION>")]
    #[schemars(range(min = 10, max = ALL), extend("x-unit" = "images"))]
    train: u32,
    /// images held out of the official training split, to choose settings on; stratified
    #[serde(default = "all_but::<VALIDATION, 0>")]
    #[schemars(range(min = 10, max = ALL - 10), extend("x-unit" = "images"))]
    validation: u32,
    /// images for methods that need no classes: of what is left of the official training split, whose classes are withheld, and of those that
    /// have none, where a set has such; null: all of them
    #[serde(default = "without_classes::<WITHOUT>")]
    #[schemars(range(min = 0, max = ALL + WITHOUT), extend("x-unit" = "images"))]
    unlabelled: Option<u32>,
    /// of the draw of the splits
    #[serde(default)]
    #[schemars(range(min = 0))]
    seed: u64,
}

fn all_but<const ALL: u32, const REST: u32>() -> u32 {
    ALL - REST
}

/// All, where there are some that have no classes.
fn without_classes<const WITHOUT: u32>() -> Option<u32> {
    (WITHOUT == 0).then_some(0)
}

impl<const ALL: u32, const VALIDATION: u32, const WITHOUT: u32> Default for Splits<ALL, VALIDATION, WITHOUT> {
    fn default() -> Self {
        Self { train: ALL - VALIDATION, validation: VALIDATION, unlabelled: without_classes::<WITHOUT>(), seed: 0 }
    }
}

/// A data set that is fetched.
pub struct Fetched {
    pub name: &'static str,
    /// Of its folder in the cache, and of the file there.
    pub cache: &'static str,
    /// Height, width and channels.
    pub size: [usize; 3],
    /// Number of different labels.
    pub labels: usize,
    /// Numbers of images of the official splits: training, test, and of those without classes.
    pub images: [usize; 3],
    pub sources: &'static [Source],
    /// About how many bytes a source has.
    pub download: u64,
    /// blake3 of [`Fetched::decode`]'s bytes; `None` where nobody could fetch it yet whose word this is: then only their number is
    /// checked.
    pub digest: Option<&'static str>,
    /// From a folder in which a source was unpacked to what is kept: the labels, a byte each, and then the images (rows, columns,
    /// channels); training first, then test, then those without classes, whose label is 255.
    pub decode: fn(&Path, &mut dyn Write) -> Result<()>,
    /// What to fetch by hand.
    pub by_hand: &'static str,
}

/// Adds an image that lies as three planes, red, green and blue, row by row.
pub fn add_planes(planes: &[u8], images: &mut Vec<u8>) {
    let size = planes.len() / 3;
    images.extend((0..size).flat_map(|i| [planes[i], planes[size + i], planes[2 * size + i]]));
}

/// What lies in the cache.
pub struct Kept {
    bytes: Mmap,
    pub labels: Vec<u8>,
    image_bytes: usize,
    /// Of its bytes, where no digest is known that they were checked by.
    unchecked: Option<String>,
}

/// Where it is set, as in tests, another content may stand in for a data set in the cache: beside it lies a file with the digest of that,
/// and the stage says so. What lies in the cache counts in no key, so that a result made of it would pass for one of the true images.
const STAND_INS: &str = "PRETEXT_STAND_INS";

impl Kept {
    pub fn image(&self, number: usize) -> &[u8] {
        let start = self.labels.len() + number * self.image_bytes;
        &self.bytes[start..start + self.image_bytes]
    }

    /// One of square grey images, made as small as `side` (bilinear, antialiased).
    pub fn scaled(&self, number: usize, side: u32) -> Vec<u8> {
        let own = self.image_bytes.isqrt() as u32;
        let whole = GrayImage::from_raw(own, own, self.image(number).to_vec()).expect("it is a square");
        resize(&whole, side, side, FilterType::Triangle).into_raw()
    }
}

impl Fetched {
    fn image_bytes(&self) -> usize {
        self.size.iter().product()
    }

    fn count(&self) -> usize {
        self.images.iter().sum()
    }

    /// Fetches it unless it is there.
    pub fn open(&self, context: &Context) -> Result<Kept> {
        let file = self.fetch_once(context)?;
        // Safety: the cache's file is written once, under another name, and then renamed.
        let bytes = unsafe { Mmap::map(&File::open(&file)?) }?;
        let unchecked = self.check_kept(&bytes, &file, context)?;
        let labels = bytes[..self.count()].to_vec();
        let labelled = self.images[0] + self.images[1];
        let wrong = labels[..labelled].iter().position(|&label| usize::from(label) >= self.labels);
        if let Some(image) = wrong {
            bail!(
                "{}: image {image} has the label {}, and there are {} classes, counted from 0: remove it, and it is fetched again",
                file.display(),
                labels[image],
                self.labels
            );
        }
        Ok(Kept { labels, bytes, image_bytes: self.image_bytes(), unchecked })
    }

    /// The decoded data set in the cache.
    fn fetch_once(&self, context: &Context) -> Result<PathBuf> {
        let folder = context.cache().join(self.cache);
        let file = folder.join(format!("{}.bin", self.cache));
        if file.exists() {
            return Ok(file);
        }
        std::fs::create_dir_all(&folder).with_context(|| format!("cannot create {}", folder.display()))?;
        let mut meter = context.meter("download", self.download, "bytes");
        let mut watch = |bytes: u64| {
            meter.at(bytes.min(self.download), &[]);
            context.check_stop()
        };
        // Two processes may fetch at once: each works in a folder of its own, and the renames are idempotent.
        let work = folder.join(format!("fetch-{}", std::process::id()));
        let partial = folder.join(format!("partial-{}", std::process::id()));
        first_that_works(self.sources, &work, &mut watch, |unpacked| self.write_decoded(unpacked, &partial))
        .with_context(|| {
            format!(
                "to put {} there by hand: fetch {}, and write the labels (a byte each, counted from 0; 255: none) and then the images (row by row{}) of its {} \
                 images to {}",
                self.name,
                self.by_hand,
                if self.size[2] == 3 { ", red green blue" } else { "" },
                crate::data::grouped(self.count()),
                file.display()
            )
        })?;
        std::fs::rename(&partial, &file)?;
        Ok(file)
    }

    /// Decodes what a source gave into a file, which is there afterwards if it is what was looked for.
    fn write_decoded(&self, unpacked: &Path, file: &Path) -> Result<()> {
        let write = || -> Result<()> {
            let mut to = BufWriter::with_capacity(1 << 20, File::create(file)?);
            (self.decode)(unpacked, &mut to)?;
            to.flush()?;
            // Safety: the file was made here, and nobody else knows it.
            self.check(&unsafe { Mmap::map(&File::open(file)?) }?, self.digest)
        };
        write().inspect_err(|_| drop(std::fs::remove_file(file)))
    }

    /// What lies in the cache may have been put there by hand. Returns its digest where nobody knows what that should be.
    fn check_kept(&self, bytes: &[u8], file: &Path, context: &Context) -> Result<Option<String>> {
        let again = || format!("{}: remove it, and it is fetched again", file.display());
        let mark = file.with_extension("stand-in");
        if !mark.exists() {
            self.check(bytes, self.digest).with_context(again)?;
            return Ok(self.digest.is_none().then(|| digest(bytes)));
        }
        ensure!(
            may_stand_in(),
            "other images stand in for {}'s, as {} says: remove both files, and it is fetched ({STAND_INS}=1 lets them stand in, for \
             tests only)",
            self.name,
            mark.display()
        );
        self.check(bytes, Some(std::fs::read_to_string(&mark)?.trim())).with_context(again)?;
        context.note(&format!("its images are not {}'s: others stand in for them in the cache", self.name));
        Ok(None)
    }

    fn check(&self, bytes: &[u8], expected: Option<&str>) -> Result<()> {
        if let Some(expected) = expected {
            let digest = digest(bytes);
            ensure!(digest == expected, "its content is not {}'s: digest {digest}, expected {expected}", self.name);
        }
        let length = self.count() * (1 + self.image_bytes());
        ensure!(bytes.len() == length, "its content has {} bytes, and {}'s {length}", bytes.len(), self.name);
        Ok(())
    }

    /// Draws the splits and publishes the data set; `class` is that of a label.
    pub fn publish<const ALL: u32, const VALIDATION: u32, const WITHOUT: u32>(
        &self,
        kept: &Kept,
        classes: &[&str],
        class: impl Fn(u8) -> i32,
        splits: &Splits<ALL, VALIDATION, WITHOUT>,
        context: &Context,
    ) -> Result<()> {
        let [train, test, _] = self.images;
        let labels: Vec<i32> = kept.labels[..train + test].iter().map(|&label| class(label)).collect();
        let drawn = stratified(
            &labels[..train],
            classes.len(),
            splits.train as usize,
            splits.validation as usize,
            splits.seed,
        )?;
        let unlabelled =
            splits.left_over((0..train).chain(train + test..self.count()), [&drawn.train, &drawn.validation])?;
        let rows = [
            (Split::Train, drawn.train),
            (Split::Validation, drawn.validation),
            (Split::Test, (train..train + test).collect()),
            (Split::Unlabelled, unlabelled),
        ];
        let [height, width, channels] = self.size;
        let classes: Vec<String> = classes.iter().map(|&class| class.to_owned()).collect();
        let mut summary = Summary {
            title: format!("{}: {} classes, {height} x {width} pixels", self.name, classes.len()),
            remarks: vec!["validation is drawn from the official training split, test is the official one".into()],
            // Two machines can compare it.
            details: kept.unchecked.iter().map(|digest| format!("blake3 of the decoded data set: {digest}")).collect(),
            sources: vec![],
        };
        if !rows[3].1.is_empty() {
            summary.remarks.push("unlabelled images are trained on by methods that need no classes".into());
        }
        let folder = context.output("dataset")?;
        let format =
            Format { name: self.name.into(), height, width, channels, classes, labels: Labels::Images, pictures: None };
        let mut writer = DatasetWriter::create(&folder, format, rows.iter().map(|(_, images)| images.len()).sum())?;
        for (split, images) in rows {
            for image in images {
                let class = if split == Split::Unlabelled { -1 } else { labels[image] };
                writer.add(Sample::new(split, kept.image(image), class))?;
            }
        }
        summary.publish(&writer.finish()?, &folder, context)
    }
}

fn digest(bytes: &[u8]) -> String {
    blake3::Hasher::new().update_rayon(bytes).finalize().to_hex().to_string()
}

impl<const ALL: u32, const VALIDATION: u32, const WITHOUT: u32> Splits<ALL, VALIDATION, WITHOUT> {
    /// What is drawn of the images that may be and are not used otherwise, in their order.
    fn left_over(&self, images: impl Iterator<Item = usize>, used: [&[usize]; 2]) -> Result<Vec<usize>> {
        let used: BTreeSet<usize> = used.into_iter().flatten().copied().collect();
        let free = images.filter(|image| !used.contains(image)).collect();
        unlabelled(free, self.unlabelled, Rng::new(self.seed, Purpose::Split, &[u64::MAX]))
    }
}

fn may_stand_in() -> bool {
    #[cfg(test)]
    if STAND_IN.get() {
        return true;
    }
    std::env::var_os(STAND_INS).is_some()
}

#[cfg(test)]
std::thread_local! {
    /// Whether this test has written what stands in.
    static STAND_IN: std::cell::Cell<bool> = const { std::cell::Cell::new(false) };
}

/// Puts into the cache what stands in for a data set: of each image, by its number, a label and its bytes.
#[cfg(test)]
pub fn write_stand_in(set: &Fetched, cache: &Path, image: impl Fn(usize) -> (u8, Vec<u8>)) {
    STAND_IN.set(true);
    let (mut content, mut images) = (vec![], vec![]);
    for (label, bytes) in (0..set.count()).map(image) {
        content.push(label);
        images.extend(bytes);
    }
    content.append(&mut images);
    let file = cache.join(set.cache).join(format!("{}.bin", set.cache));
    std::fs::create_dir_all(file.parent().expect("it lies in a folder")).unwrap();
    std::fs::write(&file, &content).unwrap();
    std::fs::write(file.with_extension("stand-in"), blake3::hash(&content).to_hex().as_str()).unwrap();
}

#[cfg(test)]
mod tests;
