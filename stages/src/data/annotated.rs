//! What data sets of pictures share in which boxes or masks are told: parameters, splits, and the way to an artifact.

mod make;
pub mod mask;

use super::dataset::{Labels, Preparation, Region, Split};
use super::drawn::Asked;
use super::faults;
use super::groups::Groups;
use super::pictures::Fit;
use super::summary::Summary;
use super::twice;
use super::writer::{Counts, DatasetWriter, Format, Sample};
use crate::context::Context;
use anyhow::{Result, ensure};
use make::{Boxes, Made, Seen, make};
use rayon::prelude::*;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// A path from the root on, and why it cannot be read.
pub type Found = (PathBuf, Option<String>);

/// Masks by what their pictures are called. One that cannot be read stands for none that can (what a program that draws keeps beside it).
pub fn by_stem(mut masks: Vec<Found>, stem: impl Fn(&Path) -> Option<PathBuf>) -> BTreeMap<PathBuf, Found> {
    masks.sort_by_key(|(_, fault)| fault.is_none());
    masks.into_iter().filter_map(|mask| Some((stem(&mask.0)?, mask))).collect()
}

/// An item's number, and why it cannot be used.
type Fault = (usize, String);

#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct Common {
    /// the folder, relative to the recipe's file; what is in it counts, and where it lies does not
    #[schemars(extend("x-path" = true))]
    pub path: PathBuf,
    /// width and height of the data set's images
    #[schemars(range(min = 8, max = 1024), extend("x-unit" = "pixels"))]
    pub size: u32,
    /// how a picture of another shape becomes a square, and its boxes and masks with it: `crop` takes the largest one in its middle, `pad`
    /// adds black, of which a mask knows nothing, `stretch` changes its shape
    pub fit: Fit,
    /// a regular expression with one pair of parentheses: what it captures of a picture's path, from the folder on, names whom or what the
    /// picture shows (`(patient\d+)`), and no such group is in two splits
    pub group: Option<String>,
    /// images to train on; all that are left where it is null
    #[schemars(range(min = 1), extend("x-unit" = "images"))]
    pub train: Option<u32>,
    /// images held out to choose settings on; where it is null, all of their own split, or a tenth of what the test split leaves
    #[schemars(range(min = 1), extend("x-unit" = "images"))]
    pub validation: Option<u32>,
    /// share of the images that is the test split, where there is none; with 0 there is none, and the data set is one to train on only
    #[schemars(range(min = 0.0, max = 0.9), extend("x-unit" = "fraction"))]
    pub test: f64,
    /// of the draw of the splits
    #[schemars(range(min = 0))]
    pub seed: u64,
    /// leave out pictures that are damaged, or of which what is told cannot be, in place of ending with their names
    pub skip_damaged: bool,
}

impl Default for Common {
    fn default() -> Self {
        Self {
            path: PathBuf::new(),
            size: 64,
            fit: Fit::Crop,
            group: None,
            train: None,
            validation: None,
            test: 0.2,
            seed: 0,
            skip_damaged: false,
        }
    }
}

/// Of a picture of a height and width the mask, `[height, width]`.
pub type Draw = Box<dyn Fn([u32; 2]) -> Result<Vec<u8>> + Send + Sync>;

/// A picture and what is told of it.
pub struct Item {
    /// From the root on.
    pub path: PathBuf,
    /// Where it is told.
    pub split: Option<Split>,
    /// Its height and width, where that is told.
    pub said: Option<[u32; 2]>,
    /// Of all items, or of none.
    pub told: Option<Told>,
    pub mask: Option<Draw>,
    /// Its place among the classes, where those are of images; else -1.
    pub class: i32,
    /// Why it cannot be used, as far as that is known.
    pub fault: Option<String>,
}

/// Boxes that are told of a picture.
pub struct Told {
    /// "instances.json: annotation", "a.xml: line"
    pub by: String,
    /// In the picture's pixels, each with the number that stands behind `by`.
    pub regions: Vec<(Region, i64)>,
}

/// All that there is beneath a folder.
pub struct Annotated {
    /// Of the data set.
    pub name: &'static str,
    pub classes: Vec<String>,
    /// What they are of.
    pub labels: Labels,
    pub items: Vec<Item>,
    /// Whether masks come from elsewhere than boxes, so that they may contradict these.
    pub masks_are_apart: bool,
    /// What a person should know of what was left out.
    pub remarks: Vec<String>,
}

struct Written {
    counts: Counts,
    /// On the way.
    seen: Seen,
    /// Of the images, in their order.
    digests: Vec<u64>,
}

/// So many pictures are decoded between two looks at the clock.
const BLOCK: usize = 64;
/// Values of a mask but for the background and what nobody knows.
const MOST_CLASSES: usize = 254;

impl Annotated {
    /// Makes images, boxes and masks, and the artifact of them.
    pub fn publish(mut self, common: &Common, context: &Context) -> Result<()> {
        let root = common.path.display();
        self.items.sort_by(|a, b| a.path.cmp(&b.path));
        self.refuse_faulty(common)?;
        ensure!(!self.classes.is_empty(), "{root}: no objects at all are told, and there is nothing to learn from it");
        ensure!(
            self.classes.len() <= MOST_CLASSES,
            "{root}: there are {} classes, and a mask tells {MOST_CLASSES} apart",
            self.classes.len()
        );
        self.check_pictures()?;
        let groups =
            common.group.as_ref().map(|pattern| Groups::find(pattern, &common.path, &self.paths())).transpose()?;
        let groups = groups.as_ref();
        let folder = context.output("dataset")?;
        // Again without those that turn out to be damaged, so that the splits are as if they were not there.
        let (images, Written { counts, seen, digests }) = loop {
            let images = self.chosen(common, groups)?;
            match self.write(&images, common, groups, &folder, context)? {
                Ok(written) => break (images, written),
                Err(faults) => faults.into_iter().for_each(|(number, fault)| self.items[number].fault = Some(fault)),
            }
            self.refuse_faulty(common)?;
        };
        self.faulty().iter().for_each(|(path, fault)| eprintln!("left out: {}: {fault}", path.display()));
        if self.masks_are_apart {
            seen.boxes.check()?;
        }
        let mut summary = self.summary(&images, seen, common);
        twice::report(&self.paths(), &images, &digests, &mut summary);
        summary.publish(&counts, &folder, context)
    }

    fn paths(&self) -> Vec<&Path> {
        self.items.iter().map(|item| item.path.as_path()).collect()
    }

    fn refuse_faulty(&self, common: &Common) -> Result<()> {
        faults::refuse(&common.path, self.items.len(), &self.faulty(), common.skip_damaged)
    }

    /// Which splits nothing has told.
    fn drawn(&self, images: &BTreeMap<Split, Vec<usize>>) -> Option<String> {
        let is_told = |split: &Split| self.items.iter().any(|item| item.split == Some(*split));
        let drawn: Vec<&str> = images
            .keys()
            .filter(|&split| *split != Split::Train && !is_told(split))
            .map(|split| split.name())
            .collect();
        (self.labels == Labels::Places && !drawn.is_empty())
            .then(|| format!("drawn of what is there to train on, since nothing tells them: {}", drawn.join(", ")))
    }

    /// A picture that is told of twice may be in two splits.
    fn check_pictures(&self) -> Result<()> {
        let items = self.items.iter().filter(|item| item.fault.is_none());
        let pairs = items.clone().zip(items.skip(1));
        let twice = pairs.map(|(item, next)| (&item.path, &next.path)).find(|(path, next)| path == next);
        ensure!(
            twice.is_none(),
            "{}: two annotations tell of it",
            twice.map_or("".into(), |(path, _)| path.display().to_string())
        );
        Ok(())
    }

    fn faulty(&self) -> Vec<(&Path, &str)> {
        self.items.iter().filter_map(|item| Some((item.path.as_path(), item.fault.as_deref()?))).collect()
    }

    /// The items of each split by their numbers.
    fn chosen(&self, common: &Common, groups: Option<&Groups>) -> Result<BTreeMap<Split, Vec<usize>>> {
        let mut own: BTreeMap<Split, Vec<usize>> = BTreeMap::new();
        for (number, item) in self.items.iter().enumerate().filter(|(_, item)| item.fault.is_none()) {
            own.entry(item.split.unwrap_or(Split::Train)).or_default().push(number);
        }
        ensure!(
            own.contains_key(&Split::Train),
            "{}: there is no picture to train on{}",
            common.path.display(),
            if own.is_empty() { "" } else { ": the folders or lists say other splits only" }
        );
        let &Common { train, validation, test, seed, .. } = common;
        let of = groups.map(|groups| groups.of.as_slice());
        let images = Asked { train, validation, unlabelled: Some(0), test, seed }.chosen(own, |_| 0, 1, of)?;
        groups.map_or(Ok(()), |groups| groups.check(&common.path, &self.paths(), &images))?;
        Ok(images)
    }

    /// What was written; or why some cannot be.
    fn write(
        &self,
        images: &BTreeMap<Split, Vec<usize>>,
        common: &Common,
        groups: Option<&Groups>,
        folder: &Path,
        context: &Context,
    ) -> Result<Result<Written, Vec<Fault>>> {
        let rows: usize = images.values().map(Vec::len).sum();
        let mut writer = DatasetWriter::create(folder, self.format(common), rows)?;
        let mut meter = context.meter("decode", rows as u64, "images");
        let (mut faults, mut seen, mut done) = (vec![], Seen::default(), 0);
        let blocks = images.iter().flat_map(|(&split, numbers)| numbers.chunks(BLOCK).map(move |block| (split, block)));
        for (split, block) in blocks {
            context.check_stop()?;
            let keeps_small = self.labels == Labels::Anomalies;
            let made: Vec<Result<Made>> =
                block.par_iter().map(|&number| make(&self.items[number], &self.classes, common, keeps_small)).collect();
            for (&number, made) in block.iter().zip(made) {
                match made {
                    Ok(Made { image, regions, mask, seen: of_it }) if faults.is_empty() => {
                        let (mask, regions) = (mask.as_deref(), regions.as_deref());
                        let (class, group) = (self.items[number].class, groups.map(|groups| groups.of[number]));
                        writer.add(Sample { mask, regions, group, ..Sample::new(split, &image, class) })?;
                        seen += of_it;
                    }
                    Ok(_) => {}
                    Err(error) => faults.push((number, format!("{error:#}"))),
                }
            }
            done += block.len();
            meter.at(done as u64, &[]);
        }
        if !faults.is_empty() {
            return Ok(Err(faults));
        }
        let digests = writer.digests().to_vec();
        Ok(Ok(Written { counts: writer.finish()?, seen, digests }))
    }

    fn format(&self, common: &Common) -> Format {
        let side = common.size as usize;
        Format {
            name: self.name.into(),
            height: side,
            width: side,
            channels: 3,
            classes: self.classes.clone(),
            labels: self.labels,
            pictures: Some(Preparation { fit: common.fit, turns: false, encoded: false }),
        }
    }

    fn summary(&self, images: &BTreeMap<Split, Vec<usize>>, Seen { boxes, emptied }: Seen, common: &Common) -> Summary {
        let Boxes { lost, contradicted, .. } = boxes;
        let faulty = self.faulty();
        let details = faulty.iter().map(|(path, fault)| format!("left out: {}: {fault}", path.display())).collect();
        let (left_out, size) = (faulty.len(), common.size);
        let told = match (self.items[0].told.is_some(), self.items[0].mask.is_some()) {
            (true, true) => "boxes and masks",
            (true, false) => "boxes",
            (false, true) => "masks",
            (false, false) => "neither boxes nor masks",
        };
        let title = format!("images of {size} x {size} pixels with {told} of {} classes", self.classes.len());
        let mut remarks = self.remarks.clone();
        remarks.extend(self.drawn(images));
        remarks.extend((left_out > 0).then(|| format!("pictures left out, since they cannot be used: {left_out}")));
        remarks.extend(
            (self.masks_are_apart && contradicted > 0)
                .then(|| format!("boxes in which no pixel of the mask is of their class: {contradicted}")),
        );
        remarks.extend((lost > 0).then(|| format!("objects that lie outside of what `fit` leaves: {lost}")));
        remarks.extend((emptied > 0).then(|| {
            format!(
                "masks with objects of which none is left at {size} x {size} pixels, by size or by `fit`: {emptied}"
            )
        }));
        let source = |&number: &usize| self.items[number].path.display().to_string();
        let sources = images.values().flatten().map(source).collect();
        Summary { title, remarks, details, sources }
    }
}

#[cfg(test)]
pub mod tests;
