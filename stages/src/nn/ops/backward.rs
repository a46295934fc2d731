//! What every backward pass of ours does with the gradients that it found.

use burn::backend::LibTorch;
use burn_autodiff::NodeId;
use burn_autodiff::grads::Gradients;
use burn_autodiff::ops::Ops;
use burn_tch::TchTensor;
use std::fmt::Debug;

/// The inputs of an operation in the graph; `None` where nobody wants a gradient.
pub(super) fn parents<S: Clone + Send + Debug, const N: usize>(ops: &Ops<S, N>) -> [Option<NodeId>; N] {
    std::array::from_fn(|parent| ops.parents[parent].as_ref().map(|node| node.id))
}

/// Hands each wanted gradient on.
pub(super) fn give<const N: usize>(grads: &mut Gradients, to: [Option<NodeId>; N], found: [Option<TchTensor>; N]) {
    for (node, grad) in to.into_iter().zip(found) {
        if let (Some(node), Some(grad)) = (node, grad) {
            grads.register::<LibTorch>(node, grad);
        }
    }
}
