use super::ffi;
use super::operation::{Operation, apply};
use super::raw::primitive;
use burn::tensor::Tensor;
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

/// Batch normalisation (Ioffe & Szegedy 2015, arXiv:1502.03167), plus `residual` where there is one, then a ReLU if `spec.relu`: the
/// end of a residual block in one.
///
/// `x` is `[batch, channels, ...]`; statistics are taken over every other dimension. The running variance is updated
/// with the unbiased estimate, the normalisation uses the biased one, as in PyTorch.
pub fn batch_norm<const D: usize>(
    x: Tensor<D>,
    residual: Option<Tensor<D>>,
    norm: NormTensors,
    spec: NormSpec,
) -> Tensor<D> {
    let NormTensors { weight, bias, running_mean, running_var } = norm;
    let operation = BatchNorm { running_mean: primitive(&running_mean), running_var: primitive(&running_var), spec };
    apply(operation, [Some(x.into()), Some(weight.into()), Some(bias.into()), residual.map(Into::into)])
}

#[derive(Debug, Clone)]
struct BatchNorm {
    running_mean: TchTensor,
    running_var: TchTensor,
    spec: NormSpec,
}

/// What the backward pass needs.
#[derive(Debug, Clone)]
struct Saved {
    x: TchTensor,
    weight: TchTensor,
    /// The output, where a ReLU's gradient is masked by it.
    y: Option<TchTensor>,
    /// Of the batch, empty at inference.
    mean: TchTensor,
    inverse_sd: TchTensor,
}

impl Operation<4> for BatchNorm {
    type Saved = Saved;

    fn forward(&self, inputs: [Option<TchTensor>; 4]) -> (TchTensor, Saved) {
        let [Some(x), Some(weight), Some(bias), residual] = inputs else { panic!("x, its scale and its shift") };
        let (mut y, mean, inverse_sd) = x.tensor.native_batch_norm(
            Some(&weight.tensor),
            Some(&bias.tensor),
            Some(&self.running_mean.tensor),
            Some(&self.running_var.tensor),
            self.spec.train,
            self.spec.momentum,
            self.spec.eps,
        );
        if let Some(residual) = residual {
            let _ = y.g_add_(&residual.tensor);
        }
        if self.spec.relu {
            let _ = y.relu_();
        }
        let [y, mean, inverse_sd] = [y, mean, inverse_sd].map(TchTensor::new);
        let saved = Saved { x, weight, y: self.spec.relu.then(|| y.clone()), mean, inverse_sd };
        (y, saved)
    }

    fn backward(&self, grad: TchTensor, saved: Saved, _: [bool; 4]) -> [Option<TchTensor>; 4] {
        let Saved { x, weight, y, mean, inverse_sd } = saved;
        let grad = match y {
            // `y` is self and the gradient the argument; in place where nobody else holds the gradient.
            Some(y) if grad.can_mut() => {
                let _ = y.tensor.threshold_backward_grad_input(&grad.tensor, &grad.tensor, 0.0);
                grad
            }
            Some(y) => TchTensor::new(y.tensor.threshold_backward(&grad.tensor, 0.0)),
            None => grad,
        };
        let mut out = [null_mut(); 3];
        // Safety: all pointers are valid for the call, and there is room for three results, which are owned below.
        ffi::check(unsafe {
            ffi::pretext_batch_norm_backward(
                ffi::borrow(&grad.tensor),
                ffi::borrow(&x.tensor),
                ffi::borrow(&weight.tensor),
                ffi::borrow(&self.running_mean.tensor),
                ffi::borrow(&self.running_var.tensor),
                ffi::borrow(&mean.tensor),
                ffi::borrow(&inverse_sd.tensor),
                self.spec.train.into(),
                self.spec.eps,
                out.as_mut_ptr(),
            )
        });
        let [of_x, of_weight, of_bias] = out.map(|raw| Some(TchTensor::new(ffi::own(raw))));
        // What was added before the ReLU has the gradient that is left behind it.
        [of_x, of_weight, of_bias, Some(grad)]
    }
}
