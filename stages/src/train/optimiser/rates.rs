use crate::nn::encoder::Encoder;
use crate::nn::state::Part;
use std::collections::BTreeMap;

/// What the learning rate is multiplied by for a tensor, by its name; 1 where nothing is said.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Rates(BTreeMap<String, f64>);

impl Rates {
    /// `decay` once more for each layer of the encoder before its end, as Clark et al. 2020 (arXiv:2003.10555, appendix A): of the last
    /// layer `decay`, of what stands behind the encoder 1.
    pub fn by_layer(decay: f64, encoder: &Encoder) -> Self {
        let depth = encoder.depth();
        let rate = |name: &str| decay.powi((depth - encoder.layer_of(name)) as i32);
        let entries = encoder.entries().into_iter();
        Self(entries.map(|entry| (format!("encoder.{}", entry.name), rate(&entry.name))).collect())
    }

    pub fn of(&self, name: &str) -> f64 {
        self.0.get(name).copied().unwrap_or(1.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::nn::Init;
    use crate::nn::encoder::EncoderConfig;
    use crate::nn::layers::Mode;
    use crate::nn::ops;
    use crate::nn::state::Parts;
    use crate::train::{Optimiser, OptimiserConfig};
    use burn::tensor::Tensor;

    /// A step of plain SGD goes down by rate times gradient: in each layer by half of what it is in the next.
    #[test]
    fn every_layer_has_a_rate_of_its_own() {
        let device = crate::nn::device("cpu").unwrap().autodiff();
        let step = |decay: f64| -> Vec<(usize, f64)> {
            let encoder =
                EncoderConfig { width: 4, ..EncoderConfig::default() }.build(&mut Init::new(0, &device), [3, 16, 16]);
            let (parts, rates) = (Parts(vec![("encoder", &encoder)]), Rates::by_layer(decay, &encoder));
            let config = OptimiserConfig { weight_decay: Some(0.0), momentum: 0.5, ..OptimiserConfig::default() };
            let before: Vec<tch::Tensor> = encoder.entries().iter().map(|entry| entry.tensor.copy()).collect();
            let mut optimiser = Optimiser::with_rates(&parts, &config, &rates);
            let images = ops::channels_last(Tensor::ones([4, 3, 16, 16], &device))
                + Tensor::random([4, 3, 16, 16], burn::tensor::Distribution::Default, &device);
            let loss = encoder.pooled(images, Mode::Eval).square().mean();
            optimiser.step(&parts, loss.backward(), 0.1);
            let moved = encoder.entries().into_iter().zip(before).filter(|(entry, _)| entry.trained);
            moved
                .map(|(entry, before)| {
                    let way = (entry.tensor.detach() - before).square().sum(tch::Kind::Double).sqrt().double_value(&[]);
                    (encoder.layer_of(&entry.name), way)
                })
                .collect()
        };
        device.seed(1);
        let alike = step(1.0);
        device.seed(1);
        let decayed = step(0.5);
        for ((layer, whole), (_, part)) in alike.into_iter().zip(decayed) {
            let expected = 0.5f64.powi(4 - layer as i32) * whole;
            assert!((part - expected).abs() <= 1e-4 * whole, "layer {layer}: {part} in place of {expected}");
        }
    }
}
