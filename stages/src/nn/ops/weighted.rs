//! What operations on an input by a weight, and perhaps a bias, have in common: the precision is the input's, and the
//! gradients of weight and bias have their own.

use super::backward::{give, parents};
use super::precision::as_kind;
use burn::backend::tensor::FloatTensor;
use burn::backend::{Autodiff, LibTorch};
use burn_autodiff::NodeId;
use burn_autodiff::checkpoint::{base::Checkpointer, strategy::CheckpointStrategy};
use burn_autodiff::grads::Gradients;
use burn_autodiff::ops::{Backward, Ops, OpsKind};
use burn_tch::TchTensor;
use std::fmt::Debug;
use std::marker::PhantomData;
use tch::{Kind, Tensor};

pub(super) trait Weighted: Debug + Clone + Send + 'static {
    /// All tensors are of one precision.
    fn forward(&self, x: &Tensor, weight: &Tensor, bias: Option<&Tensor>) -> Tensor;
    /// The gradients of x, weight and bias, as far as they are needed. All tensors are of one precision; sums for weight and
    /// bias may be made in `own`, which is theirs.
    fn backward(&self, grad: &Tensor, x: &Tensor, weight: &Tensor, needed: [bool; 3], own: Kind)
    -> [Option<Tensor>; 3];
}

/// Without a graph.
pub(super) fn plain<W: Weighted>(
    operation: &W,
    x: &TchTensor,
    weight: &TchTensor,
    bias: Option<&TchTensor>,
) -> TchTensor {
    let kind = x.tensor.kind();
    let bias = bias.map(|bias| as_kind(&bias.tensor, kind));
    TchTensor::new(operation.forward(&x.tensor, &as_kind(&weight.tensor, kind), bias.as_ref()))
}

type Tracked<C> = FloatTensor<Autodiff<LibTorch, C>>;

pub(super) fn tracked<W: Weighted, C: CheckpointStrategy>(
    operation: W,
    x: Tracked<C>,
    weight: Tracked<C>,
    bias: Option<Tracked<C>>,
) -> Tracked<C> {
    let ((x, x_node), (weight, weight_node)) = (x.into_parts(), weight.into_parts());
    let Some(bias) = bias else {
        let y = plain(&operation, &x, &weight, None);
        let step = Backward::<LibTorch, 2>::prepare::<C>(Step::<W>(PhantomData), [x_node, weight_node]);
        return match step.compute_bound().stateful() {
            OpsKind::Tracked(step) => step.finish((operation, x, weight), y),
            OpsKind::UnTracked(step) => step.finish(y),
        };
    };
    let (bias, bias_node) = bias.into_parts();
    let y = plain(&operation, &x, &weight, Some(&bias));
    let step = Backward::<LibTorch, 3>::prepare::<C>(Step::<W>(PhantomData), [x_node, weight_node, bias_node]);
    match step.compute_bound().stateful() {
        OpsKind::Tracked(step) => step.finish((operation, x, weight), y),
        OpsKind::UnTracked(step) => step.finish(y),
    }
}

#[derive(Debug)]
struct Step<W>(PhantomData<W>);

/// The operation, its input and its weight.
type Saved<W> = (W, TchTensor, TchTensor);

impl<W: Weighted> Backward<LibTorch, 2> for Step<W> {
    type State = Saved<W>;
    fn backward(self, ops: Ops<Self::State, 2>, grads: &mut Gradients, _: &mut Checkpointer) {
        let (grad, [x, weight]) = (grads.consume::<LibTorch>(&ops.node), parents(&ops));
        hand_on(&grad, &ops.state, [x, weight, None], grads);
    }
}

impl<W: Weighted> Backward<LibTorch, 3> for Step<W> {
    type State = Saved<W>;
    fn backward(self, ops: Ops<Self::State, 3>, grads: &mut Gradients, _: &mut Checkpointer) {
        let (grad, to) = (grads.consume::<LibTorch>(&ops.node), parents(&ops));
        hand_on(&grad, &ops.state, to, grads);
    }
}

fn hand_on<W: Weighted>(
    grad: &TchTensor,
    (operation, x, weight): &Saved<W>,
    to: [Option<NodeId>; 3],
    grads: &mut Gradients,
) {
    let (kind, own) = (x.tensor.kind(), weight.tensor.kind());
    let (grad, weight) = (as_kind(&grad.tensor, kind), as_kind(&weight.tensor, kind));
    let needed = to.map(|node| node.is_some());
    let [of_x, of_weight, of_bias] = operation.backward(&grad, &x.tensor, &weight, needed, own);
    let in_full = |grad: Option<Tensor>| grad.map(|grad| TchTensor::new(as_kind(&grad, own)));
    give(grads, to, [of_x.map(TchTensor::new), in_full(of_weight), in_full(of_bias)]);
}
