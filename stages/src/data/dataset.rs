//! The `dataset` artifact: a folder of columns, of which each row is a sample. Rows lie in the order of the splits.
//!
//! | file | what it holds |
//! | --- | --- |
//! | `manifest.json` | [`Manifest`] |
//! | `image.npy` | u8 `[n, height, width, channels]`; or, where pictures stay in their files' format, |
//! | `image.bytes`, `image.offsets.npy`, `image.size.npy` | one file behind the other; u64 `[n + 1]`: where each begins; u32 `[n, 2]`: height and width of each picture |
//! | `class.npy` | i32 `[n]`: its place among the classes, -1 where nobody knows |
//! | `split.npy` | u8 `[n]`: 0 train, 1 validation, 2 test, 3 unlabelled |
//! | `digest.npy` | u64 `[n]`: of the image's bytes |
//! | `mask.npy` | u8 `[n, height, width]`, where there are masks: what each pixel shows; 255: nobody knows |
//! | `boxes.npy` | f32 `[m, 4]`, where there are boxes: left, top, right and bottom edge in pixels, an image's one after the other |
//! | `boxes.class.npy`, `boxes.offsets.npy` | i32 `[m]`: the class of each; u64 `[n + 1]`: where those of each image begin |
//! | `text.bytes`, `text.offsets.npy` | where there are captions: UTF-8, one behind the other; u64 `[n + 1]`: where each begins |
//! | `group.npy` | u32 `[n]`, where there are groups: whom or what it shows; no group is in two splits, of which train and unlabelled count as one |

use super::npy::{self, Mapped};
use super::pictures::{self, Fit, Picture};
use super::ragged::Ragged;
use crate::json;
use anyhow::{Context, Result, bail, ensure};
use serde::{Deserialize, Serialize};
use std::borrow::Cow;
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
    #[serde(default, skip_serializing_if = "Labels::are_of_images")]
    pub labels: Labels,
    /// Where images were pictures in files: how they became images of one size.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pictures: Option<Preparation>,
    /// Number of images of each split.
    pub images: BTreeMap<Split, usize>,
    /// Of each channel over the train split, of values in [0, 1].
    pub mean: Vec<f32>,
    pub sd: Vec<f32>,
}

/// What the classes are of.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Labels {
    #[default]
    Images,
    /// Boxes, and masks, whose values are a class and 1, and 0 where there is none. An image has no class of its own.
    Places,
    /// Images, of which the first class is normal, and there are no others to train on; every other class is a way of being anomalous, and
    /// masks, where there are some, are 0 where an image is normal.
    Anomalies,
}

impl Labels {
    fn are_of_images(&self) -> bool {
        *self == Self::Images
    }
}

/// How a picture becomes an image of a data set's size.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Preparation {
    pub fit: Fit,
    /// Whether it is turned as its EXIF data says.
    pub turns: bool,
    /// Whether the data set holds it as it was in its file, and it becomes an image where it is used.
    pub encoded: bool,
}

impl Preparation {
    pub fn image(self, whole: Picture, manifest: &Manifest) -> Result<Vec<u8>> {
        Ok(self.fit.apply(whole, [manifest.height as u32, manifest.width as u32])?.into_raw())
    }
}

impl Manifest {
    /// Channels, height and width of an image: what a network is built for.
    pub fn input(&self) -> [usize; 3] {
        [self.channels, self.height, self.width]
    }

    pub fn image_bytes(&self) -> usize {
        self.height * self.width * self.channels
    }

    /// An error where images have no classes of their own, by which `what` could be done.
    pub fn check_image_classes(&self, what: &str) -> Result<()> {
        let name = &self.name;
        match self.labels {
            Labels::Images => Ok(()),
            Labels::Places => bail!(
                "the classes of {name} are those of boxes and masks, and {what} is by the class of an image: use eval/detect or \
                 eval/segment, or a data set whose images have classes"
            ),
            Labels::Anomalies => bail!(
                "{name} has normal images only to train on, and {what} needs images of every class: use eval/anomaly, or a data set with \
                 training images of all classes"
            ),
        }
    }

    /// An error where it is not told which images are normal.
    pub fn check_anomalies(&self) -> Result<()> {
        ensure!(
            self.labels == Labels::Anomalies,
            "{} does not say which images are normal: put `use: data/one_class` between, with `normal: CLASS`, or use data/mvtec",
            self.name
        );
        Ok(())
    }
}

/// What a box is around.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Region {
    pub class: i32,
    /// Left, top, right, bottom, in pixels from the image's upper left corner.
    pub edges: [f32; 4],
}

impl Region {
    /// Whether its box is one: a pixel wide and high at least (torchvision's `SanitizeBoundingBoxes`).
    pub fn is_seen(&self) -> bool {
        let [left, top, right, bottom] = self.edges;
        right - left >= 1.0 && bottom - top >= 1.0
    }
}

/// An opened artifact.
#[derive(Debug)]
pub struct Dataset {
    pub manifest: Manifest,
    images: Images,
    classes: Vec<i32>,
    masks: Option<Mapped>,
    regions: Option<Regions>,
    texts: Option<Ragged>,
    /// Of each row's image.
    pub digests: Vec<u64>,
}

impl Dataset {
    pub fn open(folder: &Path) -> Result<Self> {
        let manifest: Manifest = json::read(&folder.join("manifest.json"))?;
        let rows = manifest.images.values().sum();
        let shape = [rows, manifest.height, manifest.width, manifest.channels];
        Ok(Self {
            images: match manifest.pictures.filter(|pictures| pictures.encoded) {
                None => Images::Pixels(Mapped::open::<u8>(&folder.join("image.npy"), &shape)?),
                Some(how) => Images::Files { files: Ragged::open(folder, "image", rows)?, how },
            },
            classes: column(folder, "class", rows)?,
            digests: column(folder, "digest", rows)?,
            masks: there(folder, "mask.npy", |file| Mapped::open::<u8>(file, &shape[..3]))?,
            regions: there(folder, "boxes.npy", |_| Regions::read(folder, rows))?,
            texts: there(folder, "text.bytes", |_| texts(folder, rows))?,
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

    /// The samples of the train split, and, for what needs nothing told of them, those of the unlabelled one.
    pub fn rows_to_train_on(&self, with_targets: bool) -> Vec<usize> {
        let unlabelled = if with_targets { 0..0 } else { self.rows(Split::Unlabelled) };
        self.rows(Split::Train).chain(unlabelled).collect()
    }

    /// `[height, width, channels]`
    ///
    /// # Panics
    /// When an encoded picture cannot be decoded, which it could when the data set was made.
    pub fn image(&self, row: usize) -> Cow<'_, [u8]> {
        let size = self.manifest.image_bytes();
        match &self.images {
            Images::Pixels(pixels) => Cow::Borrowed(&pixels.bytes()[row * size..(row + 1) * size]),
            Images::Files { how, .. } => {
                let whole = self.whole(row).expect("the picture is encoded");
                Cow::Owned(how.image(whole, &self.manifest).expect("a picture is an image"))
            }
        }
    }

    /// The whole picture of a row, where it is encoded.
    ///
    /// # Panics
    /// As [`Dataset::image`].
    pub fn whole(&self, row: usize) -> Option<Picture> {
        let Images::Files { files, how } = &self.images else { return None };
        Some(pictures::pixels(files.row(row), how.turns).expect("the picture could be read when the data set was made"))
    }

    pub fn class(&self, row: usize) -> i32 {
        self.classes[row]
    }

    /// `[height, width]`: what each pixel shows, where that is known.
    pub fn mask(&self, row: usize) -> Option<&[u8]> {
        let size = self.manifest.height * self.manifest.width;
        Some(&self.masks.as_ref()?.bytes()[row * size..(row + 1) * size])
    }

    /// What is where, where that is known.
    pub fn regions(&self, row: usize) -> Option<&[Region]> {
        let Regions { all, offsets } = self.regions.as_ref()?;
        Some(&all[offsets[row] as usize..offsets[row + 1] as usize])
    }

    /// What is written of the image, where that is known.
    pub fn text(&self, row: usize) -> Option<&str> {
        Some(std::str::from_utf8(self.texts.as_ref()?.row(row)).expect("it was looked at when the data set was opened"))
    }

    /// Of a split's samples, in their order.
    pub fn labels(&self, split: Split) -> &[i32] {
        &self.classes[self.rows(split)]
    }
}

/// What `open` makes of a file that need not be there.
fn there<T>(folder: &Path, name: &str, open: impl FnOnce(&Path) -> Result<T>) -> Result<Option<T>> {
    let file = folder.join(name);
    file.exists().then(|| open(&file)).transpose()
}

#[derive(Debug)]
enum Images {
    Pixels(Mapped),
    Files { files: Ragged, how: Preparation },
}

fn texts(folder: &Path, rows: usize) -> Result<Ragged> {
    let texts = Ragged::open(folder, "text", rows)?;
    for row in 0..texts.rows() {
        std::str::from_utf8(texts.row(row))
            .with_context(|| format!("{}: the text of row {row} is not UTF-8", folder.join("text.bytes").display()))?;
    }
    Ok(texts)
}

#[derive(Debug)]
struct Regions {
    all: Vec<Region>,
    /// Where those of each row begin, and the end.
    offsets: Vec<u64>,
}

impl Regions {
    fn read(folder: &Path, rows: usize) -> Result<Self> {
        let offsets: Vec<u64> = column(folder, "boxes.offsets", rows + 1)?;
        let (shape, edges) = npy::read::<f32>(&folder.join("boxes.npy"))?;
        let classes: Vec<i32> = column(folder, "boxes.class", shape[0])?;
        let fits = shape.get(1) == Some(&4) && offsets.is_sorted() && offsets.last() == Some(&(shape[0] as u64));
        ensure!(fits, "{} does not hold boxes that fit boxes.offsets.npy", folder.join("boxes.npy").display());
        let all = edges.as_chunks().0.iter().zip(classes).map(|(&edges, class)| Region { class, edges }).collect();
        Ok(Self { all, offsets })
    }
}

/// A column of a number a row.
pub fn column<T: npyz::Deserialize>(folder: &Path, name: &str, rows: usize) -> Result<Vec<T>> {
    let file = folder.join(format!("{name}.npy"));
    let (shape, values) = npy::read(&file)?;
    ensure!(shape == [rows], "{} has the shape {shape:?}, expected [{rows}]", file.display());
    Ok(values)
}
