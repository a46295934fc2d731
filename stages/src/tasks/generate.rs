//! `eval/generate`: how well a decoder draws images again, and how like the data set's are those that it invents.

mod frechet;

use super::features::{SEEN, evenly, measure_seen};
use crate::artifact::{EncoderArtifact, Frozen};
use crate::context::Context;
use crate::data::{Dataset, Split, draw_grid};
use crate::features::{batch, encode, encode_all};
use crate::nn::layers::Mode;
use crate::nn::loss::{bernoulli, kl_divergence};
use crate::nn::{Bottleneck, Head, Mlp, PixelValues, ops};
use crate::random::{Purpose, Rng};
use crate::stage::{About, DATA, ENCODER, MeasureAbout, PortAbout, Stage};
use anyhow::{Context as _, Result, ensure};
use burn::tensor::{Tensor, TensorData};
use frechet::Gaussian;
use image::RgbImage;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub struct Generate;

#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct Params {
    /// images that are invented, and test images that they are compared with, at most
    #[schemars(range(min = 100, max = 50_000), extend("x-unit" = "images"))]
    images: u32,
    /// where codes are drawn from. auto: N(0, 1) for a variational autoencoder, else a Gaussian with the mean and the covariance of the
    /// training images' codes; normal, fitted: one of these in any case
    prior: Prior,
    /// of the draws
    #[schemars(range(min = 0))]
    seed: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
enum Prior {
    Auto,
    Normal,
    Fitted,
}

impl Default for Params {
    fn default() -> Self {
        Self { images: 2000, prior: Prior::Auto, seed: 0 }
    }
}

const fn measure(name: &'static str, unit: &'static str, doc: &'static str) -> MeasureAbout {
    MeasureAbout { name, splits: &["test"], unit, setting: false, doc }
}

const FRECHET: MeasureAbout = measure(
    "frechet",
    "",
    "squared Frechet distance of the classifier's features between invented and test images; no FID, whose features are another network's",
);
const FRECHET_OF_REAL: MeasureAbout = measure(
    "frechet_of_real",
    "",
    "squared Frechet distance between as many validation images, which neither network was trained on, and the test images: what is to be \
     reached",
);
const COMPARED: MeasureAbout =
    MeasureAbout { setting: true, ..measure("compared", "images", "images on each side of the comparison") };
const ERROR: MeasureAbout = measure(
    "reconstruction_error",
    "",
    "mean squared error of test images drawn again from their codes, normalised values",
);
const ELBO: MeasureAbout = measure(
    "elbo",
    "nats",
    "evidence lower bound an image, of test images whose values are made black or white at one half, one draw; NaN where the decoder gives \
     no probabilities (`likelihood: bernoulli` of pretrain/vae does)",
);

impl Stage for Generate {
    type Params = Params;
    const ABOUT: About = About {
        name: "eval/generate",
        // 2: real images are those of validation, and features a `classifier`'s.
        version: 2,
        summary: "Invented images: Frechet distance in the features of a given network, reconstruction error, ELBO",
        docs: "`classifier` is an encoder that a stage of the recipe trained, best to tell classes apart: distances are comparable between \
               stages with the same classifier and the same number of images only. samples.png shows invented images, interpolations.png ways \
               from one test image's code to another's.",
        needs: &[
            DATA,
            PortAbout { doc: "with a decoder: of pretrain/vae, pretrain/autoencoder and their like", ..ENCODER },
            PortAbout {
                name: "classifier",
                type_: "encoder",
                required: true,
                used: true,
                doc: "in whose features images are compared",
            },
        ],
        measures: &[FRECHET, FRECHET_OF_REAL, COMPARED, ERROR, ELBO, MeasureAbout { splits: &["test"], ..SEEN }],
        ..About::NONE
    };

    fn run(params: Params, context: &Context) -> Result<()> {
        let data = Dataset::open(context.input("data")?)?;
        let classifier = EncoderArtifact::open(context.input("classifier")?, &context.device)?.without_code();
        classifier.artifact.check_channels(&data.manifest)?;
        classifier.takes([data.manifest.height, data.manifest.width])?;
        ensure!(
            classifier.encoder().is_some(),
            "port `classifier`: raw pixels are no network's features: connect an encoder that was trained to tell classes apart \
             (pretrain/supervised)"
        );
        let generator = Generator::open(&data, context)?;
        let compared = [Split::Validation, Split::Test];
        let there = compared.map(|split| data.len(split));
        let count = (params.images as usize).min(there[0]).min(there[1]);
        ensure!(
            count >= 2,
            "images are compared with validation and test images, of which there are {} and {}: use a data set with some of both",
            there[0],
            there[1]
        );
        let [validation, test] = compared.map(|split| evenly(data.rows(split), count));
        let codes = generator.codes(params.prior, test.len(), params.seed)?;
        let mut meter = context.meter("invent", 3 * test.len() as u64, "images");
        let mut done = 0;
        let mut invented: Vec<f32> = vec![];
        for codes in codes.chunks(generator.batch * generator.length) {
            context.check_stop()?;
            let images = generator.images(codes);
            invented.extend(generator.as_seen_by(&classifier, images));
            done += codes.len() / generator.length;
            meter.at(done as u64, &[]);
        }
        let mut features_of = |rows: &[usize]| {
            let normal = [classifier.artifact.mean.as_slice(), &classifier.artifact.sd];
            encode_all(
                &data,
                rows,
                normal,
                generator.batch,
                context,
                |x| classifier.features(x),
                |more| {
                    done += more;
                    meter.at(done as u64, &[]);
                },
            )
        };
        let length = invented.len() / test.len();
        if count <= length {
            context.note(&format!(
                "{count} images on each side are compared by {length} features: of so few the distance says little; use more validation and \
                 test images"
            ));
        }
        let [real, held_out] = [features_of(&test)?, features_of(&validation)?].map(|rows| Gaussian::of(&rows, length));
        context.measure(FRECHET.name, "test", Gaussian::of(&invented, length).distance(&real));
        context.measure(FRECHET_OF_REAL.name, "test", held_out.distance(&real));
        context.measure(COMPARED.name, "test", test.len() as f64);
        context.measure(ERROR.name, "test", generator.error(&test)?);
        context.measure(ELBO.name, "test", generator.evidence(&test, params.seed)?.unwrap_or(f64::NAN));
        measure_seen(&generator.frozen.artifact, &data, Split::Test, context);
        generator.draw(&codes, &test)
    }
}

/// An encoder with a decoder, and the data set that it is judged by.
struct Generator<'a> {
    frozen: Frozen,
    bottleneck: Bottleneck,
    /// Of a variational autoencoder.
    log_variance: Option<Mlp>,
    values: PixelValues,
    length: usize,
    batch: usize,
    data: &'a Dataset,
    context: &'a Context<'a>,
}

impl<'a> Generator<'a> {
    fn open(data: &'a Dataset, context: &'a Context<'a>) -> Result<Self> {
        let folder = context.input("encoder")?;
        let (frozen, bottleneck) = EncoderArtifact::open_to_draw(folder, &data.manifest, &context.device)?;
        let artifact = &frozen.artifact;
        let log_variance = match artifact.open_head("log_variance", folder, &context.device)? {
            Some(Head::Mlp(head)) => Some(head),
            _ => None,
        };
        let values = PixelValues::new(&artifact.mean, &artifact.sd, &context.device);
        let length = bottleneck.length();
        let batch = batch(artifact.size);
        Ok(Self { frozen, bottleneck, log_variance, values, length, batch, data, context })
    }

    /// `[image, number]`
    fn codes(&self, prior: Prior, count: usize, seed: u64) -> Result<Vec<f32>> {
        let is_normal = match prior {
            Prior::Auto => self.log_variance.is_some(),
            Prior::Normal => true,
            Prior::Fitted => false,
        };
        let mut rng = Rng::new(seed, Purpose::Noise, &[]);
        let mut normal = || -> Vec<f32> { (0..self.length).map(|_| rng.normal()).collect() };
        if is_normal {
            return Ok((0..count).flat_map(|_| normal()).collect());
        }
        const FITTED: usize = 10_000;
        let rows = evenly(self.data.rows(Split::Train), FITTED);
        let gaussian = Gaussian::of(&self.code_of(&rows)?, self.length).rooted();
        Ok((0..count).flat_map(|_| gaussian.at(&normal())).collect())
    }

    fn code_of(&self, rows: &[usize]) -> Result<Vec<f32>> {
        encode_all(self.data, rows, self.normal(), self.batch, self.context, |x| self.frozen.features(x), |_| ())
    }

    fn normal(&self) -> [&[f32]; 2] {
        [&self.frozen.artifact.mean, &self.frozen.artifact.sd]
    }

    /// Normalised images of codes `[image, number]`.
    fn images(&self, codes: &[f32]) -> Tensor<4> {
        let shape = [codes.len() / self.length, self.length];
        let codes = Tensor::from_data(TensorData::new(codes.to_vec(), shape), &self.context.device);
        self.bottleneck.images(codes, Mode::Eval, &self.values)
    }

    /// The classifier's features of what is drawn: of values that a screen can show, normalised as the classifier's own.
    fn as_seen_by(&self, classifier: &Frozen, images: Tensor<4>) -> Vec<f32> {
        let own = PixelValues::new(&classifier.artifact.mean, &classifier.artifact.sd, &self.context.device);
        let seen = own.of_values(self.values.of_normalised(images));
        classifier.features(ops::channels_last(seen)).into_data().try_to_vec().expect("features are floats")
    }

    /// Of test images drawn again.
    fn error(&self, rows: &[usize]) -> Result<f64> {
        let of_each = |x: Tensor<4>| {
            let drawn = self.bottleneck.images(self.frozen.features(x.clone()), Mode::Eval, &self.values);
            (drawn - x).square().flatten::<2>(1, 3).mean_dim(1)
        };
        let errors = encode_all(self.data, rows, self.normal(), self.batch, self.context, of_each, |_| ())?;
        Ok(errors.iter().map(|&error| f64::from(error)).sum::<f64>() / rows.len() as f64)
    }

    /// The evidence lower bound; `None` where there is none.
    fn evidence(&self, rows: &[usize], seed: u64) -> Result<Option<f64>> {
        let (Some(log_variance), true) = (&self.log_variance, self.bottleneck.draws_logits()) else { return Ok(None) };
        let encoder = self.frozen.encoder().context("a decoder has an encoder")?;
        let mut rng = Rng::new(seed, Purpose::Noise, &[1]);
        let mut sum = 0.0;
        for rows in rows.chunks(self.batch) {
            self.context.check_stop()?;
            let draws: Vec<f32> = (0..rows.len() * self.length).map(|_| rng.normal()).collect();
            let draws = Tensor::<2>::from_data(TensorData::new(draws, [rows.len(), self.length]), &self.context.device);
            let bounds = encode(self.data, rows, self.normal(), &self.context.device, |x| {
                let black_or_white = self.values.of_normalised(x).greater_equal_scalar(0.5).float();
                let images = ops::channels_last(self.values.of_values(black_or_white.clone()));
                let read = self.bottleneck.read(encoder, images, Mode::Eval);
                let mean = self.bottleneck.code_of(read.clone(), Mode::Eval);
                let log_variance = log_variance.forward(read, Mode::Eval);
                let code = mean.clone() + log_variance.clone().mul_scalar(0.5).exp() * draws.clone();
                let likelihood = bernoulli(self.bottleneck.draw(code, Mode::Eval), black_or_white);
                (likelihood + kl_divergence(mean, log_variance)).neg().unsqueeze_dim(1)
            });
            sum += f64::from(bounds[0]) * rows.len() as f64;
        }
        Ok(Some(sum / rows.len() as f64))
    }

    fn draw(&self, codes: &[f32], test: &[usize]) -> Result<()> {
        const SIDE: usize = 10;
        let side = self.context.side();
        let shown = &codes[..(SIDE * SIDE * self.length).min(codes.len())];
        let samples = self.values.pictures(self.images(shown));
        draw_grid(&samples.chunks(SIDE).map(<[RgbImage]>::to_vec).collect::<Vec<_>>(), &side.join("samples.png"))?;
        // The ends of each way are test images that lie next to each other.
        let ends = self.code_of(&test[..test.len().min(2 * SIDE)])?;
        let ways = ends.chunks_exact(2 * self.length).map(|ends| {
            let (from, to) = ends.split_at(self.length);
            let at = |step: usize| {
                let share = step as f32 / (SIDE - 1) as f32;
                from.iter().zip(to).map(move |(from, to)| from + share * (to - from))
            };
            self.values.pictures(self.images(&(0..SIDE).flat_map(at).collect::<Vec<f32>>()))
        });
        draw_grid(&ways.collect::<Vec<_>>(), &side.join("interpolations.png"))
    }
}
