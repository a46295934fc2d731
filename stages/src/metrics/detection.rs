//! How well objects are found: COCO's twelve figures, exactly as pycocotools 2.0.11 counts them (`COCOeval` of boxes), in float64.
//!
//! Of each class, what is found is taken by its score, the surest first, and matched with the truth that it overlaps most and that is
//! still free, if their intersection over union (IoU) reaches a threshold. What is left of both is a false alarm or a miss.

mod matching;
#[cfg(test)]
mod tests;

use matching::{Matched, match_found};
pub use matching::{Outcome, iou, outcome};

/// An object that is there.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Truth {
    pub class: usize,
    /// Left, top, right, bottom.
    pub edges: [f64; 4],
}

/// An object that is said to be there.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Found {
    pub class: usize,
    pub edges: [f64; 4],
    pub score: f64,
}

/// What is there and what is said to be there in one image.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Scene {
    pub truths: Vec<Truth>,
    pub found: Vec<Found>,
}

/// How many IoU thresholds there are: .5, .55, ... .95.
pub const THRESHOLDS: usize = 10;
/// Precision is read at so many values of recall: 0, .01, ... 1.
pub const RECALLS: usize = 101;
/// No more than so many objects of a class are looked at in an image.
const MOST_FOUND: usize = 100;
/// The thresholds of AP50 and AP75.
const HALF: usize = 0;
const THREE_QUARTERS: usize = 5;

/// Sizes of objects, by the area of their boxes in pixels: both ends belong to them.
const ALL: [f64; 2] = [0.0, 1e10];
const SMALL: [f64; 2] = [0.0, 32.0 * 32.0];
const MEDIUM: [f64; 2] = [32.0 * 32.0, 96.0 * 96.0];
const LARGE: [f64; 2] = [96.0 * 96.0, 1e10];

/// COCO's figures, in pycocotools' order. Each is in [0, 1], or -1 where there is no object to tell it by.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Figures {
    /// Average precision, the mean over thresholds and classes.
    pub ap: f64,
    /// At the thresholds .5 and .75 alone.
    pub ap_50: f64,
    pub ap_75: f64,
    /// Of objects up to 32 x 32 pixels, up to 96 x 96, and larger ones.
    pub ap_by_size: [f64; 3],
    /// Recall, the mean over thresholds and classes, of the 1, 10 and 100 surest of an image.
    pub ar: [f64; 3],
    pub ar_by_size: [f64; 3],
}

impl Figures {
    pub fn in_order(&self) -> [f64; 12] {
        let Self { ap, ap_50, ap_75, ap_by_size: [s, m, l], ar: [ar_1, ar_10, ar_100], ar_by_size } = *self;
        let [ar_s, ar_m, ar_l] = ar_by_size;
        [ap, ap_50, ap_75, s, m, l, ar_1, ar_10, ar_100, ar_s, ar_m, ar_l]
    }
}

/// Precision and recall of one class.
#[derive(Debug, Clone, PartialEq)]
pub struct Curve {
    /// At each threshold, by recall.
    precision: Vec<[f64; RECALLS]>,
    /// The highest that is reached at each threshold.
    recall: [f64; THRESHOLDS],
}

/// What has been found in all images.
#[derive(Debug, Clone)]
pub struct Detections {
    /// Of each class; `None` where there is no object of it.
    all: Vec<Option<Curve>>,
    /// The same of the one and of the ten surest of each image.
    surest: [Vec<Option<Curve>>; 2],
    by_size: [Vec<Option<Curve>>; 3],
}

impl Detections {
    /// # Panics
    /// Where a score is not a number.
    pub fn new(scenes: &[Scene], classes: usize) -> Self {
        let curves = |area: [f64; 2], most: usize| -> Vec<Option<Curve>> {
            let of_class = |class| scenes.iter().map(|scene| match_found(scene, class, area, most)).collect::<Vec<_>>();
            (0..classes).map(|class| Curve::of(&of_class(class))).collect()
        };
        Self {
            all: curves(ALL, MOST_FOUND),
            surest: [1, 10].map(|most| curves(ALL, most)),
            by_size: [SMALL, MEDIUM, LARGE].map(|area| curves(area, MOST_FOUND)),
        }
    }

    pub fn figures(&self) -> Figures {
        let [surest, ten] = &self.surest;
        Figures {
            ap: mean_precision(&self.all, 0..THRESHOLDS),
            ap_50: mean_precision(&self.all, HALF..HALF + 1),
            ap_75: mean_precision(&self.all, THREE_QUARTERS..THREE_QUARTERS + 1),
            ap_by_size: self.by_size.each_ref().map(|curves| mean_precision(curves, 0..THRESHOLDS)),
            ar: [surest, ten, &self.all].map(|curves| mean_recall(curves)),
            ar_by_size: self.by_size.each_ref().map(|curves| mean_recall(curves)),
        }
    }

    /// Average precision of each class; `None` where there is no object of it.
    pub fn ap_of_classes(&self) -> Vec<Option<f64>> {
        let of_class =
            |curve: &Option<Curve>| curve.as_ref().map(|_| mean_precision(std::slice::from_ref(curve), 0..THRESHOLDS));
        self.all.iter().map(of_class).collect()
    }

    /// Of each class, precision by recall where half an overlap counts; `None` where there is no object of it.
    pub fn precision_by_recall(&self) -> Vec<Option<[f64; RECALLS]>> {
        self.all.iter().map(|curve| curve.as_ref().map(|curve| curve.precision[HALF])).collect()
    }
}

/// From which score on what is found is best told, by F1 over all classes where half an overlap counts: the harmonic mean of precision
/// and recall. 1 where nothing is right.
pub fn best_score(scenes: &[Scene], classes: usize) -> f64 {
    let matched =
        (0..classes).flat_map(|class| scenes.iter().map(move |scene| match_found(scene, class, ALL, MOST_FOUND)));
    let mut found: Vec<_> = matched.flat_map(|image| image.found).collect();
    found.sort_by(|a, b| matching::surer(a.score, b.score));
    let truths: usize = scenes.iter().map(|scene| scene.truths.len()).sum();
    let (mut right, mut best) = (0, (0.0, 1.0));
    for (number, one) in (1..).zip(&found) {
        right += usize::from(one.is_right[HALF] == Some(true));
        let f1 = 2.0 * right as f64 / (number + truths) as f64;
        if f1 > best.0 {
            best = (f1, one.score);
        }
    }
    best.1
}

impl Curve {
    /// `None` where there is no object that counts.
    fn of(images: &[Matched]) -> Option<Self> {
        let truths: usize = images.iter().map(|image| image.truths).sum();
        if truths == 0 {
            return None;
        }
        let mut found: Vec<_> = images.iter().flat_map(|image| &image.found).collect();
        // Equally sure ones stay in the order of their images, as by pycocotools' mergesort.
        found.sort_by(|a, b| matching::surer(a.score, b.score));
        let (mut precision, mut recall) = (vec![], [0.0; THRESHOLDS]);
        for (threshold, reached) in recall.iter_mut().enumerate() {
            let (mut right, mut wrong) = (0.0, 0.0);
            let (mut recalls, mut precisions) = (vec![], vec![]);
            for one in &found {
                if let Some(is_right) = one.is_right[threshold] {
                    if is_right { right += 1.0 } else { wrong += 1.0 }
                }
                recalls.push(right / truths as f64);
                precisions.push(right / (right + wrong + f64::EPSILON));
            }
            *reached = recalls.last().copied().unwrap_or(0.0);
            precision.push(at_recalls(&recalls, precisions));
        }
        Some(Self { precision, recall })
    }
}

/// The best precision that is reached at each of the recalls or a higher one.
fn at_recalls(recalls: &[f64], mut precisions: Vec<f64>) -> [f64; RECALLS] {
    for place in (1..precisions.len()).rev() {
        precisions[place - 1] = precisions[place - 1].max(precisions[place]);
    }
    std::array::from_fn(|number| {
        let wanted = if number + 1 == RECALLS { 1.0 } else { number as f64 * 0.01 };
        let first = recalls.partition_point(|&recall| recall < wanted);
        precisions.get(first).copied().unwrap_or(0.0)
    })
}

fn mean_precision(curves: &[Option<Curve>], thresholds: std::ops::Range<usize>) -> f64 {
    mean(curves.iter().flatten().flat_map(|curve| &curve.precision[thresholds.clone()]).flatten())
}

fn mean_recall(curves: &[Option<Curve>]) -> f64 {
    mean(curves.iter().flatten().flat_map(|curve| &curve.recall))
}

/// -1 of nothing.
fn mean<'a>(values: impl Iterator<Item = &'a f64>) -> f64 {
    let (sum, count) = values.fold((0.0, 0), |(sum, count), value| (sum + value, count + 1));
    if count == 0 { -1.0 } else { sum / f64::from(count) }
}
