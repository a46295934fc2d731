//! Detection: what is where. FCOS on a pretrained encoder's maps, trained with boxes, all of them or few; with an encoder of
//! `pretrain/random` it is training from scratch.

mod assign;
mod boxes;
mod decode;
mod evaluator;
mod files;
mod nms;
mod objective;
mod picture;

pub use nms::nms;

use super::features::measure_seen;
use super::shift::{self, SHIFT};
use super::tuning::{Opened, Tuning, views_of_places};
use crate::context::Context;
use crate::data::Split;
use crate::metrics::detection::best_score;
use crate::nn::Init;
use crate::nn::layers::Mode;
use crate::nn::ops::channels_last;
use crate::stage::{About, DATA, Deviations, ENCODER, OutputAbout, PortAbout, Stage, VIEWS};
use crate::train::{Objective, OptimiserConfig, OptimiserKind};
use anyhow::Result;
use assign::places;
use burn::module::Module;
use burn::tensor::Tensor;
use decode::Limits;
use evaluator::{Evaluator, FIGURES, MEASURES};
use objective::{Detection, last_maps, levels_of};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub struct Detect;

#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct Params {
    /// how many training images there are boxes of, 0: of all; at one seed the same for every encoder
    #[schemars(range(min = 0), extend("x-unit" = "images"))]
    images: u32,
    #[serde(flatten)]
    tuning: Tuning,
    /// channels of the pyramid and of the head
    #[schemars(range(min = 8, max = 1024), extend("x-unit" = "channels"))]
    width: u32,
    /// how many of its strides away the edges of an object may be that a level answers for; the next one begins there. The paper has 8, on
    /// images of 800 pixels and levels of strides 8 to 128: small images have large objects on few levels
    #[schemars(range(min = 1, max = 64), extend("x-unit" = "strides"))]
    reach: f64,
    /// from which probability of a class on a place is looked at
    #[schemars(range(min = 0, max = 1))]
    score: f64,
    /// non-maximum suppression drops boxes that overlap a surer one of the class by more (intersection over union)
    #[schemars(range(min = 0, max = 1))]
    overlap: f64,
}

impl Default for Params {
    fn default() -> Self {
        Self {
            images: 0,
            tuning: Tuning { batch: 16, optimiser: OptimiserConfig::of(OptimiserKind::Adamw), ..Tuning::default() },
            width: 64,
            reach: 4.0,
            score: 0.05,
            overlap: 0.6,
        }
    }
}

impl Stage for Detect {
    type Params = Params;
    const ABOUT: About = About {
        name: "eval/detect",
        // 2: it trains by adamw where nothing is said.
        version: 2,
        summary: "Detection: FCOS on the encoder's maps (Tian et al. 2019, arXiv:1904.01355), measured as COCO does",
        docs: "A pyramid (arXiv:1612.03144) on the encoder's last three maps, and on each level what is there (focal loss .25, 2), how far the \
               edges are (generalised IoU) and how near to the middle a place is; of 1.5 strides around an object's centre. Without views: \
               crops of half the image or more, scaled back, and flips. Adamw learns more in few steps than the paper's sgd \
               (`optimiser: { kind: sgd, lr: 0.01 }`). With `layers: 0` the encoder is fixed and its batch norms use their running \
               statistics. Looks at validation, test and, where `shift` is connected, that data set's test split once, after the last \
               step. A measurement is NaN where there is no such object, and of `shift` where nothing is connected.\n\nBeside the result: \
               sixteen scenes of each (PNG: blue boxes are right, orange ones invented, purple ones of another class than what is there, \
               yellow ones were missed, from the score on that has \
               the best F1 on validation), precision by recall of each class where half an overlap counts (SVG), AP of each class (CSV). \
               `predictions` has what was found by the sample's row (.npy), and as COCO's results beside its annotations, so that pycocotools \
               reads both (its `loadRes` fails where nothing at all was found).",
        deviations: &[Deviations::from_paper(&[
            "one convolution in each tower in place of four, and 64 channels in place of 256 (`width`)",
            "batch norm behind the pyramid's convolutions: maps of an encoder that was never trained are of any size",
            "levels are the encoder's last three maps, without the two coarser ones, and end at 4 of their strides in place of 8 (`reach`)",
            "places near the middle of an object answer for it, its boxes cost the generalised IoU, and centre-ness stands on the tower of \
             boxes: three of the improvements that the authors list in table 7 and in their code",
            "the 1,000 surest places of all levels together go into non-maximum suppression, where the authors' code takes so many of each; \
             distances are in strides, as in that code; batch norms of the encoder are trained with it",
            "it trains by adamw in place of sgd; views and length are those of fine-tuning here",
        ])],
        needs: &[DATA, PortAbout { doc: "on which it stands", ..ENCODER }, VIEWS, shift::PORT],
        gives: &[
            OutputAbout {
                name: "encoder",
                type_: "encoder",
                doc: "the encoder, its pyramid and its head after the last step",
            },
            OutputAbout { name: "predictions", type_: "predictions", doc: "what was found in each split" },
        ],
        measures: MEASURES,
        ..About::NONE
    };

    fn run(params: Params, context: &Context) -> Result<()> {
        let tuning = &params.tuning;
        let opened = tuning.open(context, views_of_places())?;
        let Opened { data, encoder, .. } = &opened;
        boxes::check(data, &Split::LABELLED)?;
        let shift = shift::opened(data, context, |shift| boxes::check(shift, &[Split::Test]))?;
        let images = boxes::to_train_on(data, params.images as usize, tuning.seed)?;
        context.measure("labels", "", images.len() as f64);
        context.measure("objects", "", images.iter().map(|&row| boxes::of(data, row).len()).sum::<usize>() as f64);

        let one =
            Tensor::zeros([1, data.manifest.channels, data.manifest.height, data.manifest.width], &context.device);
        let maps = last_maps(&encoder.valid(), channels_last(one), Mode::Eval)?;
        let channels: Vec<usize> = maps.iter().map(|map| map.x.dims()[1]).collect();
        let (width, classes, reach) = (params.width as usize, data.manifest.classes.len(), params.reach as f32);
        let init = &mut Init::new(tuning.seed, &context.device.clone().autodiff());
        let mut objective = Detection::new(init, &channels, width, classes, reach, opened.mode());
        let seen = tuning.train(&opened, &images, &mut objective, context)?;

        let Opened { data, artifact, encoder, .. } = opened;
        let artifact = artifact.trained_on(&data, &seen).with_heads(objective.heads_to_keep(), &data.manifest);
        artifact.save(Some(&encoder), &objective.heads(), &context.output("encoder")?)?;
        let evaluator = Evaluator {
            trained: objective.valid(),
            artifact: &artifact,
            encoder: encoder.valid(),
            places: places(&levels_of(&maps), reach),
            limits: Limits { score: params.score as f32, overlap: params.overlap as f32 },
            context,
        };
        let validation = evaluator.scenes(&data, Split::Validation, "validation")?;
        let least = best_score(&validation, classes);
        evaluator.publish(&data, Split::Validation, "validation", &validation, least)?;
        for (data, name) in [Some((&data, "test")), shift.as_ref().map(|shift| (shift, SHIFT))].into_iter().flatten() {
            evaluator.publish(data, Split::Test, name, &evaluator.scenes(data, Split::Test, name)?, least)?;
        }
        if shift.is_none() {
            MEASURES[..FIGURES].iter().for_each(|figure| context.measure(figure.name, SHIFT, f64::NAN));
        }
        [Split::Validation, Split::Test].iter().for_each(|&split| measure_seen(&artifact, &data, split, context));
        Ok(())
    }
}
