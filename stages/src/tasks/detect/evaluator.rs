//! What has been trained is looked at: COCO's figures, what was found as files, and pictures of it.

use super::super::features::SEEN;
use super::super::shift::SPLITS;
use super::assign::Place;
use super::decode::{Limits, decode, flat};
use super::objective::{Detection, last_maps};
use super::{boxes, files, picture};
use crate::artifact::EncoderArtifact;
use crate::context::Context;
use crate::csv::quoted;
use crate::data::{Dataset, Region, Split};
use crate::features::{batch, encode_each};
use crate::metrics::detection::{Detections, Scene, Truth};
use crate::metrics::recall_picture;
use crate::nn::encoder::Encoder;
use crate::nn::layers::Mode;
use crate::stage::MeasureAbout;
use anyhow::Result;

const fn figure(name: &'static str, doc: &'static str) -> MeasureAbout {
    MeasureAbout { name, splits: SPLITS, unit: "fraction", setting: false, doc }
}

const fn count(name: &'static str, doc: &'static str) -> MeasureAbout {
    MeasureAbout { name, splits: &[], unit: "", setting: false, doc }
}

/// COCO's twelve, in its order, and what was learned from.
pub const MEASURES: &[MeasureAbout] = &[
    figure(
        "ap",
        "average precision, the mean over ten overlaps from .5 to .95 and the classes (COCO's AP); NaN where there is nothing",
    ),
    figure("ap50", "average precision where half an overlap counts, the mean over the classes"),
    figure("ap75", "average precision where an overlap of .75 counts, the mean over the classes"),
    figure(
        "ap_small",
        "AP of objects up to 32 x 32 pixels, by their boxes in the data set's images (COCO has areas of outlines in pictures as they were)",
    ),
    figure("ap_medium", "AP of objects from there to 96 x 96 pixels"),
    figure("ap_large", "AP of larger objects"),
    figure("ar1", "recall with the surest box of an image, the mean over overlaps and classes"),
    figure("ar10", "recall with the ten surest boxes of an image, the mean over overlaps and classes"),
    figure("ar100", "recall with the hundred surest boxes of an image, the mean over overlaps and classes (COCO's AR)"),
    figure("ar_small", "AR of objects up to 32 x 32 pixels"),
    figure("ar_medium", "AR of objects from there to 96 x 96 pixels"),
    figure("ar_large", "AR of larger objects"),
    SEEN,
    count("labels", "training images whose boxes were used"),
    count("objects", "boxes on them"),
];
/// Of these the first ones.
pub const FIGURES: usize = 12;

/// What has been trained, to be looked at.
pub struct Evaluator<'a> {
    pub trained: Detection,
    pub artifact: &'a EncoderArtifact,
    pub encoder: Encoder,
    pub places: Vec<Place>,
    pub limits: Limits,
    pub context: &'a Context<'a>,
}

impl Evaluator<'_> {
    /// What is there and what is found in each image of a split, in their order.
    pub fn scenes(&self, data: &Dataset, split: Split, name: &str) -> Result<Vec<Scene>> {
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
                scenes.push(Scene { truths: boxes::of(data, row).iter().map(truth).collect(), found });
            }
            meter.at(scenes.len() as u64, &[]);
            Ok(())
        })?;
        Ok(scenes)
    }

    /// Measures, and writes files and pictures; on the latter what is less sure than `least` is left out.
    pub fn publish(&self, data: &Dataset, split: Split, name: &str, scenes: &[Scene], least: f64) -> Result<()> {
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
        text += &format!("{},{},{ap}\n", quoted(name), objects(class));
    }
    text
}

fn truth(region: &Region) -> Truth {
    Truth { class: region.class as usize, edges: region.edges.map(f64::from) }
}
