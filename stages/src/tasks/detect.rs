//! Detection: what is where. FCOS on a pretrained encoder's maps, trained with boxes, all of them or few; with an encoder of
//! `pretrain/random` it is training from scratch.

mod assign;
mod decode;
mod files;
mod nms;
mod objective;
mod picture;

pub use nms::nms;

use super::features::{SEEN, batch, encode_each, measure_seen};
use super::shift::{self, SHIFT, SPLITS};
use super::tuning::{Opened, Tuning, labelled, views_of_places};
use crate::artifact::EncoderArtifact;
use crate::context::Context;
use crate::data::{Dataset, Labels, Region, Split};
use crate::metrics::detection::{Detections, Scene, Truth, best_score};
use crate::metrics::recall_picture;
use crate::nn::Init;
use crate::nn::encoder::Encoder;
use crate::nn::layers::Mode;
use crate::nn::ops::channels_last;
use crate::stage::{About, DATA, Deviations, MeasureAbout, OutputAbout, PortAbout, Stage, VIEWS};
use crate::train::{Objective, OptimiserConfig, OptimiserKind};
use anyhow::{Result, ensure};
use assign::{Place, places};
use burn::module::Module;
use burn::tensor::Tensor;
use decode::{Limits, decode, flat};
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

const fn figure(name: &'static str, doc: &'static str) -> MeasureAbout {
    MeasureAbout { name, splits: SPLITS, unit: "fraction", setting: false, doc }
}

const fn count(name: &'static str, doc: &'static str) -> MeasureAbout {
    MeasureAbout { name, splits: &[], unit: "", setting: false, doc }
}

/// COCO's twelve, in its order, and what was learned from.
const MEASURES: &[MeasureAbout] = &[
    figure(
        "ap",
        "average precision, the mean over ten overlaps from .5 to .95 and the classes (COCO's AP); NaN where there is nothing",
    ),
    figure("ap50", "the same where half an overlap counts"),
    figure("ap75", "the same where an overlap of .75 counts"),
    figure("ap_small", "AP of objects up to 32 x 32 pixels"),
    figure("ap_medium", "AP of objects from there to 96 x 96 pixels"),
    figure("ap_large", "AP of larger objects"),
    figure("ar1", "recall with the surest of an image, the mean over overlaps and classes"),
    figure("ar10", "the same with the ten surest"),
    figure("ar100", "the same with the hundred surest (COCO's AR)"),
    figure("ar_small", "AR of objects up to 32 x 32 pixels"),
    figure("ar_medium", "AR of objects from there to 96 x 96 pixels"),
    figure("ar_large", "AR of larger objects"),
    SEEN,
    count("labels", "training images whose boxes were used"),
    count("objects", "boxes on them"),
];
const FIGURES: usize = 12;

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
               sixteen scenes of each (PNG: blue boxes are right, orange ones invented, yellow ones were missed, from the score on that has \
               the best F1 on validation), precision by recall of each class where half an overlap counts (SVG), AP of each class (CSV). \
               `predictions` has what was found by the sample's row (.npy), and as COCO's results beside its annotations, so that pycocotools \
               reads both.",
        deviations: &[Deviations::from_paper(&[
            "one convolution in each tower in place of four, and 64 channels in place of 256 (`width`)",
            "batch norm behind the pyramid's convolutions: maps of an encoder that was never trained are of any size",
            "levels are the encoder's last three maps, without the two coarser ones, and end at 4 of their strides in place of 8 (`reach`)",
            "places near the middle of an object answer for it, its boxes cost the generalised IoU, and centre-ness stands on the tower of \
             boxes: three of the improvements that the authors list in table 7 and in their code",
            "it trains by adamw in place of sgd; views and length are those of fine-tuning here",
        ])],
        needs: &[
            DATA,
            PortAbout { name: "encoder", type_: "encoder", required: true, used: true, doc: "on which it stands" },
            VIEWS,
            shift::PORT,
        ],
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
        check_boxes(data)?;
        let shift = shift::opened(data, context, check_boxes)?;
        let images = with_boxes(data, &params, context)?;

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
        let judge = Judge {
            trained: objective.valid(),
            artifact: &artifact,
            encoder: encoder.valid(),
            places: places(&levels_of(&maps), reach),
            limits: Limits { score: params.score as f32, overlap: params.overlap as f32 },
            context,
        };
        let validation = judge.scenes(&data, Split::Validation, "validation")?;
        let least = best_score(&validation, classes);
        judge.publish(&data, Split::Validation, "validation", &validation, least)?;
        for (data, name) in [Some((&data, "test")), shift.as_ref().map(|shift| (shift, SHIFT))].into_iter().flatten() {
            judge.publish(data, Split::Test, name, &judge.scenes(data, Split::Test, name)?, least)?;
        }
        if shift.is_none() {
            MEASURES[..FIGURES].iter().for_each(|figure| context.measure(figure.name, SHIFT, f64::NAN));
        }
        [Split::Validation, Split::Test].iter().for_each(|&split| measure_seen(&artifact, &data, split, context));
        artifact.save(Some(&encoder), &objective.heads(), &context.output("encoder")?)
    }
}

fn check_boxes(data: &Dataset) -> Result<()> {
    let has_boxes = data.manifest.labels == Labels::Places && data.regions(0).is_some();
    ensure!(
        has_boxes,
        "the data set {} has no boxes, and detection learns from them: connect one that has some, such as data/scenes, data/coco or data/voc",
        data.manifest.name
    );
    Ok(())
}

/// The training images whose boxes are used.
fn with_boxes(data: &Dataset, params: &Params, context: &Context) -> Result<Vec<usize>> {
    let images = labelled(data, params.images as usize, params.tuning.seed)?;
    ensure!(images.len() > 1, "batch norm needs two images with boxes: raise `images`");
    let objects: usize = images.iter().map(|&row| regions(data, row).len()).sum();
    ensure!(
        objects > 0,
        "there is no object on the {} images that are trained on: raise `images`, or look at the data set's boxes",
        images.len()
    );
    context.measure("labels", "", images.len() as f64);
    context.measure("objects", "", objects as f64);
    Ok(images)
}

fn regions(data: &Dataset, row: usize) -> &[Region] {
    data.regions(row).expect("the data set has boxes")
}

fn truth(region: &Region) -> Truth {
    Truth { class: region.class as usize, edges: region.edges.map(f64::from) }
}

/// What has been trained, to be looked at.
struct Judge<'a> {
    trained: Detection,
    artifact: &'a EncoderArtifact,
    encoder: Encoder,
    places: Vec<Place>,
    limits: Limits,
    context: &'a Context<'a>,
}

impl Judge<'_> {
    /// What is there and what is found in each image of a split, in their order.
    fn scenes(&self, data: &Dataset, split: Split, name: &str) -> Result<Vec<Scene>> {
        let (size, rows) = ([data.manifest.height, data.manifest.width], data.rows(split).collect::<Vec<_>>());
        let (mut meter, mut scenes) = (self.context.meter(name, rows.len() as u64, "images"), vec![]);
        let network = |images| {
            let maps = last_maps(&self.encoder, images, Mode::Eval).expect("the encoder has maps");
            flat(self.trained.forward(maps, Mode::Eval))
        };
        let normal = [self.artifact.mean.as_slice(), &self.artifact.sd];
        encode_each(data, &rows, normal, batch(size), self.context, network, |rows, values| {
            for (&row, values) in rows.iter().zip(values.chunks_exact(values.len() / rows.len())) {
                let found = decode(values, &self.places, self.trained.classes, size, self.limits);
                scenes.push(Scene { truths: regions(data, row).iter().map(truth).collect(), found });
            }
            meter.at(scenes.len() as u64, &[]);
        })?;
        Ok(scenes)
    }

    /// Measures, and writes files and pictures; on the latter what is less sure than `least` is left out.
    fn publish(&self, data: &Dataset, split: Split, name: &str, scenes: &[Scene], least: f64) -> Result<()> {
        let classes = &data.manifest.classes;
        let detections = Detections::new(scenes, classes.len());
        for (figure, value) in MEASURES[..FIGURES].iter().zip(detections.figures().in_order()) {
            self.context.measure(figure.name, name, if value < 0.0 { f64::NAN } else { value });
        }
        let rows: Vec<usize> = data.rows(split).collect();
        let ids: Vec<u32> = rows.iter().map(|&row| row as u32).collect();
        files::write(&self.context.output("predictions")?.join(name), &ids, scenes, &data.manifest)?;
        let side = |file: &str| self.context.side().join(file);
        picture::draw(data, &rows, scenes, least, &side(&format!("scenes-{name}.png")))?;
        let curves = recall_picture::svg(&detections.precision_by_recall(), classes);
        std::fs::write(side(&format!("precision-recall-{name}.svg")), curves)?;
        Ok(std::fs::write(side(&format!("classes-{name}.csv")), of_classes(&detections, scenes, classes))?)
    }
}

/// A line for each class: how many objects there are of it, and its AP.
fn of_classes(detections: &Detections, scenes: &[Scene], classes: &[String]) -> String {
    let objects =
        |class: usize| scenes.iter().flat_map(|scene| &scene.truths).filter(|truth| truth.class == class).count();
    let mut text = "class,objects,ap\n".to_owned();
    for (class, (name, ap)) in classes.iter().zip(detections.ap_of_classes()).enumerate() {
        let ap = ap.map_or(String::new(), |ap| ap.to_string());
        text += &format!("\"{}\",{},{ap}\n", name.replace('"', "\"\""), objects(class));
    }
    text
}
