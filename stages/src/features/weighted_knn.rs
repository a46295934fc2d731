//! The vote of an image's nearest neighbours, weighted by their cosine (Wu et al. 2018, arXiv:1805.01978, sec. 3.4).

use super::nearest::Neighbour;
use burn::tensor::{Device, Tensor, TensorData};
use rayon::prelude::*;

/// Rows of `features` values, each divided by its length: `[row, feature]`. A row of zeros stays one, and has a similarity of 0
/// to all others.
pub fn unit_rows<'a>(rows: impl Iterator<Item = &'a [f32]>, features: usize, device: &Device) -> Tensor<2> {
    let mut units: Vec<f32> = vec![];
    for row in rows {
        // Squares of float32 leave its range.
        let length = row.iter().map(|&v| f64::from(v).powi(2)).sum::<f64>().sqrt();
        let divisor = if length > 0.0 { length } else { 1.0 };
        units.extend(row.iter().map(|&v| (f64::from(v) / divisor) as f32));
    }
    let shape = [units.len() / features, features];
    Tensor::from_data(TensorData::new(units, shape), device)
}

/// [`scores`] of every query: `[query, class]`.
pub fn all_scores(neighbours: &[Vec<Neighbour>], labels: &[i32], classes: usize, temperature: f64) -> Vec<f64> {
    neighbours.par_iter().flat_map_iter(|neighbours| scores(neighbours, labels, classes, temperature)).collect()
}

/// The score of every class: the sum of `exp(similarity / temperature)` over the neighbours that are of the class, as a
/// multiple of the nearest one's, since the exponential of a small temperature would be infinite. The bank's `labels` are below
/// `classes`.
pub fn scores(neighbours: &[Neighbour], labels: &[i32], classes: usize, temperature: f64) -> Vec<f64> {
    let similarity = |neighbour: &Neighbour| f64::from(neighbour.similarity);
    let nearest = neighbours.iter().map(similarity).fold(f64::NEG_INFINITY, f64::max);
    let mut scores = vec![0.0; classes];
    for neighbour in neighbours {
        let class = labels[neighbour.index as usize] as usize;
        scores[class] += ((similarity(neighbour) - nearest) / temperature).exp();
    }
    scores
}

#[cfg(test)]
mod tests {
    use super::*;

    fn neighbours(similarities: &[f32]) -> Vec<Neighbour> {
        (0..).zip(similarities).map(|(index, &similarity)| Neighbour { index, similarity }).collect()
    }

    /// One image of class 1 that is nearest, and many of class 0 that are nearly as near.
    #[test]
    fn the_nearest_decides_at_any_temperature_that_is_small_enough() {
        let similarities: Vec<f32> = [0.97].into_iter().chain([0.96; 59]).collect();
        let labels: Vec<i32> = [1].into_iter().chain([0; 59]).collect();
        for temperature in [1e-3, 1e-4, 1e-30, f64::MIN_POSITIVE, 5e-324] {
            let scores = scores(&neighbours(&similarities), &labels, 2, temperature);
            assert!(scores[1] == 1.0 && scores[0] < 1.0, "{temperature:e}: {scores:?}");
        }
        // Where it is large the votes are counted.
        let scores = scores(&neighbours(&similarities), &labels, 2, 1e30);
        assert_eq!(scores, [59.0, 1.0]);
    }

    #[test]
    fn scores_are_those_of_the_formula_but_for_a_factor() {
        let (similarities, labels) = ([0.9f32, -0.3, 0.5, 0.2], [2, 0, 1, 0]);
        let scores = scores(&neighbours(&similarities), &labels, 4, 0.1);
        let term = |similarity: f32| ((f64::from(similarity) - f64::from(0.9f32)) / 0.1).exp();
        assert_eq!(scores, [term(-0.3) + term(0.2), term(0.5), 1.0, 0.0]);
    }

    /// Rows that float32 cannot square, in either direction, and one without a direction.
    #[test]
    fn rows_of_any_length_become_unit_rows() {
        let device = crate::nn::device("cpu").unwrap();
        let rows = unit_rows([3e30f32, 4e30, 3e-30, -4e-30, 0.0, 0.0].chunks_exact(2), 2, &device);
        let expected = [0.6, 0.8, 0.6, -0.8, 0.0, 0.0];
        for (found, expected) in rows.into_data().iter::<f64>().zip(expected) {
            assert!((found - expected).abs() < 1e-7, "{found} in place of {expected}");
        }
    }
}
