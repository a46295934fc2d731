//! The `dataset` artifact: a folder of columns, of which each row is a sample. Rows lie in the order of the splits.
//!
//! | file | what it holds |
//! | --- | --- |
//! | `manifest.json` | [`Manifest`] |
//! | `image.npy` | u8 `[n, height, width, channels]` |
//! | `class.npy` | i32 `[n]`: its place among the classes, -1 where nobody knows |
//! | `split.npy` | u8 `[n]`: 0 train, 1 validation, 2 test, 3 unlabelled |
//! | `digest.npy` | u64 `[n]`: of the image's bytes |
//! | `group.npy` | u32 `[n]`, where there are groups: whom or what it shows; no group is in two splits |

use super::npy::{self, Mapped};
use anyhow::{Context, Result, ensure};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::ops::Range;
use std::path::Path;

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Split {
    Train,
    Validation,
    Test,
    /// To be trained on by what needs no classes.
    Unlabelled,
}

impl Split {
    pub const ALL: [Self; 4] = [Self::Train, Self::Validation, Self::Test, Self::Unlabelled];
    /// Those of which classes are known.
    pub const LABELLED: [Self; 3] = [Self::Train, Self::Validation, Self::Test];

    pub fn name(self) -> &'static str {
        match self {
            Self::Train => "train",
            Self::Validation => "validation",
            Self::Test => "test",
            Self::Unlabelled => "unlabelled",
        }
    }
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Manifest {
    pub name: String,
    pub height: usize,
    pub width: usize,
    /// 1: grey, 3: red, green, blue.
    pub channels: usize,
    pub classes: Vec<String>,
    /// Number of images of each split.
    pub images: BTreeMap<Split, usize>,
    /// Of each channel over the train split, of values in [0, 1].
    pub mean: Vec<f32>,
    pub sd: Vec<f32>,
}

impl Manifest {
    pub fn image_bytes(&self) -> usize {
        self.height * self.width * self.channels
    }
}

/// An opened artifact.
#[derive(Debug)]
pub struct Dataset {
    pub manifest: Manifest,
    images: Mapped,
    classes: Vec<i32>,
    /// Of each row's image.
    pub digests: Vec<u64>,
}

impl Dataset {
    pub fn open(folder: &Path) -> Result<Self> {
        let manifest: Manifest = read_json(&folder.join("manifest.json"))?;
        let rows = manifest.images.values().sum();
        let shape = [rows, manifest.height, manifest.width, manifest.channels];
        Ok(Self {
            images: Mapped::open::<u8>(&folder.join("image.npy"), &shape)?,
            classes: column(folder, "class", rows)?,
            digests: column(folder, "digest", rows)?,
            manifest,
        })
    }

    /// Where the samples of a split lie.
    pub fn rows(&self, split: Split) -> Range<usize> {
        let images = |split: &Split| self.manifest.images.get(split).copied().unwrap_or_default();
        let start = Split::ALL.iter().take_while(|before| **before < split).map(images).sum();
        start..start + images(&split)
    }

    pub fn len(&self, split: Split) -> usize {
        self.rows(split).len()
    }

    /// The samples of the train split, and, for what needs no classes, those of the unlabelled one.
    pub fn rows_to_train_on(&self, needs_classes: bool) -> Vec<usize> {
        let unlabelled = if needs_classes { 0..0 } else { self.rows(Split::Unlabelled) };
        self.rows(Split::Train).chain(unlabelled).collect()
    }

    /// `[height, width, channels]`
    pub fn image(&self, row: usize) -> &[u8] {
        let size = self.manifest.image_bytes();
        &self.images.bytes()[row * size..(row + 1) * size]
    }

    pub fn class(&self, row: usize) -> i32 {
        self.classes[row]
    }

    /// Of a split's samples, in their order.
    pub fn labels(&self, split: Split) -> &[i32] {
        &self.classes[self.rows(split)]
    }
}

/// A column of a number a row.
pub fn column<T: npyz::Deserialize>(folder: &Path, name: &str, rows: usize) -> Result<Vec<T>> {
    let file = folder.join(format!("{name}.npy"));
    let (shape, values) = npy::read(&file)?;
    ensure!(shape == [rows], "{} has the shape {shape:?}, expected [{rows}]", file.display());
    Ok(values)
}

pub fn read_json<T: serde::de::DeserializeOwned>(path: &Path) -> Result<T> {
    let text = std::fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
    serde_json::from_str(&text).with_context(|| format!("{} does not hold what is expected", path.display()))
}

pub fn write_json<T: Serialize>(path: &Path, value: &T) -> Result<()> {
    let mut text = serde_json::to_string_pretty(value)?;
    text.push('\n');
    std::fs::write(path, text).with_context(|| format!("cannot write {}", path.display()))
}
