//! Splits that there are, and those that are drawn of the train split because they are not.

use super::dataset::Split;
use super::split::{self, Draw};
use crate::random::{Purpose, Rng};
use anyhow::{Context as _, Result, ensure};
use std::collections::{BTreeMap, BTreeSet};

/// The stream of draws of the unlabelled split.
const UNLABELLED: u64 = u64::MAX - 1;

/// What a recipe says of the splits.
#[derive(Debug, Clone, Copy)]
pub struct Asked {
    /// Images to train on; all that are left where it is `None`.
    pub train: Option<u32>,
    /// Images to choose settings on; where it is `None`, all of their own, or a tenth of what the test split leaves.
    pub validation: Option<u32>,
    /// Images of what `train` leaves, which are used without their classes, beside those that have none; all of it where it is `None`.
    pub unlabelled: Option<u32>,
    /// Share that is the test split where that is not there.
    pub test: f64,
    pub seed: u64,
}

impl Asked {
    /// The images of each split by their numbers. `own`: those that are there, train among them; `label`: the class of an image, of each
    /// of which every split gets its share; `groups`: of each image by its number, where there are some: none is then divided, and
    /// classes do not count in what is held out of train.
    pub fn chosen(
        &self,
        mut own: BTreeMap<Split, Vec<usize>>,
        label: impl Fn(usize) -> i32,
        classes: usize,
        groups: Option<&[u32]>,
    ) -> Result<BTreeMap<Split, Vec<usize>>> {
        let of_classes = |files: &[usize], draw, kept| -> Result<_> {
            let labels: Vec<i32> = files.iter().map(|&file| label(file)).collect();
            let (drawn, rest) = split::hold_out(&labels, classes, draw, kept, self.seed)?;
            Ok((pick(files, &drawn), pick(files, &rest)))
        };
        let hold_out = |files: &[usize], draw| -> Result<_> {
            let Some(groups) = groups else { return of_classes(files, draw, 1) };
            let groups: Vec<i64> = files.iter().map(|&file| i64::from(groups[file])).collect();
            let (drawn, rest) = split::hold_out_groups(&groups, draw, self.seed)?;
            Ok((pick(files, &drawn), pick(files, &rest)))
        };
        let stays = if groups.is_some() { "one group" } else { "one of each class" };
        let mut left = own.remove(&Split::Train).unwrap_or_default();
        let mut unlabelled = own.remove(&Split::Unlabelled).unwrap_or_default();
        let mut images: BTreeMap<Split, Vec<usize>> = BTreeMap::new();
        for (split, draw) in [
            (Split::Test, Draw::Share(self.test)),
            (Split::Validation, self.validation.map_or(Draw::Share(0.1), |count| Draw::Count(count as usize))),
        ] {
            let cannot = || format!("cannot draw the {} split", split.name());
            if let Some(own) = own.remove(&split) {
                let draw = if matches!(draw, Draw::Share(_)) { Draw::Count(own.len()) } else { draw };
                let (drawn, _) = of_classes(&own, draw, 0).with_context(cannot)?;
                images.insert(split, drawn);
            } else if !matches!(draw, Draw::Share(0.0)) {
                let (drawn, rest) = hold_out(&left, draw).with_context(cannot)?;
                ensure!(
                    !drawn.is_empty(),
                    "there is no image for the {} split: of {} that are left, {stays} is trained on; add some, or lower `test`",
                    split.name(),
                    left.len()
                );
                images.insert(split, drawn);
                left = rest;
            }
        }
        let mut trained = left.clone();
        if let Some(count) = self.train {
            let labels: Vec<i32> = left.iter().map(|&file| label(file)).collect();
            let kept = split::keep(&labels, classes, count as usize, self.seed);
            trained = pick(&left, &kept.context("cannot draw the train split")?);
        }
        unlabelled.extend(self.left_over(&left, &trained)?);
        images.insert(Split::Train, trained);
        if !unlabelled.is_empty() {
            images.insert(Split::Unlabelled, unlabelled);
        }
        Ok(images)
    }

    /// Of what is `left`, and not trained on with its classes, what is used without them. It may be of groups that are trained on: nothing is
    /// evaluated by either.
    fn left_over(&self, left: &[usize], trained: &[usize]) -> Result<Vec<usize>> {
        let trained: BTreeSet<usize> = trained.iter().copied().collect();
        let free: Vec<usize> = left.iter().copied().filter(|file| !trained.contains(file)).collect();
        split::unlabelled(free, self.unlabelled, Rng::new(self.seed, Purpose::Split, &[UNLABELLED]))
    }
}

fn pick(files: &[usize], places: &[usize]) -> Vec<usize> {
    places.iter().map(|&place| files[place]).collect()
}
