//! A network whose weights follow those of another, slowly: the momentum encoder of MoCo (He et al. 2020,
//! arXiv:1911.05722, eq. 2), the target network of BYOL (Grill et al. 2020, arXiv:2006.07733, eq. 1).

use super::schedule::Schedule;
use crate::nn::encoder::Encoder;
use crate::nn::layers::Mode;
use crate::nn::state::{self, Part, Parts};
use crate::nn::{Mlp, ops};
use burn::module::{Module, ModuleMapper, Param};
use burn::tensor::Tensor;

/// An exponential moving average of a network's trained parameters.
///
/// Running statistics are the averaged network's own: it has them from the batches that it sees itself, as in the
/// papers' code.
#[derive(Debug)]
pub struct Ema<M> {
    network: M,
    averaged: Vec<tch::Tensor>,
    /// The trained parameters that are followed; they share the memory of the network that the optimiser moves.
    followed: Vec<tch::Tensor>,
}

impl<M: Module> Ema<M> {
    /// Starts as a copy of `online`, in memory of its own and without gradients.
    pub fn of(online: &M) -> Self {
        let network = copy(online);
        let pairs = online.entries().into_iter().zip(network.entries());
        let (followed, averaged) =
            pairs.filter(|(online, _)| online.trained).map(|(online, copy)| (online.tensor, copy.tensor)).unzip();
        Self { network, averaged, followed }
    }

    /// The averaged network. Its checkpoint is [`state::named`], by [`super::Objective::buffers`].
    pub fn network(&self) -> &M {
        &self.network
    }

    /// `averaged = momentum averaged + (1 - momentum) followed`, in place, after a step of the optimiser.
    pub fn update(&self, momentum: f64) {
        ops::lerp(&self.averaged, &self.followed, 1.0 - momentum);
    }
}

/// Slow copies of an encoder and of the projector behind it.
#[derive(Debug)]
pub struct MomentumEncoder {
    encoder: Ema<Encoder>,
    projector: Ema<Mlp>,
}

impl MomentumEncoder {
    pub fn of(encoder: &Encoder, projector: &Mlp) -> Self {
        Self { encoder: Ema::of(encoder), projector: Ema::of(projector) }
    }

    /// Images `[batch, 3, h, w]` to `[batch, dim]`, without gradient.
    pub fn project(&self, images: Tensor<4>) -> Tensor<2> {
        let features = self.encoder.network().pooled(images.inner(), Mode::Train);
        self.projector.network().forward(features, Mode::Train)
    }

    /// As [`Ema::update`], by a momentum that goes from `start` to `end` over the training's steps, by half a cosine.
    pub fn follow(&self, step: usize, steps: usize, start: f64, end: f64) {
        let momentum = Schedule::Cosine.over(step, steps, start, end);
        self.encoder.update(momentum);
        self.projector.update(momentum);
    }

    /// Its tensors by name, encoder first, for [`super::Objective::buffers`].
    pub fn buffers(&self) -> Vec<(String, tch::Tensor)> {
        let encoder: &dyn Part = self.encoder.network();
        state::named(&Parts(vec![("momentum_encoder", encoder), ("momentum_projector", self.projector.network())]))
    }
}

/// The same values in memory of their own, without gradients. `valid` gives running statistics a place of their own,
/// which a clone would share.
fn copy<M: Module>(network: &M) -> M {
    network.valid().map(&mut Copy)
}

struct Copy;

impl ModuleMapper for Copy {
    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        param.map(|value| ops::copy(&value))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::nn::Init;
    use crate::nn::encoder::EncoderConfig;
    use crate::train::{Optimiser, OptimiserConfig};

    fn values<M: Module>(network: &M) -> Vec<(String, Vec<f32>)> {
        let flat = |tensor: tch::Tensor| Vec::try_from(&tensor.contiguous().flatten(0, -1)).unwrap();
        state::named(network).into_iter().map(|(name, tensor)| (name, flat(tensor))).collect()
    }

    fn online() -> Encoder {
        let config = EncoderConfig { width: 4, ..EncoderConfig::default() };
        config.build(&mut Init::new(0, &crate::nn::device("cpu").unwrap().autodiff()), [3, 16, 16])
    }

    fn images(seed: f32) -> Tensor<4> {
        let values: Vec<f32> = (0..4 * 16 * 16 * 3).map(|i| (seed + 0.7 * i as f32).sin()).collect();
        crate::augment::channels_last(values, 16, 16, &crate::nn::device("cpu").unwrap().autodiff())
    }

    #[test]
    fn weights_follow_by_the_formula_and_nothing_is_shared() {
        let online = online();
        let ema = Ema::of(&online);
        let start = values(&online);
        assert_eq!(values(ema.network()), start);
        assert!(ema.network().entries().iter().all(|entry| !entry.trained));
        let mut optimiser = Optimiser::new(&online, &OptimiserConfig::default());
        let loss = online.pooled(images(1.0), Mode::Train).square().mean();
        optimiser.step(&online, loss.backward(), 0.5);
        // Neither the step nor the batch's statistics reach the copy.
        assert_eq!(values(ema.network()), start);
        ema.update(0.75);
        let moved = values(&online);
        assert_ne!(moved, start);
        for ((name, got), ((_, before), (_, online))) in values(ema.network()).iter().zip(start.iter().zip(&moved)) {
            for (got, (&before, &online)) in got.iter().zip(before.iter().zip(online)) {
                let averaged = 0.75 * f64::from(before) + 0.25 * f64::from(online);
                let expected = if name.contains("running") { f64::from(before) } else { averaged };
                // One rounding of float32.
                assert!((f64::from(*got) - expected).abs() <= 1e-6 * expected.abs().max(0.1), "{name}");
            }
        }
    }

    #[test]
    fn what_passes_through_the_copy_changes_its_own_statistics_and_no_weights() {
        let online = online();
        let start = values(&online);
        let ema = Ema::of(&online);
        let features = ema.network().pooled(images(2.0).inner(), Mode::Train);
        assert!(!features.is_autodiff());
        assert_eq!(values(&online), start);
        for ((name, own), (_, before)) in values(ema.network()).iter().zip(&start) {
            assert_eq!(own != before, name.contains("running"), "{name}");
        }
    }
}
