//! What every evaluation that tells classes measures.

use crate::context::Context;
use crate::data::Split;
use crate::metrics::Confusion;
use crate::stage::MeasureAbout;

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
    doc: "the same of each class's images, and the mean over the classes: each counts alike, however few images it has",
};
pub const MACRO_F1: MeasureAbout = MeasureAbout {
    name: "macro_f1",
    splits: SPLITS,
    unit: "fraction",
    setting: false,
    doc: "F1 of each class, the harmonic mean of recall and precision, and the mean over the classes",
};

pub fn measure(context: &Context, split: Split, confusion: &Confusion) {
    context.measure(ACCURACY.name, split.name(), confusion.accuracy());
    context.measure(BALANCED_ACCURACY.name, split.name(), confusion.balanced_accuracy());
    context.measure(MACRO_F1.name, split.name(), confusion.macro_f1());
}
