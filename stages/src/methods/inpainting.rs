//! Context encoder (Pathak et al. 2016, arXiv:1604.07379): draw what is missing from an image. The loss is the mean squared error of the
//! missing values of the normalised image (eq. 1).

use super::drawing::Drawing;
use super::draws;
use super::pretrain::{Common, ENCODERS, Inputs, NEEDS_WITHOUT_VIEWS, TRAINED, TRAINING, pretrain};
use crate::augment::{Batch, Policy, Wants};
use crate::context::Context;
use crate::nn::encoder::Encoder;
use crate::nn::layers::Mode;
use crate::nn::ops::float32;
use crate::nn::state::Part;
use crate::nn::{Bottleneck, HeadConfig};
use crate::random::{Purpose, Rng};
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
    drawing: Drawing<0>,
    #[serde(flatten)]
    holes: Holes,
}

#[derive(Debug, Clone, Copy, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
struct Holes {
    /// what is missing. centre: a square in the middle; blocks: squares of a quarter of the image's side at random places, that may overlap
    region: Region,
    /// share of the image that is missing (blocks: at least)
    #[schemars(range(min = 0.01, max = 0.9))]
    missing: f64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
enum Region {
    Centre,
    Blocks,
}

impl Default for Holes {
    fn default() -> Self {
        Self { region: Region::Blocks, missing: 0.25 }
    }
}

impl Stage for Inpainting {
    type Params = Params;
    const ABOUT: About = About {
        name: "pretrain/inpainting",
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
        let [_, channels, height, width] = images.dims();
        let missing = self.holes.missing(at, &ids, [height, width], &images.device()); // [batch, 1, height, width]
        let known = missing.clone().neg().add_scalar(1.0).cast(images.dtype());
        let drawn = self.bottleneck.redraw(encoder, images.clone() * known, Mode::Train);
        let missing = missing.cast(drawn.dtype());
        let values = missing.clone().sum().mul_scalar(channels as f64);
        Term::alone(((drawn - float32(images)).square() * missing).sum() / values)
    }

    fn shown(&self, encoder: &Encoder, batch: Batch, at: &At) -> Vec<Tensor<4>> {
        let ids = batch.ids.clone();
        let [images] = batch.into_views();
        let [_, _, height, width] = images.dims();
        let missing = self.holes.missing(at, &ids, [height, width], &images.device());
        let holed = images.clone() * missing.clone().neg().add_scalar(1.0);
        let drawn = self.bottleneck.redraw(encoder, holed.clone(), Mode::Eval);
        vec![images, holed.clone(), holed + drawn * missing]
    }
}

impl Holes {
    /// `[batch, 1, height, width]`: 1 where an image is missing, else 0.
    fn missing(&self, at: &At, ids: &[u32], size: [usize; 2], device: &Device) -> Tensor<4> {
        draws::of_each(at, Purpose::Mask, ids, [1, size[0], size[1]], device, |rng, hole| {
            hole.fill(0.0);
            match self.region {
                Region::Centre => self.cut_centre(hole, size),
                Region::Blocks => self.cut_blocks(hole, size, rng),
            }
        })
    }

    fn cut_centre(&self, hole: &mut [f32], [height, width]: [usize; 2]) {
        let [tall, wide] = [height, width].map(|side| ((side as f64 * self.missing.sqrt()).round() as usize).max(1));
        cut(hole, width, [(height - tall) / 2, (width - wide) / 2], [tall, wide]);
    }

    fn cut_blocks(&self, hole: &mut [f32], [height, width]: [usize; 2], rng: &mut Rng) {
        let [tall, wide] = [height, width].map(|side| side.div_ceil(4));
        while (hole.iter().sum::<f32>() as f64) < self.missing * hole.len() as f64 {
            cut(hole, width, [rng.below(height - tall + 1), rng.below(width - wide + 1)], [tall, wide]);
        }
    }
}

fn cut(hole: &mut [f32], width: usize, [top, left]: [usize; 2], [tall, wide]: [usize; 2]) {
    for row in top..top + tall {
        hole[row * width + left..row * width + left + wide].fill(1.0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const AT: At = At { seed: 3, step: 0, steps: 1, epoch: 0, epochs: 1, turn: 0 };

    /// Holes of 16 x 16 pixels in images of 32 x 32, row by row.
    fn holes(region: Region, missing: f64, ids: &[u32]) -> Vec<Vec<f32>> {
        let holes = Holes { region, missing };
        let made = holes.missing(&AT, ids, [32, 32], &crate::nn::device("cpu").unwrap());
        made.into_data().try_to_vec::<f32>().unwrap().chunks(32 * 32).map(<[f32]>::to_vec).collect()
    }

    #[test]
    fn a_quarter_in_the_centre_is_half_the_side() {
        let hole = &holes(Region::Centre, 0.25, &[0])[0];
        let expected = (0..32 * 32).map(|at| (8..24).contains(&(at / 32)) && (8..24).contains(&(at % 32)));
        assert!(hole.iter().zip(expected).all(|(&found, expected)| found == f32::from(u8::from(expected))));
    }

    #[test]
    fn blocks_cover_what_is_asked_for_at_other_places_in_every_image() {
        let made = holes(Region::Blocks, 0.25, &[0, 1, 2]);
        for hole in &made {
            let missing = hole.iter().sum::<f32>();
            // The last block adds 64 pixels at most.
            assert!((256.0..320.0).contains(&missing), "{missing}");
        }
        assert!(made[0] != made[1] && made[1] != made[2]);
    }
}
