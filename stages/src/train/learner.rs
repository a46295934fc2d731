use super::checkpoint::{self, Position};
use super::objective::{ENCODER, network_of};
use super::optimiser::{Optimiser, OptimiserConfig};
use super::schedule::Schedule;
use super::{At, Objective, Term, Training, networks};
use crate::augment::Batch;
use crate::nn::encoder::Encoder;
use crate::nn::state::Parts;
use crate::nn::{ops, state};
use anyhow::{Context, Result};
use std::path::Path;

/// Networks, what they are trained for, and their optimiser: what a step changes, and a checkpoint holds.
pub struct Learner<'a> {
    encoder: &'a Encoder,
    objective: &'a mut dyn Objective,
    /// Of each turn.
    optimisers: Vec<Optimiser>,
    config: &'a OptimiserConfig,
    total_steps: usize,
    warmup_steps: usize,
    /// Steps in which the encoder stays as it is.
    encoder_rests: usize,
}

/// Tensors by what they are called in a message.
pub type Named = Vec<(String, tch::Tensor)>;

impl<'a> Learner<'a> {
    pub fn new(encoder: &'a Encoder, objective: &'a mut dyn Objective, training: &Training<'a>) -> Self {
        let config = training.optimiser;
        let turns = objective.turns().into_iter();
        let of_turn =
            |names: Vec<_>| Optimiser::with_rates(&moving(encoder, objective, &names), config, &training.rates);
        Self {
            optimisers: turns.map(of_turn).collect(),
            encoder,
            objective,
            config,
            total_steps: training.steps,
            warmup_steps: training.warmup_steps(),
            encoder_rests: training.encoder_rests,
        }
    }

    pub fn encoder(&self) -> &Encoder {
        self.encoder
    }

    /// One batch: losses, gradients, and a step of the optimiser where it is time, turn by turn. Returns the losses without reading them,
    /// which would make a GPU wait.
    pub fn step(&mut self, at: &At, batch: Batch) -> Vec<Term> {
        self.take_turns(at, batch, &mut |_| ())
    }

    /// [`Learner::step`], which shows views, losses, gradients and what is stepped, in the order in which they are computed: the
    /// backward pass comes to the last layers first.
    pub fn watched_step(&mut self, at: &At, batch: Batch, mut show: impl FnMut(Named)) {
        let views = batch.views.iter().enumerate();
        show(views.map(|(number, view)| (format!("view {} of the images", number + 1), ops::raw(view))).collect());
        self.take_turns(at, batch, &mut |seen| show(seen()));
        show(self.tensors().into_iter().map(|(name, tensor)| (format!("{name} after the step"), tensor)).collect());
    }

    /// `watch` may look at the tensors of each turn as they are made.
    fn take_turns(&mut self, at: &At, batch: Batch, watch: &mut dyn FnMut(&dyn Fn() -> Named)) -> Vec<Term> {
        let last = self.optimisers.len() - 1;
        let mut batch = Some(batch);
        let mut all = vec![];
        for turn in 0..=last {
            let at = At { turn, ..*at };
            let of_turn = if turn == last { batch.take() } else { batch.clone() };
            let terms = self.objective.losses(self.encoder, of_turn.expect("the last turn takes it"), &at);
            watch(&|| losses(&terms));
            self.add_gradients(&terms, &at);
            watch(&|| self.gradients(turn));
            if self.steps_after(at.step) {
                let rate = self.learning_rate(at.step);
                if let Some(decay) = self.weight_decay(at.step) {
                    self.optimisers[turn].set_weight_decay(decay);
                }
                self.optimisers[turn].apply(rate);
            }
            all.extend(terms.into_iter().map(|term| Term { value: term.value.inner(), ..term }));
        }
        if self.steps_after(at.step) {
            let accumulate = self.config.accumulate as usize;
            self.objective.after_step(at.step / accumulate, self.total_steps.div_ceil(accumulate));
        }
        all
    }

    fn add_gradients(&mut self, terms: &[Term], at: &At) {
        let gradients = Term::sum(terms).backward();
        let names = self.objective.turns().swap_remove(at.turn);
        let rests = |tensor: &str| {
            let network = network_of(tensor);
            network == ENCODER && at.step < self.encoder_rests || self.objective.rests(network, at)
        };
        self.optimisers[at.turn].add_but(&moving(self.encoder, self.objective, &names), gradients, &rests);
    }

    fn gradients(&self, turn: usize) -> Named {
        let gradient = |(name, tensor): (String, _)| {
            Some((format!("the gradient of {}", name.strip_prefix("gradient.")?), tensor))
        };
        self.optimisers[turn].state().into_iter().rev().filter_map(gradient).collect()
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
        self.config.schedule.after_warmup(step / accumulate, all + 1, warmup, self.config.lr(), 0.0)
    }

    /// Where it does not stay what it is.
    fn weight_decay(&self, step: usize) -> Option<f64> {
        let (accumulate, start) = (self.config.accumulate as usize, self.config.weight_decay());
        let steps = self.total_steps.div_ceil(accumulate) + 1;
        Some(Schedule::Cosine.at(step / accumulate, steps, start, self.config.weight_decay_end?))
    }

    /// All that a checkpoint holds.
    fn tensors(&self) -> Named {
        let buffers = self.objective.buffers().into_iter().map(|(name, tensor)| (format!("buffer {name}"), tensor));
        let optimisers = self.optimiser_state().into_iter().map(|(name, tensor)| (format!("optimiser {name}"), tensor));
        state::named(&networks(self.encoder, self.objective)).into_iter().chain(buffers).chain(optimisers).collect()
    }

    fn optimiser_state(&self) -> Named {
        self.optimisers.iter().flat_map(Optimiser::state).collect()
    }

    /// The name of the first of its tensors that holds a NaN or an infinity.
    pub fn first_not_finite(&self) -> Option<String> {
        first_not_finite(self.tensors())
    }

    pub fn save(&self, folder: &Path, position: &Position) -> Result<()> {
        let networks = networks(self.encoder, self.objective);
        checkpoint::save(folder, &networks, &self.objective.buffers(), &self.optimiser_state(), position)
    }

    pub fn restore(&mut self, folder: &Path) -> Result<Position> {
        let networks = networks(self.encoder, self.objective);
        checkpoint::restore(folder, &networks, self.objective.buffers(), &mut self.optimisers)
            .with_context(|| format!("cannot go on from {}", folder.display()))
    }
}

/// Those of the networks that a turn moves.
fn moving<'a>(encoder: &'a Encoder, objective: &'a dyn Objective, names: &[&str]) -> Parts<'a> {
    Parts(networks(encoder, objective).0.into_iter().filter(|(name, _)| names.contains(name)).collect())
}

/// The terms of a loss, and their sum.
fn losses(terms: &[Term]) -> Named {
    let named = |term: &Term| match term.name {
        "loss" => ("the loss".to_owned(), ops::raw(&term.value)),
        name => (format!("the term {name} of the loss"), ops::raw(&term.value)),
    };
    let sum = (terms.len() > 1).then(|| ("the loss".to_owned(), ops::raw(&Term::sum(terms))));
    terms.iter().map(named).chain(sum).collect()
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
    use burn::tensor::{Tensor, TensorData};

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

    /// That takes so many batches.
    fn learner<'a>(
        encoder: &'a Encoder,
        objective: &'a mut dyn Objective,
        config: &'a OptimiserConfig,
        total_steps: usize,
    ) -> Learner<'a> {
        let turns = objective.turns().into_iter();
        let optimisers = turns.map(|names| Optimiser::new(&moving(encoder, objective, &names), config)).collect();
        Learner { encoder, objective, optimisers, config, total_steps, warmup_steps: 0, encoder_rests: 0 }
    }

    #[test]
    fn a_fault_of_the_backward_pass_is_named_where_it_began() {
        let (encoder, mut objective) = steep();
        let config = OptimiserConfig::default();
        let mut learner = learner(&encoder, &mut objective, &config, 1);
        let views = vec![Tensor::ones([2, 3, 16, 16], &crate::nn::device("cpu").unwrap().autodiff())];
        let mut first = None;
        let at = At { seed: 0, step: 0, steps: 1, epoch: 0, epochs: 1, turn: 0 };
        learner.watched_step(&at, Batch { ids: vec![0, 1], views, targets: Targets::None }, |named| {
            first = first.take().or_else(|| first_not_finite(named));
        });
        assert_eq!(first.as_deref(), Some("the gradient of head.bias"));
    }

    /// A critic goes up a slope in its turn and the encoder down in the next; the critic rests in the first step.
    struct Adversary {
        critic: Linear,
        turns: Vec<usize>,
    }

    impl Objective for Adversary {
        fn wants(&self) -> Wants {
            Wants::views(1)
        }
        fn heads(&self) -> Vec<(&'static str, &dyn Part)> {
            vec![("critic", &self.critic)]
        }
        fn turns(&self) -> Vec<Vec<&'static str>> {
            vec![vec!["critic"], vec!["encoder"]]
        }
        fn rests(&self, network: &str, at: &At) -> bool {
            network == "critic" && at.step == 0
        }
        fn losses(&mut self, encoder: &Encoder, batch: Batch, at: &At) -> Vec<Term> {
            self.turns.push(at.turn);
            let [view] = batch.into_views();
            let (name, sign) = [("critic", -1.0), ("encoder", 1.0)][at.turn];
            let value = self.critic.forward(encoder.pooled(view, Mode::Train)).square().mean();
            vec![Term { name, weight: sign, value }]
        }
    }

    #[test]
    fn an_adversary_takes_turns_and_what_rests_stays() {
        let (encoder, Steep { head }) = steep();
        let mut objective = Adversary { critic: head, turns: vec![] };
        let config = OptimiserConfig { weight_decay: Some(0.0), ..OptimiserConfig::default() };
        let mut learner = learner(&encoder, &mut objective, &config, 2);
        let weights = |learner: &Learner| -> Vec<tch::Tensor> {
            let of = |name| state::named(&moving(learner.encoder, learner.objective, &[name])).swap_remove(0).1.copy();
            ["critic", "encoder"].into_iter().map(of).collect()
        };
        let mut seen = vec![weights(&learner)];
        for step in 0..2 {
            let views = vec![Tensor::random(
                [4, 3, 16, 16],
                burn::tensor::Distribution::Default,
                &crate::nn::device("cpu").unwrap().autodiff(),
            )];
            let at = At { seed: 0, step, steps: 2, epoch: 0, epochs: 1, turn: 0 };
            let terms = learner.step(&at, Batch { ids: vec![0, 1, 2, 3], views, targets: Targets::None });
            assert_eq!(terms.iter().map(|term| term.name).collect::<Vec<_>>(), ["critic", "encoder"]);
            seen.push(weights(&learner));
        }
        let moved = |step: usize| [0, 1].map(|network| seen[step][network] != seen[step + 1][network]);
        assert_eq!([moved(0), moved(1)], [[false, true], [true, true]]);
        let saved: Vec<String> = learner.optimiser_state().into_iter().map(|(name, _)| name).collect();
        assert!(
            saved.contains(&"first.critic.weight".to_owned())
                && saved.iter().any(|name| name.starts_with("first.encoder."))
        );
        assert_eq!(objective.turns, [0, 1, 0, 1]);
    }

    /// What a training of so many batches has of each of its steps.
    fn of_steps<T>(
        config: &OptimiserConfig,
        [total_steps, warmup_steps]: [usize; 2],
        of: impl Fn(&Learner, usize) -> T,
    ) -> Vec<T> {
        let (encoder, mut objective) = steep();
        let learner = Learner { warmup_steps, ..learner(&encoder, &mut objective, config, total_steps) };
        (0..total_steps).filter(|&step| learner.steps_after(step)).map(|step| of(&learner, step)).collect()
    }

    fn rates(config: &OptimiserConfig, total_steps: usize, warmup_steps: usize) -> Vec<f64> {
        of_steps(config, [total_steps, warmup_steps], |learner, step| learner.learning_rate(step))
    }

    /// From .04 to .4, as DINO has it: the first step has the first, and the last one that before the end.
    #[test]
    fn weight_decay_goes_to_its_end_by_half_a_cosine() {
        let config =
            OptimiserConfig { weight_decay: Some(0.04), weight_decay_end: Some(0.4), ..OptimiserConfig::default() };
        let found = of_steps(&config, [4, 0], |learner, step| learner.weight_decay(step).unwrap());
        let expected = [0.0f64, 0.25, 0.5, 0.75].map(|t| 0.4 - 0.36 * (1.0 + (std::f64::consts::PI * t).cos()) / 2.0);
        assert!(found.iter().zip(expected).all(|(a, b)| (a - b).abs() < 1e-12), "{found:?} {expected:?}");
        let stays = of_steps(&OptimiserConfig::default(), [4, 0], |learner, step| learner.weight_decay(step));
        assert!(stays.iter().all(Option::is_none));
    }

    /// The head moves from the first step on, the encoder from the third.
    #[test]
    fn an_encoder_rests_as_long_as_is_asked() {
        let (encoder, Steep { head }) = steep();
        let mut objective = Adversary { critic: head, turns: vec![] };
        let config = OptimiserConfig { weight_decay: Some(0.0), ..OptimiserConfig::default() };
        let mut learner = Learner { encoder_rests: 2, ..learner(&encoder, &mut objective, &config, 3) };
        let device = crate::nn::device("cpu").unwrap().autodiff();
        let moved: Vec<bool> = (0..3)
            .map(|step| {
                let before = encoder.entries()[0].tensor.copy();
                let values = (0..4 * 768).map(|place| (place as f32 * 0.7).sin()).collect();
                let views = vec![Tensor::from_data(TensorData::new::<f32, _>(values, [4, 3, 16, 16]), &device)];
                let at = At { seed: 0, step, steps: 3, epoch: 0, epochs: 1, turn: 0 };
                learner.step(&at, Batch { ids: vec![0, 1, 2, 3], views, targets: Targets::None });
                encoder.entries()[0].tensor != before
            })
            .collect();
        assert_eq!(moved, [false, false, true]);
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
