use crate::nn::encoder::Encoder;
use crate::nn::state::Part;
use crate::train::objective::{ENCODER, network_of};
use std::collections::BTreeMap;

/// What the learning rate is multiplied by for a tensor, by its name.
#[derive(Debug, Clone, PartialEq)]
pub struct Rates {
    of_encoder: BTreeMap<String, f64>,
    /// Of what stands behind the encoder.
    of_heads: f64,
}

impl Default for Rates {
    fn default() -> Self {
        Self { of_encoder: BTreeMap::new(), of_heads: 1.0 }
    }
}

impl Rates {
    /// `decay` once more for each layer of the encoder before its end, as Clark et al. 2020 (arXiv:2003.10555, appendix A): of the last
    /// layer `decay`, of what stands behind the encoder `of_heads`.
    pub fn by_layer(decay: f64, of_heads: f64, encoder: &Encoder) -> Self {
        let depth = encoder.depth();
        let rate = |name: &str| decay.powi((depth - encoder.layer_of(name)) as i32);
        let entries = encoder.entries().into_iter();
        let of_encoder = entries.map(|entry| (format!("{ENCODER}.{}", entry.name), rate(&entry.name))).collect();
        Self { of_encoder, of_heads }
    }

    pub fn of(&self, name: &str) -> f64 {
        let otherwise = if network_of(name) == ENCODER { 1.0 } else { self.of_heads };
        self.of_encoder.get(name).copied().unwrap_or(otherwise)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::nn::Init;
    use crate::nn::encoder::{EncoderConfig, EncoderKind};
    use crate::nn::layers::Mode;
    use crate::nn::ops;
    use crate::nn::state::Parts;
    use crate::train::{Optimiser, OptimiserConfig};
    use burn::tensor::{Tensor, TensorData};
    use std::collections::BTreeSet;

    /// How far each trained tensor goes in a step of plain SGD, which is rate times gradient, and the layer that it belongs to.
    fn ways(config: &EncoderConfig, decay: f64) -> Vec<(usize, f64)> {
        let device = crate::nn::device("cpu").unwrap().autodiff();
        let encoder = config.build(&mut Init::new(0, &device), [3, 16, 16]);
        let (parts, rates) = (Parts(vec![("encoder", &encoder)]), Rates::by_layer(decay, 1.0, &encoder));
        let config = OptimiserConfig { weight_decay: Some(0.0), momentum: 0.5, ..OptimiserConfig::default() };
        let before: Vec<tch::Tensor> = encoder.entries().iter().map(|entry| entry.tensor.copy()).collect();
        let mut optimiser = Optimiser::with_rates(&parts, &config, &rates);
        // Like drawn ones, which a generator that other tests use too would not give twice.
        let noise = |place: usize| (12.9898 * place as f64).sin() * 43758.5453;
        let values = (0..4 * 3 * 256).map(|place| (1.0 + noise(place).rem_euclid(1.0)) as f32).collect();
        let values = TensorData::new::<f32, _>(values, [4, 3, 16, 16]);
        let images = ops::channels_last(Tensor::from_data(values, &device));
        let features = encoder.pooled(images, Mode::Eval);
        // Squares alone would be as many behind a layer norm, whatever stands before it.
        let loss = (features.clone().square() * features).mean();
        // So far that the rounding of weights does not show.
        optimiser.step(&parts, loss.backward(), 100.0);
        let moved = encoder.entries().into_iter().zip(before).filter(|(entry, _)| entry.trained);
        moved
            .map(|(entry, before)| {
                let way = (entry.tensor.detach() - before).square().sum(tch::Kind::Double).sqrt().double_value(&[]);
                (encoder.layer_of(&entry.name), way)
            })
            .collect()
    }

    #[test]
    fn what_stands_behind_the_encoder_has_a_rate_of_its_own() {
        let device = crate::nn::device("cpu").unwrap().autodiff();
        let encoder =
            EncoderConfig { width: 4, ..EncoderConfig::default() }.build(&mut Init::new(0, &device), [3, 16, 16]);
        let rates = Rates::by_layer(1.0, 10.0, &encoder);
        let of_encoder = format!("encoder.{}", encoder.entries()[0].name);
        assert_eq!([&of_encoder[..], "classifier.weight"].map(|name| rates.of(name)), [1.0, 10.0]);
        assert_eq!(["encoder.unknown", "classifier.weight"].map(|name| Rates::default().of(name)), [1.0; 2]);
    }

    /// In each layer by half of what it is in the next: convolutions of one, and of the other its patches and then block after block.
    #[test]
    fn every_layer_has_a_rate_of_its_own() {
        let conv4 = EncoderConfig { width: 4, ..EncoderConfig::default() };
        let vit = EncoderConfig { width: 12, depth: 3, ..EncoderConfig::of(EncoderKind::VitTiny) };
        for config in [conv4, vit] {
            let mut layers = BTreeSet::new();
            for ((layer, whole), (_, part)) in ways(&config, 1.0).into_iter().zip(ways(&config, 0.5)) {
                let expected = 0.5f64.powi(4 - layer as i32) * whole;
                assert!((part - expected).abs() <= 1e-4 * whole, "layer {layer}: {part} in place of {expected}");
                layers.insert(layer);
            }
            assert!(layers.into_iter().eq(0..4), "{:?}", config.kind);
        }
    }
}
