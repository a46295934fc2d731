use super::backward::{give, parents};
use burn::backend::tensor::FloatTensor;
use burn::backend::{Autodiff, Backend, Dispatch, LibTorch, backend_extension};
use burn::tensor::Tensor;
use burn_autodiff::checkpoint::{base::Checkpointer, strategy::CheckpointStrategy};
use burn_autodiff::grads::Gradients;
use burn_autodiff::ops::{Backward, Ops, OpsKind};
use burn_tch::TchTensor;

/// `x Phi(x)` with the normal distribution's Phi (Hendrycks & Gimpel 2016, arXiv:1606.08415), not its approximation by tanh.
pub fn gelu<const D: usize>(x: Tensor<D>) -> Tensor<D> {
    Tensor::from_dispatch(Dispatch::gelu_native(x.into_dispatch()))
}

#[backend_extension(LibTorch, Autodiff)]
pub trait GeluOps: Backend {
    fn gelu_native(x: FloatTensor<Self>) -> FloatTensor<Self>;
}

const EXACT: &str = "none";

impl GeluOps for LibTorch {
    fn gelu_native(x: FloatTensor<Self>) -> FloatTensor<Self> {
        TchTensor::new(x.tensor.gelu(EXACT))
    }
}

impl<C: CheckpointStrategy> GeluOps for Autodiff<LibTorch, C> {
    fn gelu_native(x: FloatTensor<Self>) -> FloatTensor<Self> {
        let (x, node) = x.into_parts();
        let y = TchTensor::new(x.tensor.gelu(EXACT));
        match GeluBackward.prepare::<C>([node]).compute_bound().stateful() {
            OpsKind::Tracked(step) => step.finish(x, y),
            OpsKind::UnTracked(step) => step.finish(y),
        }
    }
}

#[derive(Debug)]
struct GeluBackward;

impl Backward<LibTorch, 1> for GeluBackward {
    type State = TchTensor;
    fn backward(self, ops: Ops<Self::State, 1>, grads: &mut Gradients, _: &mut Checkpointer) {
        let (grad, to) = (grads.consume::<LibTorch>(&ops.node), parents(&ops));
        let grad_x = ops.state.tensor.gelu_backward(&grad.tensor, EXACT);
        give(grads, to, [Some(TchTensor::new(grad_x))]);
    }
}
