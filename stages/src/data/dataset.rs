//! The `dataset` artifact: for each split `SPLIT.images` (u8, `[image, row, column, channel]`) and `SPLIT.labels`
//! (i32, little-endian), memory-mapped by readers, and `manifest.json`.

use anyhow::{Context, Result, ensure};
use memmap2::Mmap;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

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

/// Writes the artifact.
pub struct DatasetWriter<'a> {
    folder: PathBuf,
    /// Its `images`, `mean` and `sd` are filled in here.
    manifest: Manifest,
    /// Image number to its pixels and label.
    source: &'a dyn Fn(usize) -> (&'a [u8], i32),
}

impl<'a> DatasetWriter<'a> {
    pub fn new(folder: PathBuf, manifest: Manifest, source: &'a dyn Fn(usize) -> (&'a [u8], i32)) -> Self {
        Self { folder, manifest, source }
    }

    pub fn split(&mut self, split: Split, images: &[usize]) -> Result<()> {
        let file = |kind: &str| -> Result<BufWriter<File>> {
            let path = self.folder.join(format!("{}.{kind}", split.name()));
            Ok(BufWriter::new(File::create(&path).with_context(|| format!("cannot create {}", path.display()))?))
        };
        let (mut pixels, mut labels) = (file("images")?, file("labels")?);
        for &image in images {
            let (bytes, label) = (self.source)(image);
            pixels.write_all(bytes)?;
            labels.write_all(&label.to_le_bytes())?;
        }
        pixels.flush()?;
        labels.flush()?;
        self.manifest.images.insert(split, images.len());
        if split == Split::Train {
            (self.manifest.mean, self.manifest.sd) = self.channel_moments(images);
        }
        Ok(())
    }

    fn channel_moments(&self, images: &[usize]) -> (Vec<f32>, Vec<f32>) {
        let channels = self.manifest.channels;
        let (mut sum, mut squares) = (vec![0u64; channels], vec![0u64; channels]);
        for &image in images {
            for pixel in (self.source)(image).0.chunks_exact(channels) {
                for (channel, &value) in pixel.iter().enumerate() {
                    sum[channel] += u64::from(value);
                    squares[channel] += u64::from(value) * u64::from(value);
                }
            }
        }
        let n = (images.len() * self.manifest.height * self.manifest.width) as f64;
        let mean: Vec<f64> = sum.iter().map(|&s| s as f64 / n / 255.0).collect();
        let sd = squares.iter().zip(&mean).map(|(&s, m)| (s as f64 / n / 255.0 / 255.0 - m * m).max(0.0).sqrt() as f32);
        (mean.iter().map(|&m| m as f32).collect(), sd.collect())
    }

    pub fn finish(self) -> Result<()> {
        write_json(&self.folder.join("manifest.json"), &self.manifest)
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

#[cfg(test)]
mod tests {
    use super::*;

    /// What workers of a sweep share of a data set is the system's page cache: none has images of its own.
    #[test]
    fn images_are_read_where_they_lie() {
        let folder = tempfile::tempdir().unwrap();
        let pixels: Vec<u8> = (0..=255).cycle().take(40 * 8 * 8 * 3).collect();
        let source = |image: usize| (&pixels[image * 192..(image + 1) * 192], 0);
        let manifest = Manifest {
            name: "grey".into(),
            height: 8,
            width: 8,
            channels: 3,
            classes: vec!["all".into()],
            images: BTreeMap::new(),
            mean: vec![],
            sd: vec![],
        };
        let mut writer = DatasetWriter::new(folder.path().to_owned(), manifest, &source);
        writer.split(Split::Train, &(0..40).collect::<Vec<_>>()).unwrap();
        writer.finish().unwrap();

        let data = Dataset::open(folder.path()).unwrap();
        assert_eq!(data.image(Split::Train, 39), source(39).0);
        let place = data.image(Split::Train, 39).as_ptr() as usize;
        let file = folder.path().join("train.images").display().to_string();
        let maps = std::fs::read_to_string("/proc/self/maps").unwrap();
        let map = maps.lines().find(|line| line.ends_with(&file)).expect("the file is mapped into memory");
        let (range, rest) = map.split_once(' ').unwrap();
        let (start, end) = range.split_once('-').unwrap();
        let number = |text: &str| usize::from_str_radix(text, 16).unwrap();
        assert!((number(start)..number(end)).contains(&place), "{map}");
        assert!(rest.starts_with("r--s "), "read only and shared with who else has it open: {map}");
    }
}
