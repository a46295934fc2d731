//! Losses that more than one method uses.

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

/// Divides every row by its Euclidean length (at least 1e-12, as PyTorch's `normalize`).
pub fn l2_normalise(x: Tensor<2>) -> Tensor<2> {
    // Clamped before the root, whose slope at 0 is infinite.
    let length = x.clone().square().sum_dim(1).clamp_min(1e-24).sqrt();
    x / length
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
