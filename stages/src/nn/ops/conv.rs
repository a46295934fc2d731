use super::backward::{give, parents};
use super::ffi;
use super::precision::as_kind;
use burn::backend::tensor::FloatTensor;
use burn::backend::{Autodiff, Backend, Dispatch, LibTorch, backend_extension};
use burn::tensor::Tensor;
use burn_autodiff::checkpoint::{base::Checkpointer, strategy::CheckpointStrategy};
use burn_autodiff::grads::Gradients;
use burn_autodiff::ops::{Backward, Ops, OpsKind};
use burn_tch::TchTensor;
use std::ptr::null_mut;

/// How a kernel is moved over an image, the same in both directions.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ConvSpec {
    pub stride: usize,
    pub padding: usize,
    pub dilation: usize,
    pub groups: usize,
    /// The gradient of a convolution with respect to its input, as an operation of its own: `stride` enlarges.
    pub transposed: bool,
    /// Of a transposed one: rows and columns more, where a stride leaves it open how many there are.
    pub output_padding: usize,
}

impl Default for ConvSpec {
    fn default() -> Self {
        Self { stride: 1, padding: 0, dilation: 1, groups: 1, transposed: false, output_padding: 0 }
    }
}

/// Two-dimensional convolution, or a transposed one.
///
/// # Shapes
/// - `x`: `[batch, in, height, width]`, `bias`: `[out]`
/// - `weight`: `[out, in / groups, kernel, kernel]`, transposed `[in, out / groups, kernel, kernel]`
/// - result: `[batch, out, (height + 2 padding - dilation (kernel - 1) - 1) / stride + 1, ...]`, transposed
///   `[batch, out, (height - 1) stride - 2 padding + dilation (kernel - 1) + output_padding + 1, ...]`
///
/// It computes in the precision of `x`; the gradients of `weight` and `bias` have their own.
pub fn conv2d(x: Tensor<4>, weight: Tensor<4>, bias: Option<Tensor<1>>, spec: ConvSpec) -> Tensor<4> {
    let (x, weight) = (x.into_dispatch(), weight.into_dispatch());
    Tensor::from_dispatch(match bias {
        Some(bias) => Dispatch::conv2d_bias_native(x, weight, bias.into_dispatch(), spec),
        None => Dispatch::conv2d_native(x, weight, spec),
    })
}

#[backend_extension(LibTorch, Autodiff)]
pub trait ConvOps: Backend {
    fn conv2d_native(x: FloatTensor<Self>, weight: FloatTensor<Self>, spec: ConvSpec) -> FloatTensor<Self>;
    fn conv2d_bias_native(
        x: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        bias: FloatTensor<Self>,
        spec: ConvSpec,
    ) -> FloatTensor<Self>;
}

fn forward(x: &TchTensor, weight: &TchTensor, bias: Option<&TchTensor>, spec: ConvSpec) -> TchTensor {
    let both = |n: usize| [n as i64; 2];
    let kind = x.tensor.kind();
    TchTensor::new(x.tensor.convolution(
        &as_kind(&weight.tensor, kind),
        bias.map(|bias| as_kind(&bias.tensor, kind)),
        both(spec.stride),
        both(spec.padding),
        both(spec.dilation),
        spec.transposed,
        both(spec.output_padding),
        spec.groups as i64,
    ))
}

impl ConvOps for LibTorch {
    fn conv2d_native(x: FloatTensor<Self>, weight: FloatTensor<Self>, spec: ConvSpec) -> FloatTensor<Self> {
        forward(&x, &weight, None, spec)
    }
    fn conv2d_bias_native(
        x: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        bias: FloatTensor<Self>,
        spec: ConvSpec,
    ) -> FloatTensor<Self> {
        forward(&x, &weight, Some(&bias), spec)
    }
}

impl<C: CheckpointStrategy> ConvOps for Autodiff<LibTorch, C> {
    fn conv2d_native(x: FloatTensor<Self>, weight: FloatTensor<Self>, spec: ConvSpec) -> FloatTensor<Self> {
        let ((x, x_node), (weight, weight_node)) = (x.into_parts(), weight.into_parts());
        let y = forward(&x, &weight, None, spec);
        match ConvBackward.prepare::<C>([x_node, weight_node]).compute_bound().stateful() {
            OpsKind::Tracked(step) => step.finish((x, weight, spec), y),
            OpsKind::UnTracked(step) => step.finish(y),
        }
    }
    fn conv2d_bias_native(
        x: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        bias: FloatTensor<Self>,
        spec: ConvSpec,
    ) -> FloatTensor<Self> {
        let ((x, x_node), (weight, weight_node), (bias, bias_node)) =
            (x.into_parts(), weight.into_parts(), bias.into_parts());
        let y = forward(&x, &weight, Some(&bias), spec);
        match BiasedBackward.prepare::<C>([x_node, weight_node, bias_node]).compute_bound().stateful() {
            OpsKind::Tracked(step) => step.finish((x, weight, spec), y),
            OpsKind::UnTracked(step) => step.finish(y),
        }
    }
}

type Saved = (TchTensor, TchTensor, ConvSpec);

/// The gradients of x, weight and bias, as far as they are needed.
fn backward(grad: &TchTensor, (x, weight, spec): &Saved, needed: [bool; 3]) -> [Option<TchTensor>; 3] {
    let (kind, own) = (x.tensor.kind(), weight.tensor.kind());
    let (grad, weight) = (as_kind(&grad.tensor, kind), as_kind(&weight.tensor, kind));
    let mut out = [null_mut(); 3];
    // Safety: all pointers are valid for the call, and there is room for three results, which are owned below.
    ffi::check(unsafe {
        ffi::pretext_conv2d_backward(
            ffi::borrow(&grad),
            ffi::borrow(&x.tensor),
            ffi::borrow(&weight),
            spec.stride as i64,
            spec.padding as i64,
            spec.dilation as i64,
            spec.transposed.into(),
            spec.output_padding as i64,
            spec.groups as i64,
            needed.map(i32::from).as_ptr(),
            out.as_mut_ptr(),
        )
    });
    let [grad_x, grad_weight, grad_bias] = out.map(|raw| (!raw.is_null()).then(|| ffi::own(raw)));
    let in_full = |grad: Option<tch::Tensor>| grad.map(|grad| TchTensor::new(as_kind(&grad, own)));
    [grad_x.map(TchTensor::new), in_full(grad_weight), in_full(grad_bias)]
}

#[derive(Debug)]
struct ConvBackward;

impl Backward<LibTorch, 2> for ConvBackward {
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
