use crate::nn::ops;
use crate::random::{Purpose, Rng};
use burn::tensor::{Tensor, TensorData};

/// Directions that are looked at. Of more features than that the others count as one.
const MOST: usize = 512;

/// The variances of features along the directions in which they vary independently of each other.
#[derive(Debug)]
pub struct Spectrum {
    variances: Vec<f32>,
    /// `[feature, direction]`, of unit length and at right angles.
    directions: Tensor<2>,
    /// Of all directions that are not among them.
    rest: f32,
}

impl Spectrum {
    /// Of `x`, `[image, feature]`, whose means are 0. Of many features those directions in which they vary most, or nearly so
    /// (Halko et al. 2011, arXiv:0909.4061, algorithms 4.3 and 5.3).
    pub fn of(x: &Tensor<2>) -> Self {
        let [images, features] = x.dims();
        let covariance = |basis: &Tensor<2>| {
            let seen = ops::product(x, basis); // [image, direction]
            ops::product(&x.clone().transpose(), &seen).div_scalar(images as f64) // [feature, direction]
        };
        if features <= MOST {
            let whole = ops::product(&x.clone().transpose(), x).div_scalar(images as f64);
            let (variances, directions) = ops::symmetric_eigen(&whole);
            let variances = not_negative(variances);
            // There is no other direction; what rounding makes of that counts least with the largest.
            return Self { rest: variances[features - 1], variances, directions };
        }
        let mut rng = Rng::new(0, Purpose::Noise, &[]);
        let noise = (0..features * MOST).map(|_| rng.normal()).collect();
        let noise = Tensor::from_data(TensorData::new::<f32, _>(noise, [features, MOST]), &x.device());
        let basis = ops::orthonormal(&covariance(&noise)); // [feature, direction]
        let within = ops::product(&basis.clone().transpose(), &covariance(&basis)); // [direction, direction]
        let (variances, turned) = ops::symmetric_eigen(&within);
        let variances = not_negative(variances);
        Self { rest: variances[0], variances, directions: ops::product(&basis, &turned) }
    }

    /// The places of the rows of `v`, `[row, feature]`, along the two directions of the largest variances, that of the largest first:
    /// `[row, 2]`. The largest part of each direction is positive, since its sign is nobody's choice.
    pub fn first_two(&self, v: &Tensor<2>) -> Tensor<2> {
        let last = self.variances.len();
        if last == 1 {
            // There is no second direction.
            return Tensor::cat(vec![v.clone(), v.zeros_like()], 1);
        }
        let two = |number: usize| {
            let direction = self.directions.clone().narrow(1, last - 1 - number, 1);
            let largest = direction.clone().abs().argmax(0);
            let sign = direction.clone().gather(0, largest).sign();
            direction * sign
        };
        ops::product(v, &Tensor::cat(vec![two(0), two(1)], 1))
    }

    /// The part of each row of `v`, `[row, feature]`, along each direction, divided by `by` of its variance.
    pub fn divide(&self, v: Tensor<2>, by: impl Fn(f64) -> f64) -> Tensor<2> {
        let factor = |variance: f32| 1.0 / by(f64::from(variance));
        let rest = factor(self.rest);
        let factors: Vec<f32> = self.variances.iter().map(|&variance| (factor(variance) - rest) as f32).collect();
        let factors = Tensor::from_data(TensorData::new(factors, [1, self.variances.len()]), &v.device());
        let along = ops::product(&v, &self.directions) * factors; // [row, direction]
        v * rest + ops::product(&along, &self.directions.clone().transpose())
    }
}

/// Rounding may leave a little less than nothing.
fn not_negative(variances: Vec<f32>) -> Vec<f32> {
    variances.into_iter().map(|variance| variance.max(0.0)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `[rows, features]`: a wave in every column, long ones the stronger.
    fn features(rows: usize, features: usize) -> Tensor<2> {
        let value = |i: usize, j: usize| ((i * (j + 1)) as f32 * 0.7).sin() / (j + 1) as f32;
        let values: Vec<f32> = (0..rows).flat_map(|i| (0..features).map(move |j| value(i, j))).collect();
        Tensor::from_data(TensorData::new(values, [rows, features]), &crate::nn::device("cpu").unwrap())
    }

    /// Of a few features all directions are known: dividing by the variance and multiplying by the covariance does nothing.
    #[test]
    fn dividing_by_the_variances_undoes_the_covariance() {
        let x = features(400, 6);
        let v = features(2, 6);
        let covariance = x.clone().transpose().matmul(x.clone()).div_scalar(400.0);
        let back = Spectrum::of(&x).divide(v.clone(), |variance| variance).matmul(covariance);
        let worst = (back - v).abs().max().into_scalar::<f32>();
        assert!(worst < 1e-4, "{worst}");
    }

    /// Of many the strongest are found, and what lies along none of them is divided by the weakest of those.
    #[test]
    fn of_many_features_the_strongest_directions_are_found() {
        let x = features(100, MOST + 200);
        let whole = x.clone().transpose().matmul(x.clone()).div_scalar(100.0);
        let (all, _) = ops::symmetric_eigen(&whole);
        let spectrum = Spectrum::of(&x);
        let strongest = |variances: &[f32]| variances.iter().rev().take(20).copied().collect::<Vec<_>>();
        for (found, expected) in strongest(&spectrum.variances).iter().zip(strongest(&all)) {
            assert!((found - expected).abs() < 1e-3 * expected, "{found} in place of {expected}");
        }
        let v = features(3, MOST + 200);
        let same = spectrum.divide(v.clone(), |_| 2.0) * 2.0;
        assert!((same - v).abs().max().into_scalar::<f32>() < 1e-5);
    }
}
