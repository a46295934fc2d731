use super::checkpoint::{self, Position};
use super::optimiser::{Optimiser, OptimiserConfig};
use super::schedule::warmup_cosine;
use super::{At, Objective, Term, Training, networks};
use crate::augment::Batch;
use crate::nn::encoder::Encoder;
use crate::nn::{ops, state};
use anyhow::{Context, Result};
use std::path::Path;

/// Networks, what they are trained for, and their optimiser: what a step changes, and a checkpoint holds.
pub struct Learner<'a> {
    encoder: &'a Encoder,
    objective: &'a mut dyn Objective,
    optimiser: Optimiser,
    config: &'a OptimiserConfig,
    total_steps: usize,
    warmup_steps: usize,
}

/// Tensors by what they are called in a message.
pub type Named = Vec<(String, tch::Tensor)>;

impl<'a> Learner<'a> {
    pub fn new(encoder: &'a Encoder, objective: &'a mut dyn Objective, training: &Training<'a>) -> Self {
        let config = training.optimiser;
        Self {
            optimiser: Optimiser::with_rates(&networks(encoder, objective), config, &training.rates),
            encoder,
            objective,
            config,
            total_steps: training.steps,
            warmup_steps: training.warmup_steps(),
        }
    }

    pub fn encoder(&self) -> &Encoder {
        self.encoder
    }

    /// One batch: losses, gradients, and a step of the optimiser where it is time. Returns the losses without reading them,
    /// which would make a GPU wait.
    pub fn step(&mut self, at: &At, batch: Batch) -> Vec<Term> {
        let terms = self.objective.losses(self.encoder, batch, at);
        self.add_gradients(&terms);
        self.step_optimiser(at.step);
        terms.into_iter().map(|term| Term { value: term.value.inner(), ..term }).collect()
    }

    /// [`Learner::step`], which shows views, losses, gradients and what is stepped, in the order in which they are computed: the
    /// backward pass comes to the last layers first.
    pub fn watched_step(&mut self, at: &At, batch: Batch, mut show: impl FnMut(Named)) {
        let views = batch.views.iter().enumerate();
        show(views.map(|(number, view)| (format!("view {} of the images", number + 1), ops::raw(view))).collect());
        let terms = self.objective.losses(self.encoder, batch, at);
        let named = |term: &Term| match term.name {
            "loss" => ("the loss".to_owned(), ops::raw(&term.value)),
            name => (format!("the term {name} of the loss"), ops::raw(&term.value)),
        };
        show(terms.iter().map(named).collect());
        if terms.len() > 1 {
            show(vec![("the loss".to_owned(), ops::raw(&Term::sum(&terms)))]);
        }
        self.add_gradients(&terms);
        let gradient = |(name, tensor): (String, _)| {
            Some((format!("the gradient of {}", name.strip_prefix("gradient.")?), tensor))
        };
        show(self.optimiser.state().into_iter().rev().filter_map(gradient).collect());
        self.step_optimiser(at.step);
        show(self.tensors().into_iter().map(|(name, tensor)| (format!("{name} after the step"), tensor)).collect());
    }

    fn add_gradients(&mut self, terms: &[Term]) {
        let gradients = Term::sum(terms).backward();
        self.optimiser.add(&networks(self.encoder, self.objective), gradients);
    }

    fn step_optimiser(&mut self, step: usize) {
        if self.steps_after(step) {
            self.optimiser.apply(self.learning_rate(step));
            let accumulate = self.config.accumulate as usize;
            self.objective.after_step(step / accumulate, self.total_steps.div_ceil(accumulate));
        }
    }

    /// Whether the optimiser steps after this batch: after every `accumulate` of them, across the ends of epochs, and after
    /// the very last.
    fn steps_after(&self, step: usize) -> bool {
        (step + 1).is_multiple_of(self.config.accumulate as usize) || step + 1 == self.total_steps
    }

    /// The schedule counts steps of the optimiser, and ends where a further one would be.
    fn learning_rate(&self, step: usize) -> f64 {
        let accumulate = self.config.accumulate as usize;
        let [all, warmup] = [self.total_steps, self.warmup_steps].map(|batches| batches.div_ceil(accumulate));
        warmup_cosine(step / accumulate, all + 1, warmup, self.config.lr(), 0.0)
    }

    /// All that a checkpoint holds.
    fn tensors(&self) -> Named {
        let buffers = self.objective.buffers().into_iter().map(|(name, tensor)| (format!("buffer {name}"), tensor));
        let optimisers = self.optimiser.state().into_iter().map(|(name, tensor)| (format!("optimiser {name}"), tensor));
        state::named(&networks(self.encoder, self.objective)).into_iter().chain(buffers).chain(optimisers).collect()
    }

    /// The name of the first of its tensors that holds a NaN or an infinity.
    pub fn first_not_finite(&self) -> Option<String> {
        first_not_finite(self.tensors())
    }

    pub fn save(&self, folder: &Path, position: &Position) -> Result<()> {
        let networks = networks(self.encoder, self.objective);
        checkpoint::save(folder, &networks, &self.objective.buffers(), &self.optimiser, position)
    }

    pub fn restore(&mut self, folder: &Path) -> Result<Position> {
        let networks = networks(self.encoder, self.objective);
        checkpoint::restore(folder, &networks, self.objective.buffers(), &mut self.optimiser)
            .with_context(|| format!("cannot go on from {}", folder.display()))
    }
}

/// The name of the first that holds a NaN or an infinity.
pub fn first_not_finite(named: Named) -> Option<String> {
    let (mut names, tensors): (Vec<_>, Vec<_>) = named.into_iter().unzip();
    ops::first_not_finite(&tensors).map(|place| names.swap_remove(place))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::augment::{Targets, Wants};
    use crate::nn::Init;
    use crate::nn::encoder::EncoderConfig;
    use crate::nn::layers::{Linear, Mode};
    use crate::nn::state::Part;
    use burn::tensor::Tensor;

    /// Its loss is finite and the gradient of its head's output is not.
    struct Steep {
        head: Linear,
    }

    impl Objective for Steep {
        fn wants(&self) -> Wants {
            Wants::views(1)
        }
        fn heads(&self) -> Vec<(&'static str, &dyn Part)> {
            vec![("head", &self.head)]
        }
        fn losses(&mut self, encoder: &Encoder, batch: Batch, _: &At) -> Vec<Term> {
            let [view] = batch.into_views();
            let y = self.head.forward(encoder.pooled(view, Mode::Train));
            Term::alone((y.clone() - y.detach()).sqrt().mean())
        }
    }

    fn steep() -> (Encoder, Steep) {
        let init = &mut Init::new(0, &crate::nn::device("cpu").unwrap().autodiff());
        let encoder = EncoderConfig { width: 4, ..EncoderConfig::default() }.build(init, [3, 16, 16]);
        let head = Linear::new(init, encoder.features(), 2);
        (encoder, Steep { head })
    }

    #[test]
    fn a_fault_of_the_backward_pass_is_named_where_it_began() {
        let (encoder, mut objective) = steep();
        let config = OptimiserConfig::default();
        let optimiser = Optimiser::new(&networks(&encoder, &objective), &config);
        let (encoder, objective) = (&encoder, &mut objective);
        let mut learner = Learner { encoder, objective, optimiser, config: &config, total_steps: 1, warmup_steps: 0 };
        let views = vec![Tensor::ones([2, 3, 16, 16], &crate::nn::device("cpu").unwrap().autodiff())];
        let mut first = None;
        let at = At { seed: 0, step: 0, steps: 1, epoch: 0, epochs: 1 };
        learner.watched_step(&at, Batch { ids: vec![0, 1], views, targets: Targets::None }, |named| {
            first = first.take().or_else(|| first_not_finite(named));
        });
        assert_eq!(first.as_deref(), Some("the gradient of head.bias"));
    }

    /// The rates of a training of so many batches.
    fn rates(config: &OptimiserConfig, total_steps: usize, warmup_steps: usize) -> Vec<f64> {
        let (encoder, mut objective) = steep();
        let optimiser = Optimiser::new(&networks(&encoder, &objective), config);
        let (encoder, objective) = (&encoder, &mut objective);
        let learner = Learner { encoder, objective, optimiser, config, total_steps, warmup_steps };
        (0..total_steps).filter(|&step| learner.steps_after(step)).map(|step| learner.learning_rate(step)).collect()
    }

    /// torch 2.9: `CosineAnnealingLR(optimiser, 6)` of rate 0.4, each the rate with which a step is made, before
    /// `scheduler.step()`; before it, where there is a warm-up, a quarter of the rate more at each of four steps.
    #[test]
    fn every_step_has_the_rate_that_it_has_in_pytorch() {
        let config = OptimiserConfig { lr: Some(0.4), ..OptimiserConfig::default() };
        let cosine = |step: f64| 0.2 * (1.0 + (std::f64::consts::PI * step / 6.0).cos());
        let falling: Vec<f64> = (0..6).map(|step| cosine(f64::from(step))).collect();
        let close = |found: &[f64], expected: &[f64]| {
            assert_eq!(found.len(), expected.len());
            let all = found.iter().zip(expected).all(|(a, b)| (a - b).abs() < 1e-12);
            assert!(all, "{found:?} in place of {expected:?}");
        };
        close(&rates(&config, 6, 0), &falling);
        close(&rates(&config, 10, 4), &[&[0.1, 0.2, 0.3, 0.4], falling.as_slice()].concat());
        // 17 batches are six moves of three each, the last of two.
        close(&rates(&OptimiserConfig { accumulate: 3, ..config.clone() }, 17, 0), &falling);
        close(&rates(&config, 1, 0), &[0.4]);
    }
}
