//! From what backward leaves to lists of tensors that the fused operations accept.

use crate::nn::ops;
use burn::module::{Module, ModuleVisitor, Param};
use burn::tensor::{Gradients, Tensor};

/// The gradients of a model's trained parameters, in the order in which [`crate::nn::state::entries`] lists them. They may
/// share memory with each other: only read them.
pub fn collect<M: Module>(model: &M, grads: Gradients) -> Vec<tch::Tensor> {
    let mut collect = Collect { grads, found: vec![] };
    model.visit(&mut collect);
    collect.found
}

struct Collect {
    grads: Gradients,
    found: Vec<tch::Tensor>,
}

impl ModuleVisitor for Collect {
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        if let Some(grad) = param.val().grad_remove(&mut self.grads) {
            self.found.push(ops::raw(&grad));
        }
    }
}

/// The gradient in the memory layout of its parameter.
///
/// libtorch's fused steps walk through the memory of parameter and gradient side by side, whatever their strides say.
pub fn laid_out_as(param: &tch::Tensor, grad: tch::Tensor) -> tch::Tensor {
    if same_layout(param, &grad) {
        return grad;
    }
    tch::no_grad(|| {
        let mut copy = param.empty_like();
        copy.copy_(&grad);
        copy
    })
}

/// The stride of a dimension of length 1 says nothing.
fn same_layout(a: &tch::Tensor, b: &tch::Tensor) -> bool {
    a.size().iter().zip(a.stride().iter().zip(b.stride())).all(|(&n, (&a, b))| n == 1 || a == b)
}
