use super::backward::{give, parents};
use super::ffi;
use super::precision::as_kind;
use super::raw::{from_raw, raw};
use burn::backend::tensor::FloatTensor;
use burn::backend::{Autodiff, Backend, Dispatch, LibTorch, backend_extension};
use burn::tensor::Tensor;
use burn_autodiff::checkpoint::{base::Checkpointer, strategy::CheckpointStrategy};
use burn_autodiff::grads::Gradients;
use burn_autodiff::ops::{Backward, Ops, OpsKind};
use burn_tch::TchTensor;
use std::ptr::null_mut;

/// `x weight^T + bias`.
///
/// # Shapes
/// - `x`: `[..., in]`, `weight`: `[out, in]`, `bias`: `[out]`
/// - result: `[..., out]`
///
/// It computes in the precision of `x`; the gradients of `weight` and `bias` have their own.
pub fn linear<const D: usize>(x: Tensor<D>, weight: Tensor<2>, bias: Option<Tensor<1>>) -> Tensor<D> {
    let (x, weight) = (x.into_dispatch(), weight.into_dispatch());
    Tensor::from_dispatch(match bias {
        Some(bias) => Dispatch::linear_bias_native(x, weight, bias.into_dispatch()),
        None => Dispatch::linear_native(x, weight),
    })
}

#[backend_extension(LibTorch, Autodiff)]
pub trait LinearOps: Backend {
    fn linear_native(x: FloatTensor<Self>, weight: FloatTensor<Self>) -> FloatTensor<Self>;
    fn linear_bias_native(
        x: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        bias: FloatTensor<Self>,
    ) -> FloatTensor<Self>;
}

fn forward(x: &TchTensor, weight: &TchTensor, bias: Option<&TchTensor>) -> TchTensor {
    let kind = x.tensor.kind();
    let weight = as_kind(&weight.tensor, kind);
    let bias = bias.map(|bias| as_kind(&bias.tensor, kind));
    let mut out = null_mut();
    // Safety: all pointers are valid for the call, or null where that is allowed; the result is owned below.
    ffi::check(unsafe {
        let bias = bias.as_ref().map_or(null_mut(), ffi::borrow);
        ffi::pretext_linear(ffi::borrow(&x.tensor), ffi::borrow(&weight), bias, &mut out)
    });
    TchTensor::new(ffi::own(out))
}

/// The product of two matrices without gradients, `[n, k]` and `[k, m]`, by the library that is fastest at it.
pub fn product(a: &Tensor<2>, b: &Tensor<2>) -> Tensor<2> {
    from_raw(raw_product(&raw(a), &raw(b)))
}

fn raw_product(a: &tch::Tensor, b: &tch::Tensor) -> tch::Tensor {
    let mut out = null_mut();
    // Safety: all pointers are valid for the call; the result is owned below.
    ffi::check(unsafe { ffi::pretext_matmul(ffi::borrow(a), ffi::borrow(b), &mut out) });
    ffi::own(out)
}

impl LinearOps for LibTorch {
    fn linear_native(x: FloatTensor<Self>, weight: FloatTensor<Self>) -> FloatTensor<Self> {
        forward(&x, &weight, None)
    }
    fn linear_bias_native(
        x: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        bias: FloatTensor<Self>,
    ) -> FloatTensor<Self> {
        forward(&x, &weight, Some(&bias))
    }
}

impl<C: CheckpointStrategy> LinearOps for Autodiff<LibTorch, C> {
    fn linear_native(x: FloatTensor<Self>, weight: FloatTensor<Self>) -> FloatTensor<Self> {
        let ((x, x_node), (weight, weight_node)) = (x.into_parts(), weight.into_parts());
        let y = forward(&x, &weight, None);
        match LinearBackward.prepare::<C>([x_node, weight_node]).compute_bound().stateful() {
            OpsKind::Tracked(step) => step.finish((x, weight), y),
            OpsKind::UnTracked(step) => step.finish(y),
        }
    }
    fn linear_bias_native(
        x: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        bias: FloatTensor<Self>,
    ) -> FloatTensor<Self> {
        let ((x, x_node), (weight, weight_node), (bias, bias_node)) =
            (x.into_parts(), weight.into_parts(), bias.into_parts());
        let y = forward(&x, &weight, Some(&bias));
        match BiasedBackward.prepare::<C>([x_node, weight_node, bias_node]).compute_bound().stateful() {
            OpsKind::Tracked(step) => step.finish((x, weight), y),
            OpsKind::UnTracked(step) => step.finish(y),
        }
    }
}

/// The input and the weights.
type Saved = (TchTensor, TchTensor);

/// The gradients of x, weight and bias, as far as they are needed; that of the weight lies in memory as the weight does.
fn backward(grad: &TchTensor, (x, weight): &Saved, needed: [bool; 3]) -> [Option<TchTensor>; 3] {
    let (kind, own) = (x.tensor.kind(), weight.tensor.kind());
    let [outputs, inputs] = weight.tensor.size()[..] else { panic!("a linear layer's weight is a matrix") };
    let grad = as_kind(&grad.tensor, kind).reshape([-1, outputs]); // [rows, out]
    let [needs_x, needs_weight, needs_bias] = needed;
    [
        needs_x.then(|| raw_product(&grad, &as_kind(&weight.tensor, kind)).reshape(x.tensor.size())),
        needs_weight.then(|| as_kind(&raw_product(&grad.tr(), &x.tensor.reshape([-1, inputs])), own)),
        needs_bias.then(|| grad.sum_dim_intlist([0i64].as_slice(), false, own)),
    ]
    .map(|grad| grad.map(TchTensor::new))
}

#[derive(Debug)]
struct LinearBackward;

impl Backward<LibTorch, 2> for LinearBackward {
    type State = Saved;
    fn backward(self, ops: Ops<Self::State, 2>, grads: &mut Gradients, _: &mut Checkpointer) {
        let grad = grads.consume::<LibTorch>(&ops.node);
        let [x, weight] = parents(&ops);
        let found = backward(&grad, &ops.state, [x.is_some(), weight.is_some(), false]);
        give(grads, [x, weight, None], found);
    }
}

#[derive(Debug)]
struct BiasedBackward;

impl Backward<LibTorch, 3> for BiasedBackward {
    type State = Saved;
    fn backward(self, ops: Ops<Self::State, 3>, grads: &mut Gradients, _: &mut Checkpointer) {
        let grad = grads.consume::<LibTorch>(&ops.node);
        let to = parents(&ops);
        give(grads, to, backward(&grad, &ops.state, to.map(|node| node.is_some())));
    }
}
