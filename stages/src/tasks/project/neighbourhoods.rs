use rayon::prelude::*;
use std::cmp::Ordering;

/// The squared distances between any two of some rows.
#[derive(Debug)]
pub struct Distances {
    count: usize,
    /// `[row, row]`
    squared: Vec<f64>,
}

impl Distances {
    pub fn of(rows: &[&[f32]]) -> Self {
        let between = |a: &[f32], b: &[f32]| -> f64 {
            a.iter().zip(b).map(|(a, b)| (f64::from(*a) - f64::from(*b)).powi(2)).sum()
        };
        let squared = rows.par_iter().flat_map_iter(|a| rows.iter().map(|b| between(a, b))).collect();
        Self { count: rows.len(), squared }
    }

    pub fn count(&self) -> usize {
        self.count
    }

    /// Whether all rows are the same.
    pub fn are_zero(&self) -> bool {
        self.squared.iter().all(|&squared| squared == 0.0)
    }

    /// From one row to all.
    pub fn from(&self, row: usize) -> &[f64] {
        &self.squared[row * self.count..][..self.count]
    }

    /// All other rows, the nearest first; of those that are as near the earlier.
    fn order(&self, row: usize) -> Vec<usize> {
        let distances = self.from(row);
        let nearer = |a: &usize, b: &usize| -> Ordering { distances[*a].total_cmp(&distances[*b]).then(a.cmp(b)) };
        let mut order: Vec<usize> = (0..self.count).filter(|&other| other != row).collect();
        order.sort_by(nearer);
        order
    }
}

/// How far those that are near in `shown` are near in `truth` (Venna & Kaski 2001): 1 less the sum, over all rows and their `k` nearest in
/// `shown`, of how many places beyond the k-th they have in `truth`, scaled so that 0 is the worst. `k` is below half of the rows.
pub fn trustworthiness(truth: &Distances, shown: &Distances, k: usize) -> f64 {
    let count = truth.count;
    let beyond = |row: usize| -> usize {
        let mut rank = vec![0; count];
        truth.order(row).into_iter().zip(1..).for_each(|(other, place)| rank[other] = place);
        shown.order(row)[..k].iter().map(|&other| usize::saturating_sub(rank[other], k)).sum()
    };
    let sum: usize = (0..count).into_par_iter().map(beyond).sum();
    let (n, k) = (count as f64, k as f64);
    1.0 - sum as f64 * 2.0 / (n * k * (2.0 * n - 3.0 * k - 1.0))
}
