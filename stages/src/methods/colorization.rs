//! Colourisation (Zhang, Isola & Efros 2016, arXiv:1603.08511): tell the colours of a grey image. Colours are the planes a and b of CIE
//! Lab, in squares of 10 by 10; each place of the encoder's last map says how probable each square is. The loss is the cross entropy with a
//! soft encoding of the true colour (eq. 2), in which rare colours weigh more (eq. 3 and 4), mean over all places.

mod lab;

use super::shared::pretrain::{Common, ENCODERS, Inputs, NEEDS_WITHOUT_VIEWS, TRAINED, TRAINING, pretrain};
use crate::augment::{Batch, Policy, Wants};
use crate::context::Context;
use crate::data::{Dataset, Manifest};
use crate::nn::PixelValues;
use crate::nn::encoder::Encoder;
use crate::nn::layers::{Conv2d, Mode};
use crate::nn::ops::{self, Staging};
use crate::nn::state::Part;
use crate::stage::{About, Deviations, Stage};
use crate::train::{At, Objective, Term};
use anyhow::{Context as _, Result, ensure};
use burn::tensor::activation::{log_softmax, softmax};
use burn::tensor::module::{adaptive_avg_pool2d, interpolate};
use burn::tensor::ops::{InterpolateMode, InterpolateOptions};
use burn::tensor::{Device, Tensor, TensorData};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

pub struct Colorization;

#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct Params {
    #[serde(flatten)]
    common: Common,
    /// how far rare colours weigh more (lambda in eq. 4). 1: all colours alike; 0: by the inverse of how often they are
    #[schemars(range(min = 0.0, max = 1.0))]
    rebalancing: f64,
}

impl Default for Params {
    fn default() -> Self {
        Self { common: Common::default(), rebalancing: 0.5 }
    }
}

impl Stage for Colorization {
    type Params = Params;
    const ABOUT: About = About {
        name: "pretrain/colorization",
        summary: "Colourisation: tell the colours of a grey image (Zhang et al. 2016, arXiv:1603.08511)",
        docs: "The encoder is given a grey image, the same in all three channels, and is evaluated with coloured ones. How often colours are \
               is counted in at most 2,000 training images. Trains on the images as they are.",
        deviations: &[
            Deviations::from_paper(&[
                "colours are told at the encoder's last map, of whatever stride, where the paper's network keeps a quarter of the side",
                "grey is the luma of ITU-R 601 in three channels, where the paper's network has one of Lab's lightness",
                "the soft encoding is over all squares and not over the five nearest, of which those farther away have weights below .001",
                "squares are those that some colour of sRGB lies in",
                "of vit_tiny the patches learn, while kNN and probes look at its class token, of which no loss is made",
            ]),
            TRAINING,
            ENCODERS,
        ],
        needs: NEEDS_WITHOUT_VIEWS,
        ..TRAINED
    };

    fn run(params: Params, context: &Context) -> Result<()> {
        let inputs = Inputs::open(context, Policy::identity())?;
        ensure!(
            inputs.data.manifest.channels == 3 && has_colours(&inputs.data),
            "these images are grey: there are no colours to tell; use another method, pretrain/inpainting for one"
        );
        pretrain(&params.common, &inputs, context, |init, encoder, data| {
            let colours = Colours::new(&init.device);
            let map = encoder.maps_of(data.input(), &init.device.clone().inner())?.last().context("no map")?.1;
            Ok(Box::new(ColourPrediction {
                classifier: Conv2d::new(init, map, colours.count(), 1, 1),
                weights: colours.weights(&inputs.data, params.rebalancing),
                colours,
                values: PixelValues::new(&data.mean, &data.sd, &init.device),
            }))
        })
    }
}

struct ColourPrediction {
    classifier: Conv2d,
    colours: Colours,
    /// `[squares]`
    weights: Tensor<1>,
    values: PixelValues,
}

impl Objective for ColourPrediction {
    fn wants(&self) -> Wants {
        Wants::views(1)
    }

    fn heads(&self) -> Vec<(&'static str, &dyn Part)> {
        vec![("classifier", &self.classifier)]
    }

    fn losses(&mut self, encoder: &Encoder, batch: Batch, _: &At) -> Vec<Term> {
        let [images] = batch.into_views();
        let colours = self.values.of_normalised(ops::float32(images.clone()));
        let grey = ops::channels_last(self.values.grey(images));
        let maps = encoder.maps(grey, Mode::Train).expect("it was built for an encoder with maps");
        let map = maps.into_iter().last().expect("a network has layers").x;
        let logits = rows(ops::float32(self.classifier.forward(map.clone()))); // [places, squares]
        let [_, _, height, width] = map.dims();
        let truth = self.colours.soft(rows(adaptive_avg_pool2d(planes(colours), [height, width]))); // [places, squares]
        let weights = self.weights.clone().cast(truth.dtype()).select(0, truth.clone().argmax(1).squeeze_dim(1));
        let entropies = (truth * log_softmax(logits, 1)).sum_dim(1).squeeze_dim::<1>(1).neg();
        Term::alone((entropies * weights).mean())
    }

    fn shown(&self, encoder: &Encoder, batch: Batch, _: &At) -> Vec<Tensor<4>> {
        let [images] = batch.into_views();
        let [count, _, height, width] = images.dims();
        let grey = ops::channels_last(self.values.grey(images.clone()));
        let maps = encoder.maps(grey.clone(), Mode::Eval).expect("it was built for an encoder with maps");
        let map = maps.into_iter().last().expect("a network has layers").x;
        let [_, _, rows_of_map, columns] = map.dims();
        let predicted = self.colours.mean(rows(self.classifier.forward(map))); // [places, 2]
        let predicted = predicted.reshape([count, rows_of_map, columns, 2]).permute([0, 3, 1, 2]);
        let enlarge = InterpolateOptions::new(InterpolateMode::Bilinear).with_output_size([height, width]);
        let lightness = lab::of_rgb(self.values.of_normalised(images.clone())).narrow(1, 0, 1);
        let coloured = lab::to_rgb(Tensor::cat(vec![lightness, interpolate(predicted, enlarge)], 1));
        vec![images, grey, self.values.of_values(coloured)]
    }
}

/// Whether some of the images that are counted has a pixel that is not grey.
fn has_colours(data: &Dataset) -> bool {
    let is_coloured =
        |image: &[u8]| image.as_chunks::<3>().0.iter().any(|[red, green, blue]| red != green || green != blue);
    counted(data).into_iter().any(|row| is_coloured(&data.image(row)))
}

/// The rows of the images in which colours are counted, evenly over all that are trained on.
fn counted(data: &Dataset) -> Vec<usize> {
    let rows = data.rows_to_train_on(false);
    let step = rows.len().div_ceil(COUNTED).max(1);
    rows.into_iter().step_by(step).collect()
}

/// The planes a and b of images from 0 to 1.
fn planes(colours: Tensor<4>) -> Tensor<4> {
    lab::of_rgb(colours).narrow(1, 1, 2)
}

/// `[batch, channels, height, width]` to `[batch height width, channels]`.
fn rows(map: Tensor<4>) -> Tensor<2> {
    let [batch, channels, height, width] = map.dims();
    map.permute([0, 2, 3, 1]).reshape([batch * height * width, channels])
}

/// The side of a square of colours, in units of a and b.
const SIDE: f64 = 10.0;
/// Of the soft encoding.
const SD: f64 = 5.0;
/// Training images in which colours are counted.
const COUNTED: usize = 2_000;
/// And how many of them at once.
const AT_ONCE: usize = 100;

/// The middles of the squares.
struct Colours {
    /// `[2, squares]`
    middles: Tensor<2>,
}

impl Colours {
    fn new(device: &Device) -> Self {
        let squares: Vec<(i32, i32)> = squares(device).into_iter().collect();
        let middle = |along: fn(&(i32, i32)) -> i32| squares.iter().map(move |s| (f64::from(along(s)) * SIDE) as f32);
        let values: Vec<f32> = middle(|square| square.0).chain(middle(|square| square.1)).collect();
        Self { middles: Tensor::from_data(TensorData::new(values, [2, squares.len()]), device) }
    }

    fn count(&self) -> usize {
        self.middles.dims()[1]
    }

    /// Colours `[places, 2]` as probabilities of the squares, `[places, squares]`: by their distance, as a Gaussian.
    fn soft(&self, colours: Tensor<2>) -> Tensor<2> {
        let middles = self.middles.clone().cast(colours.dtype());
        let along = |axis: usize| (colours.clone().narrow(1, axis, 1) - middles.clone().narrow(0, axis, 1)).square();
        softmax((along(0) + along(1)).mul_scalar(-0.5 / (SD * SD)), 1)
    }

    /// The colour that logits `[places, squares]` tell, `[places, 2]`: the mean of sharpened probabilities (eq. 5).
    fn mean(&self, logits: Tensor<2>) -> Tensor<2> {
        const TEMPERATURE: f64 = 0.38;
        softmax(logits.div_scalar(TEMPERATURE), 1).matmul(self.middles.clone().transpose())
    }

    /// Of each square by how often it is, so that their mean over all pixels is 1, where the encoder's last map has a quarter of the side:
    /// of coarser ones colours are means of more pixels and greyer, and the mean is somewhat less.
    fn weights(&self, data: &Dataset, rebalancing: f64) -> Tensor<1> {
        let rows = counted(data);
        let sums = rows.chunks(AT_ONCE).map(|rows| {
            let images = values_of(data, rows, &self.middles.device());
            let side = |length: usize| length.div_ceil(4);
            let Manifest { height, width, .. } = data.manifest;
            let colours = self::rows(adaptive_avg_pool2d(planes(images), [side(height), side(width)]));
            self.soft(colours).mean_dim(0).squeeze_dim::<1>(0).mul_scalar(rows.len() as f64)
        });
        let sum = sums.reduce(|sum, more| sum + more).expect("there are images to train on");
        let shares = sum.clone() / sum.sum();
        weights(shares, rebalancing)
    }
}

/// Eq. 4, of the shares that squares have of all pixels: `[squares]`.
fn weights(shares: Tensor<1>, rebalancing: f64) -> Tensor<1> {
    let squares = shares.dims()[0] as f64;
    let mixed = shares.clone().mul_scalar(1.0 - rebalancing).add_scalar(rebalancing / squares);
    // A square that no image has is as rare as may be.
    let weights = mixed.clamp_min(1e-6).recip();
    weights.clone() / (weights * shares).sum()
}

/// Images `[rows, 3, height, width]` from 0 to 1.
fn values_of(data: &Dataset, rows: &[usize], device: &Device) -> Tensor<4> {
    let Manifest { height, width, .. } = data.manifest;
    let mut staging = Staging::<f32>::new([rows.len(), height, width, 3], device);
    for (to, &row) in staging.values().chunks_mut(height * width * 3).zip(rows) {
        to.iter_mut().zip(data.image(row).iter()).for_each(|(to, &byte)| *to = f32::from(byte) / 255.0);
    }
    staging.into_tensor()
}

/// Those that some colour of sRGB lies in, by their numbers along a and b; looked at in steps of 5 of 255.
fn squares(device: &Device) -> BTreeSet<(i32, i32)> {
    const STEPS: usize = 52;
    let level = |step: usize| step as f32 * 5.0 / 255.0;
    let all = (0..STEPS * STEPS * STEPS).map(|n| [n / (STEPS * STEPS), n / STEPS % STEPS, n % STEPS].map(level));
    let values: Vec<f32> = all.flatten().collect();
    let colours = ops::floats(&values, &device.clone().inner()).reshape([values.len() / 3, 3, 1, 1]);
    let found: Vec<f32> = rows(planes(colours)).into_data().iter::<f32>().collect();
    let number = |value: f32| (f64::from(value) / SIDE).round() as i32;
    found.chunks_exact(2).map(|colour| (number(colour[0]), number(colour[1]))).collect()
}

#[cfg(test)]
mod tests;
