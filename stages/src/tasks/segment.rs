//! Segmentation: an encoder and a head behind its maps are trained with masks, and the whole is judged pixel by pixel.

mod judge;
mod masks;
mod objective;
mod picture;
pub mod transfer;

use super::shift;
use super::tuning::{Opened, Tuning, labelled, views_of_places};
use crate::augment::Policy;
use crate::context::Context;
use crate::data::Split;
use crate::nn::{Init, SegmenterConfig, SegmenterKind};
use crate::stage::{About, DATA, Deviations, ENCODER, OutputAbout, PortAbout, Stage, VIEWS};
use crate::train::schedule::Schedule;
use crate::train::{Objective, OptimiserConfig, OptimiserKind};
use anyhow::{Result, ensure};
use judge::{LABELS, MEASURES, PREDICTIONS, judge};
use objective::Segmentation;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub struct Segment;

#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct Params {
    /// what stands behind the encoder's maps: `fcn` scores the last three and adds up, `unet` goes from the coarsest map to the finest,
    /// `linear` is a linear classifier of what all maps say of a place; `coordinates` is a control that sees only where a pixel is, and
    /// takes `layers: 0`
    head: SegmenterKind,
    /// hidden channels of fcn, unet and coordinates
    #[schemars(range(min = 1, max = 4096), extend("x-unit" = "channels"))]
    width: u32,
    /// training images whose masks are used, drawn by the seed, the same ones for every encoder; 0: all
    #[schemars(range(min = 0), extend("x-unit" = "images"))]
    images: u32,
    #[serde(flatten)]
    tuning: Tuning,
}

impl Default for Params {
    fn default() -> Self {
        let optimiser =
            OptimiserConfig { lr: Some(0.01), schedule: Schedule::Poly, ..OptimiserConfig::of(OptimiserKind::Sgd) };
        Self {
            head: SegmenterKind::Fcn,
            width: 64,
            images: 0,
            tuning: Tuning { batch: 16, optimiser, ..Tuning::default() },
        }
    }
}

impl Stage for Segment {
    type Params = Params;
    const ABOUT: About = About {
        name: "eval/segment",
        // 2: it trains by sgd at .01 down a poly schedule where nothing is said.
        // 3: it measures Dice as well. 4: and that of the first eight classes.
        version: 4,
        summary: "Segmentation: FCN, U-Net or a linear head on the encoder's maps, trained with all masks or few",
        docs: "Minimises the cross entropy of each pixel of which something is known, and looks at validation and test once, after the \
               last step. Without views: random resized crops of half the area at least, and flips. With `pretrain/random` it is training \
               from scratch; with `layers: 0` the encoder stays as it is, as for the linear head on frozen features. Scores are made as \
               large as the image bilinearly. Beside the result: IoU, Dice and pixels of each class (iou-SPLIT.csv), the confusion of pixels \
               (CSV and SVG), masks.png with eight images of test, their masks and what was predicted beside each other, and legend.svg, \
               which names the colours.\n\n\
               `head: coordinates` looks at no image: what it reaches an atlas reaches that does not know the slice, and belongs beside the others \
               where images lie alike, as slices of heads do. It sees the place in the view; where no views are connected, its images \
               stay as they are. Of which slice a pixel is it does not know.\n\n\
               On a GPU gradients of what is enlarged bilinearly add up in no fixed order, so that two runs need not end with the same bytes.",
        deviations: &[Deviations {
            of: "from the papers of the heads",
            list: &[
                "the learning rate goes down by poly .9 as that of their followers (Chen et al. 2017, arXiv:1606.00915), where FCN and \
                 U-Net have a fixed one",
                "fcn has a hidden 3x3 convolution with batch norm at each level, as torchvision's, and no dropout; it enlarges \
                 bilinearly, where the paper's are learned",
                "unet is a decoder only, since the encoder is what is judged: one padded convolution with batch norm a level, of as many \
                 channels at each, and bilinear enlargement",
                "linear adds up the scores of all maps, which is the same as joining the maps, each enlarged to the finest",
            ],
        }],
        needs: &[DATA, PortAbout { doc: "what is trained further", ..ENCODER }, VIEWS, shift::PORT],
        gives: &[
            OutputAbout { name: "encoder", type_: "encoder", doc: "the encoder and its segmenter after the last step" },
            PREDICTIONS,
        ],
        measures: MEASURES,
        ..About::NONE
    };

    fn run(params: Params, context: &Context) -> Result<()> {
        let Params { head, width, images, tuning } = &params;
        let looks = *head != SegmenterKind::Coordinates;
        let opened = tuning.open(context, if looks { views_of_places() } else { Policy::identity() })?;
        ensure!(
            looks || opened.is_fixed(),
            "head is coordinates, which looks at no image, so that the encoder cannot learn from it: write `layers: 0` and no `norms`"
        );
        let Opened { data, encoder, .. } = &opened;
        let shift = shift::opened(data, context, |shift| masks::check(shift, Split::Test))?;
        Split::LABELLED.into_iter().try_for_each(|split| masks::check(data, split))?;
        let images = labelled(data, *images as usize, tuning.seed)?;
        ensure!(images.len() > 1, "batch norm needs two images with labels: raise `images`");
        masks::check_to_train_on(data, &images)?;
        context.measure(LABELS.name, "", images.len() as f64);

        let maps = encoder.maps_of(data.manifest.input(), &context.device)?;
        let channels = maps.into_iter().map(|(_, channels)| channels).collect();
        let config = SegmenterConfig {
            head: *head,
            channels,
            width: *width as usize,
            classes: masks::classes(&data.manifest).len(),
        };
        let init = &mut Init::new(tuning.seed, &context.device.clone().autodiff());
        let mut objective = Segmentation::new(init, config, opened.mode());
        let seen = tuning.train(&opened, &images, &mut objective, context)?;

        let Opened { data, artifact, encoder, .. } = opened;
        let artifact = artifact.trained_on(&data, &seen).with_heads(objective.heads_to_keep(), &data.manifest);
        artifact.save(Some(&encoder), &objective.heads(), &context.output("encoder")?)?;
        judge(&data, shift.as_ref(), &artifact, context, |data, split| {
            masks::predicted(&objective.segmenter, data, split, &artifact, &encoder, context)
        })
    }
}
