//! What corrupted images leave of a classifier's accuracy.

mod corruptions;

use super::features::{SEEN, evenly, measure_seen};
use super::restoration::{picture, shape};
use crate::artifact::{EncoderArtifact, Frozen};
use crate::context::Context;
use crate::data::{Dataset, Split, draw_grid};
use crate::features::{batch, normalised};
use crate::metrics::Confusion;
use crate::nn::Mlp;
use crate::nn::layers::Mode;
use crate::random::{Purpose, Rng};
use crate::stage::{About, DATA, Deviations, ENCODER, MeasureAbout, PortAbout, Stage};
use anyhow::{Context as _, Result, ensure};
use corruptions::{CORRUPTIONS, SEVERITIES};
use image::RgbImage;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::borrow::Cow;

pub struct Robustness;

#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct Params {
    /// how many images of test are looked at, evenly over the split; 0: all
    #[schemars(range(min = 0), extend("x-unit" = "images"))]
    images: u32,
    /// of the noise; an image has draws of its own for each corruption, the same at every severity
    #[schemars(range(min = 0))]
    seed: u64,
}

impl Default for Params {
    fn default() -> Self {
        Self { images: 2000, seed: 0 }
    }
}

const CLEAN: MeasureAbout = MeasureAbout {
    name: "accuracy",
    splits: &["test"],
    unit: "fraction",
    setting: false,
    doc: "share of the images whose class is predicted, as they are",
};
const CORRUPTED: MeasureAbout = MeasureAbout {
    name: "accuracy_corrupted",
    doc: "share of corrupted images whose class is predicted, the mean of all corruptions at all severities",
    ..CLEAN
};

impl Stage for Robustness {
    type Params = Params;
    const ABOUT: About = About {
        name: "eval/robustness",
        summary: "Robustness: a classifier's accuracy on corrupted images (Hendrycks & Dietterich 2019, arXiv:1903.12261)",
        docs: "Takes an encoder with a classifier (`eval/finetune`, `pretrain/supervised`), and trains nothing. The same images of test are \
               seen as they are and with eight corruptions at three severities: 1, 3 and 5 of CIFAR-10-C, which are made for images of 32 x 32 \
               pixels and are of the same strength on others. Measured is the mean over the severities; robustness.csv has each by itself, \
               and corrupted.png an image, a row for each corruption: as it is, then at each severity.",
        deviations: &[Deviations::from_paper(&[
            "eight of its fifteen corruptions and of its four further ones, at three of five severities; accuracy by each, where it has an error \
             divided by AlexNet's",
            "values are rounded to bytes, where their code cuts them off",
            "what a blur sees beyond the border is the image's reflection, where their code repeats the outermost pixel",
            "JPEG keeps the colour of every pixel, where PIL's keeps that of every other row and column",
            "pixels are not rounded between making an image smaller in one direction and in the other",
        ])],
        needs: &[DATA, PortAbout { doc: "what is judged, with its classifier", ..ENCODER }],
        measures: &[
            CLEAN,
            CORRUPTED,
            CORRUPTIONS[0].measure,
            CORRUPTIONS[1].measure,
            CORRUPTIONS[2].measure,
            CORRUPTIONS[3].measure,
            CORRUPTIONS[4].measure,
            CORRUPTIONS[5].measure,
            CORRUPTIONS[6].measure,
            CORRUPTIONS[7].measure,
            MeasureAbout { splits: &["test"], ..SEEN },
        ],
        ..About::NONE
    };

    fn run(params: Params, context: &Context) -> Result<()> {
        let data = Dataset::open(context.input("data")?)?;
        let rows = evenly(data.rows(Split::Test), params.images as usize);
        ensure!(!rows.is_empty(), "the data set has no test images to judge by");
        let evaluator = Evaluator::open(&data, rows, params.seed, context)?;
        measure_seen(&evaluator.encoder.artifact, &data, Split::Test, context);
        context.measure(CLEAN.name, "test", evaluator.accuracy("clean", |row| data.image(row))?);
        let mut csv = "corruption,severity,accuracy\n".to_owned();
        let (mut pictures, mut means) = (vec![], vec![]);
        for (number, corruption) in CORRUPTIONS.iter().enumerate() {
            let accuracies = evaluator.corrupted(number)?;
            for (severity, accuracy) in SEVERITIES.iter().zip(&accuracies) {
                csv += &format!("{},{severity},{accuracy}\n", corruption.name());
            }
            means.push(mean(&accuracies));
            context.measure(corruption.measure.name, "test", mean(&accuracies));
            pictures.push(evaluator.pictures(number));
        }
        context.measure(CORRUPTED.name, "test", mean(&means));
        std::fs::write(context.side().join("robustness.csv"), csv)?;
        draw_grid(&pictures, &context.side().join("corrupted.png"))
    }
}

fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len() as f64
}

/// A row's image with a corruption, by its number, at a severity, by its place.
fn spoilt(data: &Dataset, seed: u64, number: usize, severity: usize, row: usize) -> Vec<u8> {
    let mut rng = Rng::new(seed, Purpose::Evaluate, &[row as u64, number as u64]);
    CORRUPTIONS[number].of(&data.image(row), shape(data), severity, &mut rng)
}

/// Images, and what tells their classes.
struct Evaluator<'a> {
    data: &'a Dataset,
    rows: Vec<usize>,
    seed: u64,
    encoder: Frozen,
    classifier: Mlp,
    context: &'a Context<'a>,
}

impl<'a> Evaluator<'a> {
    fn open(data: &'a Dataset, rows: Vec<usize>, seed: u64, context: &'a Context<'a>) -> Result<Self> {
        let folder = context.input("encoder")?;
        let encoder = EncoderArtifact::open(folder, &context.device)?;
        let artifact = &encoder.artifact;
        let classifier = artifact.open_classifier(folder, &context.device)?.context(
            "this encoder has no classifier, whose accuracy is looked at: use the encoder of eval/finetune or pretrain/supervised",
        )?;
        data.manifest.check_image_classes("robustness")?;
        artifact.check_channels(&data.manifest)?;
        let [own, theirs] = [&artifact.classes, &data.manifest.classes].map(|classes| classes.join(", "));
        ensure!(
            own == theirs,
            "the encoder's classifier tells {own} apart, and the data set's classes are {theirs}: use the data that it was trained on"
        );
        encoder.takes([data.manifest.height, data.manifest.width])?;
        Ok(Self { data, rows, seed, encoder, classifier, context })
    }

    /// The accuracy at each severity of a corruption, by its number.
    fn corrupted(&self, number: usize) -> Result<Vec<f64>> {
        let of = |severity: usize| {
            let phase = format!("{} {}", CORRUPTIONS[number].name(), SEVERITIES[severity]);
            let (data, seed) = (self.data, self.seed);
            self.accuracy(&phase, |row| Cow::Owned(spoilt(data, seed, number, severity, row)))
        };
        (0..SEVERITIES.len()).map(of).collect()
    }

    /// The first image as it is, and at each severity of a corruption.
    fn pictures(&self, number: usize) -> Vec<RgbImage> {
        let shown = |bytes: &[u8]| {
            let values: Vec<f32> = bytes.iter().map(|&byte| f32::from(byte) / 255.0).collect();
            picture(&values, shape(self.data))
        };
        let row = self.rows[0];
        let corrupted =
            (0..SEVERITIES.len()).map(|severity| shown(&spoilt(self.data, self.seed, number, severity, row)));
        std::iter::once(shown(&self.data.image(row))).chain(corrupted).collect()
    }

    /// Of the images that `image` makes of rows.
    fn accuracy<'b>(&self, phase: &str, image: impl Fn(usize) -> Cow<'b, [u8]> + Sync) -> Result<f64> {
        let ([height, width, channels], artifact) = (shape(self.data), &self.encoder.artifact);
        let mut meter = self.context.meter(phase, self.rows.len() as u64, "images");
        let mut scores: Vec<f64> = vec![];
        let classes = artifact.classes.len();
        for rows in self.rows.chunks(batch([height, width])) {
            self.context.check_stop()?;
            let (shape, normal) = ([rows.len(), height, width, channels], [artifact.mean.as_slice(), &artifact.sd]);
            let images = normalised(shape, normal, &self.context.device, |place| image(rows[place]));
            let logits = self.classifier.forward(self.encoder.features(images), Mode::Eval); // [batch, classes]
            scores.extend(logits.into_data().iter::<f64>());
            meter.at((scores.len() / classes) as u64, &[]);
        }
        ensure!(
            scores.iter().all(|score| score.is_finite()),
            "what the classifier says of images ({phase}) is not finite"
        );
        let labels: Vec<i32> = self.rows.iter().map(|&row| self.data.class(row)).collect();
        Ok(Confusion::new(&scores, &labels, classes).accuracy())
    }
}
