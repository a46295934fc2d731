//! What every evaluation that tells classes measures.

use crate::context::Context;
use crate::data::{Split, npy};
use crate::features::Labelled;
use crate::metrics::Confusion;
use crate::stage::MeasureAbout;
use anyhow::{Context as _, Result};

const SPLITS: &[&str] = &["validation", "test"];

pub const ACCURACY: MeasureAbout = MeasureAbout {
    name: "accuracy",
    splits: SPLITS,
    unit: "fraction",
    setting: false,
    doc: "share of images whose class is told",
};
pub const BALANCED_ACCURACY: MeasureAbout = MeasureAbout {
    name: "balanced_accuracy",
    splits: SPLITS,
    unit: "fraction",
    setting: false,
    doc: "share of each class's images whose class is told, the mean over the classes: each counts alike, however few images it has",
};
pub const MACRO_F1: MeasureAbout = MeasureAbout {
    name: "macro_f1",
    splits: SPLITS,
    unit: "fraction",
    setting: false,
    doc: "F1 of each class, the harmonic mean of recall and precision, and the mean over the classes",
};

/// Measures a split by its scores, `[image, class]`, and writes beside the result which class each image was taken for: SPLIT.npy, i32
/// `[n]`, of equal scores the first, and SPLIT.ids.npy, u32 `[n]`, the images' rows, both in `predictions`.
pub fn report(context: &Context, split: Split, scores: &[f64], of: Labelled) -> Result<Confusion> {
    let Labelled { labels, ids, classes } = of;
    let (confusion, split) = (Confusion::new(scores, labels, classes), split.name());
    context.measure(ACCURACY.name, split, confusion.accuracy());
    context.measure(BALANCED_ACCURACY.name, split, confusion.balanced_accuracy());
    context.measure(MACRO_F1.name, split, confusion.macro_f1());
    let highest =
        |scores: &[f64]| (1..classes).fold(0, |best, class| if scores[class] > scores[best] { class } else { best });
    let predicted: Vec<i32> = scores.chunks_exact(classes).map(|scores| highest(scores) as i32).collect();
    let folder = context.side().join("predictions");
    std::fs::create_dir_all(&folder).with_context(|| format!("cannot create {}", folder.display()))?;
    npy::write_with_ids(&folder, split, &[predicted.len()], &predicted, ids)?;
    Ok(confusion)
}
