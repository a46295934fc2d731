//! Which of the found objects of an image are right.

use super::{Found, HALF, Scene, THRESHOLDS, Truth};
use std::cmp::Ordering;

/// An image, of which one class and objects of one size are looked at.
#[derive(Debug, Clone)]
pub struct Matched {
    /// How many objects there are that count.
    pub truths: usize,
    /// The surest first.
    pub found: Vec<MatchedOne>,
}

#[derive(Debug, Clone)]
pub struct MatchedOne {
    pub score: f64,
    /// At each threshold; `None` where it counts neither way: it is matched with an object of another size, or is of another size and
    /// matched with nothing.
    pub is_right: [Option<bool>; THRESHOLDS],
}

/// Of objects whose boxes have an area in `area`, and of the `most` surest that are found.
pub fn match_found(scene: &Scene, class: usize, area: [f64; 2], most: usize) -> Matched {
    let is_of_size = |edges: &[f64; 4]| (area[0]..=area[1]).contains(&area_of(edges));
    let mut truths: Vec<([f64; 4], bool)> = scene
        .truths
        .iter()
        .filter(|truth| truth.class == class)
        .map(|truth| (truth.edges, is_of_size(&truth.edges)))
        .collect();
    // Those that count come first, in their own order.
    truths.sort_by_key(|&(_, counts)| !counts);
    let mut found: Vec<_> = scene.found.iter().filter(|found| found.class == class).collect();
    found.sort_by(|a, b| surer(a.score, b.score));
    found.truncate(most);
    let mut matched: Vec<MatchedOne> =
        found.iter().map(|found| MatchedOne { score: found.score, is_right: [Some(false); THRESHOLDS] }).collect();
    let overlaps: Vec<Vec<f64>> =
        found.iter().map(|found| truths.iter().map(|(truth, _)| iou(&found.edges, truth)).collect()).collect();
    for threshold in 0..THRESHOLDS {
        let mut taken = vec![false; truths.len()];
        for ((one, found), overlaps) in matched.iter_mut().zip(&found).zip(&overlaps) {
            one.is_right[threshold] = match best(overlaps, &truths, &taken, iou_threshold(threshold)) {
                Some(truth) => {
                    taken[truth] = true;
                    truths[truth].1.then_some(true)
                }
                None => is_of_size(&found.edges).then_some(false),
            };
        }
    }
    Matched { truths: truths.iter().filter(|(_, counts)| *counts).count(), found: matched }
}

/// The free object that is overlapped most, the last of several; one that counts before all that do not.
fn best(overlaps: &[f64], truths: &[([f64; 4], bool)], taken: &[bool], least: f64) -> Option<usize> {
    let (mut best, mut reached) = (None, least.min(1.0 - 1e-10));
    for (number, &overlap) in overlaps.iter().enumerate().filter(|&(number, _)| !taken[number]) {
        if best.is_some_and(|best: usize| truths[best].1 && !truths[number].1) {
            break;
        }
        if overlap >= reached {
            (best, reached) = (Some(number), overlap);
        }
    }
    best
}

/// As numpy's `linspace(.5, .95, 10)` rounds them.
fn iou_threshold(number: usize) -> f64 {
    const FIRST: f64 = 0.5;
    const LAST: f64 = 0.95;
    if number + 1 == THRESHOLDS { LAST } else { FIRST + number as f64 * ((LAST - FIRST) / (THRESHOLDS - 1) as f64) }
}

/// The order of falling scores.
pub fn surer(a: f64, b: f64) -> Ordering {
    b.partial_cmp(&a).expect("a score is a number")
}

fn area_of([left, top, right, bottom]: &[f64; 4]) -> f64 {
    (right - left) * (bottom - top)
}

/// Intersection over union.
pub fn iou(a: &[f64; 4], b: &[f64; 4]) -> f64 {
    let along = |axis: usize| a[axis + 2].min(b[axis + 2]) - a[axis].max(b[axis]);
    let (width, height) = (along(0), along(1));
    if width <= 0.0 || height <= 0.0 {
        return 0.0;
    }
    let both = width * height;
    both / (area_of(a) + area_of(b) - both)
}

/// What of an image is right where half an overlap counts, what is invented, and what is missed.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Outcome {
    pub right: Vec<Found>,
    pub invented: Vec<Found>,
    pub missed: Vec<Truth>,
}

/// Of what is at least as sure as `least`.
pub fn outcome(scene: &Scene, least: f64) -> Outcome {
    let mut found: Vec<&Found> = scene.found.iter().filter(|found| found.score >= least).collect();
    found.sort_by(|a, b| surer(a.score, b.score));
    let truths: Vec<([f64; 4], bool)> = scene.truths.iter().map(|truth| (truth.edges, true)).collect();
    let (mut taken, mut outcome) = (vec![false; truths.len()], Outcome::default());
    for found in found {
        let of_class = |truth: &Truth| if truth.class == found.class { iou(&found.edges, &truth.edges) } else { 0.0 };
        let overlaps: Vec<f64> = scene.truths.iter().map(of_class).collect();
        match best(&overlaps, &truths, &taken, iou_threshold(HALF)) {
            Some(truth) => {
                taken[truth] = true;
                outcome.right.push(*found);
            }
            None => outcome.invented.push(*found),
        }
    }
    outcome.missed = scene.truths.iter().zip(taken).filter(|(_, taken)| !taken).map(|(truth, _)| *truth).collect();
    outcome
}
