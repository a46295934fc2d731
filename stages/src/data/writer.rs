//! Makes the artifact, row by row.

mod counts;
mod images;
mod pixels;

pub use counts::Counts;
pub use pixels::Summed;

use super::dataset::{Labels, Manifest, Preparation, Region, Split};
use super::npy::{self, NpyWriter};
use super::ragged::RaggedWriter;
use crate::json;
use anyhow::{Result, ensure};
use images::Images;
use pixels::Moments;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

/// What all samples have in common.
#[derive(Debug, Clone)]
pub struct Format {
    pub name: String,
    pub height: usize,
    pub width: usize,
    /// 1: grey, 3: red, green, blue.
    pub channels: usize,
    pub classes: Vec<String>,
    pub labels: Labels,
    /// How pictures in files became images, where they were some.
    pub pictures: Option<Preparation>,
}

/// An image in one of the forms in which a data set holds it.
#[derive(Debug, Clone, Copy)]
pub enum Pixels<'a> {
    /// `[height, width, channels]`
    Image(&'a [u8]),
    /// The picture's file, its height and width, and what it came to as an image.
    File(&'a [u8], [u32; 2], Summed),
}

/// A row.
#[derive(Debug, Clone, Copy)]
pub struct Sample<'a> {
    pub split: Split,
    pub pixels: Pixels<'a>,
    /// Its place among the classes; -1 where nobody knows.
    pub class: i32,
    /// Whom or what it shows, where that is known of all.
    pub group: Option<u32>,
    /// `[height, width]`: what each pixel shows, 255 where nobody knows; of all samples or of none.
    pub mask: Option<&'a [u8]>,
    /// What is where, of all samples or of none.
    pub regions: Option<&'a [Region]>,
    /// What is written of it, of all samples or of none.
    pub text: Option<&'a str>,
}

impl<'a> Sample<'a> {
    /// Of which nothing else is known.
    pub fn new(split: Split, image: &'a [u8], class: i32) -> Self {
        Self { split, pixels: Pixels::Image(image), class, group: None, mask: None, regions: None, text: None }
    }
}

/// Writes as many samples as were announced, in the order of their splits, each in one go.
pub struct DatasetWriter {
    folder: PathBuf,
    format: Format,
    images: Images,
    classes: Vec<i32>,
    splits: Vec<u8>,
    digests: Vec<u64>,
    groups: Vec<u32>,
    masks: Option<NpyWriter>,
    texts: Option<RaggedWriter>,
    regions: Vec<Region>,
    /// Where those of each sample begin, and the end.
    offsets: Vec<u64>,
    rows: usize,
    /// Of each split and class, where classes are those of masks: images that show it.
    shown: BTreeMap<Split, Vec<usize>>,
    moments: Moments,
}

impl DatasetWriter {
    /// For `rows` samples.
    pub fn create(folder: &Path, format: Format, rows: usize) -> Result<Self> {
        ensure!(
            matches!(format.channels, 1 | 3),
            "the images of {} have {} channels: expected 1 (grey) or 3 (red, green, blue), which operations on images are made for",
            format.name,
            format.channels
        );
        let shape = [rows, format.height, format.width, format.channels];
        Ok(Self {
            folder: folder.to_owned(),
            images: match format.pictures.filter(|pictures| pictures.encoded) {
                None => Images::Pixels(NpyWriter::create::<u8>(folder.join("image.npy"), &shape)?),
                Some(_) => Images::create_files(folder)?,
            },
            classes: Vec::with_capacity(rows),
            splits: Vec::with_capacity(rows),
            digests: Vec::with_capacity(rows),
            groups: vec![],
            masks: None,
            texts: None,
            regions: vec![],
            offsets: vec![0],
            rows,
            shown: BTreeMap::new(),
            moments: Moments::new(format.channels),
            format,
        })
    }

    pub fn add(&mut self, sample: Sample<'_>) -> Result<()> {
        let Sample { split, pixels, class, group, mask, regions, text } = sample;
        assert!(
            self.splits.last().is_none_or(|&last| last <= split as u8),
            "samples come in the order of their splits"
        );
        assert_eq!(self.groups.len(), group.map_or(0, |_| self.splits.len()), "all have a group or none");
        let summed = match pixels {
            Pixels::Image(image) => Summed::of(image, self.format.channels),
            Pixels::File(.., summed) => summed,
        };
        self.images.write(pixels)?;
        self.classes.push(class);
        self.splits.push(split as u8);
        self.digests.push(summed.digest);
        self.groups.extend(group);
        if let Some(mask) = mask {
            self.masks()?.write(mask)?;
            if self.format.labels == Labels::Places {
                let classes = self.format.classes.len();
                let shown = self.shown.entry(split).or_insert_with(|| vec![0; classes]);
                let values: BTreeSet<u8> = mask.iter().copied().collect();
                shown.iter_mut().zip(1..).for_each(|(images, value)| *images += usize::from(values.contains(&value)));
            }
        }
        if let Some(regions) = regions {
            self.regions.extend(regions);
            self.offsets.push(self.regions.len() as u64);
        }
        if let Some(text) = text {
            self.texts()?.write(text.as_bytes())?;
        }
        if split == Split::Train {
            self.moments.add(summed);
        }
        Ok(())
    }

    fn masks(&mut self) -> Result<&mut NpyWriter> {
        if self.masks.is_none() {
            let shape = [self.rows, self.format.height, self.format.width];
            self.masks = Some(NpyWriter::create::<u8>(self.folder.join("mask.npy"), &shape)?);
        }
        Ok(self.masks.as_mut().expect("it was made"))
    }

    fn texts(&mut self) -> Result<&mut RaggedWriter> {
        if self.texts.is_none() {
            self.texts = Some(RaggedWriter::create(&self.folder, "text")?);
        }
        Ok(self.texts.as_mut().expect("it was made"))
    }

    /// The digest of each image so far, in the order of the rows.
    pub fn digests(&self) -> &[u64] {
        &self.digests
    }

    /// Ends with an error where a class has no image to train on, an image without a class is to be evaluated with, or a group is in two
    /// splits.
    pub fn finish(self) -> Result<Counts> {
        let counts = self.counts();
        counts.check(self.format.labels)?;
        let images = self.splits.iter().fold(BTreeMap::new(), |mut images, &split| {
            *images.entry(Split::ALL[usize::from(split)]).or_default() += 1;
            images
        });
        self.images.finish(&self.folder)?;
        let rows = [self.splits.len()];
        let file = |column: &str| self.folder.join(format!("{column}.npy"));
        npy::write(file("class"), &rows, &self.classes)?;
        npy::write(file("split"), &rows, &self.splits)?;
        npy::write(file("digest"), &rows, &self.digests)?;
        if !self.groups.is_empty() {
            check_groups(&self.groups, &self.splits)?;
            npy::write(file("group"), &rows, &self.groups)?;
        }
        if let Some(masks) = self.masks {
            masks.finish()?;
        }
        if let Some(texts) = self.texts {
            assert_eq!(texts.rows(), self.rows, "all have a text or none");
            texts.finish()?;
        }
        if self.offsets.len() > 1 {
            let boxes = self.regions.len();
            npy::write(
                file("boxes"),
                &[boxes, 4],
                self.regions.iter().flat_map(|region| region.edges).collect::<Vec<_>>().as_slice(),
            )?;
            npy::write(
                file("boxes.class"),
                &[boxes],
                &self.regions.iter().map(|region| region.class).collect::<Vec<_>>(),
            )?;
            npy::write(file("boxes.offsets"), &[self.rows + 1], &self.offsets)?;
        }
        let Format { name, height, width, channels, classes, labels, pictures } = self.format;
        let (mean, sd) = self.moments.mean_and_sd();
        let manifest = Manifest { name, height, width, channels, classes, labels, pictures, images, mean, sd };
        json::write(&self.folder.join("manifest.json"), &manifest)?;
        Ok(counts)
    }

    fn counts(&self) -> Counts {
        let classes = self.format.classes.clone();
        let (mut images, mut unknown, mut rows) = (BTreeMap::new(), BTreeMap::new(), BTreeMap::new());
        for (row, (&split, &class)) in self.splits.iter().zip(&self.classes).enumerate() {
            let split = Split::ALL[usize::from(split)];
            *rows.entry(split).or_default() += 1;
            let of_split: &mut Vec<usize> = images.entry(split).or_insert_with(|| vec![0; classes.len()]);
            match (self.format.labels, usize::try_from(class)) {
                (Labels::Places, _) => {
                    self.regions_of(row).iter().for_each(|region| of_split[region.class as usize] += 1);
                }
                (_, Ok(class)) => of_split[class] += 1,
                (_, Err(_)) => *unknown.entry(split).or_default() += 1,
            }
        }
        // Boxes say more than that an image shows some.
        let images = if self.regions.is_empty() && !self.shown.is_empty() { self.shown.clone() } else { images };
        Counts { classes, images, unknown, rows }
    }

    fn regions_of(&self, row: usize) -> &[Region] {
        match self.offsets[..] {
            [_] => &[],
            _ => &self.regions[self.offsets[row] as usize..self.offsets[row + 1] as usize],
        }
    }
}

/// That what a network has learned of someone in training helps it nowhere when it is judged: it is trained on the unlabelled split too.
fn check_groups(groups: &[u32], splits: &[u8]) -> Result<()> {
    let trained = |split: u8| if split == Split::Unlabelled as u8 { Split::Train as u8 } else { split };
    let pairs: BTreeSet<(u32, u8)> = groups.iter().copied().zip(splits.iter().map(|&split| trained(split))).collect();
    let straddles = pairs.iter().zip(pairs.iter().skip(1)).find(|((group, _), (next, _))| group == next);
    ensure!(straddles.is_none(), "group {} has samples in two splits", straddles.map_or(0, |((group, _), _)| *group));
    Ok(())
}

#[cfg(test)]
mod tests;
