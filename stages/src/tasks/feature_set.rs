//! The `features` artifact: for each split `SPLIT.features` (f32, little-endian, `[image, feature]`) and `SPLIT.labels`
//! (i32), and `manifest.json`.

use crate::data::{Split, read_i32, read_json, write_json};
use anyhow::{Context as _, Result, bail, ensure};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::io::Write;
use std::path::Path;

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Manifest {
    features: usize,
    classes: usize,
    images: BTreeMap<Split, usize>,
}

#[derive(Debug)]
pub struct FeatureSet {
    /// Length of a feature vector.
    pub features: usize,
    pub classes: usize,
    pub splits: BTreeMap<Split, SplitFeatures>,
}

#[derive(Debug, Clone, PartialEq)]
pub struct SplitFeatures {
    /// `[image, feature]`
    pub values: Vec<f32>,
    pub labels: Vec<i32>,
}

impl FeatureSet {
    pub fn save(&self, folder: &Path) -> Result<()> {
        for (split, content) in &self.splits {
            write_numbers(
                &folder.join(format!("{}.features", split.name())),
                content.values.iter().map(|v| v.to_le_bytes()),
            )?;
            write_numbers(
                &folder.join(format!("{}.labels", split.name())),
                content.labels.iter().map(|v| v.to_le_bytes()),
            )?;
        }
        let images = self.splits.iter().map(|(&split, content)| (split, content.labels.len())).collect();
        write_json(&folder.join("manifest.json"), &Manifest { features: self.features, classes: self.classes, images })
    }

    /// For an evaluation: with labels, and images of every split.
    pub fn open(folder: &Path) -> Result<Self> {
        let manifest: Manifest = read_json(&folder.join("manifest.json"))?;
        let splits = manifest.images.iter().map(|(&split, &count)| {
            let path = folder.join(format!("{}.features", split.name()));
            let bytes = std::fs::read(&path).with_context(|| format!("cannot read {}", path.display()))?;
            let expected = 4 * count * manifest.features;
            ensure!(bytes.len() == expected, "{} has {} bytes, expected {expected}", path.display(), bytes.len());
            let values: Vec<f32> = bytes.as_chunks::<4>().0.iter().map(|b| f32::from_le_bytes(*b)).collect();
            if let Some(place) = values.iter().position(|value| !value.is_finite()) {
                let image = place / manifest.features;
                bail!(
                    "{}: image {image} has a feature that is {}, which nothing can be learned from",
                    path.display(),
                    values[place]
                );
            }
            let labels = read_i32(&folder.join(format!("{}.labels", split.name())), count)?;
            Ok((split, SplitFeatures { values, labels }))
        });
        ensure!(
            manifest.classes > 1,
            "the images of these features have no labels (all are of one class), and an evaluation tells classes apart: \
             use a data set with a folder for each class"
        );
        for split in Split::ALL {
            let images = manifest.images.get(&split).copied().unwrap_or(0);
            ensure!(
                images > 0,
                "these features have no image of the {} split, and an evaluation judges by it: make them of a data set that has \
                 one (data/folder has where `test` is above 0)",
                split.name()
            );
        }
        Ok(Self { features: manifest.features, classes: manifest.classes, splits: splits.collect::<Result<_>>()? })
    }

    pub fn split(&self, split: Split) -> Result<&SplitFeatures> {
        let found = self.splits.get(&split).filter(|found| !found.labels.is_empty());
        found.with_context(|| {
            let name = split.name();
            format!(
                "the features are of no {name} images, and an evaluation needs some: give the data set a {name} split"
            )
        })
    }
}

fn write_numbers(path: &Path, numbers: impl Iterator<Item = [u8; 4]>) -> Result<()> {
    let file = std::fs::File::create(path).with_context(|| format!("cannot create {}", path.display()))?;
    let mut out = std::io::BufWriter::with_capacity(1 << 20, file);
    for number in numbers {
        out.write_all(&number)?;
    }
    out.flush().with_context(|| format!("cannot write {}", path.display()))
}
