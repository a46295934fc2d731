//! Which images are trained on and which are held out.

use super::dataset::Split;
use crate::random::{Purpose, Rng};
use anyhow::{Context as _, Result, ensure};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// Numbers of images, ascending.
#[derive(Debug, Clone, PartialEq)]
pub struct StratifiedSplit {
    pub train: Vec<usize>,
    pub validation: Vec<usize>,
}

/// Draws `train` and `validation` images without overlap, of each class in proportion to how many there are (of classes of equal
/// size a remainder goes to the first). The validation images do not depend on `train`, and a smaller train split is part of a
/// larger one of the same seed, where classes are of equal size.
pub fn stratified(
    labels: &[i32],
    classes: usize,
    train: usize,
    validation: usize,
    seed: u64,
) -> Result<StratifiedSplit> {
    ensure!(
        train + validation <= labels.len(),
        "train {train} + validation {validation} images were asked for and there are {}",
        labels.len()
    );
    let mut members: Vec<Vec<usize>> = vec![vec![]; classes];
    labels.iter().enumerate().for_each(|(place, &label)| members[label as usize].push(place));
    let sizes: Vec<usize> = members.iter().map(Vec::len).collect();
    let held_out = apportioned(validation, &sizes);
    let mut trained = apportioned(train, &sizes);
    make_room(&mut trained, &sizes.iter().zip(&held_out).map(|(size, held_out)| size - held_out).collect::<Vec<_>>());
    let shares = held_out.into_iter().zip(trained);
    let mut split = StratifiedSplit { train: Vec::with_capacity(train), validation: Vec::with_capacity(validation) };
    for (class, (mut members, (held_out, trained))) in members.into_iter().zip(shares).enumerate() {
        Rng::new(seed, Purpose::Split, &[class as u64]).shuffle(&mut members);
        ensure!(
            held_out + trained <= members.len(),
            "class {class} has {} images; a stratified split of train {train} and validation {validation} needs {}",
            members.len(),
            held_out + trained
        );
        split.validation.extend(&members[..held_out]);
        split.train.extend(&members[held_out..held_out + trained]);
    }
    split.train.sort_unstable();
    split.validation.sort_unstable();
    Ok(split)
}

/// How many images are drawn.
#[derive(Debug, Clone, Copy)]
pub enum Draw {
    Count(usize),
    /// Of all, rounded; one at least, and as many as can be.
    Share(f64),
}

/// Draws images of each class in proportion to how many there are, a remainder by the largest fractions, and leaves `kept` of
/// each class. Returns the places of the drawn ones and of the rest, both ascending.
pub fn hold_out(
    labels: &[i32],
    classes: usize,
    draw: Draw,
    kept: usize,
    seed: u64,
) -> Result<(Vec<usize>, Vec<usize>)> {
    let mut members: Vec<Vec<usize>> = vec![vec![]; classes];
    labels.iter().enumerate().for_each(|(place, &label)| members[label as usize].push(place));
    let free: Vec<usize> = members.iter().map(|members| members.len().saturating_sub(kept)).collect();
    let (all, most) = (labels.len(), free.iter().sum::<usize>());
    let count = match draw {
        Draw::Count(count) => count,
        Draw::Share(0.0) => 0,
        Draw::Share(share) => ((share * all as f64).round() as usize).max(1).min(most),
    };
    let stays = if most < all {
        format!(", of which {} have to stay: {kept} of each class", all - most)
    } else {
        String::new()
    };
    ensure!(count <= most, "{count} images were asked for and there are {all}{stays}");
    let (mut drawn, mut rest) = (vec![], vec![]);
    for (class, (members, share)) in members.iter_mut().zip(apportioned(count, &free)).enumerate() {
        Rng::new(seed, Purpose::Split, &[class as u64]).shuffle(members);
        drawn.extend(&members[..share]);
        rest.extend(&members[share..]);
    }
    drawn.sort_unstable();
    rest.sort_unstable();
    Ok((drawn, rest))
}

/// What is held out of a data set that has no splits of its own.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct Shares {
    /// share of every class that is the test split
    #[schemars(range(min = 0.05, max = 0.9), extend("x-unit" = "fraction"))]
    test: f64,
    /// share of what that leaves that is the validation split
    #[schemars(range(min = 0.05, max = 0.9), extend("x-unit" = "fraction"))]
    validation: f64,
    /// of the draw of the splits
    #[schemars(range(min = 0))]
    pub seed: u64,
}

impl Default for Shares {
    fn default() -> Self {
        Self { test: 0.25, validation: 0.1, seed: 0 }
    }
}

impl Shares {
    pub fn split(&self, labels: &[i32], classes: usize) -> Result<[(Split, Vec<usize>); 3]> {
        in_shares(labels, classes, self.test, self.validation, self.seed)
    }

    /// Of the whole: train, validation and test.
    pub fn of_all(&self) -> [f64; 3] {
        let left = 1.0 - self.test;
        [left * (1.0 - self.validation), left * self.validation, self.test]
    }
}

/// Of every class the share `test` is the test split, and of what that leaves the share `validation` the validation split. Places ascend.
pub fn in_shares(
    labels: &[i32],
    classes: usize,
    test: f64,
    validation: f64,
    seed: u64,
) -> Result<[(Split, Vec<usize>); 3]> {
    let (test, left) = hold_out(labels, classes, Draw::Share(test), 1, seed).context("cannot draw the test split")?;
    let of_left: Vec<i32> = left.iter().map(|&place| labels[place]).collect();
    let (validation, train) =
        hold_out(&of_left, classes, Draw::Share(validation), 1, seed).context("cannot draw the validation split")?;
    let [train, validation] = [train, validation].map(|places| places.into_iter().map(|place| left[place]).collect());
    Ok([(Split::Train, train), (Split::Validation, validation), (Split::Test, test)])
}

/// As [`hold_out`], of whole groups, of which one at least stays; one at least is drawn, where there are several and some are asked for. The count
/// is met as nearly as [`by_groups`] does.
pub fn hold_out_groups(groups: &[i64], draw: Draw, seed: u64) -> Result<(Vec<usize>, Vec<usize>)> {
    let all = groups.len();
    let share = match draw {
        Draw::Count(count) => {
            ensure!(count <= all, "{count} images were asked for and there are {all}");
            count as f64 / all.max(1) as f64
        }
        Draw::Share(share) => share,
    };
    let [rest, drawn] = by_groups(groups, [1.0 - share, share], seed);
    let mut sizes: BTreeMap<i64, usize> = BTreeMap::new();
    groups.iter().for_each(|&group| *sizes.entry(group).or_default() += 1);
    if sizes.len() < 2 || share == 0.0 || !(drawn.is_empty() || rest.is_empty()) {
        return Ok((drawn, rest));
    }
    // The smallest one changes sides.
    let smallest = sizes.iter().min_by_key(|(_, size)| **size).map(|(&group, _)| group);
    let (of_it, others): (Vec<usize>, Vec<usize>) = (0..all).partition(|&image| Some(groups[image]) == smallest);
    Ok(if drawn.is_empty() { (of_it, others) } else { (others, of_it) })
}

/// `count` images to train on: the others are drawn, and one of each class stays.
pub fn keep(labels: &[i32], classes: usize, count: usize, seed: u64) -> Result<Vec<usize>> {
    let (all, least) = (labels.len(), labels.iter().collect::<BTreeSet<_>>().len());
    ensure!(count <= all, "{count} images were asked for and there are {all}");
    ensure!(count >= least, "{count} images were asked for and there are {least} classes, each of which needs one");
    Ok(hold_out(labels, classes, Draw::Count(all - count), 1, seed)?.1)
}

/// Of images that no other split has those that are used without their classes, in their order: `wanted` of them, or all where it is `None`.
pub fn unlabelled(mut free: Vec<usize>, wanted: Option<u32>, mut rng: Rng) -> Result<Vec<usize>> {
    let wanted = wanted.map_or(free.len(), |wanted| wanted as usize);
    ensure!(
        wanted <= free.len(),
        "unlabelled is {wanted}, and the other splits leave {} images: lower one of them, or write null for all that are left",
        free.len()
    );
    rng.shuffle(&mut free);
    free.truncate(wanted);
    free.sort_unstable();
    Ok(free)
}

/// Divides images by shares so that no group is in two parts: groups, the largest first, equal ones in an order of the seed, go
/// where most is missing. No part has more than its share by more than a group.
pub fn by_groups<const N: usize>(groups: &[i64], shares: [f64; N], seed: u64) -> [Vec<usize>; N] {
    let mut members: BTreeMap<i64, Vec<usize>> = BTreeMap::new();
    groups.iter().enumerate().for_each(|(image, &group)| members.entry(group).or_default().push(image));
    let mut members: Vec<Vec<usize>> = members.into_values().collect();
    Rng::new(seed, Purpose::Split, &[u64::MAX]).shuffle(&mut members);
    members.sort_by_key(|images| std::cmp::Reverse(images.len()));
    let mut parts: [Vec<usize>; N] = std::array::from_fn(|_| vec![]);
    for images in members {
        let missing = |part: &usize| shares[*part] * groups.len() as f64 - parts[*part].len() as f64;
        let neediest = (0..N).rev().max_by(|a, b| missing(a).total_cmp(&missing(b))).expect("there are parts");
        parts[neediest].extend(images);
    }
    parts.iter_mut().for_each(|part| part.sort_unstable());
    parts
}

/// Shares that both were rounded up may be of more than there are: what is too much goes to the first that have room.
fn make_room(shares: &mut [usize], rooms: &[usize]) {
    let mut too_much = 0;
    for (share, &room) in shares.iter_mut().zip(rooms) {
        too_much += share.saturating_sub(room);
        *share = (*share).min(room);
    }
    for (share, &room) in shares.iter_mut().zip(rooms) {
        let more = too_much.min(room - *share);
        (*share, too_much) = (*share + more, too_much - more);
    }
}

/// `total` divided in proportion to sizes, of which it is not more than the sum: the largest remainders are rounded up, of
/// equal ones the first.
fn apportioned(total: usize, sizes: &[usize]) -> Vec<usize> {
    let sum = sizes.iter().sum::<usize>().max(1);
    let mut shares: Vec<usize> = sizes.iter().map(|size| total * size / sum).collect();
    let mut by_remainder: Vec<usize> = (0..sizes.len()).collect();
    by_remainder.sort_by_key(|&class| std::cmp::Reverse(total * sizes[class] % sum));
    let missing = total - shares.iter().sum::<usize>();
    by_remainder.into_iter().take(missing).for_each(|class| shares[class] += 1);
    shares
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn classes_are_drawn_in_proportion() {
        assert_eq!(apportioned(10, &[60, 30, 10]), [6, 3, 1]);
        assert_eq!(apportioned(2, &[16, 8]), [1, 1]);
        assert_eq!(apportioned(7, &[3, 3, 1]), [3, 3, 1]);
        assert_eq!(apportioned(0, &[0, 0]), [0, 0]);
        let labels: Vec<i32> = (0..90).map(|i| i32::from(i % 3 == 0)).collect();
        let (drawn, rest) = hold_out(&labels, 2, Draw::Share(0.1), 1, 5).unwrap();
        assert_eq!(drawn.iter().filter(|&&place| labels[place] == 1).count(), 3);
        let mut all = [drawn, rest].concat();
        all.sort_unstable();
        assert_eq!(all, (0..90).collect::<Vec<_>>());
        let error = hold_out(&labels, 2, Draw::Count(91), 0, 5).unwrap_err().to_string();
        assert_eq!(error, "91 images were asked for and there are 90");
    }

    /// Images of each class that are drawn, and that are left.
    fn counts(sizes: &[usize], draw: Draw) -> [Vec<usize>; 2] {
        let labels: Vec<i32> = sizes.iter().zip(0..).flat_map(|(&size, class)| vec![class; size]).collect();
        let (drawn, rest) = hold_out(&labels, sizes.len(), draw, 1, 0).unwrap();
        [drawn, rest].map(|places| {
            let count = |class| places.iter().filter(|&&place| labels[place] == class as i32).count();
            (0..sizes.len()).map(count).collect()
        })
    }

    #[test]
    fn one_image_of_each_class_stays() {
        assert_eq!(counts(&[10, 10, 1, 1, 1], Draw::Share(0.2)), [vec![3, 2, 0, 0, 0], vec![7, 8, 1, 1, 1]]);
        assert_eq!(counts(&[2, 2, 2], Draw::Share(0.9)), [vec![1, 1, 1], vec![1, 1, 1]]);
        assert_eq!(counts(&[4], Draw::Share(0.1)), [vec![1], vec![3]], "one at least");
        assert_eq!(counts(&[4], Draw::Share(0.0)), [vec![0], vec![4]]);
        assert_eq!(counts(&[1, 1], Draw::Share(0.5)), [vec![0, 0], vec![1, 1]]);
        let error = hold_out(&[0, 0, 1], 2, Draw::Count(2), 1, 0).unwrap_err().to_string();
        assert_eq!(error, "2 images were asked for and there are 3, of which 2 have to stay: 1 of each class");
    }

    #[test]
    fn of_every_class_something_is_trained_on() {
        let labels: Vec<i32> = (0..100).map(|i| [0, 0, 0, 0, 0, 0, 0, 1, 1, 2][i % 10] + i32::from(i == 9)).collect();
        let class_of = |places: &[usize], class| places.iter().filter(|&&place| labels[place] == class).count();
        let kept = keep(&labels, 4, 4, 1).unwrap();
        assert_eq!([0, 1, 2, 3].map(|class| class_of(&kept, class)), [1, 1, 1, 1]);
        let more = keep(&labels, 4, 50, 1).unwrap();
        assert!(kept.iter().all(|place| more.contains(place)), "a smaller split is part of a larger one");
        assert_eq!([0, 1, 2, 3].map(|class| class_of(&more, class)), [34, 10, 5, 1]);
        let error = keep(&labels, 4, 3, 1).unwrap_err().to_string();
        assert_eq!(error, "3 images were asked for and there are 4 classes, each of which needs one");
    }

    proptest! {
        #[test]
        fn groups_stay_together_and_shares_are_near(
            groups in prop::collection::vec(-5i64..12, 1..300),
            test in 0.0..0.5f64,
            validation in 0.0..0.5f64,
            seed: u64,
        ) {
            let shares = [1.0 - test - validation, test, validation];
            let parts = by_groups(&groups, shares, seed);
            let mut all = parts.concat();
            all.sort_unstable();
            prop_assert_eq!(all, (0..groups.len()).collect::<Vec<_>>());
            let of = parts.each_ref().map(|part| part.iter().map(|&image| groups[image]).collect::<BTreeSet<_>>());
            prop_assert!(of[0].is_disjoint(&of[1]) && of[0].is_disjoint(&of[2]) && of[1].is_disjoint(&of[2]));
            let largest = groups.iter().map(|group| groups.iter().filter(|other| *other == group).count()).max().unwrap();
            for (part, share) in parts.iter().zip(shares) {
                let wanted = share * groups.len() as f64;
                prop_assert!(part.len() as f64 <= wanted + largest as f64, "{} of {}", part.len(), wanted);
            }
        }
    }

    #[test]
    fn groups_of_one_image_meet_their_shares() {
        let groups: Vec<i64> = (0..100).collect();
        let sizes = |seed| by_groups(&groups, [0.7, 0.2, 0.1], seed).map(|part| part.len());
        assert_eq!(sizes(0), [70, 20, 10]);
        assert_ne!(by_groups(&groups, [0.7, 0.2, 0.1], 0), by_groups(&groups, [0.7, 0.2, 0.1], 1));
    }

    #[test]
    fn whole_groups_are_held_out() {
        let groups: Vec<i64> = (0..60).map(|image| image % 6).collect();
        let of = |images: &[usize]| images.iter().map(|&image| groups[image]).collect::<BTreeSet<_>>();
        let (drawn, rest) = hold_out_groups(&groups, Draw::Count(20), 4).unwrap();
        assert_eq!([drawn.len(), rest.len()], [20, 40]);
        assert!(of(&drawn).is_disjoint(&of(&rest)));
        // Of few groups a tenth is nearer to none than to one, of which nothing could be told.
        assert_eq!(hold_out_groups(&[7, 7, 7, 5, 5], Draw::Share(0.1), 0).unwrap(), (vec![3, 4], vec![0, 1, 2]));
        assert_eq!(hold_out_groups(&[7, 7, 7, 5, 5], Draw::Share(0.95), 0).unwrap(), (vec![0, 1, 2], vec![3, 4]));
        assert_eq!(hold_out_groups(&[7, 7], Draw::Share(0.5), 0).unwrap(), (vec![], vec![0, 1]));
        assert_eq!(hold_out_groups(&[7, 5], Draw::Share(0.0), 0).unwrap(), (vec![], vec![0, 1]));
        let error = hold_out_groups(&[7, 5], Draw::Count(3), 0).unwrap_err().to_string();
        assert_eq!(error, "3 images were asked for and there are 2");
    }

    fn labels() -> Vec<i32> {
        (0..1000).map(|i| i % 10).collect()
    }

    #[test]
    fn splits_are_disjoint_balanced_and_nested() {
        let labels = labels();
        let small = stratified(&labels, 10, 100, 50, 3).unwrap();
        let large = stratified(&labels, 10, 700, 50, 3).unwrap();
        assert_eq!(small.validation, large.validation);
        assert!(small.train.iter().all(|i| large.train.contains(i)));
        assert!(large.train.iter().all(|i| !large.validation.contains(i)));
        for class in 0..10 {
            assert_eq!(small.train.iter().filter(|&&i| labels[i] == class).count(), 10);
        }
        assert_ne!(small.train, stratified(&labels, 10, 100, 50, 4).unwrap().train);
    }

    #[test]
    fn classes_of_different_sizes_keep_their_shares() {
        // MNIST's training split, all of which the defaults use.
        let sizes = [5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949];
        let labels: Vec<i32> = sizes.iter().zip(0..).flat_map(|(&size, class)| vec![class; size]).collect();
        let split = stratified(&labels, 10, 55_000, 5_000, 0).unwrap();
        let of_class = |images: &[usize], class| images.iter().filter(|&&image| labels[image] == class).count();
        assert_eq!([0, 1, 5].map(|class| of_class(&split.validation, class)), [494, 562, 452]);
        assert!((0..10).all(|class| {
            of_class(&split.train, class) + of_class(&split.validation, class) == sizes[class as usize]
        }));
    }

    #[test]
    fn too_many_images_are_refused() {
        let error = stratified(&labels(), 10, 990, 50, 0).unwrap_err().to_string();
        assert_eq!(error, "train 990 + validation 50 images were asked for and there are 1000");
    }
}
