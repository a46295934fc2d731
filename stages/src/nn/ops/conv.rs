use super::ffi;
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
    pub groups: usize,
}

/// Two-dimensional convolution without bias.
///
/// # Shapes
/// - `x`: `[batch, in, height, width]`, `weight`: `[out, in / groups, kernel, kernel]`
/// - result: `[batch, out, (height + 2 padding - kernel) / stride + 1, ...]`
pub fn conv2d(x: Tensor<4>, weight: Tensor<4>, spec: ConvSpec) -> Tensor<4> {
    Tensor::from_dispatch(Dispatch::conv2d_native(x.into_dispatch(), weight.into_dispatch(), spec))
}

#[backend_extension(LibTorch, Autodiff)]
pub trait ConvOps: Backend {
    fn conv2d_native(x: FloatTensor<Self>, weight: FloatTensor<Self>, spec: ConvSpec) -> FloatTensor<Self>;
}

fn forward(x: &TchTensor, weight: &TchTensor, spec: ConvSpec) -> TchTensor {
    let (stride, padding) = (spec.stride as i64, spec.padding as i64);
    let no_bias = None::<&tch::Tensor>;
    TchTensor::new(x.tensor.conv2d(
        &weight.tensor,
        no_bias,
        [stride, stride],
        [padding, padding],
        [1, 1],
        spec.groups as i64,
    ))
}

impl ConvOps for LibTorch {
    fn conv2d_native(x: FloatTensor<Self>, weight: FloatTensor<Self>, spec: ConvSpec) -> FloatTensor<Self> {
        forward(&x, &weight, spec)
    }
}

impl<C: CheckpointStrategy> ConvOps for Autodiff<LibTorch, C> {
    fn conv2d_native(x: FloatTensor<Self>, weight: FloatTensor<Self>, spec: ConvSpec) -> FloatTensor<Self> {
        let (x, x_node) = x.into_parts();
        let (weight, weight_node) = weight.into_parts();
        let y = forward(&x, &weight, spec);
        match ConvBackward.prepare::<C>([x_node, weight_node]).compute_bound().stateful() {
            OpsKind::Tracked(step) => step.finish((x, weight, spec), y),
            OpsKind::UnTracked(step) => step.finish(y),
        }
    }
}

#[derive(Debug)]
struct ConvBackward;

impl Backward<LibTorch, 2> for ConvBackward {
    type State = (TchTensor, TchTensor, ConvSpec);

    fn backward(self, ops: Ops<Self::State, 2>, grads: &mut Gradients, _: &mut Checkpointer) {
        let grad = grads.consume::<LibTorch>(&ops.node);
        let (x, weight, spec) = ops.state;
        let [x_node, weight_node] = ops.parents;
        let (mut grad_x, mut grad_weight) = (null_mut(), null_mut());
        // Safety: all pointers are valid for the call; results are owned below.
        ffi::check(unsafe {
            ffi::pretext_conv2d_backward(
                ffi::borrow(&grad.tensor),
                ffi::borrow(&x.tensor),
                ffi::borrow(&weight.tensor),
                spec.stride as i64,
                spec.padding as i64,
                spec.groups as i64,
                x_node.is_some().into(),
                weight_node.is_some().into(),
                &mut grad_x,
                &mut grad_weight,
            )
        });
        if let Some(node) = x_node {
            grads.register::<LibTorch>(node.id, TchTensor::new(ffi::own(grad_x)));
        }
        if let Some(node) = weight_node {
            grads.register::<LibTorch>(node.id, TchTensor::new(ffi::own(grad_weight)));
        }
    }
}
