//! Fine-tuning: a pretrained encoder and a new linear classifier are trained with labels, all of them or few, and the whole is judged. An
//! encoder of `pretrain/random` makes it training from scratch.

use super::accuracies::{ACCURACY, BALANCED_ACCURACY, MACRO_F1, report};
use super::features::{SEEN, measure_seen};
use super::tuning::{Opened, Tuning};
use crate::artifact::{CLASSIFIER, EncoderArtifact};
use crate::augment::{Source, StandardViews};
use crate::context::Context;
use crate::data::{Dataset, Split, keep};
use crate::features::{Labelled, SplitFeatures, Standardiser, batch, encode_all};
use crate::metrics::{Confusion, confusion_picture};
use crate::nn::encoder::Encoder;
use crate::nn::layers::Mode;
use crate::nn::{Init, Mlp};
use crate::stage::{About, DATA, ENCODER, MeasureAbout, OutputAbout, PortAbout, Stage, VIEWS};
use crate::train::{Classification, Objective};
use anyhow::{Result, ensure};
use burn::module::Module;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub struct Finetune;

#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct Params {
    /// share of the training images whose labels are used, of each class in proportion and one at least; at one seed the same images
    /// for every encoder
    #[schemars(range(max = 1), extend("exclusiveMinimum" = 0))]
    fraction: f64,
    #[serde(flatten)]
    tuning: Tuning,
    /// whether a class counts in the loss the more, the fewer images with labels it has
    class_weights: bool,
}

impl Default for Params {
    fn default() -> Self {
        Self { fraction: 1.0, tuning: Tuning::default(), class_weights: false }
    }
}

impl Stage for Finetune {
    type Params = Params;
    const ABOUT: About = About {
        name: "eval/finetune",
        // 2: the encoder is kept.
        // 3: where the encoder is fixed, its features are standardised as its classifier sees them; what was seen is what passed through.
        version: 3,
        summary: "Fine-tuning: the encoder and a linear classifier, trained with all labels or few",
        docs: "Minimises cross entropy, with augment/standard where no views are connected, and looks at validation and test once, after \
               the last step. With `pretrain/random` it is training from scratch. Batch norm uses the statistics of the batches, also \
               where it is fixed, unless nothing of the encoder is trained: then its running ones, and the classifier learns from \
               features that are standardised over the first views. The confusion matrices lie beside the \
               result as CSV and as pictures (SVG), and in `predictions` which class each image was taken for (.npy).",
        needs: &[DATA, PortAbout { doc: "what is fine-tuned", ..ENCODER }, VIEWS],
        gives: &[OutputAbout {
            name: "encoder",
            type_: "encoder",
            doc: "the encoder and its classifier after the last step",
        }],
        measures: &[
            ACCURACY,
            BALANCED_ACCURACY,
            MACRO_F1,
            SEEN,
            MeasureAbout {
                name: "labels",
                splits: &[],
                unit: "",
                setting: false,
                doc: "training images whose labels were used",
            },
        ],
        ..About::NONE
    };

    fn run(params: Params, context: &Context) -> Result<()> {
        let opened = params.tuning.open(context, StandardViews::default_policy())?;
        let Opened { data, encoder, .. } = &opened;
        let classes = data.manifest.classes.len();
        data.manifest.check_image_classes("fine-tuning")?;
        ensure!(
            classes > 1,
            "the images have no labels (all are of one class), and fine-tuning tells classes apart: use a data set with a folder for \
             each class"
        );
        let images = labelled(data, &params)?;
        context.measure("labels", "", images.len() as f64);
        let labels: Vec<i32> = images.iter().map(|&image| data.class(image)).collect();
        let init = &mut Init::new(params.tuning.seed, &context.device.clone().autodiff());
        let mut objective = Classification::new(init, encoder.features(), classes);
        if params.class_weights {
            objective = objective.weighted(balanced(&labels, classes));
        }
        if opened.is_fixed() {
            let source = params.tuning.source(&opened, &images, objective.wants());
            let standard = standard(&source, params.tuning.steps as usize, encoder, context)?;
            objective = objective.of_fixed(standard, &context.device);
        }
        let seen = params.tuning.train(&opened, &images, &mut objective, context)?;
        let classifier = objective.into_classifier();
        let Opened { data, artifact, encoder, .. } = opened;
        let artifact =
            artifact.trained_on(&data, &seen).with_heads(vec![(CLASSIFIER, classifier.config())], &data.manifest);
        artifact.save(Some(&encoder), &[(CLASSIFIER, &classifier)], &context.output("encoder")?)?;
        for split in [Split::Validation, Split::Test] {
            let confusion = evaluate(&classifier, &data, split, &artifact, &encoder, context)?;
            measure_seen(&artifact, &data, split, context);
            let file = context.side().join(format!("confusion-{}.csv", split.name()));
            let picture = confusion_picture::svg(&confusion, &data.manifest.classes);
            std::fs::write(file.with_extension("svg"), picture)?;
            std::fs::write(file, confusion.to_csv(&data.manifest.classes))?;
        }
        Ok(())
    }
}

/// The training images whose labels are used.
fn labelled(data: &Dataset, params: &Params) -> Result<Vec<usize>> {
    let labels = data.labels(Split::Train);
    let asked = (params.fraction * labels.len() as f64).round() as usize;
    let least = labels.iter().collect::<std::collections::BTreeSet<_>>().len();
    keep(labels, data.manifest.classes.len(), asked.max(least), params.tuning.seed)
}

/// Of each class a weight that makes all count alike: of `n` images of `c` classes, `n / (c n_i)` for a class with `n_i`.
fn balanced(labels: &[i32], classes: usize) -> Vec<f32> {
    let mut counts = vec![0usize; classes];
    labels.iter().for_each(|&label| counts[label as usize] += 1);
    let weight = |count: &usize| labels.len() as f32 / (classes * (*count).max(1)) as f32;
    counts.iter().map(weight).collect()
}

/// Mean and scale of each feature of a fixed encoder, over the first views that its classifier will learn from: a border that those have
/// and images have not may lie far from all that images show.
fn standard(source: &Source, steps: usize, encoder: &Encoder, context: &Context) -> Result<[Vec<f32>; 2]> {
    // Not so many that a wish to stop would have to be looked for.
    const IMAGES: usize = 2000;
    let steps = IMAGES.div_ceil(source.size()).min(steps);
    if context.rehearses {
        return Ok([0.0, 1.0].map(|value| vec![value; encoder.features()]));
    }
    let (encoder, mut values) = (encoder.valid(), vec![]);
    source.for_each(0..steps, &context.device, |_, batch| {
        let [images] = batch.into_views();
        values.extend(encoder.pooled(images, Mode::Eval).into_data().try_to_vec::<f32>()?);
        Ok(())
    })?;
    let labels = vec![0; steps * source.size()];
    let width = encoder.features();
    Ok(Standardiser::each_of(&SplitFeatures { values, labels, ids: vec![] }, width).mean_and_scale())
}

fn evaluate(
    classifier: &Mlp,
    data: &Dataset,
    split: Split,
    artifact: &EncoderArtifact,
    encoder: &Encoder,
    context: &Context,
) -> Result<Confusion> {
    let (encoder, classifier) = (encoder.valid(), classifier.valid());
    let network = |x| classifier.forward(encoder.pooled(x, Mode::Eval), Mode::Eval);
    let (mut meter, mut done) = (context.meter(split.name(), data.len(split) as u64, "images"), 0);
    let rows: Vec<usize> = data.rows(split).collect();
    let batch = batch([data.manifest.height, data.manifest.width]);
    let scores = encode_all(data, &rows, [&artifact.mean, &artifact.sd], batch, context, network, |images| {
        done += images as u64;
        meter.at(done, &[]);
    })?;
    let scores: Vec<f64> = scores.into_iter().map(f64::from).collect();
    let ids: Vec<u32> = rows.iter().map(|&row| row as u32).collect();
    let of = Labelled { labels: data.labels(split), ids: &ids, classes: data.manifest.classes.len() };
    report(context, split, &scores, of)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rare_classes_weigh_more() {
        assert_eq!(balanced(&[0, 0, 0, 1], 2), [4.0 / 6.0, 2.0]);
        assert_eq!(balanced(&[0, 1, 2, 0, 1, 2], 3), [1.0; 3]);
    }
}
