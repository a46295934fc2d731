use super::backward::{give, parents};
use super::ffi;
use burn::backend::tensor::FloatTensor;
use burn::backend::{Autodiff, Backend, Dispatch, LibTorch, backend_extension};
use burn::tensor::Tensor;
use burn_autodiff::checkpoint::{base::Checkpointer, strategy::CheckpointStrategy};
use burn_autodiff::grads::Gradients;
use burn_autodiff::ops::{Backward, Ops, OpsKind};
use burn_tch::TchTensor;
use std::ptr::null_mut;

/// Layer normalisation over the last dimension (Ba et al. 2016, arXiv:1607.06450), by the biased variance plus `eps`.
///
/// `x` is `[..., features]`, `weight` and `bias` are `[features]`.
pub fn layer_norm<const D: usize>(x: Tensor<D>, weight: Tensor<1>, bias: Tensor<1>, eps: f64) -> Tensor<D> {
    let (weight, bias) = (weight.into_dispatch(), bias.into_dispatch());
    Tensor::from_dispatch(Dispatch::layer_norm_native(x.into_dispatch(), weight, bias, eps))
}

#[backend_extension(LibTorch, Autodiff)]
pub trait LayerNormOps: Backend {
    fn layer_norm_native(
        x: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        bias: FloatTensor<Self>,
        eps: f64,
    ) -> FloatTensor<Self>;
}

/// The result and what the backward pass needs.
fn forward(x: TchTensor, weight: TchTensor, bias: TchTensor, eps: f64) -> (TchTensor, Saved) {
    let [scale, shift] = [&weight, &bias].map(|parameter| beside(&x.tensor, &parameter.tensor));
    let (y, mean, inverse_sd) = x.tensor.native_layer_norm(weight.tensor.size(), Some(&scale), Some(&shift), eps);
    let [mean, inverse_sd] = [mean, inverse_sd].map(TchTensor::new);
    (TchTensor::new(y), Saved { x, weight, bias, mean, inverse_sd })
}

/// A parameter as libtorch takes it beside `x`: only the processor's kernel mixes bfloat16 and float32.
fn beside(x: &tch::Tensor, parameter: &tch::Tensor) -> tch::Tensor {
    if x.device() == tch::Device::Cpu { parameter.shallow_clone() } else { parameter.to_kind(x.kind()) }
}

#[derive(Debug, Clone)]
struct Saved {
    x: TchTensor,
    weight: TchTensor,
    bias: TchTensor,
    mean: TchTensor,
    inverse_sd: TchTensor,
}

impl LayerNormOps for LibTorch {
    fn layer_norm_native(
        x: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        bias: FloatTensor<Self>,
        eps: f64,
    ) -> FloatTensor<Self> {
        forward(x, weight, bias, eps).0
    }
}

impl<C: CheckpointStrategy> LayerNormOps for Autodiff<LibTorch, C> {
    fn layer_norm_native(
        x: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        bias: FloatTensor<Self>,
        eps: f64,
    ) -> FloatTensor<Self> {
        let ((x, x_node), (weight, weight_node), (bias, bias_node)) =
            (x.into_parts(), weight.into_parts(), bias.into_parts());
        let (y, saved) = forward(x, weight, bias, eps);
        match LayerNormBackward.prepare::<C>([x_node, weight_node, bias_node]).compute_bound().stateful() {
            OpsKind::Tracked(step) => step.finish(saved, y),
            OpsKind::UnTracked(step) => step.finish(y),
        }
    }
}

#[derive(Debug)]
struct LayerNormBackward;

impl Backward<LibTorch, 3> for LayerNormBackward {
    type State = Saved;
    fn backward(self, ops: Ops<Self::State, 3>, grads: &mut Gradients, _: &mut Checkpointer) {
        let (grad, to) = (grads.consume::<LibTorch>(&ops.node), parents(&ops));
        let Saved { x, weight, bias, mean, inverse_sd } = ops.state;
        let [scale, shift] = [&weight, &bias].map(|parameter| beside(&x.tensor, &parameter.tensor));
        let mut out = [null_mut(); 3];
        // Safety: all pointers are valid for the call, and there is room for three results, which are owned below.
        ffi::check(unsafe {
            ffi::pretext_layer_norm_backward(
                ffi::borrow(&grad.tensor),
                ffi::borrow(&x.tensor),
                ffi::borrow(&mean.tensor),
                ffi::borrow(&inverse_sd.tensor),
                ffi::borrow(&scale),
                ffi::borrow(&shift),
                out.as_mut_ptr(),
            )
        });
        let [of_x, of_weight, of_bias] = out.map(ffi::own);
        let own = |gradient: tch::Tensor| gradient.to_kind(weight.tensor.kind());
        give(grads, to, [of_x, own(of_weight), own(of_bias)].map(|gradient| Some(TchTensor::new(gradient))));
    }
}
