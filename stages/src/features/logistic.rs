//! Multinomial logistic regression on standardised features.

use super::newton::{self, Local, Minimum};
use super::spectrum::Spectrum;
use crate::nn::ops;
use burn::tensor::activation::log_softmax;
use burn::tensor::{DType, Device, FloatDType, Tensor, TensorData};

/// The training problem, in float64: where little but the data holds the weights, float32's rounding is as large as the penalty's hold.
#[derive(Debug)]
pub struct Problem {
    x: Tensor<2>,
    /// `[class, image]`, 1 at the image's class.
    targets: Tensor<2>,
    /// Of the features' covariance: what is known of the Hessian beforehand.
    spectrum: Spectrum,
    features: usize,
    classes: usize,
}

impl Problem {
    /// Of features `x`, `[image, feature]`, whose means are 0.
    pub fn new(x: Tensor<2>, labels: &[i32], classes: usize) -> Self {
        let [n, features] = x.dims();
        let mut targets = vec![0.0; n * classes];
        for (image, &label) in labels.iter().enumerate() {
            targets[label as usize * n + image] = 1.0;
        }
        let targets = wide(&targets, [classes, n], &x.device());
        Self { spectrum: Spectrum::of(&x), x: x.cast(FloatDType::F64), targets, features, classes }
    }

    /// Weights that minimise the mean cross entropy plus `l2 / 2` times the squared weights (not the bias), from `start`
    /// on. `None` when `go_on` said no.
    fn fit(&self, l2: f64, start: Weights, go_on: impl FnMut() -> bool) -> Option<Fit> {
        let Minimum { x, excess } = newton::minimise(start.0, |weights| self.near(weights, l2), go_on)?;
        Some(Fit { l2, weights: Weights(x), excess })
    }

    /// What fits best without any feature: each class as likely as it is frequent.
    fn featureless(&self) -> Weights {
        let counts = doubles(self.targets.clone().sum_dim(1).flatten(0, 1));
        // A class without images would be as unlikely as it gets.
        let biases = counts.iter().map(|count| count.max(1e-7).ln());
        Weights(std::iter::repeat_n(0.0, self.features * self.classes).chain(biases).collect())
    }

    /// `[image, class]`: the logits of every row of `x`.
    pub fn scores(&self, weights: &Weights, x: &Tensor<2>) -> Vec<f64> {
        doubles(self.logits(&weights.0, &x.clone().cast(FloatDType::F64)).transpose().flatten(0, 1))
    }

    fn near(&self, weights: &[f64], l2: f64) -> Near<'_> {
        let n = self.x.dims()[0] as f64;
        let log_p = log_softmax(self.logits(weights, &self.x), 0); // [class, image]
        let p = log_p.clone().exp();
        let entropies = doubles((log_p * self.targets.clone()).sum_dim(0).flatten(0, 1));
        let penalised = &weights[..self.features * self.classes];
        let squares: f64 = penalised.iter().map(|w| w * w).sum();
        let mut gradient = self.back((p.clone() - self.targets.clone()).div_scalar(n));
        gradient.iter_mut().zip(penalised).for_each(|(g, w)| *g += l2 * w);
        let spreads: Vec<f64> = doubles((p.clone() - p.clone().square()).mean_dim(1).flatten(0, 1));
        Near {
            problem: self,
            l2,
            value: 0.5 * l2 * squares - entropies.iter().sum::<f64>() / n,
            gradient,
            spread: (spreads.iter().sum::<f64>() / (self.classes as f64 - 1.0)).max(LEAST),
            spreads,
            p,
        }
    }

    /// `[class, image]`: with few classes several times faster on a processor than the other way round.
    fn logits(&self, weights: &[f64], x: &Tensor<2>) -> Tensor<2> {
        let (matrix, bias) = weights.split_at(self.features * self.classes);
        let device = x.device();
        let bias = wide(bias, [self.classes, 1], &device);
        ops::product(&wide(matrix, [self.classes, self.features], &device), &x.clone().transpose()) + bias
    }

    /// The gradient of all weights, from that of the logits, `[class, image]`.
    fn back(&self, of_logits: Tensor<2>) -> Vec<f64> {
        let mut gradient = doubles(ops::product(&of_logits, &self.x).flatten(0, 1));
        gradient.extend(doubles(of_logits.sum_dim(1).flatten(0, 1)));
        gradient
    }
}

/// `[class, feature]` row by row, then the bias of each class.
#[derive(Debug, Clone)]
pub struct Weights(Vec<f64>);

#[derive(Debug, Clone)]
pub struct Fit {
    pub l2: f64,
    pub weights: Weights,
    /// As [`Minimum::excess`].
    pub excess: f64,
}

/// Of an eigenvalue that divides: where every image is told with certainty, and without a penalty, it would be 0.
const LEAST: f64 = 1e-12;

/// Fits for ever smaller l2, each from where those before lead to: without a penalty's hold weights grow with the logarithm of
/// what it is.
pub struct Path<'a> {
    problem: &'a Problem,
    last: Vec<Fit>,
}

impl<'a> Path<'a> {
    pub fn new(problem: &'a Problem) -> Self {
        Self { problem, last: vec![] }
    }

    /// The fit for the next l2. `None` when `go_on` said no.
    pub fn fit(&mut self, l2: f64, go_on: impl FnMut() -> bool) -> Option<Fit> {
        let fit = self.problem.fit(l2, self.start(l2), go_on)?;
        self.last.truncate(1);
        self.last.insert(0, fit.clone());
        Some(fit)
    }

    /// The last weights, or as far beyond them as l2 is beyond its last on a logarithmic scale, whichever fits better.
    fn start(&self, l2: f64) -> Weights {
        let (last, before) = match self.last.as_slice() {
            [] => return self.problem.featureless(),
            [last] => return last.weights.clone(),
            [last, before, ..] => (last, before),
        };
        let way = (last.l2 / l2).ln() / (before.l2 / last.l2).ln();
        let beyond = last.weights.0.iter().zip(&before.weights.0).map(|(last, before)| last + way * (last - before));
        let beyond: Vec<f64> = beyond.collect();
        let value = |weights: &[f64]| self.problem.near(weights, l2).value;
        let is_better = way.is_finite() && value(&beyond) < value(&last.weights.0);
        if is_better { Weights(beyond) } else { last.weights.clone() }
    }
}

/// The function at some weights.
struct Near<'a> {
    problem: &'a Problem,
    l2: f64,
    value: f64,
    gradient: Vec<f64>,
    /// `[class, image]`
    p: Tensor<2>,
    /// The mean of p (1 - p) of each class.
    spreads: Vec<f64>,
    /// The mean eigenvalue of diag(p) - p p^T, that of the 1s aside.
    spread: f64,
}

impl Local for Near<'_> {
    fn value(&self) -> f64 {
        self.value
    }

    fn gradient(&self) -> &[f64] {
        &self.gradient
    }

    fn curvature(&self, v: &[f64]) -> Vec<f64> {
        let (problem, n) = (self.problem, self.p.dims()[1] as f64);
        let weighted = self.p.clone() * problem.logits(v, &problem.x); // [class, image]
        let mean = weighted.clone().sum_dim(0); // [1, image]
        let mut curved = problem.back((weighted - self.p.clone() * mean).div_scalar(n));
        curved.iter_mut().zip(&v[..problem.features * problem.classes]).for_each(|(c, v)| *c += self.l2 * v);
        curved
    }

    /// As if every image's diag(p) - p p^T were the same multiple of the identity: then the Hessian of each class's weights
    /// is that multiple of the covariance, plus the penalty's. At weights of 0 it is so. A bias has its own, since classes may be rare.
    fn precondition(&self, v: &[f64]) -> Vec<f64> {
        let problem = self.problem;
        let (matrix, bias) = v.split_at(problem.features * problem.classes);
        let matrix = floats(matrix, [problem.classes, problem.features], &problem.x.device());
        let divided = problem.spectrum.divide(matrix, |variance| (self.spread * variance + self.l2).max(LEAST));
        let mut conditioned = doubles(divided.flatten(0, 1));
        conditioned.extend(bias.iter().zip(&self.spreads).map(|(bias, spread)| bias / spread.max(LEAST)));
        conditioned
    }
}

fn wide(values: &[f64], shape: [usize; 2], device: &Device) -> Tensor<2> {
    Tensor::from_data(TensorData::new(values.to_vec(), shape), (device, DType::F64))
}

/// For what need not be exact.
fn floats(values: &[f64], shape: [usize; 2], device: &Device) -> Tensor<2> {
    let values: Vec<f32> = values.iter().map(|&v| v as f32).collect();
    Tensor::from_data(TensorData::new(values, shape), device)
}

fn doubles(x: Tensor<1>) -> Vec<f64> {
    x.into_data().iter::<f64>().collect()
}

#[cfg(test)]
mod tests;
