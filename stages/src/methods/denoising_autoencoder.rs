//! Denoising autoencoder (Vincent et al. 2008, "Extracting and composing robust features with denoising autoencoders"; 2010, JMLR 11,
//! section 3): the image must be drawn again, whole, from the code of a spoilt copy. The loss is the mean squared error of all values of
//! the normalised image.

use super::shared::decoding::Decoding;
use super::shared::pretrain::{Common, ENCODERS, Inputs, NEEDS_WITHOUT_VIEWS, TRAINED, TRAINING, pretrain};
use super::shared::streams;
use crate::augment::{Batch, Policy, Wants};
use crate::context::Context;
use crate::nn::encoder::Encoder;
use crate::nn::layers::Mode;
use crate::nn::ops::float32;
use crate::nn::state::Part;
use crate::nn::{Bottleneck, HeadConfig, PixelValues};
use crate::random::{Purpose, Rng};
use crate::stage::{About, Deviations, Stage};
use crate::train::{At, Objective, Term};
use anyhow::{Result, ensure};
use burn::tensor::Tensor;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub struct DenoisingAutoencoder;

#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct Params {
    #[serde(flatten)]
    common: Common,
    #[serde(flatten)]
    drawing: Decoding<0>,
    #[serde(flatten)]
    noise: Noise,
}

/// What an image is spoilt by, one after the other.
#[derive(Debug, Clone, Copy, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
struct Noise {
    /// standard deviation of Gaussian noise on every value, in units of black to white; 0: none
    #[schemars(range(min = 0.0, max = 2.0))]
    gaussian: f64,
    /// share of the pixels that become black ("masking noise")
    #[schemars(range(min = 0.0, max = 0.99))]
    masking: f64,
    /// share of the pixels that become black or white, as a fair coin falls
    #[schemars(range(min = 0.0, max = 1.0))]
    salt_and_pepper: f64,
}

impl Default for Noise {
    fn default() -> Self {
        Self { gaussian: 0.2, masking: 0.0, salt_and_pepper: 0.0 }
    }
}

impl Stage for DenoisingAutoencoder {
    type Params = Params;
    const ABOUT: About = About {
        name: "pretrain/denoising_autoencoder",
        // 2: the decoder's last layer begins by its inputs.
        version: 2,
        summary: "Denoising autoencoder: draw the image again from the code of a spoilt copy (Vincent et al. 2008)",
        docs: "Gaussian, masking and salt-and-pepper noise, any of them or several, drawn anew at every step; mean squared error with the \
               clean, normalised image. Trains on the images as they are but for that.",
        deviations: &[
            Deviations::from_paper(&[
                "networks are convolutional and trained all at once, where the paper's are fully connected layers with tied weights, \
                 trained one after the other",
                "masking and salt-and-pepper spoil whole pixels, where the paper's grey images have one value in each: a colour alone \
                 would be told by the other two",
                "spoilt and sound pixels count alike (of 2010, section 4.2.1, alpha = beta)",
                "squared error of normalised values, where the paper has the cross entropy of values from 0 to 1",
            ]),
            TRAINING,
            ENCODERS,
        ],
        needs: NEEDS_WITHOUT_VIEWS,
        ..TRAINED
    };

    fn run(params: Params, context: &Context) -> Result<()> {
        let Noise { gaussian, masking, salt_and_pepper } = params.noise;
        ensure!(
            gaussian > 0.0 || masking > 0.0 || salt_and_pepper > 0.0,
            "gaussian, masking and salt_and_pepper are all 0, so that nothing is spoilt: give one of them, or use pretrain/autoencoder"
        );
        let inputs = Inputs::open(context, Policy::identity())?;
        params.drawing.check(&params.common, &inputs.data.manifest)?;
        pretrain(&params.common, &inputs, context, |init, encoder, data| {
            Ok(Box::new(Denoising {
                bottleneck: params.drawing.build(init, encoder, data),
                noise: params.noise,
                values: PixelValues::new(&data.mean, &data.sd, &init.device),
            }))
        })
    }
}

struct Denoising {
    bottleneck: Bottleneck,
    noise: Noise,
    values: PixelValues,
}

impl Objective for Denoising {
    fn wants(&self) -> Wants {
        Wants::views(1)
    }

    fn heads(&self) -> Vec<(&'static str, &dyn Part)> {
        self.bottleneck.heads()
    }

    fn heads_to_keep(&self) -> Vec<(&'static str, HeadConfig)> {
        self.bottleneck.configs()
    }

    fn losses(&mut self, encoder: &Encoder, batch: Batch, at: &At) -> Vec<Term> {
        let ids = batch.ids.clone();
        let [clean] = batch.into_views();
        let spoilt = self.noise.spoilt(clean.clone(), &ids, at, &self.values);
        let drawn = self.bottleneck.redraw(encoder, spoilt, Mode::Train);
        Term::alone((drawn - float32(clean)).square().mean())
    }

    fn shown(&self, encoder: &Encoder, batch: Batch, at: &At) -> Vec<Tensor<4>> {
        let ids = batch.ids.clone();
        let [clean] = batch.into_views();
        let spoilt = self.noise.spoilt(clean.clone(), &ids, at, &self.values);
        let drawn = self.bottleneck.redraw(encoder, spoilt.clone(), Mode::Eval);
        vec![clean, spoilt, drawn]
    }
}

/// What becomes of a pixel.
const KEPT: f32 = 0.0;
const BLACK: f32 = 1.0;
const WHITE: f32 = 2.0;

impl Noise {
    /// `clean`: `[batch, channels, height, width]`, normalised, of the images that `ids` names.
    fn spoilt(&self, clean: Tensor<4>, ids: &[u32], at: &At, values: &PixelValues) -> Tensor<4> {
        let [_, channels, height, width] = clean.dims();
        let device = clean.device();
        let mut spoilt = clean.clone();
        if self.gaussian > 0.0 {
            let fill = |rng: &mut Rng, part: &mut [f32]| part.fill_with(|| rng.normal());
            let noise =
                streams::of_each(at, Purpose::Noise, ids, [channels, height, width], &device, fill).cast(clean.dtype());
            spoilt = spoilt + noise * values.step(self.gaussian, &clean);
        }
        if self.masking > 0.0 || self.salt_and_pepper > 0.0 {
            let fill = |rng: &mut Rng, part: &mut [f32]| part.fill_with(|| self.fate(rng));
            let fates = streams::of_each(at, Purpose::Mask, ids, [1, height, width], &device, fill);
            let fates = fates.expand([ids.len(), channels, height, width]);
            for (fate, value) in [(BLACK, 0.0), (WHITE, 1.0)] {
                let value = values.normalised(value, &clean).expand(clean.dims());
                spoilt = spoilt.mask_where(fates.clone().equal_scalar(fate), value);
            }
        }
        spoilt
    }

    fn fate(&self, rng: &mut Rng) -> f32 {
        if rng.chance(self.masking as f32) {
            BLACK
        } else if rng.chance(self.salt_and_pepper as f32) {
            if rng.chance(0.5) { WHITE } else { BLACK }
        } else {
            KEPT
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::augment::Targets;
    use crate::nn::encoder::EncoderConfig;
    use crate::nn::{Init, ops};
    use burn::tensor::TensorData;

    const AT: At = At { seed: 3, step: 0, steps: 1, epoch: 0, epochs: 1, turn: 0 };
    const MEAN: [f32; 3] = [0.5, 0.4, 0.3];
    const SD: [f32; 3] = [0.2, 0.25, 0.1];

    /// Where all is masked, what is drawn of black is compared with the clean images, number by number.
    #[test]
    fn the_loss_is_between_what_is_drawn_of_the_spoilt_image_and_the_clean_one() {
        let device = crate::nn::device("cpu").unwrap().autodiff();
        let init = &mut Init::new(0, &device);
        let encoder = EncoderConfig { width: 4, ..EncoderConfig::default() }.build(init, [3, 16, 16]);
        let mut denoising = Denoising {
            bottleneck: Bottleneck::new(init, &encoder, [3, 16, 16], 0, 4),
            noise: Noise { gaussian: 0.0, masking: 1.0, salt_and_pepper: 0.0 },
            values: PixelValues::new(&MEAN, &SD, &device),
        };
        let tensor = |values: &[f32]| {
            ops::channels_last(Tensor::<4>::from_data(TensorData::new(values.to_vec(), [4, 3, 16, 16]), &device))
        };
        let clean: Vec<f32> = (0..4 * 768).map(|place| (0.37 * place as f32).sin()).collect();
        let batch = Batch { ids: vec![4, 0, 7, 31], views: vec![tensor(&clean)], targets: Targets::None };
        let found = denoising.losses(&encoder, batch, &AT).remove(0).value.into_scalar::<f32>();
        let black: Vec<f32> = (0..4 * 768).map(|place| -MEAN[place / 256 % 3] / SD[place / 256 % 3]).collect();
        let drawn = denoising.bottleneck.redraw(&encoder, tensor(&black), Mode::Train).into_data();
        let error = |(drawn, &clean): (f64, &f32)| (drawn - f64::from(clean)).powi(2);
        let expected = drawn.iter::<f64>().zip(&clean).map(error).sum::<f64>() / clean.len() as f64;
        assert!((f64::from(found) - expected).abs() < 1e-5 * expected, "{found} and {expected}");
    }

    /// Spoilt images of middle grey, as values from 0 to 1: `[channel][value]`.
    fn spoilt(noise: Noise) -> Vec<Vec<f32>> {
        let device = crate::nn::device("cpu").unwrap();
        let values = PixelValues::new(&MEAN, &SD, &device);
        let grey: Vec<f32> = MEAN.iter().zip(SD).flat_map(|(mean, sd)| vec![(0.5 - mean) / sd; 64 * 64]).collect();
        let clean = Tensor::<4>::from_data(TensorData::new(grey, [1, 3, 64, 64]), &device);
        let made = noise.spoilt(clean, &[5], &AT, &values);
        let made: Vec<f32> = made.into_data().iter::<f32>().collect();
        let channel = |(c, made): (usize, &[f32])| made.iter().map(|v| v * SD[c] + MEAN[c]).collect();
        made.chunks(64 * 64).enumerate().map(channel).collect()
    }

    #[test]
    fn gaussian_noise_has_its_deviation_in_every_channel() {
        for channel in spoilt(Noise { gaussian: 0.1, masking: 0.0, salt_and_pepper: 0.0 }) {
            let mean = channel.iter().sum::<f32>() / channel.len() as f32;
            let variance = channel.iter().map(|v| (v - 0.5).powi(2)).sum::<f32>() / channel.len() as f32;
            // Four standard errors of 4,096 values.
            assert!((mean - 0.5).abs() < 0.0063 && (variance.sqrt() - 0.1).abs() < 0.0045, "{mean} {variance}");
        }
    }

    #[test]
    fn masked_pixels_are_black_in_all_colours_and_salt_is_white() {
        let share = |noise: Noise| -> [f32; 2] {
            let [red, green, blue] = spoilt(noise).try_into().unwrap();
            let is = |value: f32| {
                let same = red
                    .iter()
                    .zip(&green)
                    .zip(&blue)
                    .filter(|((r, g), b)| [**r, **g, **b].iter().all(|v| (v - value).abs() < 1e-5));
                same.count() as f32 / red.len() as f32
            };
            let [black, white, kept] = [0.0, 1.0, 0.5].map(is);
            assert!((black + white + kept - 1.0).abs() < 1e-6);
            [black, white]
        };
        let near = |found: [f32; 2], expected: [f32; 2]| {
            // Four standard errors of 4,096 pixels at most.
            assert!(found.iter().zip(expected).all(|(f, e)| (f - e).abs() < 0.032), "{found:?} {expected:?}");
        };
        let none = Noise { gaussian: 0.0, masking: 0.0, salt_and_pepper: 0.0 };
        near(share(Noise { masking: 0.25, ..none }), [0.25, 0.0]);
        near(share(Noise { salt_and_pepper: 0.4, ..none }), [0.2, 0.2]);
        near(share(Noise { masking: 0.5, salt_and_pepper: 0.5, ..none }), [0.625, 0.125]);
    }
}
