//! How many images there are of what, and whether something can be learned from them.

use crate::data::dataset::{Labels, Split};
use anyhow::{Context as _, Result, bail, ensure};
use std::collections::BTreeMap;

/// How many images there are of each class; where classes are those of boxes, how many boxes; of masks, how many images that show some.
#[derive(Debug, Clone, PartialEq)]
pub struct Counts {
    /// Their names.
    pub classes: Vec<String>,
    /// Of each split that there is, in the order of the classes.
    pub images: BTreeMap<Split, Vec<usize>>,
    /// Of each such split: those whose class nobody knows.
    pub unknown: BTreeMap<Split, usize>,
    /// Of each such split: how many images it has, whatever they show.
    pub rows: BTreeMap<Split, usize>,
}

impl Counts {
    pub fn total(&self, split: Split) -> usize {
        self.rows.get(&split).copied().unwrap_or_default()
    }

    /// Whether every image is counted once: it is not where it may show several classes, or none.
    pub fn add_up(&self) -> bool {
        self.rows.iter().all(|(split, rows)| {
            let of_classes: usize = self.images.get(split).map_or(0, |counts| counts.iter().sum());
            of_classes + self.unknown.get(split).copied().unwrap_or_default() == *rows
        })
    }

    /// The classes of which a split has no image.
    pub fn missing(&self, split: Split) -> Vec<&str> {
        let counts = self.images.get(&split).into_iter().flatten();
        self.classes.iter().zip(counts).filter(|&(_, &count)| count == 0).map(|(class, _)| class.as_str()).collect()
    }

    /// That every class can be learned, and that there is nothing else to be judged by; of anomalies, that nothing but what is normal is.
    pub(super) fn check(&self, labels: Labels) -> Result<()> {
        const NAMED: usize = 5;
        ensure!(self.total(Split::Train) > 0, "there is no train split");
        if let Some((split, images)) = self.unknown.iter().find(|(split, _)| **split != Split::Unlabelled) {
            bail!(
                "of {images} images of the {} split nobody knows the class: put them into the unlabelled one",
                split.name()
            );
        }
        let missing = self.missing(Split::Train);
        if labels == Labels::Anomalies {
            return self.check_normal(&missing);
        }
        ensure!(
            missing.is_empty(),
            "{} of {} classes have no image to train on ({}{}): add some to the train split, draw another (`seed`, `train`), \
             or take what is of them out of the other splits",
            missing.len(),
            self.classes.len(),
            missing[..missing.len().min(NAMED)].join(", "),
            if missing.len() > NAMED { ", ..." } else { "" }
        );
        Ok(())
    }

    /// `missing`: the classes of which there is no image to train on.
    fn check_normal(&self, missing: &[&str]) -> Result<()> {
        let (normal, others) = self.classes.split_first().context("there is no class")?;
        let trained = others.iter().find(|class| !missing.contains(&class.as_str()));
        ensure!(
            trained.is_none(),
            "there are training images of the class {}, and only {normal} ones are trained on where anomalies are looked for",
            trained.map_or("", String::as_str)
        );
        Ok(())
    }
}
