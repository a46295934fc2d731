//! The `dataset` artifact: for each split `SPLIT.images` (u8, `[image, row, column, channel]`) and `SPLIT.labels`
//! (i32, little-endian), memory-mapped by readers, and `manifest.json`.

use anyhow::{Context, Result, ensure};
use memmap2::Mmap;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fs::File;
use std::path::Path;

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Split {
    Train,
    Validation,
    Test,
}

impl Split {
    pub const ALL: [Self; 3] = [Self::Train, Self::Validation, Self::Test];

    pub fn name(self) -> &'static str {
        match self {
            Self::Train => "train",
            Self::Validation => "validation",
            Self::Test => "test",
        }
    }
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Manifest {
    pub name: String,
    pub height: usize,
    pub width: usize,
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
    images: BTreeMap<Split, Mmap>,
    labels: BTreeMap<Split, Vec<i32>>,
}

impl Dataset {
    pub fn open(folder: &Path) -> Result<Self> {
        let manifest: Manifest = read_json(&folder.join("manifest.json"))?;
        let (mut images, mut labels) = (BTreeMap::new(), BTreeMap::new());
        for (&split, &count) in &manifest.images {
            let path = folder.join(format!("{}.images", split.name()));
            let file = File::open(&path).with_context(|| format!("cannot open {}", path.display()))?;
            // Safety: artifacts are never written to after they are published.
            let map = unsafe { Mmap::map(&file) }.with_context(|| format!("cannot map {}", path.display()))?;
            let expected = count * manifest.image_bytes();
            ensure!(map.len() == expected, "{} has {} bytes, expected {expected}", path.display(), map.len());
            images.insert(split, map);
            labels.insert(split, read_i32(&folder.join(format!("{}.labels", split.name())), count)?);
        }
        Ok(Self { manifest, images, labels })
    }

    pub fn len(&self, split: Split) -> usize {
        self.labels.get(&split).map_or(0, Vec::len)
    }

    /// `[row, column, channel]`
    pub fn image(&self, split: Split, index: usize) -> &[u8] {
        let size = self.manifest.image_bytes();
        &self.images[&split][index * size..(index + 1) * size]
    }

    pub fn labels(&self, split: Split) -> &[i32] {
        self.labels.get(&split).map_or(&[], Vec::as_slice)
    }
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

pub fn read_i32(path: &Path, count: usize) -> Result<Vec<i32>> {
    let bytes = std::fs::read(path).with_context(|| format!("cannot read {}", path.display()))?;
    ensure!(bytes.len() == 4 * count, "{} has {} bytes, expected {}", path.display(), bytes.len(), 4 * count);
    Ok(bytes.chunks_exact(4).map(|b| i32::from_le_bytes([b[0], b[1], b[2], b[3]])).collect())
}
