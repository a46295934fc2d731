//! Variational autoencoder (Kingma & Welling 2013, arXiv:1312.6114): an image has a code's distribution, N(mean, variance), from a draw of
//! which it must be drawn again, and which is to be near N(0, 1). The loss is the negative of the evidence's lower bound (eq. 7 and 10, one
//! draw an image), with `beta` before its second term (Higgins et al. 2017, eq. 4).

use super::shared::decoding::Decoding;
use super::shared::pretrain::{Common, ENCODERS, NEEDS_WITHOUT_VIEWS, Partner, TRAINED, TRAINING, pretrain_alone};
use super::shared::streams;
use crate::augment::{Batch, Policy, Wants};
use crate::context::Context;
use crate::data::Manifest;
use crate::nn::encoder::Encoder;
use crate::nn::layers::Mode;
use crate::nn::loss::{bernoulli, kl_divergence};
use crate::nn::ops::float32;
use crate::nn::state::Part;
use crate::nn::{Bottleneck, HeadConfig, Init, Mlp, Norms, PixelValues};
use crate::stage::{About, Deviations, Stage};
use crate::train::{At, Objective, Term};
use anyhow::{Result, ensure};
use burn::tensor::Tensor;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub struct Vae;

#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct Params {
    #[serde(flatten)]
    common: Common,
    #[serde(flatten)]
    own: Own,
}

#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct Own {
    #[serde(flatten)]
    drawing: Decoding<64>,
    /// what the decoder says of a value. gaussian: its mean, at variance 1 of normalised values, so that the term is half the squared
    /// error; bernoulli: the probability of white, for values from 0 to 1
    likelihood: Likelihood,
    /// weight of the distance from N(0, 1)
    #[schemars(range(min = 0.0))]
    beta: f64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
enum Likelihood {
    Gaussian,
    Bernoulli,
}

impl Default for Own {
    fn default() -> Self {
        Self { drawing: Decoding::default(), likelihood: Likelihood::Gaussian, beta: 1.0 }
    }
}

impl Stage for Vae {
    type Params = Params;
    const ABOUT: About = About {
        name: "pretrain/vae",
        // 2: the decoder's last layer begins by its inputs.
        version: 2,
        summary: "Variational autoencoder (Kingma & Welling 2013, arXiv:1312.6114; beta: Higgins et al. 2017)",
        docs: "The terms `reconstruction` and `kl` in curve.csv are nats an image. What is evaluated is the mean of the code. Trains on \
               the images as they are.",
        deviations: &[
            Deviations::from_paper(&[
                "networks are convolutional (of an mlp: linear layers with ReLU), where the paper's have one hidden layer of tanh",
                "the step goes down by the loss over the number of an image's values, so that learning rates are those of other methods; \
                 the paper's is a sum over them",
                "a gaussian likelihood has variance 1 for every value, where the paper's decoder says it",
                "bernoulli takes grey values as they are, without drawing black or white from them: its bound is no likelihood of those",
            ]),
            TRAINING,
            ENCODERS,
        ],
        needs: NEEDS_WITHOUT_VIEWS,
        ..TRAINED
    };

    fn run(params: Params, context: &Context) -> Result<()> {
        pretrain_alone(&params.common, &params.own, context)
    }
}

impl Partner for Own {
    fn policy(&self) -> Policy {
        Policy::identity()
    }

    fn check(&self, common: &Common, data: &Manifest) -> Result<()> {
        ensure!(
            self.drawing.code > 0,
            "code is 0, and a variational autoencoder has a code of its own: give its length, `code: 64`"
        );
        self.drawing.check(common, data)
    }

    fn objective(&self, init: &mut Init, encoder: &Encoder, data: &Manifest) -> Result<Box<dyn Objective>> {
        let bottleneck = self.drawing.build(init, encoder, data);
        let is_bernoulli = self.likelihood == Likelihood::Bernoulli;
        let read = encoder.flat_length(data.input(), &init.device.clone().inner());
        Ok(Box::new(Variational {
            bottleneck: if is_bernoulli { bottleneck.of_logits() } else { bottleneck },
            log_variance: Mlp::new(init, &[read, self.drawing.code as usize], Norms::None),
            values: PixelValues::new(&data.mean, &data.sd, &init.device),
            beta: self.beta,
        }))
    }
}

struct Variational {
    /// Its code is the mean.
    bottleneck: Bottleneck,
    log_variance: Mlp,
    values: PixelValues,
    beta: f64,
}

impl Objective for Variational {
    fn wants(&self) -> Wants {
        Wants::views(1)
    }

    fn heads(&self) -> Vec<(&'static str, &dyn Part)> {
        let log_variance: &dyn Part = &self.log_variance;
        self.bottleneck.heads().into_iter().chain([("log_variance", log_variance)]).collect()
    }

    fn heads_to_keep(&self) -> Vec<(&'static str, HeadConfig)> {
        self.bottleneck.configs().into_iter().chain([("log_variance", self.log_variance.config())]).collect()
    }

    fn losses(&mut self, encoder: &Encoder, batch: Batch, at: &At) -> Vec<Term> {
        let ids = batch.ids.clone();
        let [images] = batch.into_views();
        let read = self.bottleneck.read(encoder, images.clone(), Mode::Train); // [batch, numbers]
        let mean = self.bottleneck.code_of(read.clone(), Mode::Train); // [batch, code]
        let log_variance = self.log_variance.forward(read, Mode::Train); // [batch, code]
        let noise = streams::normal(at, &ids, mean.dims()[1], &mean.device()).cast(mean.dtype());
        let code = mean.clone() + log_variance.clone().mul_scalar(0.5).exp() * noise;
        let drawn = self.bottleneck.draw(code, Mode::Train); // [batch, channels, height, width]
        let images = float32(images);
        let values = images.dims()[1..].iter().product::<usize>() as f64;
        let reconstruction = match self.bottleneck.draws_logits() {
            true => bernoulli(drawn, self.values.of_normalised(images)),
            false => gaussian(drawn, images),
        };
        vec![
            Term { name: "reconstruction", weight: 1.0 / values, value: reconstruction },
            Term { name: "kl", weight: self.beta / values, value: kl_divergence(mean, log_variance) },
        ]
    }

    fn shown(&self, encoder: &Encoder, batch: Batch, _: &At) -> Vec<Tensor<4>> {
        let [images] = batch.into_views();
        let code = self.bottleneck.code(encoder, images.clone(), Mode::Eval);
        vec![images, self.bottleneck.images(code, Mode::Eval, &self.values)]
    }
}

/// Half the squared error, summed over an image's values, mean over the batch: the negative logarithm of a density of variance 1, but for
/// a constant.
fn gaussian(drawn: Tensor<4>, images: Tensor<4>) -> Tensor<1> {
    let batch = images.dims()[0] as f64;
    (drawn - images).square().sum().mul_scalar(0.5 / batch)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::augment::Targets;
    use crate::nn::encoder::EncoderConfig;
    use crate::nn::ops;
    use crate::random::Purpose;
    use burn::tensor::TensorData;

    const AT: At = At { seed: 3, step: 2, steps: 9, epoch: 0, epochs: 1, turn: 0 };
    const IDS: [u32; 4] = [4, 0, 7, 31];
    const CODE: usize = 5;
    const MEAN: [f32; 3] = [0.5, 0.4, 0.3];
    const SD: [f32; 3] = [0.2, 0.25, 0.1];

    fn numbers<const D: usize>(x: Tensor<D>) -> Vec<f64> {
        x.into_data().iter::<f64>().collect()
    }

    /// The terms, times their weights, that the loss has with `beta` 3, and those that it should have.
    fn losses(is_bernoulli: bool) -> [Vec<f64>; 2] {
        let device = crate::nn::device("cpu").unwrap().autodiff();
        let init = &mut Init::new(0, &device);
        let encoder = EncoderConfig { width: 4, ..EncoderConfig::default() }.build(init, [3, 16, 16]);
        let bottleneck = Bottleneck::new(init, &encoder, [3, 16, 16], CODE, 4);
        let read = encoder.flat_length([3, 16, 16], &device.clone().inner());
        let mut vae = Variational {
            bottleneck: if is_bernoulli { bottleneck.of_logits() } else { bottleneck },
            log_variance: Mlp::new(init, &[read, CODE], Norms::None),
            values: PixelValues::new(&MEAN, &SD, &device),
            beta: 3.0,
        };
        let values: Vec<f32> = (0..4 * 768).map(|place| (0.37 * place as f32).sin()).collect();
        let images =
            ops::channels_last(Tensor::<4>::from_data(TensorData::new(values.clone(), [4, 3, 16, 16]), &device));
        let batch = Batch { ids: IDS.to_vec(), views: vec![images.clone()], targets: Targets::None };
        let terms = vae.losses(&encoder, batch, &AT);
        let found = terms.into_iter().map(|term| term.weight * f64::from(term.value.into_scalar::<f32>()));

        let mean = numbers(vae.bottleneck.code(&encoder, images.clone(), Mode::Train));
        let log_variance = numbers(vae.log_variance.forward(encoder.flat(images, Mode::Train), Mode::Train));
        let noise = IDS.iter().flat_map(|&id| {
            let mut rng = streams::of_image(&AT, Purpose::Noise, id);
            std::iter::repeat_with(move || f64::from(rng.normal())).take(CODE)
        });
        let drawn_code = mean.iter().zip(&log_variance).zip(noise);
        let code: Vec<f32> = drawn_code.map(|((mean, log), noise)| (mean + log.exp().sqrt() * noise) as f32).collect();
        let code = Tensor::<2>::from_data(TensorData::new(code, [4, CODE]), &device);
        let of_value = |(place, drawn): (usize, f64)| {
            let (image, channel) = (f64::from(values[place]), place / 256 % 3);
            let white = image * f64::from(SD[channel]) + f64::from(MEAN[channel]);
            let probability = 1.0 / (1.0 + (-drawn).exp());
            match is_bernoulli {
                true => -white * probability.ln() - (1.0 - white) * (1.0 - probability).ln(),
                false => (drawn - image).powi(2) / 2.0,
            }
        };
        let drawn = numbers(vae.bottleneck.draw(code, Mode::Train)).into_iter().enumerate();
        let reconstruction = drawn.map(of_value).sum::<f64>() / 4.0;
        let of_number = |(mean, log): (&f64, &f64)| (log.exp() + mean.powi(2) - 1.0 - log) / 2.0;
        let kl = mean.iter().zip(&log_variance).map(of_number).sum::<f64>() / 4.0;
        [found.collect(), vec![reconstruction / 768.0, 3.0 * kl / 768.0]]
    }

    /// Catches noise that is scaled by the variance in place of its root, a wrong divergence, and a lost `beta`.
    #[test]
    fn the_loss_is_the_bound_at_one_draw_of_each_image() {
        for is_bernoulli in [false, true] {
            let [found, expected] = losses(is_bernoulli);
            assert_eq!(found.len(), expected.len());
            let is_near = |(found, expected): (&f64, &f64)| (found - expected).abs() < 1e-5 * expected;
            assert!(found.iter().zip(&expected).all(is_near), "{is_bernoulli}: {found:?} and {expected:?}");
        }
    }
}
