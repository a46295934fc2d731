//! Losses that more than one method uses.

use super::ops;
use crate::metrics::UNKNOWN;
use burn::tensor::activation::log_softmax;
use burn::tensor::{Int, Tensor};

/// Cross entropy of logits `[batch, classes]` with class numbers `[batch]`, mean over the batch.
pub fn cross_entropy(logits: Tensor<2>, classes: Tensor<1, Int>) -> Tensor<1> {
    log_softmax(logits, 1).gather(1, classes.unsqueeze_dim(1)).mean().neg()
}

/// The same, each image counting by its weight `[batch]`: the weighted mean.
pub fn weighted_cross_entropy(logits: Tensor<2>, classes: Tensor<1, Int>, weights: Tensor<1>) -> Tensor<1> {
    let entropies = log_softmax(logits, 1).gather(1, classes.unsqueeze_dim(1)).squeeze_dim::<1>(1).neg();
    let sum = weights.clone().sum();
    (entropies * Tensor::from_inner(weights)).sum() / Tensor::from_inner(sum)
}

/// Cross entropy of logits `[batch, classes, height, width]` with masks `[batch, height, width]`, mean over the pixels of which something
/// is known; 0 where nothing is.
pub fn cross_entropy_of_pixels(logits: Tensor<4>, masks: &[u8]) -> Tensor<1> {
    let (device, [batch, classes, height, width]) = (logits.device().inner(), logits.dims());
    let known = masks.iter().filter(|&&shown| shown != UNKNOWN).count().max(1);
    let of_pixels = |&shown: &u8| if shown == UNKNOWN { (0, 0.0) } else { (i32::from(shown), 1.0 / known as f32) };
    let (shown, shares): (Vec<i32>, Vec<f32>) = masks.iter().map(of_pixels).unzip();
    let shown = ops::integers(&shown, &device);
    let rows = logits.permute([0, 2, 3, 1]).reshape([batch * height * width, classes]);
    let entropies = log_softmax(rows, 1).gather(1, shown.unsqueeze_dim(1)).squeeze_dim::<1>(1).neg();
    (entropies * Tensor::from_inner(ops::floats(&shares, &device))).sum()
}

/// Divides every row by its Euclidean length (at least 1e-12, as PyTorch's `normalize`).
pub fn l2_normalise(x: Tensor<2>) -> Tensor<2> {
    // Clamped before the root, whose slope at 0 is infinite.
    let length = x.clone().square().sum_dim(1).clamp_min(1e-24).sqrt();
    x / length
}

/// The cross entropy of values from 0 to 1 with the probabilities that are the sigmoid of `logits`, summed over an image's values, mean over
/// the batch. Both are `[batch, channels, height, width]`.
pub fn bernoulli(logits: Tensor<4>, values: Tensor<4>) -> Tensor<1> {
    let batch = logits.dims()[0] as f64;
    // -v log(p) - (1 - v) log(1 - p), without a logarithm of 0.
    let softplus = logits.clone().clamp_min(0.0) + logits.clone().abs().neg().exp().log1p();
    (softplus - logits * values).sum().div_scalar(batch)
}

/// KL(N(mean, exp(log_variance)) || N(0, 1)) (Kingma & Welling 2013, arXiv:1312.6114, appendix B), summed over a code's numbers, mean over the batch. Both are `[batch, code]`.
pub fn kl_divergence(mean: Tensor<2>, log_variance: Tensor<2>) -> Tensor<1> {
    let batch = mean.dims()[0] as f64;
    let each = log_variance.clone().exp() + mean.square() - log_variance - 1.0;
    each.sum().mul_scalar(0.5 / batch)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// torch 2.9: `normalize(torch.tensor([[0., 0.], [3., 4.]]))`, and the gradient of its product with 1, 2, 3, 4.
    #[test]
    fn a_row_of_zeros_has_a_finite_gradient() {
        let device = crate::nn::device("cpu").unwrap().autodiff();
        let x = Tensor::<2>::from_floats([[0.0, 0.0], [3.0, 4.0]], &device).require_grad();
        let y = l2_normalise(x.clone());
        let rows = |x: Tensor<2>| x.into_data().iter::<f64>().collect::<Vec<_>>();
        assert_eq!(rows(y.clone().inner()), [0.0, 0.0, f64::from(0.6f32), f64::from(0.8f32)]);
        let grads = (y * Tensor::from_floats([[1.0, 2.0], [3.0, 4.0]], &device)).sum().backward();
        let grad = rows(x.grad(&grads).unwrap());
        for (got, expected) in grad.iter().zip([1e12, 2e12, 0.0, 0.0]) {
            assert!((got - expected).abs() <= 1e-6 * expected + 1e-6, "{grad:?}");
        }
    }

    #[test]
    fn images_count_by_their_weights() {
        let device = crate::nn::device("cpu").unwrap();
        let logits = Tensor::<2>::from_floats([[1.0, 0.0], [0.0, 3.0], [2.0, 0.0]], &device);
        let entropies =
            [(1.0f64 + (-1.0f64).exp()).ln(), (1.0f64 + 3.0f64.exp()).ln(), (1.0f64 + (-2.0f64).exp()).ln()];
        let classes = Tensor::from_ints([0, 0, 0], &device);
        let weights = Tensor::<1>::from_floats([1.0, 0.5, 0.0], &device);
        let found = f64::from(weighted_cross_entropy(logits, classes, weights).into_scalar::<f32>());
        assert!((found - (entropies[0] + 0.5 * entropies[1]) / 1.5).abs() < 1e-6, "{found}");
    }

    /// By its definition, in Python's float64: of x = sin(0.7 n + 0.3) for n from 0 in the shape [2, 3, 2, 2], and of its gradient the
    /// first channel.
    #[test]
    fn unknown_pixels_have_no_entropy() {
        let device = crate::nn::device("cpu").unwrap().autodiff();
        let values: Vec<f32> = (0..24).map(|n| (0.7f64 * f64::from(n) + 0.3).sin() as f32).collect();
        let x = Tensor::<4>::from_data(burn::tensor::TensorData::new(values, [2, 3, 2, 2]), &device).require_grad();
        let loss = cross_entropy_of_pixels(x.clone(), &[0, 255, 2, 1, 1, 1, 255, 0]);
        assert!((f64::from(loss.clone().into_scalar::<f32>()) - 1.746_550_970_5).abs() < 1e-6);
        let grad = x.grad(&loss.backward()).unwrap().narrow(1, 0, 1).into_data().iter::<f64>().collect::<Vec<_>>();
        let expected = [-0.093815074, 0.0, 0.083007102, 0.064621784, 0.064174283, 0.046934960, 0.0, -0.147522966];
        assert!(grad.iter().zip(expected).all(|(found, expected)| (found - expected).abs() < 1e-6), "{grad:?}");
        let nothing = cross_entropy_of_pixels(Tensor::<4>::ones([1, 3, 1, 2], &device), &[255, 255]);
        assert_eq!(nothing.into_scalar::<f32>(), 0.0);
    }

    #[test]
    fn huge_logits_have_a_finite_entropy() {
        let device = crate::nn::device("cpu").unwrap();
        let entropy = |class: i64| {
            let logits = Tensor::<2>::from_floats([[1e30, 0.0, -1e30]], &device);
            cross_entropy(logits, Tensor::from_ints([class], &device)).into_scalar::<f32>()
        };
        assert_eq!([entropy(0), entropy(1), entropy(2)], [0.0, 1e30, 2e30]);
    }
}
