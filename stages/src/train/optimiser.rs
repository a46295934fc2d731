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
    /// Of those that decay.
    weight_decay: f64,
    /// The momentum of sgd and lars, or the first moment of adamw.
    first: Vec<tch::Tensor>,
    /// The second moment of adamw.
    second: Vec<tch::Tensor>,
    /// The sum of each parameter's gradients of `batches` batches, for the next step; none where it rests.
    gathered: Vec<Option<tch::Tensor>>,
    batches: usize,
    steps_done: usize,
    /// How many of them each parameter has rested: those do not count in the bias correction of its moments, as in PyTorch.
    rested: Vec<usize>,
}

/// What a checkpoint calls the steps that a parameter has rested.
const RESTED: &str = "rested";

/// Parameters that are treated alike.
#[derive(Debug)]
struct Group {
    /// Places among the trained parameters.
    members: Vec<usize>,
    /// Whether weights decay.
    decays: bool,
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
                Self { members, decays: true, rate, adapted },
                Self { members: left_out, decays: false, rate, adapted: false },
            ]
        });
        groups.filter(|group| !group.members.is_empty()).collect()
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
            weight_decay: config.weight_decay(),
            first: zeros(),
            second: if config.kind == OptimiserKind::Adamw { zeros() } else { vec![] },
            rested: vec![0; params.len()],
            params,
            gathered: vec![],
            batches: 0,
            steps_done: 0,
            config: config.clone(),
        }
    }

    /// From the next step on.
    pub fn set_weight_decay(&mut self, to: f64) {
        self.weight_decay = to;
    }

    /// One step with the gradients of one batch: [`Optimiser::add`] and [`Optimiser::apply`].
    ///
    /// # Panics
    /// As [`Optimiser::add`].
    pub fn step(&mut self, networks: &dyn Part, grads: Gradients, lr: f64) {
        self.add(networks, grads);
        self.apply(lr);
    }

    /// [`Optimiser::add_but`], where nothing rests.
    ///
    /// # Panics
    /// As [`Optimiser::add_but`].
    pub fn add(&mut self, networks: &dyn Part, grads: Gradients) {
        self.add_but(networks, grads, &|_| false);
    }

    /// Takes a batch's gradients of every trained parameter that does not rest. [`Optimiser::apply`] uses the mean of all since the
    /// last one.
    ///
    /// # Panics
    /// When the loss does not depend on one of them: its gradient is missing.
    pub fn add_but(&mut self, networks: &dyn Part, mut grads: Gradients, rests: &dyn Fn(&str) -> bool) {
        let found = networks.take_gradients(&mut grads);
        assert_eq!(found.len(), self.params.len(), "the networks are those that it was made for");
        // libtorch's fused steps walk through the memory of parameter and gradient side by side, whatever their strides say.
        let laid_out = |(entry, grad): (&Entry, Option<tch::Tensor>)| {
            if rests(&entry.name) {
                return None;
            }
            let grad = grad.unwrap_or_else(|| panic!("the loss does not depend on {}, which is trained", entry.name));
            Some(ops::laid_out_as(&entry.tensor, grad))
        };
        let found: Vec<_> = self.params.iter().zip(found).map(laid_out).collect();
        if self.batches > 0 {
            let both = self.gathered.iter().zip(&found).filter_map(|(sum, grad)| Some((sum.as_ref()?, grad.as_ref()?)));
            let (sums, grads): (Vec<_>, Vec<_>) =
                both.map(|(sum, grad)| (sum.shallow_clone(), grad.shallow_clone())).unzip();
            ops::add(&sums, &grads);
        } else if self.config.accumulate > 1 {
            self.gathered = found.iter().map(|grad| grad.as_ref().map(tch::Tensor::copy)).collect();
        } else {
            self.gathered = found;
        }
        self.batches += 1;
    }

    /// One step with the mean of the gradients that were added since the last one. What rested when the first of them was added stays
    /// as it is.
    ///
    /// # Panics
    /// When there are none.
    pub fn apply(&mut self, lr: f64) {
        assert!(self.batches > 0, "a step needs gradients");
        let gathered = std::mem::take(&mut self.gathered).into_iter().enumerate();
        let (places, mut grads): (Vec<usize>, Vec<tch::Tensor>) =
            gathered.filter_map(|(place, grad)| Some((place, grad?))).unzip();
        if self.batches > 1 && !grads.is_empty() {
            ops::scale(&grads, 1.0 / self.batches as f64);
        }
        if self.config.clip_norm > 0.0 && !grads.is_empty() {
            grads = ops::clip_norm(&grads, self.config.clip_norm);
        }
        let grads: BTreeMap<usize, tch::Tensor> = places.into_iter().zip(grads).collect();
        for group in &self.groups {
            // Those that have rested alike together: a fused step has one number for all.
            let mut alike: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
            for &place in group.members.iter().filter(|place| grads.contains_key(place)) {
                alike.entry(self.rested[place]).or_default().push(place);
            }
            for (rested, members) in alike {
                self.move_alike(group, &members, rested, &grads, lr * group.rate);
            }
        }
        self.batches = 0;
        self.steps_done += 1;
        self.rested
            .iter_mut()
            .enumerate()
            .for_each(|(place, rested)| *rested += usize::from(!grads.contains_key(&place)));
    }

    /// Moves parameters of a group that have rested for as many steps; each has its gradient by its place.
    fn move_alike(
        &self,
        group: &Group,
        members: &[usize],
        rested: usize,
        grads: &BTreeMap<usize, tch::Tensor>,
        lr: f64,
    ) {
        let part = |of: &dyn Fn(usize) -> Option<tch::Tensor>| -> Vec<tch::Tensor> {
            members.iter().filter_map(|&place| of(place)).collect()
        };
        let params = part(&|place| Some(self.params[place].tensor.shallow_clone()));
        let grads = part(&|place| Some(grads[&place].shallow_clone()));
        let [first, second] =
            [&self.first, &self.second].map(|moments| part(&|place| Some(moments.get(place)?.shallow_clone())));
        let OptimiserConfig { momentum, nesterov, beta1, beta2, trust, clip_rate, .. } = self.config;
        let weight_decay = if group.decays { self.weight_decay } else { 0.0 };
        let sgd = ops::Sgd { lr, momentum, weight_decay, nesterov };
        // A buffer that was never written is zero, from which a later first step makes the same as one that ignores it.
        let is_first = self.steps_done == 0;
        match self.config.kind {
            OptimiserKind::Lars if group.adapted => {
                let lars = ops::Lars { lr, weight_decay, trust, clip_rate, eps: LARS_EPS };
                let adapted = ops::lars_gradients(&params, &grads, lars);
                ops::fused_sgd(&params, &adapted, &first, ops::Sgd { weight_decay: 0.0, ..sgd }, is_first);
            }
            OptimiserKind::Sgd | OptimiserKind::Lars => ops::fused_sgd(&params, &grads, &first, sgd, is_first),
            OptimiserKind::Adamw => {
                let step = ops::AdamW { lr, betas: (beta1, beta2), weight_decay, eps: ADAMW_EPS };
                ops::fused_adamw(&params, &grads, [&first, &second], self.steps_done + 1 - rested, step);
            }
        }
    }

    /// Its buffers by name, for a checkpoint, and how many steps each parameter has rested that ever did.
    pub fn state(&self) -> Vec<(String, tch::Tensor)> {
        let moments = [("first", &self.first), ("second", &self.second)];
        let moments =
            moments.into_iter().flat_map(|(kind, of)| of.iter().map(Some).zip(&self.params).map(move |of| (kind, of)));
        let gathered = self.gathered.iter().map(Option::as_ref).zip(&self.params).map(|of| ("gradient", of));
        let named = moments.chain(gathered);
        let named = named
            .filter_map(|(kind, (tensor, entry))| Some((format!("{kind}.{}", entry.name), tensor?.shallow_clone())));
        let rested = self.rested.iter().zip(&self.params).filter(|(rested, _)| **rested > 0);
        let rested = rested.map(|(rested, entry)| {
            let steps = tch::Tensor::from_slice(&[*rested as f32]).to_device(entry.tensor.device());
            (format!("{RESTED}.{}", entry.name), steps)
        });
        named.chain(rested).collect()
    }

    /// Goes on from [`Optimiser::state`] after `batches_done` batches, with a step after every `accumulate` of them.
    pub fn restore(&mut self, saved: &BTreeMap<String, tch::Tensor>, batches_done: usize) -> Result<()> {
        let accumulate = self.config.accumulate as usize;
        self.steps_done = batches_done / accumulate;
        // The last step of a training may have come early, and then nothing is gathered; nor is it of what rests.
        let gathers = saved.keys().any(|name| name.starts_with("gradient."));
        self.batches = if gathers { batches_done % accumulate } else { 0 };
        let gathered =
            |entry: &Entry| saved.contains_key(&format!("gradient.{}", entry.name)).then(|| entry.tensor.empty_like());
        self.gathered = if gathers { self.params.iter().map(gathered).collect() } else { vec![] };
        let gathered =
            self.gathered.iter_mut().zip(&self.params).filter_map(|(buffer, entry)| Some((buffer.as_mut()?, entry)));
        let moments = [("first", &mut self.first), ("second", &mut self.second)].into_iter();
        let moments =
            moments.flat_map(|(kind, of)| of.iter_mut().zip(&self.params).map(move |(to, of)| (kind, to, of)));
        for (kind, buffer, entry) in moments.chain(gathered.map(|(to, of)| ("gradient", to, of))) {
            let name = format!("{kind}.{}", entry.name);
            let tensor = saved.get(&name).with_context(|| format!("{name} is missing in the checkpoint"))?;
            ensure!(tensor.size() == buffer.size(), "{name}: saved {:?}, expected {:?}", tensor.size(), buffer.size());
            buffer.copy_(tensor);
        }
        let rested = self.params.iter().map(|entry| saved.get(&format!("{RESTED}.{}", entry.name)));
        self.rested = rested.map(|steps| steps.map_or(0, |steps| steps.double_value(&[0]) as usize)).collect();
        Ok(())
    }
}
