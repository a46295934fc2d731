//! Numpy's arrays as a data set.

mod read;

use super::dataset::{Labels, Split};
use super::split::{by_groups, in_shares};
use super::summary::Summary;
use super::writer::{DatasetWriter, Format, Sample};
use crate::context::Context;
use crate::stage::{About, DATASET, Stage};
use anyhow::{Result, bail, ensure};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

pub use read::{Part, parts};

/// Images, labels and groups in a `.npz` file or a folder of `.npy` files.
pub struct Arrays;

#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct Params {
    /// the `.npz` file or the folder of `.npy` files, relative to the recipe's file; what is in it counts, and where it lies does
    /// not
    #[schemars(extend("x-path" = true))]
    path: PathBuf,
    /// share of what the test split leaves that is the validation split, where that has no arrays of its own
    #[schemars(range(min = 0.0, max = 0.9), extend("x-unit" = "fraction"))]
    validation: f64,
    /// share of all that is the test split, where there are no splits
    #[schemars(range(min = 0.0, max = 0.9), extend("x-unit" = "fraction"))]
    test: f64,
    /// of the draw of the splits
    #[schemars(range(min = 0))]
    seed: u64,
}

impl Default for Params {
    fn default() -> Self {
        Self { path: PathBuf::new(), validation: 0.1, test: 0.2, seed: 0 }
    }
}

/// A part's number, and the image's in it.
pub type Place = (usize, usize);

impl Stage for Arrays {
    type Params = Params;
    const ABOUT: About = About {
        name: "data/arrays",
        summary: "Images and labels in numpy's format: a .npz file, MedMNIST's among them, or a folder of .npy files",
        docs: "Arrays `images`, u8 `[n, height, width]` or `[n, height, width, 1 or 3]`, and `labels`, whole numbers from 0, \
               `[n]` or `[n, 1]`, of which splits are drawn; or those of MedMNIST v2: `train_images`, `train_labels`, `val_...` \
               and `test_...`, which are the splits (data/medmnist knows its classes' names). Images keep their size, and grey ones stay grey.\n\n\
               With an array `groups` (whole numbers, one for each image: whom or what it shows) no group is in two splits: each \
               goes to one as a whole, and the shares are as near as groups allow. Without, every class is divided in the same \
               shares.",
        gives: &[DATASET],
        ..About::NONE
    };

    fn run(params: Params, context: &Context) -> Result<()> {
        let parts = parts(&params.path)?;
        let classes = classes(&parts)?;
        let splits = splits(&parts, classes.len(), &params)?;
        check_groups(&parts, &splits)?;
        publish("arrays", classes, &parts, &splits, vec![], context)
    }
}

/// Makes the artifact of parts, which have one shape.
pub fn publish(
    name: &str,
    classes: Vec<String>,
    parts: &[Part],
    splits: &BTreeMap<Split, Vec<Place>>,
    mut remarks: Vec<String>,
    context: &Context,
) -> Result<()> {
    let groups = numbered_groups(parts);
    let [height, width, channels] = parts[0].shape;
    let title = format!("{name}: {} classes, {width} x {height} pixels", classes.len());
    let format = Format { name: name.into(), height, width, channels, classes, labels: Labels::Images, pictures: None };
    let folder = context.output("dataset")?;
    let mut writer = DatasetWriter::create(&folder, format, splits.values().map(Vec::len).sum())?;
    for (&split, places) in splits {
        for &(part, number) in places {
            let Part { labels, groups: of, .. } = &parts[part];
            let sample = Sample::new(split, parts[part].image(number), labels[number] as i32);
            writer.add(Sample { group: of.as_ref().map(|of| groups[&of[number]]), ..sample })?;
        }
    }
    if !groups.is_empty() {
        remarks.push(format!("{} groups, each in one split", groups.len()));
    }
    Summary { title, remarks, ..Summary::default() }.publish(&writer.finish()?, &folder, context)
}

/// The names of all numbers up to the highest label, of each of which there is an image.
fn classes(parts: &[Part]) -> Result<Vec<String>> {
    const MOST: i64 = 100_000;
    let labels: BTreeSet<i64> = parts.iter().flat_map(|part| &part.labels).copied().collect();
    let (Some(&least), Some(&most)) = (labels.first(), labels.last()) else { bail!("there are no images") };
    ensure!(
        least >= 0 && most < MOST,
        "labels are from {least} to {most}, expected from 0 to {} at most: np.unique(labels, return_inverse=True)[1]",
        MOST - 1
    );
    let skipped = (0..most).find(|label| !labels.contains(label));
    ensure!(
        skipped.is_none(),
        "labels are from {least} to {most}, and no image has {}, expected all from 0 on: np.unique(labels, return_inverse=True)[1] of \
         all splits together",
        skipped.unwrap_or_default()
    );
    Ok((0..=most).map(|class| class.to_string()).collect())
}

/// That no group is in two splits: drawn ones divide none, and those of arrays are told of by the user's own numbers.
fn check_groups(parts: &[Part], splits: &BTreeMap<Split, Vec<Place>>) -> Result<()> {
    let mut split_of: BTreeMap<i64, Split> = BTreeMap::new();
    for (&split, places) in splits {
        for &(part, number) in places {
            let Some(groups) = &parts[part].groups else { continue };
            let first = *split_of.entry(groups[number]).or_insert(split);
            ensure!(
                first == split,
                "group {} has images in {} and in {}: put all of a group into one split, or leave `groups` out",
                groups[number],
                first.name(),
                split.name()
            );
        }
    }
    Ok(())
}

/// Which number the artifact has for a group.
fn numbered_groups(parts: &[Part]) -> BTreeMap<i64, u32> {
    let all: BTreeSet<i64> = parts.iter().flat_map(|part| part.groups.iter().flatten()).copied().collect();
    all.into_iter().zip(0..).collect()
}

/// The images of each split: those of its own part, and what is drawn of the first part for splits that have none.
fn splits(parts: &[Part], classes: usize, params: &Params) -> Result<BTreeMap<Split, Vec<Place>>> {
    let own = |split: Split| parts.iter().position(|part| part.split == Some(split));
    let test = if parts[0].split.is_some() { 0.0 } else { params.test };
    let validation = if own(Split::Validation).is_some() { 0.0 } else { params.validation };
    let drawn = draw(&parts[0], classes, [test, validation], params.seed)?;
    let named = [Split::Train, Split::Test, Split::Validation].into_iter().zip(drawn);
    let mut splits: BTreeMap<Split, Vec<Place>> = named
        .filter(|(_, images)| !images.is_empty())
        .map(|(split, images)| (split, images.into_iter().map(|image| (0, image)).collect()))
        .collect();
    for split in [Split::Validation, Split::Test] {
        if let Some(part) = own(split) {
            splits.insert(split, (0..parts[part].labels.len()).map(|image| (part, image)).collect());
        }
    }
    Ok(splits)
}

/// Of a part's images those to train on, to test on and to choose on.
fn draw(part: &Part, classes: usize, [test, validation]: [f64; 2], seed: u64) -> Result<[Vec<usize>; 3]> {
    if let Some(groups) = &part.groups {
        let left = 1.0 - test;
        return Ok(by_groups(groups, [left * (1.0 - validation), test, left * validation], seed));
    }
    let labels: Vec<i32> = part.labels.iter().map(|&label| label as i32).collect();
    let [train, validation, test] = in_shares(&labels, classes, test, validation, seed)?.map(|(_, images)| images);
    Ok([train, test, validation])
}

#[cfg(test)]
mod tests;
