//! Context encoder (Pathak et al. 2016, arXiv:1604.07379): draw what is missing from an image. The loss is the mean squared error of the
//! missing values of the normalised image (eq. 1).

use super::shared::decoding::Decoding;
use super::shared::pretrain::{Common, ENCODERS, Inputs, NEEDS_WITHOUT_VIEWS, TRAINED, TRAINING, pretrain};
use super::shared::streams;
use crate::augment::holes::Holes;
use crate::augment::{Batch, Policy, Wants};
use crate::context::Context;
use crate::nn::encoder::Encoder;
use crate::nn::layers::Mode;
use crate::nn::ops::float32;
use crate::nn::state::Part;
use crate::nn::{Bottleneck, HeadConfig};
use crate::random::Purpose;
use crate::stage::{About, Deviations, Stage};
use crate::train::{At, Objective, Term};
use anyhow::Result;
use burn::tensor::{Device, Tensor};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub struct Inpainting;

#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct Params {
    #[serde(flatten)]
    common: Common,
    #[serde(flatten)]
    drawing: Decoding<0>,
    #[serde(flatten)]
    holes: Holes,
}

impl Stage for Inpainting {
    type Params = Params;
    const ABOUT: About = About {
        name: "pretrain/inpainting",
        // 2: the decoder's last layer begins by its inputs.
        version: 2,
        summary: "Context encoder: draw what is missing from an image (Pathak et al. 2016, arXiv:1604.07379)",
        docs: "The missing pixels have the mean colour; only they count in the loss. Trains on the images as they are but for that.",
        deviations: &[
            Deviations::from_paper(&[
                "no adversary (section 3.2): the paper's own features are learned without one, by random regions",
                "the paper's random regions are outlines of objects in another data set; blocks are those of its figure 3b",
                "the decoder draws from the pooled features or a code of all places, where the paper has a layer that joins places channel by \
                 channel",
                "the border of the hole counts as the rest, where the paper's counts ten times",
            ]),
            TRAINING,
            ENCODERS,
        ],
        needs: NEEDS_WITHOUT_VIEWS,
        ..TRAINED
    };

    fn run(params: Params, context: &Context) -> Result<()> {
        let inputs = Inputs::open(context, Policy::identity())?;
        params.drawing.check(&params.common, &inputs.data.manifest)?;
        pretrain(&params.common, &inputs, context, |init, encoder, data| {
            let bottleneck = params.drawing.build(init, encoder, data);
            Ok(Box::new(Restoration { bottleneck, holes: params.holes }))
        })
    }
}

struct Restoration {
    bottleneck: Bottleneck,
    holes: Holes,
}

impl Restoration {
    /// `[batch, 1, height, width]`: 1 where an image is missing, else 0.
    fn missing(&self, at: &At, ids: &[u32], size: [usize; 2], device: &Device) -> Tensor<4> {
        streams::of_each(at, Purpose::Mask, ids, [1, size[0], size[1]], device, |rng, hole| {
            let missing = self.holes.cut(size, rng);
            hole.iter_mut().zip(missing).for_each(|(hole, is_missing)| *hole = f32::from(u8::from(is_missing)));
        })
    }
}

impl Objective for Restoration {
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
        let [images] = batch.into_views();
        let [_, _, height, width] = images.dims();
        let missing = self.missing(at, &ids, [height, width], &images.device()); // [batch, 1, height, width]
        let known = missing.clone().neg().add_scalar(1.0).cast(images.dtype());
        let drawn = self.bottleneck.redraw(encoder, images.clone() * known, Mode::Train);
        Term::alone(missing_error(drawn, float32(images), missing))
    }

    fn shown(&self, encoder: &Encoder, batch: Batch, at: &At) -> Vec<Tensor<4>> {
        let ids = batch.ids.clone();
        let [images] = batch.into_views();
        let [_, _, height, width] = images.dims();
        let missing = self.missing(at, &ids, [height, width], &images.device());
        let holed = images.clone() * missing.clone().neg().add_scalar(1.0);
        let drawn = self.bottleneck.redraw(encoder, holed.clone(), Mode::Eval);
        vec![images, holed.clone(), holed + drawn * missing]
    }
}

/// Mean squared error of the missing values (eq. 1): `drawn` and `images` are `[batch, channels, height, width]`, `missing` is `[batch, 1, height,
/// width]`, 1 where a pixel counts, else 0.
fn missing_error(drawn: Tensor<4>, images: Tensor<4>, missing: Tensor<4>) -> Tensor<1> {
    let (channels, missing) = (drawn.dims()[1], missing.cast(drawn.dtype()));
    let values = missing.clone().sum().mul_scalar(channels as f64);
    ((drawn - images).square() * missing).sum() / values
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::augment::Targets;
    use crate::nn::encoder::EncoderConfig;
    use crate::nn::{Init, ops};
    use burn::tensor::TensorData;

    const AT: At = At { seed: 3, step: 2, steps: 9, epoch: 0, epochs: 1, turn: 0 };
    const IDS: [u32; 4] = [4, 0, 7, 31];

    /// Catches an encoder that is given the whole image, and a loss of what is known.
    #[test]
    fn the_loss_is_of_what_is_drawn_where_the_encoder_saw_nothing() {
        let device = crate::nn::device("cpu").unwrap().autodiff();
        let init = &mut Init::new(0, &device);
        let encoder = EncoderConfig { width: 4, ..EncoderConfig::default() }.build(init, [3, 16, 16]);
        let bottleneck = Bottleneck::new(init, &encoder, [3, 16, 16], 0, 4);
        let mut restoration = Restoration { bottleneck, holes: Holes::default() };
        let tensor = |values: &[f32]| {
            ops::channels_last(Tensor::<4>::from_data(TensorData::new(values.to_vec(), [4, 3, 16, 16]), &device))
        };
        let images: Vec<f32> = (0..4 * 768).map(|place| (0.37 * place as f32).sin()).collect();
        let batch = Batch { ids: IDS.to_vec(), views: vec![tensor(&images)], targets: Targets::None };
        let found = restoration.losses(&encoder, batch, &AT).remove(0).value.into_scalar::<f32>();

        let holes = IDS.map(|id| Holes::default().cut([16, 16], &mut streams::of_image(&AT, Purpose::Mask, id)));
        let is_missing = |place: usize| holes[place / 768][place % 256];
        let known = |place: usize| if is_missing(place) { 0.0 } else { images[place] };
        let known: Vec<f32> = (0..images.len()).map(known).collect();
        let drawn = restoration.bottleneck.redraw(&encoder, tensor(&known), Mode::Train).into_data();
        let pairs = drawn.iter::<f64>().zip(&images).enumerate().filter(|&(place, _)| is_missing(place));
        let errors: Vec<f64> = pairs.map(|(_, (drawn, &image))| (drawn - f64::from(image)).powi(2)).collect();
        let expected = errors.iter().sum::<f64>() / errors.len() as f64;
        assert!((f64::from(found) - expected).abs() < 1e-5 * expected, "{found} and {expected}");
    }

    /// Eq. 1 number by number, and its derivative.
    #[test]
    fn only_what_is_missing_counts() {
        let device = crate::nn::device("cpu").unwrap().autodiff();
        let shape = [2, 3, 4, 5];
        let wave = |phase: f32| -> Vec<f32> { (0..120).map(|place| (phase + 0.7 * place as f32).sin()).collect() };
        let tensor = |values: &[f32], shape: [usize; 4]| {
            Tensor::<4>::from_data(TensorData::new(values.to_vec(), shape), &device)
        };
        let (drawn, images) = (wave(0.0), wave(1.0));
        let hole: Vec<f32> = (0..40).map(|pixel| f32::from(u8::from(pixel % 3 == 0))).collect();
        let is_missing = |place: usize| hole[place / 60 * 20 + place % 20] > 0.0;
        let missing: Vec<usize> = (0..120).filter(|&place| is_missing(place)).collect();
        let error = |place: usize| f64::from(drawn[place]) - f64::from(images[place]);
        let expected = missing.iter().map(|&place| error(place).powi(2)).sum::<f64>() / missing.len() as f64;
        let leaf = tensor(&drawn, shape).require_grad();
        let loss = missing_error(leaf.clone(), tensor(&images, shape), tensor(&hole, [2, 1, 4, 5]));
        let grads = loss.clone().backward();
        assert!((f64::from(loss.into_scalar::<f32>()) - expected).abs() < 1e-6, "{expected}");
        let gradient = ops::read(&leaf.grad(&grads).unwrap(), <[f32]>::to_vec);
        for (place, found) in gradient.into_iter().enumerate() {
            let expected = if is_missing(place) { 2.0 * error(place) / missing.len() as f64 } else { 0.0 };
            assert!((f64::from(found) - expected).abs() < 1e-7, "{place}: {found} and {expected}");
        }
    }
}
