//! Which images of the official training split are trained on and which are held out.

use crate::random::{Purpose, Rng};
use anyhow::{Result, ensure};

/// Numbers of images, ascending.
#[derive(Debug, Clone, PartialEq)]
pub struct StratifiedSplit {
    pub train: Vec<usize>,
    pub validation: Vec<usize>,
}

/// Draws `train` and `validation` images without overlap, the same number of each class as far as it goes (a remainder
/// goes to the first classes). The validation images do not depend on `train`, and a smaller train split is part of a
/// larger one of the same seed.
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
    let mut split = StratifiedSplit { train: Vec::with_capacity(train), validation: Vec::with_capacity(validation) };
    for class in 0..classes {
        let mut members: Vec<usize> = (0..labels.len()).filter(|&i| labels[i] == class as i32).collect();
        Rng::new(seed, Purpose::Split, &[class as u64]).shuffle(&mut members);
        let share = |total: usize| total / classes + usize::from(class < total % classes);
        let (held_out, trained) = (share(validation), share(train));
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

#[cfg(test)]
mod tests {
    use super::*;

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
    fn too_many_images_are_refused() {
        let error = stratified(&labels(), 10, 990, 50, 0).unwrap_err().to_string();
        assert_eq!(error, "train 990 + validation 50 images were asked for and there are 1000");
    }
}
