//! What must hold for the loss of any objective, and how one is put to it: in float64, on the batch that its training begins
//! with. One that goes wrong in one of three ways has gone by every comparison of values before: its gradients belong to
//! other weights, its views to other images, or its targets move with what learns from them.

use crate::augment::{Batch, Targets};
use crate::nn::encoder::Encoder;
use crate::nn::ops;
use crate::nn::state::{self, Entry, Part};
use crate::random::{Purpose, Rng};
use crate::train::{At, Objective, Optimiser, OptimiserConfig, OptimiserKind, Term, networks};
use anyhow::{Result, ensure};
use burn::tensor::{FloatDType, Tensor};
use tch::Kind;

/// How far weights are moved to either side, in units of their size: so little that hardly an activation passes through 0, where a
/// ReLU has no slope.
const STEP: f64 = 1e-7;
/// How far slopes may differ, as a share of what they may be at most: the product of the gradient's and the direction's length.
const SLOPE: f64 = 1e-6;
/// And where that is nothing: what some 1e-15 of a loss are over the step.
const FLAT: f64 = 1e-7;
/// How many slopes are looked at.
const TURNS: usize = 16;
/// What float64 makes of another order of summation.
const ROUNDING: f64 = 1e-10;
/// What is no rounding.
const CHANGE: f64 = 1e-6;

/// An objective in float64, and the batch that it is looked at with.
pub struct Checked<'a> {
    encoder: &'a Encoder,
    objective: &'a mut dyn Objective,
    ids: Vec<u32>,
    views: Vec<Tensor<4>>,
    targets: Targets,
    buffers: Vec<tch::Tensor>,
}

/// The first batch of a training of one.
const START: At = At { seed: 0, step: 0, steps: 1, epoch: 0, epochs: 1, turn: 0 };

impl<'a> Checked<'a> {
    pub fn new(encoder: &'a Encoder, objective: &'a mut dyn Objective, batch: Batch) -> Self {
        for (_, tensor) in state::named(&networks(encoder, objective)).into_iter().chain(objective.buffers()) {
            // In place: the network's own handle is the same tensor.
            let mut tensor = tensor;
            tch::no_grad(|| tensor.set_data(&tensor.to_kind(Kind::Double)));
        }
        let buffers = objective.buffers().into_iter().map(|(_, tensor)| tensor.copy()).collect();
        let views = batch.views.into_iter().map(|view| view.cast(FloatDType::F64)).collect();
        Self { encoder, objective, ids: batch.ids, views, targets: batch.targets, buffers }
    }

    /// All that is checked.
    pub fn check(&mut self) -> Result<()> {
        self.gradients_are_slopes()?;
        self.steps_go_down()?;
        self.images_stand_for_themselves()?;
        self.buffers_count()
    }

    /// The loss of a batch with its images in another order, view by view, from the state that the objective had at first. Ids and targets
    /// go with the first view.
    fn loss(&mut self, order: impl Fn(usize) -> Vec<usize>) -> Tensor<1> {
        for ((_, mut tensor), first) in self.objective.buffers().into_iter().zip(&self.buffers) {
            tch::no_grad(|| tensor.copy_(first));
        }
        let views = self.views.iter().enumerate().map(|(view, images)| in_order(images, &order(view))).collect();
        let targets = match &self.targets {
            Targets::Classes(classes) => Targets::Classes(order(0).into_iter().map(|image| classes[image]).collect()),
            other => other.clone(),
        };
        let ids = order(0).into_iter().map(|image| self.ids[image]).collect();
        Term::sum(&self.objective.losses(self.encoder, Batch { ids, views, targets }, &START))
    }

    fn value(&mut self, order: impl Fn(usize) -> Vec<usize>) -> f64 {
        ops::raw(&self.loss(order)).double_value(&[])
    }

    fn as_they_are(&self) -> impl Fn(usize) -> Vec<usize> + use<> {
        let images = self.ids.len();
        move |_| (0..images).collect()
    }

    /// By moving weights along random directions, some layers at a time, all of them in turn.
    fn gradients_are_slopes(&mut self) -> Result<()> {
        let as_they_are = self.as_they_are();
        let (_, mut moves) = self.moves(&OptimiserConfig::default());
        let together = moves.len().div_ceil(TURNS);
        for moves in moves.chunks_mut(together) {
            let mut loss_at = |way: f64| {
                moves.iter_mut().for_each(|layer| layer.to(way));
                self.value(&as_they_are)
            };
            let slope = (loss_at(STEP) - loss_at(-STEP)) / (2.0 * STEP);
            moves.iter_mut().for_each(|layer| layer.to(0.0));
            let along: f64 = moves.iter().map(|layer| dot(&layer.gradient, &layer.direction)).sum();
            let length = |of: fn(&Move) -> &tch::Tensor| moves.iter().map(|m| dot(of(m), of(m))).sum::<f64>().sqrt();
            let most = length(|layer| &layer.gradient) * length(|layer| &layer.direction);
            ensure!(
                (along - slope).abs() <= SLOPE * most + FLAT,
                "the gradient of {} says {along} where the loss has a slope of {slope}, of {most} at most",
                moves.iter().map(|layer| layer.entry.name.as_str()).collect::<Vec<_>>().join(", ")
            );
        }
        Ok(())
    }

    /// A step by an optimiser lowers the loss by its rate times the gradient times what it makes of that: each number of a gradient reaches
    /// its own weight.
    fn steps_go_down(&mut self) -> Result<()> {
        let before = self.value(self.as_they_are());
        for kind in [OptimiserKind::Sgd, OptimiserKind::Adamw] {
            let config = OptimiserConfig { kind, weight_decay: Some(0.0), ..OptimiserConfig::default() };
            let (mut optimiser, mut moves) = self.moves(&config);
            let fall = |layer: &Move| match kind {
                OptimiserKind::Adamw => dot(&layer.gradient, &(&layer.gradient / (layer.gradient.abs() + 1e-8))),
                _ => dot(&layer.gradient, &layer.gradient),
            };
            let rate = STEP / moves.iter().map(fall).sum::<f64>();
            optimiser.apply(rate);
            let after = self.value(self.as_they_are());
            moves.iter_mut().for_each(|layer| layer.to(0.0));
            ensure!(
                ((before - after) / STEP - 1.0).abs() < 1e-3,
                "a step of {kind:?} lowers the loss by {} where its gradients say {STEP}",
                before - after
            );
        }
        Ok(())
    }

    /// Every weight tensor with its gradient, which the optimiser has for its next step.
    fn moves(&mut self, config: &OptimiserConfig) -> (Optimiser, Vec<Move>) {
        let gradients = self.loss(self.as_they_are()).backward();
        let networks = networks(self.encoder, self.objective);
        let mut optimiser = Optimiser::new(&networks, config);
        optimiser.add(&networks, gradients);
        let gradients = optimiser.state().into_iter().filter(|(name, _)| name.starts_with("gradient."));
        let trained = networks.entries().into_iter().filter(|entry| entry.trained);
        let mut rng = Rng::new(0, Purpose::Noise, &[]);
        let moves = trained.zip(gradients).map(|(entry, (_, gradient))| Move::new(entry, gradient, &mut rng)).collect();
        (optimiser, moves)
    }

    /// The order of images in a batch does not matter; that of one view alone does, where images are told by two.
    fn images_stand_for_themselves(&mut self) -> Result<()> {
        let images = self.ids.len();
        let mut order: Vec<usize> = (0..images).collect();
        Rng::new(1, Purpose::Noise, &[]).shuffle(&mut order);
        let as_they_are = self.value(self.as_they_are());
        let together = self.value(|_| order.clone());
        ensure!(
            (together - as_they_are).abs() <= ROUNDING * as_they_are.abs(),
            "the loss is {as_they_are}, and {together} of the same images in another order: views are of different images"
        );
        for alone in 0..self.views.len() {
            let one = self.value(|view| if view == alone { order.clone() } else { (0..images).collect() });
            ensure!(
                self.views.len() == 1 || (one - as_they_are).abs() > CHANGE * as_they_are.abs(),
                "the loss is the same when view {} is of other images than the rest",
                alone + 1
            );
        }
        Ok(())
    }

    /// Targets are made by buffers, which no gradient moves: the loss changes with each weight tensor among them. Running statistics are
    /// for inference.
    fn buffers_count(&mut self) -> Result<()> {
        let as_they_are = self.as_they_are();
        let before = self.value(&as_they_are);
        for place in 0..self.buffers.len() {
            let (name, _) = self.objective.buffers().swap_remove(place);
            if name.contains("running_") {
                continue;
            }
            let own = self.buffers[place].copy();
            let places: Vec<f64> = (1..=own.numel()).map(|place| (place as f64).sin()).collect();
            let waves = tch::Tensor::from_slice(&places).reshape(own.size());
            self.buffers[place] = &own + waves;
            let moved = self.value(&as_they_are);
            self.buffers[place] = own;
            ensure!(
                (moved - before).abs() > CHANGE * before.abs(),
                "the loss does not change with {name}, a buffer of its own: targets are made by what learns from them"
            );
        }
        Ok(())
    }
}

/// A weight tensor on its way.
struct Move {
    entry: Entry,
    gradient: tch::Tensor,
    first: tch::Tensor,
    direction: tch::Tensor,
}

impl Move {
    /// Along random numbers of the weights' own size.
    fn new(entry: Entry, gradient: tch::Tensor, rng: &mut Rng) -> Self {
        let first = entry.tensor.copy();
        let numbers: Vec<f64> = (0..first.numel()).map(|_| f64::from(rng.normal())).collect();
        let size = first.square().mean(Kind::Double).double_value(&[]).sqrt().max(0.1);
        Self { direction: tch::Tensor::from_slice(&numbers).reshape(first.size()) * size, entry, gradient, first }
    }

    fn to(&mut self, way: f64) {
        tch::no_grad(|| self.entry.tensor.copy_(&(&self.first + &self.direction * way)));
    }
}

fn dot(a: &tch::Tensor, b: &tch::Tensor) -> f64 {
    (a * b).sum(Kind::Double).double_value(&[])
}

fn in_order(images: &Tensor<4>, order: &[usize]) -> Tensor<4> {
    let each = order.iter().map(|&image| images.clone().narrow(0, image, 1));
    ops::channels_last(Tensor::cat(each.collect(), 0))
}
