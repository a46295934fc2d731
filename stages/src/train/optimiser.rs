//! Optimisers that move all parameters of a model in place.

mod config;
mod gradients;
#[cfg(test)]
mod tests;

pub use config::{Exclude, OptimiserConfig, OptimiserKind};

use crate::nn::ops;
use crate::nn::state::{self, Entry};
use anyhow::{Context, Result, ensure};
use burn::module::Module;
use burn::tensor::Gradients;
use std::collections::BTreeMap;

const ADAMW_EPS: f64 = 1e-8;
const LARS_EPS: f64 = 1e-8;

/// The optimiser of one network, updating its parameters in place.
#[derive(Debug)]
pub struct Optimiser {
    config: OptimiserConfig,
    params: Vec<Entry>,
    groups: Vec<Group>,
    /// The momentum of sgd and lars, or the first moment of adamw.
    first: Vec<tch::Tensor>,
    /// The second moment of adamw.
    second: Vec<tch::Tensor>,
    /// The sum of the gradients of `batches` batches, for the next step.
    gathered: Vec<tch::Tensor>,
    batches: usize,
    steps_done: usize,
}

/// Parameters that are treated alike.
#[derive(Debug)]
struct Group {
    /// Places among the trained parameters.
    members: Vec<usize>,
    weight_decay: f64,
    /// Whether LARS gives each a rate of its own.
    adapted: bool,
}

impl Group {
    fn all_of(params: &[Entry], config: &OptimiserConfig) -> Vec<Self> {
        let excluded = |place: &usize| config.excludes_bias_and_norm() && params[*place].tensor.dim() <= 1;
        let (left_out, members): (Vec<_>, Vec<_>) = (0..params.len()).partition(excluded);
        let adapted = config.kind == OptimiserKind::Lars;
        let groups = [
            Self { members, weight_decay: config.weight_decay(), adapted },
            Self { members: left_out, weight_decay: 0.0, adapted: false },
        ];
        groups.into_iter().filter(|group| !group.members.is_empty()).collect()
    }

    /// Its part of a list with one tensor for each trained parameter; of a list without any, nothing.
    fn part(&self, of: &[tch::Tensor]) -> Vec<tch::Tensor> {
        self.members.iter().filter_map(|&place| of.get(place)).map(tch::Tensor::shallow_clone).collect()
    }
}

impl Optimiser {
    pub fn new<M: Module>(model: &M, config: &OptimiserConfig) -> Self {
        let params: Vec<Entry> = state::entries(model).into_iter().filter(|entry| entry.trained).collect();
        let zeros = || params.iter().map(|entry| entry.tensor.zeros_like()).collect();
        Self {
            groups: Group::all_of(&params, config),
            first: zeros(),
            second: if config.kind == OptimiserKind::Adamw { zeros() } else { vec![] },
            params,
            gathered: vec![],
            batches: 0,
            steps_done: 0,
            config: config.clone(),
        }
    }

    /// One step with the gradients of one batch: [`Optimiser::add`] and [`Optimiser::apply`].
    ///
    /// # Panics
    /// As [`Optimiser::add`].
    pub fn step<M: Module>(&mut self, model: &M, grads: Gradients, lr: f64) {
        self.add(model, grads);
        self.apply(lr);
    }

    /// Takes a batch's gradients of every trained parameter. [`Optimiser::apply`] uses the mean of all since the last one.
    ///
    /// # Panics
    /// When the loss does not depend on one of them: its gradient is missing.
    pub fn add<M: Module>(&mut self, model: &M, grads: Gradients) {
        let found = gradients::collect(model, grads);
        assert_eq!(found.len(), self.params.len(), "the loss depends on every trained parameter");
        let pairs = self.params.iter().zip(found);
        // libtorch's fused steps walk through the memory of parameter and gradient side by side, whatever their strides say.
        let found: Vec<_> = pairs.map(|(entry, grad)| ops::laid_out_as(&entry.tensor, grad)).collect();
        if self.batches > 0 {
            ops::add(&self.gathered, &found);
        } else if self.config.accumulate > 1 {
            self.gathered = found.iter().map(tch::Tensor::copy).collect();
        } else {
            self.gathered = found;
        }
        self.batches += 1;
    }

    /// One step with the mean of the gradients that were added since the last one.
    ///
    /// # Panics
    /// When there are none.
    pub fn apply(&mut self, lr: f64) {
        assert!(self.batches > 0, "a step needs gradients");
        let mut grads = std::mem::take(&mut self.gathered);
        if self.batches > 1 {
            ops::scale(&grads, 1.0 / self.batches as f64);
        }
        if self.config.clip_norm > 0.0 {
            grads = ops::clip_norm(&grads, self.config.clip_norm);
        }
        for group in &self.groups {
            self.move_group(group, &grads, lr);
        }
        self.batches = 0;
        self.steps_done += 1;
    }

    fn move_group(&self, group: &Group, grads: &[tch::Tensor], lr: f64) {
        let params: Vec<tch::Tensor> = group.members.iter().map(|&i| self.params[i].tensor.shallow_clone()).collect();
        let (grads, first, second) = (group.part(grads), group.part(&self.first), group.part(&self.second));
        let OptimiserConfig { momentum, nesterov, beta1, beta2, trust, clip_rate, .. } = self.config;
        let weight_decay = group.weight_decay;
        let sgd = ops::Sgd { lr, momentum, weight_decay, nesterov };
        match self.config.kind {
            OptimiserKind::Lars if group.adapted => {
                let lars = ops::Lars { lr, weight_decay, trust, clip_rate, eps: LARS_EPS };
                let adapted = ops::lars_gradients(&params, &grads, lars);
                let sgd = ops::Sgd { weight_decay: 0.0, ..sgd };
                ops::fused_sgd(&params, &adapted, &first, sgd, self.steps_done == 0);
            }
            OptimiserKind::Sgd | OptimiserKind::Lars => {
                ops::fused_sgd(&params, &grads, &first, sgd, self.steps_done == 0);
            }
            OptimiserKind::Adamw => {
                let step = ops::AdamW { lr, betas: (beta1, beta2), weight_decay, eps: ADAMW_EPS };
                ops::fused_adamw(&params, &grads, [&first, &second], self.steps_done + 1, step);
            }
        }
    }

    /// Its buffers by name, for a checkpoint.
    pub fn state(&self) -> Vec<(String, tch::Tensor)> {
        let kinds = [("first", &self.first), ("second", &self.second), ("gradient", &self.gathered)];
        let named = kinds.into_iter().flat_map(|(kind, buffers)| {
            self.params
                .iter()
                .zip(buffers)
                .map(move |(entry, buffer)| (format!("{kind}.{}", entry.name), buffer.shallow_clone()))
        });
        named.collect()
    }

    /// Goes on from [`Optimiser::state`] after `batches_done` batches, with a step after every `accumulate` of them.
    pub fn restore(&mut self, saved: &BTreeMap<String, tch::Tensor>, batches_done: usize) -> Result<()> {
        let accumulate = self.config.accumulate as usize;
        self.steps_done = batches_done / accumulate;
        // The last step of a training may have come early, and then nothing is gathered.
        let gathers = saved.keys().any(|name| name.starts_with("gradient."));
        self.batches = if gathers { batches_done % accumulate } else { 0 };
        let gathering = if gathers { self.params.as_slice() } else { &[] };
        self.gathered = gathering.iter().map(|entry| entry.tensor.empty_like()).collect();
        let buffers = [("first", &mut self.first), ("second", &mut self.second), ("gradient", &mut self.gathered)];
        for (kind, buffers) in buffers {
            for (entry, buffer) in self.params.iter().zip(buffers) {
                let name = format!("{kind}.{}", entry.name);
                let tensor = saved.get(&name).with_context(|| format!("{name} is missing in the checkpoint"))?;
                ensure!(
                    tensor.size() == buffer.size(),
                    "{name}: saved {:?}, expected {:?}",
                    tensor.size(),
                    buffer.size()
                );
                buffer.copy_(tensor);
            }
        }
        Ok(())
    }
}
