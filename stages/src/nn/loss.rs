//! Losses that more than one method uses.

use burn::tensor::activation::log_softmax;
use burn::tensor::{Int, Tensor};

/// Cross entropy of logits `[batch, classes]` with class numbers `[batch]`, mean over the batch.
pub fn cross_entropy(logits: Tensor<2>, classes: Tensor<1, Int>) -> Tensor<1> {
    log_softmax(logits, 1).gather(1, classes.unsqueeze_dim(1)).mean().neg()
}

/// Divides every row by its Euclidean length (at least 1e-12, as PyTorch's `normalize`).
pub fn l2_normalise(x: Tensor<2>) -> Tensor<2> {
    let length = x.clone().square().sum_dim(1).sqrt().clamp_min(1e-12);
    x / length
}
