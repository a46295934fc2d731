//! t-SNE (van der Maaten & Hinton 2008, JMLR 9), exact: every pair is looked at in every iteration. Settings are scikit-learn's.

use super::neighbourhoods::Distances;
use rayon::prelude::*;

pub const ITERATIONS: usize = 1000;
/// In which near ones are drawn together `EXAGGERATION` times as strongly.
const EARLY: usize = 250;
const EXAGGERATION: f64 = 12.0;
/// Of the first places along the first direction.
const FIRST_SD: f64 = 1e-4;

/// Moves the points of `plane` until those lie near each other whose `distances` are small. `go_on` is told how many iterations are done;
/// `None` is its no.
pub fn arrange(
    distances: &Distances,
    mut plane: Vec<[f64; 2]>,
    perplexity: f64,
    mut go_on: impl FnMut(usize) -> bool,
) -> Option<Vec<[f64; 2]>> {
    let count = distances.count();
    let near = joint(distances, perplexity);
    let sd = (plane.iter().map(|place| place[0] * place[0]).sum::<f64>() / count as f64).sqrt();
    let scale = if sd > 0.0 { FIRST_SD / sd } else { 0.0 };
    plane.iter_mut().flatten().for_each(|along| *along *= scale);
    let rate = (count as f64 / EXAGGERATION / 4.0).max(50.0);
    let (mut speed, mut gains) = (vec![[0.0; 2]; count], vec![[1.0f64; 2]; count]);
    for iteration in 0..ITERATIONS {
        if !go_on(iteration) {
            return None;
        }
        let (momentum, exaggeration) = if iteration < EARLY { (0.5, EXAGGERATION) } else { (0.8, 1.0) };
        let slopes = slopes(&near, &plane, exaggeration);
        for (point, slope) in slopes.iter().enumerate() {
            for along in 0..2 {
                let (speed, gain) = (&mut speed[point][along], &mut gains[point][along]);
                *gain = if *speed * slope[along] < 0.0 { *gain + 0.2 } else { (*gain * 0.8).max(0.01) };
                *speed = momentum * *speed - rate * *gain * slope[along];
                plane[point][along] += *speed;
            }
        }
    }
    Some(plane)
}

/// How near each is to each, symmetric, with a sum of 1: `[row, row]` (eq. 1, and section 3.1).
fn joint(distances: &Distances, perplexity: f64) -> Vec<f64> {
    let count = distances.count();
    let rows: Vec<Vec<f64>> =
        (0..count).into_par_iter().map(|row| conditional(distances.from(row), row, perplexity)).collect();
    let both = |row: usize, other: usize| (rows[row][other] + rows[other][row]) / (2.0 * count as f64);
    (0..count).flat_map(|row| (0..count).map(move |other| (row, other))).map(|(row, other)| both(row, other)).collect()
}

/// A Gaussian of such a width, found by halving, that its entropy is the logarithm of the perplexity.
fn conditional(squared: &[f64], itself: usize, perplexity: f64) -> Vec<f64> {
    let others = || squared.iter().enumerate().filter(|&(other, _)| other != itself);
    let nearest = others().map(|(_, &d)| d).fold(f64::INFINITY, f64::min);
    let (mut low, mut high, mut precision) = (0.0, f64::INFINITY, 1.0);
    for _ in 0..200 {
        let weight = |d: f64| (-(d - nearest) * precision).exp();
        let sum: f64 = others().map(|(_, &d)| weight(d)).sum();
        let mean: f64 = others().map(|(_, &d)| (d - nearest) * weight(d)).sum::<f64>() / sum;
        let off = sum.ln() + precision * mean - perplexity.ln();
        if off.abs() < 1e-10 {
            break;
        }
        if off > 0.0 {
            low = precision;
            precision = if high.is_finite() { (low + high) / 2.0 } else { precision * 2.0 };
        } else {
            high = precision;
            precision = (low + high) / 2.0;
        }
    }
    let weight = |(other, &d): (usize, &f64)| if other == itself { 0.0 } else { (-(d - nearest) * precision).exp() };
    let weights: Vec<f64> = squared.iter().enumerate().map(weight).collect();
    let sum: f64 = weights.iter().sum();
    weights.into_iter().map(|weight| weight / sum).collect()
}

/// Of the divergence, at each point (eq. 5).
fn slopes(near: &[f64], plane: &[[f64; 2]], exaggeration: f64) -> Vec<[f64; 2]> {
    let count = plane.len();
    let closeness = |a: &[f64; 2], b: &[f64; 2]| 1.0 / (1.0 + (a[0] - b[0]).powi(2) + (a[1] - b[1]).powi(2));
    let sums: Vec<f64> = plane.par_iter().map(|a| plane.iter().map(|b| closeness(a, b)).sum::<f64>() - 1.0).collect();
    let all: f64 = sums.iter().sum();
    let slope = |(row, a): (usize, &[f64; 2])| {
        let mut slope = [0.0; 2];
        for (b, p) in plane.iter().zip(&near[row * count..]) {
            let closeness = closeness(a, b);
            let pull = 4.0 * (exaggeration * p - closeness / all) * closeness;
            slope[0] += pull * (a[0] - b[0]);
            slope[1] += pull * (a[1] - b[1]);
        }
        slope
    };
    plane.par_iter().enumerate().map(slope).collect()
}
