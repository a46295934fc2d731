//! RotNet: tell by how many quarter turns an image was rotated (Gidaris et al. 2018, arXiv:1803.07728, eq. 1-3). All four
//! rotations of every image are in the batch; the loss is the cross entropy over four classes, mean over all of them.

use super::shared::pretrain::{Common, ENCODERS, Partner, TRAINED, TRAINING, pretrain_alone};
use super::shared::shown;
use super::shared::streams;
use crate::augment::{Batch, Policy, StandardViews, Wants};
use crate::context::Context;
use crate::data::Manifest;
use crate::nn::encoder::Encoder;
use crate::nn::layers::Mode;
use crate::nn::loss::cross_entropy;
use crate::nn::ops;
use crate::nn::state::Part;
use crate::nn::{Init, Mlp, Norms};
use crate::random::Purpose;
use crate::stage::{About, Deviations, Stage};
use crate::train::{At, Objective, Term};
use anyhow::{Result, ensure};
use burn::tensor::{Int, Tensor};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub struct Rotation;

#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct Params {
    #[serde(flatten)]
    common: Common,
    #[serde(flatten)]
    own: Own,
}

/// It has no parameters of its own.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct Own {}

impl Stage for Rotation {
    type Params = Params;
    const ABOUT: About = About {
        name: "pretrain/rotation",
        // 2: linear layers' gradients are read in their own order. 3: their products are oneDNN's, rounded otherwise. 4: the
        // last step moves weights too.
        // 5: batch norm in bfloat16 is libtorch's.
        // 6: the artifact says what the encoder has seen. 7: and no more than that.
        version: 7,
        summary: "RotNet: by how many quarter turns was it rotated? (Gidaris et al. 2018, arXiv:1803.07728)",
        docs: "All four rotations of every image are in a batch, so that a step costs four times as much as `batch` \
               says. Without views: padded crop and flip, as augment/standard. drawn.png shows images, turned, and turned back by what \
               is predicted.",
        deviations: &[
            Deviations::from_paper(&[
                "a cosine schedule in place of steps, and no Nesterov momentum (`optimiser.nesterov`)",
                "a ResNet or another encoder in place of Network-in-Network, of which the last, pooled features are judged, where \
                 the paper's earlier maps do best",
            ]),
            TRAINING,
            ENCODERS,
        ],
        ..TRAINED
    };

    fn run(params: Params, context: &Context) -> Result<()> {
        pretrain_alone(&params.common, &params.own, context)
    }
}

impl Partner for Own {
    fn policy(&self) -> Policy {
        StandardViews::default_policy()
    }

    fn check(&self, _: &Common, data: &Manifest) -> Result<()> {
        let Manifest { height, width, .. } = *data;
        ensure!(
            height == width,
            "a quarter turn makes {width} x {height} pixels of {height} x {width}: use square images (`size` of data/folder makes some)"
        );
        Ok(())
    }

    fn objective(&self, init: &mut Init, encoder: &Encoder, _: &Manifest) -> Result<Box<dyn Objective>> {
        Ok(Box::new(RotationPrediction { classifier: Mlp::new(init, &[encoder.features(), TURNS], Norms::None) }))
    }
}

const TURNS: usize = 4;

struct RotationPrediction {
    classifier: Mlp,
}

impl Objective for RotationPrediction {
    fn wants(&self) -> Wants {
        Wants::views(1)
    }

    fn seen(&self) -> usize {
        TURNS
    }

    fn heads(&self) -> Vec<(&'static str, &dyn Part)> {
        vec![("classifier", &self.classifier)]
    }

    fn losses(&mut self, encoder: &Encoder, batch: Batch, _: &At) -> Vec<Term> {
        let [images] = batch.into_views();
        let (rotated, turns) = all_rotations(images);
        let logits = self.classifier.forward(encoder.pooled(rotated, Mode::Train), Mode::Train); // [4 batch, 4]
        Term::alone(cross_entropy(logits, turns))
    }

    /// The image, turned, and turned back by what is predicted.
    fn shown(&self, encoder: &Encoder, batch: Batch, at: &At) -> Vec<Tensor<4>> {
        let turns: Vec<usize> =
            batch.ids.iter().map(|&id| streams::of_image(at, Purpose::Mask, id).below(TURNS)).collect();
        let [images] = batch.into_views();
        let rotated = turned(images.clone(), &turns);
        let predicted =
            shown::predicted(self.classifier.forward(encoder.pooled(rotated.clone(), Mode::Eval), Mode::Eval));
        let back: Vec<usize> = predicted.into_iter().map(|turns| (TURNS - turns) % TURNS).collect();
        vec![images, rotated.clone(), turned(rotated, &back)]
    }
}

/// Each image by its own number of quarter turns.
fn turned(images: Tensor<4>, turns: &[usize]) -> Tensor<4> {
    let (batch, device) = (images.dims()[0], images.device().inner());
    let rows: Vec<i32> = turns.iter().enumerate().map(|(image, &turns)| (turns * batch + image) as i32).collect();
    ops::channels_last(all_rotations(images).0.select(0, ops::integers(&rows, &device)))
}

/// `[batch, c, n, n]` to `[4 batch, c, n, n]`, by 0, 1, 2, 3 quarter turns counter-clockwise, and the number of turns.
fn all_rotations(images: Tensor<4>) -> (Tensor<4>, Tensor<1, Int>) {
    let batch = images.dims()[0] as i64;
    let device = images.device().inner();
    let half = images.clone().flip([2, 3]);
    let transposed = images.clone().swap_dims(2, 3);
    let (quarter, three_quarters) = (transposed.clone().flip([2]), transposed.flip([3]));
    let rotated = ops::channels_last(Tensor::cat(vec![images, quarter, half, three_quarters], 0));
    let turns = Tensor::<1, Int>::arange(0..TURNS as i64 * batch, &device).div_scalar(batch);
    (rotated, turns)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::augment::{Image, ops::rot90};

    #[test]
    fn rotations_are_those_of_the_image_operation() {
        let device = crate::nn::device("cpu").unwrap();
        let values: Vec<f32> = (0..2 * 4 * 4 * 3).map(|v| v as f32).collect();
        let images = crate::augment::channels_last(values.clone(), 4, 4, &device);
        let (rotated, turns) = all_rotations(images);
        assert_eq!(turns.into_data().iter::<i64>().collect::<Vec<_>>(), [0, 0, 1, 1, 2, 2, 3, 3]);
        let got: Vec<f32> = rotated.into_data().iter::<f32>().collect();
        for image in 0..2 {
            let planes = (0..48).map(|i| values[image * 48 + i % 16 * 3 + i / 16]).collect();
            let mut expected = Image { height: 4, width: 4, data: planes };
            for turn in 0..4 {
                let at = (turn * 2 + image) * 48;
                assert_eq!(got[at..at + 48], expected.data, "image {image}, {turn} turns");
                expected = rot90(&expected);
            }
        }
    }

    #[test]
    fn what_is_turned_is_turned_back_by_what_is_missing_to_a_whole_turn() {
        let device = crate::nn::device("cpu").unwrap();
        let values: Vec<f32> = (0..4 * 3 * 3 * 3).map(|v| v as f32).collect();
        let images = crate::augment::channels_last(values, 3, 3, &device);
        let (all, _) = all_rotations(images.clone());
        let rotated = turned(images.clone(), &[0, 1, 2, 3]);
        rotated.clone().narrow(0, 1, 1).into_data().assert_eq(&all.narrow(0, 4 + 1, 1).into_data(), true);
        turned(rotated, &[0, 3, 2, 1]).into_data().assert_eq(&images.into_data(), true);
    }
}
