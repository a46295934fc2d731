use crate::artifact::{EncoderArtifact, Frozen};
use crate::context::Context;
use crate::data::{Dataset, Split};
use crate::features::{FeatureSet, SplitFeatures, batch, encode_all};
use crate::nn::ops::channels_last;
use crate::stage::{About, DATA, ENCODER, MeasureAbout, OutputAbout, PortAbout, Stage};
use anyhow::{Result, ensure};
use burn::tensor::Tensor;
use burn::tensor::module::interpolate;
use burn::tensor::ops::{InterpolateMode, InterpolateOptions};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::ops::Range;

/// The feature vector of every image, computed once for all evaluations.
pub struct Features;

/// What no evaluation should count.
pub const SEEN: MeasureAbout = MeasureAbout {
    name: "seen",
    splits: &["validation", "test"],
    unit: "",
    setting: false,
    doc: "images of the split that the encoder was trained on, told by their pixels; NaN where nobody knows",
};

#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct Params {
    /// what the shorter side of an image is scaled up to, bicubically, before the network sees it; null: images stay as they are.
    /// Networks that were trained on ImageNet make little of small images
    #[schemars(range(min = 1, max = 1024), extend("x-unit" = "pixels"))]
    size: Option<u32>,
    /// whether the features of an autoencoder that has a code of its own are that code, and not the encoder's pooled features
    code: bool,
}

impl Default for Params {
    fn default() -> Self {
        Self { size: None, code: true }
    }
}

impl Params {
    /// Height and width of what the network sees.
    fn seen(&self, [height, width]: [usize; 2]) -> Result<[usize; 2]> {
        let shorter = height.min(width);
        let Some(size) = self.size.map(|size| size as usize) else { return Ok([height, width]) };
        ensure!(
            size >= shorter,
            "size is {size} and the images have {height} x {width} pixels: they are only scaled up, so write {shorter} or more, or a \
             smaller size in the data set"
        );
        Ok([height, width].map(|side| (side * size + shorter / 2) / shorter))
    }
}

/// Half a pixel's corner is half a pixel's corner again, as in PIL and PyTorch.
fn scaled(x: Tensor<4>, size: [usize; 2]) -> Tensor<4> {
    let [_, _, height, width] = x.dims();
    if size == [height, width] {
        return x;
    }
    let options = InterpolateOptions::new(InterpolateMode::Bicubic).with_align_corners(false).with_output_size(size);
    channels_last(interpolate(x, options))
}

impl Stage for Features {
    type Params = Params;
    const ABOUT: About = About {
        name: "features",
        // 2: GPUs convolve in float32 as such. 3: arrays of numpy's.
        version: 3,
        summary: "The encoder's feature vector of every image, without augmentation",
        docs: "Batch norm uses its running statistics. Raw pixels where the encoder is the identity; of an autoencoder with a code of its own \
               that code, unless `code` says otherwise.",
        needs: &[DATA, PortAbout { doc: "the frozen encoder", ..ENCODER }],
        measures: &[SEEN],
        gives: &[OutputAbout { name: "features", type_: "features", doc: "features and labels of every split" }],
        ..About::NONE
    };

    fn run(params: Params, context: &Context) -> Result<()> {
        let data = Dataset::open(context.input("data")?)?;
        data.manifest.check_image_classes("what learns from features")?;
        ensure!(data.len(Split::Train) > 0, "the data set has no training images, of which all evaluations learn");
        let encoder = EncoderArtifact::open(context.input("encoder")?, &context.device)?;
        let encoder = if params.code { encoder } else { encoder.without_code() };
        encoder.artifact.check_channels(&data.manifest)?;
        let size = params.seen([data.manifest.height, data.manifest.width])?;
        encoder.takes(size)?;
        let total: usize = Split::LABELLED.iter().map(|&split| data.len(split)).sum();
        let encode = |x| encoder.features(scaled(x, size));
        let mut meter = context.meter("encode", total as u64, "images");
        let (mut splits, mut done) = (BTreeMap::new(), 0);
        for split in Split::LABELLED.into_iter().filter(|&split| data.len(split) > 0) {
            let Frozen { artifact, .. } = &encoder;
            let normal = [artifact.mean.as_slice(), &artifact.sd];
            let rows: Vec<usize> = data.rows(split).collect();
            let values = match context.rehearses {
                // One number of each image is enough for others to begin on.
                true => vec![0.0; rows.len()],
                false => encode_all(&data, &rows, normal, batch(size), context, encode, |images| {
                    done += images as u64;
                    meter.at(done, &[]);
                })?,
            };
            splits.insert(
                split,
                SplitFeatures {
                    values,
                    labels: data.labels(split).to_vec(),
                    ids: rows.iter().map(|&row| row as u32).collect(),
                },
            );
        }
        for split in [Split::Validation, Split::Test] {
            measure_seen(&encoder.artifact, &data, split, context);
        }
        let train: &SplitFeatures = &splits[&Split::Train];
        let features = train.values.len() / train.labels.len();
        FeatureSet { features, classes: data.manifest.classes.len(), splits }.save(&context.output("features")?)
    }
}

/// So many rows of a split, evenly over it, since it may be sorted by class; all where it is 0 or there are no more.
pub(super) fn evenly(rows: Range<usize>, images: usize) -> Vec<usize> {
    let all = rows.len();
    let count = if images == 0 { all } else { images.min(all) };
    (0..count).map(|number| rows.start + number * all / count).collect()
}

/// How many images of a split the encoder was trained on; not a number where nobody knows.
pub(super) fn measure_seen(artifact: &EncoderArtifact, data: &Dataset, split: Split, context: &Context) {
    let seen = artifact.seen_of(data, split).map_or(f64::NAN, |images| images as f64);
    context.measure(SEEN.name, split.name(), seen);
}

#[cfg(test)]
mod tests {
    use super::evenly;

    #[test]
    fn images_that_are_looked_at_lie_evenly_in_the_split() {
        assert_eq!(evenly(10..17, 3), [10, 12, 14]);
        assert_eq!(evenly(10..13, 0), [10, 11, 12]);
        assert_eq!(evenly(10..13, 500), [10, 11, 12]);
        assert!(evenly(10..10, 0).is_empty());
    }
}
