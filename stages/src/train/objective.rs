use super::schedule::Schedule;
use crate::augment::{Batch, Source, Wants};
use crate::nn::HeadConfig;
use crate::nn::encoder::Encoder;
use crate::nn::state::{Part, Parts};
use crate::train::{OptimiserConfig, Rates};
use anyhow::{Result, ensure};
use burn::tensor::Tensor;
use std::ops::Range;

/// What a training is for: the losses of a batch over an encoder that is passed in, and what is trained beside it.
pub trait Objective {
    /// What a batch holds.
    fn wants(&self) -> Wants;
    /// How many images pass through the encoder for each image of a batch.
    fn seen(&self) -> usize {
        self.wants().views
    }
    /// Networks that are trained beside the encoder, by name.
    fn heads(&self) -> Vec<(&'static str, &dyn Part)>;
    /// Those that the artifact keeps, and how they are built.
    fn heads_to_keep(&self) -> Vec<(&'static str, HeadConfig)> {
        vec![]
    }
    /// Tensors by name, sharing memory, that are not trained, and that a later step depends on: a momentum encoder, a queue. A checkpoint
    /// holds them.
    fn buffers(&self) -> Vec<(String, tch::Tensor)> {
        vec![]
    }
    /// The networks that move, by name, in each of the turns that are taken with a batch; no two turns move the same. An adversary has
    /// two.
    fn turns(&self) -> Vec<Vec<&'static str>> {
        vec![[ENCODER].into_iter().chain(self.heads().into_iter().map(|(name, _)| name)).collect()]
    }
    /// Whether a network stays as it is in a step though it is trained: prototypes may, at first.
    fn rests(&self, _network: &str, _at: &At) -> bool {
        false
    }
    /// The terms of the loss of a batch, in the turn where it is.
    fn losses(&mut self, encoder: &Encoder, batch: Batch, at: &At) -> Vec<Term>;
    /// Columns of normalised images `[batch, channels, height, width]` that show a person what it makes of a batch, such as a spoilt image
    /// and what is drawn of it; the images themselves are the first.
    fn shown(&self, _: &Encoder, _batch: Batch, _: &At) -> Vec<Tensor<4>> {
        vec![]
    }
    /// What follows the optimiser's step number `step`, from 0, of `steps`.
    fn after_step(&mut self, _step: usize, _steps: usize) {}
}

/// Where a training is. What a loss draws by these numbers is the same after a resume.
#[derive(Debug, Clone, Copy)]
pub struct At {
    pub seed: u64,
    /// The batch's number, from 0, of `steps`.
    pub step: usize,
    pub steps: usize,
    /// From 0, of `epochs`.
    pub epoch: usize,
    pub epochs: usize,
    /// From 0, of [`Objective::turns`].
    pub turn: usize,
}

impl At {
    /// A number that goes from `start` to `end` over the training, by half a cosine; it stays where it is without an end.
    pub fn between(&self, start: f64, end: Option<f64>) -> f64 {
        Schedule::Cosine.over(self.step, self.steps, start, end.unwrap_or(start))
    }
}

/// A part of a loss: `weight` times a mean over the batch.
#[derive(Debug, Clone)]
pub struct Term {
    pub name: &'static str,
    pub weight: f64,
    pub value: Tensor<1>,
}

impl Term {
    /// A loss of one part.
    pub fn alone(value: Tensor<1>) -> Vec<Self> {
        vec![Self { name: "loss", weight: 1.0, value }]
    }

    /// What a step goes down by.
    pub fn sum(terms: &[Self]) -> Tensor<1> {
        let weighted = |term: &Self| match term.weight {
            1.0 => term.value.clone(),
            weight => term.value.clone().mul_scalar(weight),
        };
        terms.iter().map(weighted).reduce(|sum, term| sum + term).expect("a loss has a term")
    }
}

/// What the encoder is called among all that is trained.
pub const ENCODER: &str = "encoder";

/// The network that a tensor is of, by the tensor's name.
pub fn network_of(tensor: &str) -> &str {
    tensor.split('.').next().unwrap_or_default()
}

/// All that is trained: the encoder, then the heads.
pub fn networks<'a>(encoder: &'a Encoder, objective: &'a dyn Objective) -> Parts<'a> {
    let encoder: &dyn Part = encoder;
    Parts([(ENCODER, encoder)].into_iter().chain(objective.heads()).collect())
}

/// How long and how fast to train, and how often to look at what has become of the encoder.
pub struct Training<'a> {
    pub source: Source<'a>,
    /// Batches; the last epoch may have a part of its own only.
    pub steps: usize,
    pub optimiser: &'a OptimiserConfig,
    pub rates: Rates,
    /// Steps, from the first on, in which the encoder stays as it is.
    pub encoder_rests: usize,
    /// `None` where nobody can tell.
    pub evaluation: Option<Evaluation<'a>>,
}

/// Evaluates the encoder while it trains, to be shown meanwhile and drawn afterwards. It changes nothing.
pub struct Evaluation<'a> {
    /// How often, evenly over the epochs, the last one included. More often than there are epochs: after each.
    pub times: usize,
    /// Its accuracy, in [0, 1]; `None` when the stage was asked to stop meanwhile.
    pub accuracy: &'a dyn Fn(&Encoder) -> Option<f64>,
}

impl Training<'_> {
    /// Epochs that are begun.
    pub fn epochs(&self) -> usize {
        self.steps.div_ceil(self.source.steps_per_epoch())
    }

    /// Rows of the data set that pass through the network, ascending.
    pub fn rows(&self) -> Vec<usize> {
        self.source.rows_of(self.steps)
    }

    /// Where the batch of a step, from 0, stands.
    pub fn at(&self, step: usize) -> At {
        let (seed, epoch) = (self.source.seed, step / self.source.steps_per_epoch());
        At { seed, step, steps: self.steps, epoch, epochs: self.epochs(), turn: 0 }
    }

    /// The epoch that a step is in. Both count from 1.
    pub fn epoch_of(&self, step: usize) -> usize {
        (step - 1) / self.source.steps_per_epoch() + 1
    }

    /// The steps, from 0, of an epoch, from 1.
    pub fn steps_of(&self, epoch: usize) -> Range<usize> {
        let all = self.source.steps_per_epoch();
        (epoch - 1) * all..(epoch * all).min(self.steps)
    }

    /// Steps in which the learning rate rises.
    pub fn warmup_steps(&self) -> usize {
        (self.optimiser.warmup_epochs * self.source.steps_per_epoch() as f64).round() as usize
    }

    /// An error where it would not be what was asked for.
    pub fn check(&self) -> Result<()> {
        self.optimiser.check()?;
        let (warmup, steps) = (self.warmup_steps(), self.steps);
        ensure!(
            warmup <= steps,
            "optimiser.warmup_epochs is {}, which are {warmup} steps, and the training has {steps}: lower it, or train longer",
            self.optimiser.warmup_epochs
        );
        Ok(())
    }
}

impl Evaluation<'_> {
    /// Whether the encoder is evaluated after `epoch`, counted from 1, of `epochs`.
    pub fn is_due(&self, epoch: usize, epochs: usize) -> bool {
        epoch * self.times / epochs > (epoch - 1) * self.times / epochs
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_goes_to_its_end_or_stays() {
        let at = |step| At { seed: 0, step, steps: 4, epoch: 0, epochs: 1, turn: 0 };
        assert_eq!([0, 1, 3].map(|step| at(step).between(0.1, None)), [0.1; 3]);
        assert_eq!(at(0).between(0.5, Some(0.1)), 0.5);
        assert!((at(2).between(0.5, Some(0.1)) - 0.3).abs() < 1e-15);
        // A fifth step would be at the end.
        assert!(at(3).between(0.5, Some(0.1)) > 0.1);
    }

    #[test]
    fn the_encoder_is_evaluated_evenly_and_at_the_end() {
        let due = |times, epochs| -> Vec<usize> {
            let evaluation = Evaluation { times, accuracy: &|_| None };
            (1..=epochs).filter(|&epoch| evaluation.is_due(epoch, epochs)).collect()
        };
        assert_eq!(due(5, 100), [20, 40, 60, 80, 100]);
        assert_eq!(due(3, 10), [4, 7, 10]);
        assert_eq!(due(1, 7), [7]);
        assert_eq!(due(9, 2), [1, 2]);
        assert!(due(0, 7).is_empty());
    }
}
