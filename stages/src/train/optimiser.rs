use crate::nn::ops;
use crate::nn::state::{self, Entry};
use anyhow::{Context, Result, ensure};
use burn::module::{Module, ModuleVisitor, Param};
use burn::tensor::{Gradients, Tensor};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum OptimiserKind {
    Sgd,
    Adamw,
}

/// How weights follow gradients.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct OptimiserConfig {
    /// sgd, or adamw (Loshchilov & Hutter 2019; betas .9 and .999, eps 1e-8)
    pub kind: OptimiserKind,
    /// learning rate after warm-up; falls to 0 by half a cosine
    #[schemars(range(min = 0))]
    pub lr: f64,
    /// of sgd
    #[schemars(range(min = 0, max = 1))]
    pub momentum: f64,
    /// of sgd: look ahead by the momentum (Nesterov)
    pub nesterov: bool,
    /// of every trained parameter, bias and batch norm included; decoupled in adamw
    #[schemars(range(min = 0))]
    pub weight_decay: f64,
    /// epochs in which the learning rate rises linearly
    #[schemars(range(min = 0), extend("x-unit" = "epochs"))]
    pub warmup_epochs: u32,
}

impl Default for OptimiserConfig {
    fn default() -> Self {
        Self {
            kind: OptimiserKind::Sgd,
            lr: 0.06,
            momentum: 0.9,
            nesterov: false,
            weight_decay: 5e-4,
            warmup_epochs: 0,
        }
    }
}

const ADAMW_BETAS: (f64, f64) = (0.9, 0.999);
const ADAMW_EPS: f64 = 1e-8;

/// The optimiser of one network, updating its parameters in place.
#[derive(Debug)]
pub struct Optimiser {
    config: OptimiserConfig,
    params: Vec<Entry>,
    /// The momentum of sgd, or the first moment of adamw.
    first: Vec<tch::Tensor>,
    /// The second moment of adamw.
    second: Vec<tch::Tensor>,
    steps_done: usize,
}

impl Optimiser {
    pub fn new<M: Module>(model: &M, config: &OptimiserConfig) -> Self {
        let params: Vec<Entry> = state::entries(model).into_iter().filter(|entry| entry.trained).collect();
        let zeros = || params.iter().map(|entry| entry.tensor.zeros_like()).collect();
        let second = if config.kind == OptimiserKind::Adamw { zeros() } else { vec![] };
        Self { config: config.clone(), first: zeros(), second, params, steps_done: 0 }
    }

    /// One step with the gradients of every trained parameter.
    ///
    /// # Panics
    /// When the loss does not depend on one of them: its gradient is missing.
    pub fn step<M: Module>(&mut self, model: &M, grads: Gradients, lr: f64) {
        let mut collect = CollectGradients { grads, found: Vec::with_capacity(self.params.len()) };
        model.visit(&mut collect);
        let params: Vec<tch::Tensor> = self.params.iter().map(|entry| entry.tensor.shallow_clone()).collect();
        assert_eq!(collect.found.len(), params.len(), "the loss depends on every trained parameter");
        let OptimiserConfig { momentum, nesterov, weight_decay, .. } = self.config;
        match self.config.kind {
            OptimiserKind::Sgd => {
                let step = ops::Sgd { lr, momentum, weight_decay, nesterov };
                ops::fused_sgd(&params, &collect.found, &self.first, step, self.steps_done == 0);
            }
            OptimiserKind::Adamw => {
                let number = (self.steps_done + 1) as f32;
                let steps: Vec<tch::Tensor> =
                    params.iter().map(|p| tch::Tensor::from(number).to_device(p.device())).collect();
                let step = ops::AdamW { lr, betas: ADAMW_BETAS, weight_decay, eps: ADAMW_EPS };
                ops::fused_adamw(&params, &collect.found, [&self.first, &self.second], &steps, step);
            }
        }
        self.steps_done += 1;
    }

    /// Its buffers by name, for a checkpoint.
    pub fn state(&self) -> Vec<(String, tch::Tensor)> {
        let kinds = [("first", &self.first), ("second", &self.second)];
        let named = kinds.into_iter().flat_map(|(kind, buffers)| {
            self.params
                .iter()
                .zip(buffers)
                .map(move |(entry, buffer)| (format!("{kind}.{}", entry.name), buffer.shallow_clone()))
        });
        named.collect()
    }

    /// Goes on from [`Optimiser::state`] after `steps_done` steps.
    pub fn restore(&mut self, saved: &BTreeMap<String, tch::Tensor>, steps_done: usize) -> Result<()> {
        for (kind, buffers) in [("first", &mut self.first), ("second", &mut self.second)] {
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
        self.steps_done = steps_done;
        Ok(())
    }
}

/// Gradients in the order in which [`state::entries`] lists the trained parameters.
struct CollectGradients {
    grads: Gradients,
    found: Vec<tch::Tensor>,
}

impl ModuleVisitor for CollectGradients {
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        if let Some(grad) = param.val().grad_remove(&mut self.grads) {
            self.found.push(ops::raw(&grad));
        }
    }
}
