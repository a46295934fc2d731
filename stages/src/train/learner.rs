use super::checkpoint::{self, Position};
use super::optimiser::{Optimiser, OptimiserConfig};
use super::schedule::warmup_cosine;
use super::{Method, Training};
use crate::augment::Batch;
use crate::nn::{ops, state};
use anyhow::{Context, Result};
use burn::tensor::Tensor;
use std::path::Path;

/// A method's networks and their optimiser: what a step changes, and a checkpoint holds.
pub struct Learner<'a, M: Method> {
    method: &'a mut M,
    optimiser: Optimiser,
    config: &'a OptimiserConfig,
    total_steps: usize,
    warmup_steps: usize,
}

/// Tensors by what they are called in a message.
pub type Named = Vec<(String, tch::Tensor)>;

impl<'a, M: Method> Learner<'a, M> {
    pub fn new(method: &'a mut M, training: &Training<'a>) -> Self {
        let config = training.optimiser;
        Self {
            optimiser: Optimiser::new(method.model(), config),
            method,
            config,
            total_steps: training.steps,
            warmup_steps: training.warmup_steps(),
        }
    }

    pub fn method(&self) -> &M {
        self.method
    }

    /// One batch: loss, gradients, and a move of the weights where it is time. Returns the loss without reading it, which
    /// would make a GPU wait.
    pub fn step(&mut self, step: usize, batch: Batch) -> Tensor<1> {
        let loss = self.method.loss(batch);
        self.optimiser.add(self.method.model(), loss.backward());
        self.move_weights(step);
        loss.inner()
    }

    /// [`Learner::step`], which shows views, loss, gradients and what moves, in the order in which they are computed: the
    /// backward pass comes to the last layers first.
    pub fn watched_step(&mut self, step: usize, batch: Batch, mut show: impl FnMut(Named)) {
        let views = batch.views.iter().enumerate();
        show(views.map(|(number, view)| (format!("view {} of the images", number + 1), ops::raw(view))).collect());
        let loss = self.method.loss(batch);
        show(vec![("the loss".to_owned(), ops::raw(&loss))]);
        self.optimiser.add(self.method.model(), loss.backward());
        let gradient = |(name, tensor): (String, _)| {
            Some((format!("the gradient of {}", name.strip_prefix("gradient.")?), tensor))
        };
        show(self.optimiser.state().into_iter().rev().filter_map(gradient).collect());
        self.move_weights(step);
        show(self.tensors().into_iter().map(|(name, tensor)| (format!("{name} after the step"), tensor)).collect());
    }

    fn move_weights(&mut self, step: usize) {
        if self.moves_after(step) {
            self.optimiser.apply(self.learning_rate(step));
            let accumulate = self.config.accumulate as usize;
            self.method.after_step(step / accumulate, self.total_steps.div_ceil(accumulate));
        }
    }

    /// Whether the weights move after this batch: after every `accumulate` of them, across the ends of epochs, and after
    /// the very last.
    fn moves_after(&self, step: usize) -> bool {
        (step + 1).is_multiple_of(self.config.accumulate as usize) || step + 1 == self.total_steps
    }

    /// The schedule counts moves of the weights, and ends where a further one would be.
    fn learning_rate(&self, step: usize) -> f64 {
        let accumulate = self.config.accumulate as usize;
        let moves = |steps: usize| steps.div_ceil(accumulate);
        let (all, warmup) = (moves(self.total_steps), moves(self.warmup_steps));
        warmup_cosine(step / accumulate, all + 1, warmup, self.config.lr(), 0.0)
    }

    /// All that a checkpoint holds.
    fn tensors(&self) -> Named {
        let kept = self.method.kept().into_iter().map(|(name, tensor)| (format!("kept {name}"), tensor));
        let optimisers = self.optimiser.state().into_iter().map(|(name, tensor)| (format!("optimiser {name}"), tensor));
        state::named(self.method.model()).into_iter().chain(kept).chain(optimisers).collect()
    }

    /// The name of the first of its tensors that holds a NaN or an infinity.
    pub fn first_not_finite(&self) -> Option<String> {
        first_not_finite(self.tensors())
    }

    pub fn save(&self, folder: &Path, position: &Position) -> Result<()> {
        checkpoint::save(folder, self.method, &self.optimiser, position)
    }

    pub fn restore(&mut self, folder: &Path) -> Result<Position> {
        checkpoint::restore(folder, self.method, &mut self.optimiser)
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
    use crate::nn::Init;
    use crate::nn::encoder::{Encoder, EncoderConfig};
    use crate::nn::layers::{Linear, Mode};
    use burn::module::Module;

    #[derive(Module, Debug)]
    struct Model {
        encoder: Encoder,
        head: Linear,
    }

    /// Its loss is finite and the gradient of its head's output is not.
    struct Steep(Model);

    impl Method for Steep {
        type Model = Model;
        const VIEWS: usize = 1;
        fn model(&self) -> &Model {
            &self.0
        }
        fn encoder(&self) -> &Encoder {
            &self.0.encoder
        }
        fn loss(&mut self, batch: Batch) -> Tensor<1> {
            let [view] = batch.into_views();
            let y = self.0.head.forward(self.0.encoder.forward(view, Mode::Train));
            (y.clone() - y.detach()).sqrt().mean()
        }
    }

    #[test]
    fn a_fault_of_the_backward_pass_is_named_where_it_began() {
        let device = crate::nn::device("cpu").unwrap().autodiff();
        let init = &mut Init::new(0, &device);
        let encoder = EncoderConfig { width: 4, ..EncoderConfig::default() }.build(init);
        let head = Linear::new(init, encoder.features(), 2);
        let mut method = Steep(Model { encoder, head });
        let config = OptimiserConfig::default();
        let optimiser = Optimiser::new(method.model(), &config);
        let mut learner = Learner { method: &mut method, optimiser, config: &config, total_steps: 1, warmup_steps: 0 };
        let views = vec![Tensor::ones([2, 3, 16, 16], &device)];
        let mut first = None;
        learner.watched_step(0, Batch { views, labels: vec![0, 1] }, |named| {
            first = first.take().or_else(|| first_not_finite(named));
        });
        assert_eq!(first.as_deref(), Some("the gradient of head.bias"));
    }

    /// The rates of a training of so many batches.
    fn rates(config: &OptimiserConfig, total_steps: usize, warmup_steps: usize) -> Vec<f64> {
        let init = &mut Init::new(0, &crate::nn::device("cpu").unwrap().autodiff());
        let encoder = EncoderConfig { width: 4, ..EncoderConfig::default() }.build(init);
        let head = Linear::new(init, encoder.features(), 2);
        let mut method = Steep(Model { encoder, head });
        let optimiser = Optimiser::new(method.model(), config);
        let learner = Learner { method: &mut method, optimiser, config, total_steps, warmup_steps };
        (0..total_steps).filter(|&step| learner.moves_after(step)).map(|step| learner.learning_rate(step)).collect()
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
