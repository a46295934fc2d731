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
