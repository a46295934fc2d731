//! Multinomial logistic regression on standardised features.

use super::feature_set::{FeatureSet, SplitFeatures};
use super::lbfgs::{self, Limits};
use crate::data::Split;
use crate::nn::ops;
use anyhow::Result;
use burn::tensor::activation::log_softmax;
use burn::tensor::{Device, Tensor, TensorData};

/// Mean and standard deviation of every feature over the train split.
#[derive(Debug)]
pub struct Standardiser {
    mean: Vec<f32>,
    sd: Vec<f32>,
}

impl Standardiser {
    pub fn fit(set: &FeatureSet) -> Result<Self> {
        let (train, width) = (set.split(Split::Train)?, set.features);
        let n = train.labels.len() as f64;
        let (mut sum, mut squares) = (vec![0.0f64; width], vec![0.0f64; width]);
        for row in train.values.chunks_exact(width) {
            for (i, &value) in row.iter().enumerate() {
                sum[i] += f64::from(value);
                squares[i] += f64::from(value) * f64::from(value);
            }
        }
        let mean: Vec<f64> = sum.iter().map(|s| s / n).collect();
        let sd = squares.iter().zip(&mean).map(|(s, m)| (s / n - m * m).max(0.0).sqrt());
        // A feature that never changes says nothing: it becomes 0 everywhere.
        let sd = sd.map(|sd| if sd > 1e-8 { sd as f32 } else { f32::INFINITY }).collect();
        Ok(Self { mean: mean.iter().map(|&m| m as f32).collect(), sd })
    }

    /// `[image, feature]`
    pub fn apply(&self, split: &SplitFeatures, device: &Device) -> Tensor<2> {
        let width = self.mean.len();
        let rows = split.values.chunks_exact(width);
        let values: Vec<f32> =
            rows.flat_map(|row| row.iter().zip(&self.mean).zip(&self.sd).map(|((v, m), sd)| (v - m) / sd)).collect();
        Tensor::from_data(TensorData::new(values, [split.labels.len(), width]), device)
    }
}

/// The training problem.
#[derive(Debug)]
pub struct Problem {
    x: Tensor<2>,
    /// `[class, image]`, 1 at the image's class.
    targets: Tensor<2>,
    features: usize,
    classes: usize,
}

const LIMITS: Limits = Limits { iterations: 300, gradient: 1e-5, progress: 1e-4 };

impl Problem {
    pub fn new(x: Tensor<2>, labels: &[i32], classes: usize) -> Self {
        let [n, features] = x.dims();
        let mut targets = vec![0.0f32; n * classes];
        for (image, &label) in labels.iter().enumerate() {
            targets[label as usize * n + image] = 1.0;
        }
        let targets = Tensor::from_data(TensorData::new(targets, [classes, n]), &x.device());
        Self { x, targets, features, classes }
    }

    /// Weights that minimise the mean cross entropy plus `l2 / 2` times the squared weights (not the bias), from `start`
    /// on. `None` when `go_on` said no.
    pub fn fit(&self, l2: f64, start: Option<&Weights>, go_on: impl FnMut() -> bool) -> Option<Weights> {
        let start = start.map_or_else(|| vec![0.0; (self.features + 1) * self.classes], |weights| weights.0.clone());
        lbfgs::minimise(start, LIMITS, |w| self.loss(w, l2), go_on).map(Weights)
    }

    fn loss(&self, weights: &[f64], l2: f64) -> (f64, Vec<f64>) {
        let n = self.x.dims()[0] as f64;
        let log_p = log_softmax(self.logits(weights, &self.x), 0); // [class, image]
        let entropy = -f64::from((log_p.clone() * self.targets.clone()).sum().into_scalar::<f32>()) / n;
        let residual = (log_p.exp() - self.targets.clone()).div_scalar(n); // [class, image]
        let mut gradient = doubles(ops::product(&residual, &self.x).flatten(0, 1));
        gradient.extend(doubles(residual.sum_dim(1).flatten(0, 1)));
        let penalised = self.features * self.classes;
        let squares: f64 = weights[..penalised].iter().map(|w| w * w).sum();
        gradient[..penalised].iter_mut().zip(weights).for_each(|(g, w)| *g += l2 * w);
        (entropy + 0.5 * l2 * squares, gradient)
    }

    /// `[class, image]`: with few classes several times faster on a processor than the other way round.
    fn logits(&self, weights: &[f64], x: &Tensor<2>) -> Tensor<2> {
        let floats: Vec<f32> = weights.iter().map(|&w| w as f32).collect();
        let (matrix, bias) = floats.split_at(self.features * self.classes);
        let device = x.device();
        let matrix = Tensor::<2>::from_data(TensorData::new(matrix.to_vec(), [self.classes, self.features]), &device);
        let bias = Tensor::<2>::from_data(TensorData::new(bias.to_vec(), [self.classes, 1]), &device);
        ops::product(&matrix, &x.clone().transpose()) + bias
    }

    /// The likeliest class of every row of `x`.
    pub fn predict(&self, weights: &Weights, x: &Tensor<2>) -> Vec<i32> {
        self.logits(&weights.0, x).argmax(0).into_data().iter::<i32>().collect()
    }
}

/// `[class, feature]` row by row, then the bias of each class.
#[derive(Debug, Clone)]
pub struct Weights(Vec<f64>);

fn doubles(x: Tensor<1>) -> Vec<f64> {
    x.into_data().iter::<f64>().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Two classes of one feature: the optimum has a closed condition, mean(p - y) = 0 and mean((p - y) x) + l2 w = 0.
    #[test]
    fn the_gradient_vanishes_at_the_fit_and_l2_shrinks_it() {
        let device = crate::nn::device("cpu").unwrap();
        let values = vec![-2.0f32, -1.0, -0.5, 0.2, 0.4, 1.0, 1.5, 2.0];
        let labels = [0, 0, 1, 0, 1, 1, 0, 1];
        let x = Tensor::from_data(TensorData::new(values, [8, 1]), &device);
        let problem = Problem::new(x, &labels, 2);
        let norm = |l2| {
            let weights = problem.fit(l2, None, || true).unwrap();
            let (_, gradient) = problem.loss(&weights.0, l2);
            // Where the fit stops.
            assert!(gradient.iter().all(|g| g.abs() < 1e-3), "{gradient:?}");
            weights.0[0].hypot(weights.0[1])
        };
        assert!(norm(1.0) < 0.5 * norm(0.01));
    }
}
