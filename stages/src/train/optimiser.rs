//! Optimisers that move all parameters of a model in place.

mod config;
mod rates;
#[cfg(test)]
mod tests;

pub use config::{Exclude, OptimiserConfig, OptimiserKind};
pub use rates::Rates;

use crate::nn::ops;
use crate::nn::state::{Entry, Part};
use anyhow::{Context, Result, ensure};
use burn::tensor::Gradients;
use std::collections::BTreeMap;

const ADAMW_EPS: f64 = 1e-8;
const LARS_EPS: f64 = 1e-8;

/// The optimiser of some networks, updating their parameters in place.
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
    /// What the learning rate is multiplied by.
    rate: f64,
    /// Whether LARS gives each a rate of its own.
    adapted: bool,
}

impl Group {
    fn all_of(params: &[Entry], config: &OptimiserConfig, rates: &Rates) -> Vec<Self> {
        let excluded = |place: &usize| config.excludes_bias_and_norm() && params[*place].tensor.dim() <= 1;
        let mut by_rate: Vec<(f64, Vec<usize>)> = vec![];
        for (place, entry) in params.iter().enumerate() {
            let rate = rates.of(&entry.name);
            match by_rate.iter_mut().find(|(known, _)| *known == rate) {
                Some((_, members)) => members.push(place),
                None => by_rate.push((rate, vec![place])),
            }
        }
        let groups = by_rate.into_iter().flat_map(|(rate, places)| {
            let (left_out, members): (Vec<_>, Vec<_>) = places.into_iter().partition(excluded);
            let adapted = config.kind == OptimiserKind::Lars;
            [
                Self { members, weight_decay: config.weight_decay(), rate, adapted },
                Self { members: left_out, weight_decay: 0.0, rate, adapted: false },
            ]
        });
        groups.filter(|group| !group.members.is_empty()).collect()
    }

    /// Its part of a list with one tensor for each trained parameter; of a list without any, nothing.
    fn part(&self, of: &[tch::Tensor]) -> Vec<tch::Tensor> {
        self.members.iter().filter_map(|&place| of.get(place)).map(tch::Tensor::shallow_clone).collect()
    }
}

impl Optimiser {
    pub fn new(networks: &dyn Part, config: &OptimiserConfig) -> Self {
        Self::with_rates(networks, config, &Rates::default())
    }

    /// Whose learning rate is another for some tensors.
    pub fn with_rates(networks: &dyn Part, config: &OptimiserConfig, rates: &Rates) -> Self {
        let params: Vec<Entry> = networks.entries().into_iter().filter(|entry| entry.trained).collect();
        let zeros = || params.iter().map(|entry| entry.tensor.zeros_like()).collect();
        Self {
            groups: Group::all_of(&params, config, rates),
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
    pub fn step(&mut self, networks: &dyn Part, grads: Gradients, lr: f64) {
        self.add(networks, grads);
        self.apply(lr);
    }

    /// Takes a batch's gradients of every trained parameter. [`Optimiser::apply`] uses the mean of all since the last one.
    ///
    /// # Panics
    /// When the loss does not depend on one of them: its gradient is missing.
    pub fn add(&mut self, networks: &dyn Part, mut grads: Gradients) {
        let found = networks.take_gradients(&mut grads);
        assert_eq!(found.len(), self.params.len(), "the networks are those that it was made for");
        // libtorch's fused steps walk through the memory of parameter and gradient side by side, whatever their strides say.
        let laid_out = |(entry, grad): (&Entry, Option<tch::Tensor>)| {
            let grad = grad.unwrap_or_else(|| panic!("the loss does not depend on {}, which is trained", entry.name));
            ops::laid_out_as(&entry.tensor, grad)
        };
        let found: Vec<_> = self.params.iter().zip(found).map(laid_out).collect();
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
            self.move_group(group, &grads, lr * group.rate);
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
