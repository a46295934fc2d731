use super::backward::{give, parents};
use super::ffi;
use super::fused_norm::{self, Parameters};
use super::raw::{laid_out_as, same_layout};
use burn::backend::tensor::FloatTensor;
use burn::backend::{Autodiff, Backend, Dispatch, LibTorch, backend_extension};
use burn::tensor::Tensor;
use burn_autodiff::checkpoint::{base::Checkpointer, strategy::CheckpointStrategy};
use burn_autodiff::grads::Gradients;
use burn_autodiff::ops::{Backward, Ops, OpsKind};
use burn_tch::TchTensor;
use std::ptr::null_mut;

#[derive(Debug, Clone, Copy, PartialEq)]
pub struct NormSpec {
    /// Normalise by the batch's own statistics and update the running ones in place; else use the running ones.
    pub train: bool,
    /// Follow with a ReLU.
    pub relu: bool,
    /// Weight of the new batch in the running statistics.
    pub momentum: f64,
    /// Added to the variance.
    pub eps: f64,
}

/// The learned scale and shift, and the running statistics, each `[channels]`.
#[derive(Debug, Clone)]
pub struct NormTensors {
    pub weight: Tensor<1>,
    pub bias: Tensor<1>,
    pub running_mean: Tensor<1>,
    pub running_var: Tensor<1>,
}

/// Batch normalisation (Ioffe & Szegedy 2015, arXiv:1502.03167), then a ReLU if `spec.relu`.
///
/// `x` is `[batch, channels, ...]`; statistics are taken over every other dimension. The running variance is updated
/// with the unbiased estimate, the normalisation uses the biased one, as in PyTorch.
pub fn batch_norm<const D: usize>(x: Tensor<D>, norm: NormTensors, spec: NormSpec) -> Tensor<D> {
    Tensor::from_dispatch(Dispatch::batch_norm_native(
        x.into_dispatch(),
        norm.weight.into_dispatch(),
        norm.bias.into_dispatch(),
        norm.running_mean.into_dispatch(),
        norm.running_var.into_dispatch(),
        spec,
    ))
}

/// [`batch_norm`] of `x`, plus `residual`, then a ReLU if `spec.relu`: the end of a residual block.
pub fn batch_norm_add<const D: usize>(
    x: Tensor<D>,
    residual: Tensor<D>,
    norm: NormTensors,
    spec: NormSpec,
) -> Tensor<D> {
    Tensor::from_dispatch(Dispatch::batch_norm_add_native(
        x.into_dispatch(),
        residual.into_dispatch(),
        norm.weight.into_dispatch(),
        norm.bias.into_dispatch(),
        norm.running_mean.into_dispatch(),
        norm.running_var.into_dispatch(),
        spec,
    ))
}

#[backend_extension(LibTorch, Autodiff)]
pub trait NormOps: Backend {
    fn batch_norm_native(
        x: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        bias: FloatTensor<Self>,
        running_mean: FloatTensor<Self>,
        running_var: FloatTensor<Self>,
        spec: NormSpec,
    ) -> FloatTensor<Self>;
    fn batch_norm_add_native(
        x: FloatTensor<Self>,
        residual: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        bias: FloatTensor<Self>,
        running_mean: FloatTensor<Self>,
        running_var: FloatTensor<Self>,
        spec: NormSpec,
    ) -> FloatTensor<Self>;
}

/// What the backward pass needs.
#[derive(Debug, Clone)]
struct Saved {
    x: TchTensor,
    /// The output, where a ReLU's gradient is masked by it.
    y: Option<TchTensor>,
    weight: TchTensor,
    running_mean: TchTensor,
    running_var: TchTensor,
    save_mean: TchTensor,
    save_invstd: TchTensor,
    spec: NormSpec,
}

struct Inputs {
    x: TchTensor,
    weight: TchTensor,
    bias: TchTensor,
    running_mean: TchTensor,
    running_var: TchTensor,
}

fn forward(inputs: Inputs, residual: Option<&TchTensor>, spec: NormSpec) -> (TchTensor, Saved) {
    let Inputs { x, weight, bias, running_mean, running_var } = inputs;
    let residual = residual.map(|residual| &residual.tensor);
    let parameters = Parameters {
        weight: &weight.tensor,
        bias: &bias.tensor,
        running_mean: &running_mean.tensor,
        running_var: &running_var.tensor,
    };
    let alike = residual.is_none_or(|residual| spec.relu && same_layout(residual, &x.tensor));
    let (y, [mean, invstd]) = if alike && fused_norm::fits(&x.tensor) {
        fused_norm::forward(&x.tensor, residual, &parameters, spec)
    } else {
        by_aten(&x.tensor, residual, &parameters, spec)
    };
    let y = TchTensor::new(y);
    let saved = Saved {
        x,
        weight,
        running_mean,
        running_var,
        spec,
        y: spec.relu.then(|| y.clone()),
        save_mean: TchTensor::new(mean),
        save_invstd: TchTensor::new(invstd),
    };
    (y, saved)
}

/// The result, and mean and inverse standard deviation by channel (empty at inference).
fn by_aten(
    x: &tch::Tensor,
    residual: Option<&tch::Tensor>,
    of: &Parameters,
    spec: NormSpec,
) -> (tch::Tensor, [tch::Tensor; 2]) {
    let (mut y, mean, invstd) = x.native_batch_norm(
        Some(of.weight),
        Some(of.bias),
        Some(of.running_mean),
        Some(of.running_var),
        spec.train,
        spec.momentum,
        spec.eps,
    );
    if let Some(residual) = residual {
        let _ = y.g_add_(residual);
    }
    if spec.relu {
        let _ = y.relu_();
    }
    (y, [mean, invstd])
}

impl NormOps for LibTorch {
    fn batch_norm_native(
        x: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        bias: FloatTensor<Self>,
        running_mean: FloatTensor<Self>,
        running_var: FloatTensor<Self>,
        spec: NormSpec,
    ) -> FloatTensor<Self> {
        forward(Inputs { x, weight, bias, running_mean, running_var }, None, spec).0
    }
    fn batch_norm_add_native(
        x: FloatTensor<Self>,
        residual: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        bias: FloatTensor<Self>,
        running_mean: FloatTensor<Self>,
        running_var: FloatTensor<Self>,
        spec: NormSpec,
    ) -> FloatTensor<Self> {
        forward(Inputs { x, weight, bias, running_mean, running_var }, Some(&residual), spec).0
    }
}

impl<C: CheckpointStrategy> NormOps for Autodiff<LibTorch, C> {
    fn batch_norm_native(
        x: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        bias: FloatTensor<Self>,
        running_mean: FloatTensor<Self>,
        running_var: FloatTensor<Self>,
        spec: NormSpec,
    ) -> FloatTensor<Self> {
        let ((x, x_node), (weight, weight_node), (bias, bias_node)) =
            (x.into_parts(), weight.into_parts(), bias.into_parts());
        let (running_mean, running_var) = (running_mean.into_primitive(), running_var.into_primitive());
        let (y, saved) = forward(Inputs { x, weight, bias, running_mean, running_var }, None, spec);
        match NormBackward.prepare::<C>([x_node, weight_node, bias_node]).compute_bound().stateful() {
            OpsKind::Tracked(step) => step.finish(saved, y),
            OpsKind::UnTracked(step) => step.finish(y),
        }
    }
    fn batch_norm_add_native(
        x: FloatTensor<Self>,
        residual: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        bias: FloatTensor<Self>,
        running_mean: FloatTensor<Self>,
        running_var: FloatTensor<Self>,
        spec: NormSpec,
    ) -> FloatTensor<Self> {
        let ((x, x_node), (weight, weight_node), (bias, bias_node)) =
            (x.into_parts(), weight.into_parts(), bias.into_parts());
        let (residual, residual_node) = residual.into_parts();
        let (running_mean, running_var) = (running_mean.into_primitive(), running_var.into_primitive());
        let (y, saved) = forward(Inputs { x, weight, bias, running_mean, running_var }, Some(&residual), spec);
        match NormAddBackward.prepare::<C>([x_node, weight_node, bias_node, residual_node]).compute_bound().stateful() {
            OpsKind::Tracked(step) => step.finish(saved, y),
            OpsKind::UnTracked(step) => step.finish(y),
        }
    }
}

/// Gradients of x, weight, bias, and of what was added before the ReLU.
fn backward(grad: TchTensor, saved: &Saved) -> ([TchTensor; 3], TchTensor) {
    let Saved { x, y, weight, save_mean, save_invstd, spec, .. } = saved;
    if fused_norm::fits(&x.tensor) && save_mean.tensor.numel() > 0 {
        let grad = if same_layout(&x.tensor, &grad.tensor) {
            grad
        } else {
            TchTensor::new(laid_out_as(&x.tensor, grad.tensor))
        };
        let y = y.as_ref().map(|y| &y.tensor);
        // It is written to where there was a ReLU.
        let grad = if y.is_some() && !grad.can_mut() { TchTensor::new(grad.tensor.copy()) } else { grad };
        let forward = fused_norm::Forward {
            x: &x.tensor,
            weight: &weight.tensor,
            mean: &save_mean.tensor,
            inverse_sd: &save_invstd.tensor,
            train: spec.train,
        };
        return (fused_norm::backward(&grad.tensor, y, &forward).map(TchTensor::new), grad);
    }
    let grad = match y {
        // `y` is self and the gradient the argument; in place where nobody else holds the gradient.
        Some(y) if grad.can_mut() => {
            let _ = y.tensor.threshold_backward_grad_input(&grad.tensor, &grad.tensor, 0.0);
            grad
        }
        Some(y) => TchTensor::new(y.tensor.threshold_backward(&grad.tensor, 0.0)),
        None => grad,
    };
    (backward_by_aten(&grad.tensor, saved), grad)
}

fn backward_by_aten(grad: &tch::Tensor, saved: &Saved) -> [TchTensor; 3] {
    let (mut grad_x, mut grad_weight, mut grad_bias) = (null_mut(), null_mut(), null_mut());
    // Safety: all pointers are valid for the call; results are owned below.
    ffi::check(unsafe {
        ffi::pretext_batch_norm_backward(
            ffi::borrow(grad),
            ffi::borrow(&saved.x.tensor),
            ffi::borrow(&saved.weight.tensor),
            ffi::borrow(&saved.running_mean.tensor),
            ffi::borrow(&saved.running_var.tensor),
            ffi::borrow(&saved.save_mean.tensor),
            ffi::borrow(&saved.save_invstd.tensor),
            saved.spec.train.into(),
            saved.spec.eps,
            &mut grad_x,
            &mut grad_weight,
            &mut grad_bias,
        )
    });
    [grad_x, grad_weight, grad_bias].map(|raw| TchTensor::new(ffi::own(raw)))
}

#[derive(Debug)]
struct NormBackward;

impl Backward<LibTorch, 3> for NormBackward {
    type State = Saved;
    fn backward(self, ops: Ops<Self::State, 3>, grads: &mut Gradients, _: &mut Checkpointer) {
        let ([x, weight, bias], _) = backward(grads.consume::<LibTorch>(&ops.node), &ops.state);
        give(grads, parents(&ops), [Some(x), Some(weight), Some(bias)]);
    }
}

#[derive(Debug)]
struct NormAddBackward;

impl Backward<LibTorch, 4> for NormAddBackward {
    type State = Saved;
    fn backward(self, ops: Ops<Self::State, 4>, grads: &mut Gradients, _: &mut Checkpointer) {
        let ([x, weight, bias], residual) = backward(grads.consume::<LibTorch>(&ops.node), &ops.state);
        give(grads, parents(&ops), [Some(x), Some(weight), Some(bias), Some(residual)]);
    }
}
