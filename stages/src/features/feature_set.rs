//! The `features` artifact, a row a sample: `features.npy` (f32 `[n, features]`), `id.npy` (u32: its row in the data set), `class.npy`
//! (i32) and `split.npy` (u8) as there, and `manifest.json`.

use crate::data::npy::{self, Mapped, NpyWriter};
use crate::data::{Dataset, Split, column};
use crate::json;
use anyhow::{Context as _, Result, bail, ensure};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
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

#[derive(Debug, Clone, Default, PartialEq)]
pub struct SplitFeatures {
    /// `[image, feature]`
    pub values: Vec<f32>,
    pub labels: Vec<i32>,
    /// Their rows in the data set.
    pub ids: Vec<u32>,
}

/// Images whose class is known.
#[derive(Debug, Clone, Copy)]
pub struct Labelled<'a> {
    pub labels: &'a [i32],
    /// Their rows in the data set.
    pub ids: &'a [u32],
    pub classes: usize,
}

impl SplitFeatures {
    pub fn labelled(&self, classes: usize) -> Labelled<'_> {
        Labelled { labels: &self.labels, ids: &self.ids, classes }
    }
}

impl FeatureSet {
    pub fn save(&self, folder: &Path) -> Result<()> {
        let images: BTreeMap<Split, usize> = self.splits.iter().map(|(&split, of)| (split, of.labels.len())).collect();
        let rows = images.values().sum();
        let mut values = NpyWriter::create::<f32>(folder.join("features.npy"), &[rows, self.features])?;
        for of_split in self.splits.values() {
            for row in of_split.values.chunks(self.features) {
                values.write(&row.iter().flat_map(|value| value.to_le_bytes()).collect::<Vec<u8>>())?;
            }
        }
        values.finish()?;
        let (mut ids, mut classes, mut splits) = (vec![], vec![], vec![]);
        for (&split, of_split) in &self.splits {
            ids.extend_from_slice(&of_split.ids);
            classes.extend_from_slice(&of_split.labels);
            splits.extend(vec![split as u8; of_split.labels.len()]);
        }
        npy::write(folder.join("id.npy"), &[rows], &ids)?;
        npy::write(folder.join("class.npy"), &[rows], &classes)?;
        npy::write(folder.join("split.npy"), &[rows], &splits)?;
        json::write(&folder.join("manifest.json"), &Manifest { features: self.features, classes: self.classes, images })
    }

    /// For an evaluation: with labels, and images of every split that is evaluated on.
    pub fn open(folder: &Path) -> Result<Self> {
        let Manifest { features, classes, images } = json::read(&folder.join("manifest.json"))?;
        let rows = images.values().sum();
        let file = folder.join("features.npy");
        let values = Mapped::open::<f32>(&file, &[rows, features])?;
        let (ids, labels) = (column::<u32>(folder, "id", rows)?, column::<i32>(folder, "class", rows)?);
        let mut splits = BTreeMap::new();
        let mut start = 0;
        for (split, count) in images {
            let of_split = start..start + count;
            start += count;
            let bytes = &values.bytes().as_chunks::<4>().0[of_split.start * features..of_split.end * features];
            let values: Vec<f32> = bytes.iter().map(|bytes| f32::from_le_bytes(*bytes)).collect();
            if let Some(place) = values.iter().position(|value| !value.is_finite()) {
                bail!(
                    "{}: image {} has a feature that is {}, which nothing can be learned from",
                    file.display(),
                    of_split.start + place / features,
                    values[place]
                );
            }
            let (labels, ids) = (labels[of_split.clone()].to_vec(), ids[of_split].to_vec());
            splits.insert(split, SplitFeatures { values, labels, ids });
        }
        ensure!(
            classes > 1,
            "the images of these features have no labels (all are of one class), and an evaluation tells classes apart: \
             use a data set with a folder for each class"
        );
        for split in Split::LABELLED {
            let of_split = splits.get(&split).map_or(0, |found: &SplitFeatures| found.labels.len());
            ensure!(
                of_split > 0,
                "these features have no image of the {} split, and an evaluation judges by it: make them of a data set that has \
                 one (data/folder has where `test` is above 0)",
                split.name()
            );
        }
        Ok(Self { features, classes, splits })
    }

    /// An error where a data set, on the port `data`, has others than the images that these are of.
    pub fn check_is_of(&self, data: &Dataset) -> Result<()> {
        let is_of = |(&split, of): (&Split, &SplitFeatures)| {
            let mut images = of.ids.iter().zip(&of.labels);
            images.all(|(&id, &label)| data.rows(split).contains(&(id as usize)) && data.class(id as usize) == label)
        };
        ensure!(
            self.splits.iter().all(is_of),
            "port `data` is not what the features are of, whose images are others: connect the data set that the stage `features` is given"
        );
        Ok(())
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
