use crate::augment::{Batch, Loader};
use crate::nn::encoder::Encoder;
use crate::train::OptimiserConfig;
use anyhow::{Result, ensure};
use burn::module::Module;
use burn::tensor::Tensor;
use std::ops::Range;

/// What a pretraining method adds to the loop.
pub trait Method {
    /// Every network that is trained.
    type Model: Module;
    /// How many views of each image a batch holds.
    const VIEWS: usize;
    /// How many images pass through the networks for each image of a batch.
    const SEEN: usize = Self::VIEWS;
    fn model(&self) -> &Self::Model;
    /// The part of the model that is kept and judged.
    fn encoder(&self) -> &Encoder;
    /// The mean loss of a batch.
    fn loss(&mut self, batch: Batch) -> Tensor<1>;
    /// What follows the optimiser's step number `step`, from 0, of `steps`.
    fn after_step(&mut self, _step: usize, _steps: usize) {}
    /// Tensors beside the model by name, sharing memory, that a later step depends on and a checkpoint must hold: a
    /// momentum encoder, a queue.
    fn kept(&self) -> Vec<(String, tch::Tensor)> {
        vec![]
    }
}

/// How long and how fast to train, and how often to look at what has become of the encoder.
pub struct Training<'a> {
    pub loader: Loader<'a>,
    /// Batches; the last epoch may have a part of its own only.
    pub steps: usize,
    pub optimiser: &'a OptimiserConfig,
    /// `None` where nobody can tell.
    pub judge: Option<Judge<'a>>,
}

/// Judges the encoder while it trains, to be shown meanwhile and drawn afterwards. It changes nothing.
pub struct Judge<'a> {
    /// How often, evenly over the epochs, the last one included. More often than there are epochs: after each.
    pub times: usize,
    /// Its accuracy, in [0, 1]; `None` when the stage was asked to stop meanwhile.
    pub accuracy: &'a dyn Fn(&Encoder) -> Option<f64>,
}

impl Training<'_> {
    /// Epochs that are begun.
    pub fn epochs(&self) -> usize {
        self.steps.div_ceil(self.loader.steps_per_epoch())
    }

    /// The epoch that a step is in. Both count from 1.
    pub fn epoch_of(&self, step: usize) -> usize {
        (step - 1) / self.loader.steps_per_epoch() + 1
    }

    /// The steps, from 0, of an epoch, from 1.
    pub fn steps_of(&self, epoch: usize) -> Range<usize> {
        let all = self.loader.steps_per_epoch();
        (epoch - 1) * all..(epoch * all).min(self.steps)
    }

    /// Steps in which the learning rate rises.
    pub fn warmup_steps(&self) -> usize {
        (self.optimiser.warmup_epochs * self.loader.steps_per_epoch() as f64).round() as usize
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

impl Judge<'_> {
    /// Whether the encoder is judged after `epoch`, counted from 1, of `epochs`.
    pub fn is_due(&self, epoch: usize, epochs: usize) -> bool {
        epoch * self.times / epochs > (epoch - 1) * self.times / epochs
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_encoder_is_judged_evenly_and_at_the_end() {
        let due = |times, epochs| -> Vec<usize> {
            let judge = Judge { times, accuracy: &|_| None };
            (1..=epochs).filter(|&epoch| judge.is_due(epoch, epochs)).collect()
        };
        assert_eq!(due(5, 100), [20, 40, 60, 80, 100]);
        assert_eq!(due(3, 10), [4, 7, 10]);
        assert_eq!(due(1, 7), [7]);
        assert_eq!(due(9, 2), [1, 2]);
        assert!(due(0, 7).is_empty());
    }
}
