use super::feature_set::{FeatureSet, SplitFeatures};
use crate::artifact::{EncoderArtifact, Frozen};
use crate::augment::Normaliser;
use crate::context::Context;
use crate::data::{Dataset, Split};
use crate::nn::ops::{ByteStaging, Staging, is_gpu};
use crate::stage::{About, DATA, MeasureAbout, OutputAbout, PortAbout, Stage};
use anyhow::{Result, ensure};
use burn::tensor::{Device, Tensor};
use rayon::prelude::*;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// The feature vector of every image, computed once for all evaluations.
pub struct Features;

/// What no evaluation should count.
pub const SEEN: MeasureAbout = MeasureAbout {
    name: "seen",
    splits: &["validation", "test"],
    unit: "",
    setting: false,
    doc: "images of the split that the encoder was trained on, told by their pixels",
};

/// It has none.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
pub struct Params {}

/// Images that pass through the network at once: no gradients are kept, so that many cost little memory. Of large ones there
/// are fewer; 64 and 1,000 are as fast.
pub(super) fn batch(height: usize, width: usize) -> usize {
    const MOST: usize = 500;
    const PIXELS: usize = MOST * 32 * 32;
    (PIXELS / (height * width)).clamp(1, MOST)
}

impl Stage for Features {
    type Params = Params;
    const ABOUT: About = About {
        name: "features",
        // 2: GPUs convolve in float32 as such. 3: arrays of numpy's.
        version: 3,
        summary: "The encoder's feature vector of every image, without augmentation",
        docs: "Batch norm uses its running statistics. Raw pixels where the encoder is the identity.",
        needs: &[
            DATA,
            PortAbout { name: "encoder", type_: "encoder", required: true, used: true, doc: "the frozen encoder" },
        ],
        measures: &[SEEN],
        gives: &[OutputAbout { name: "features", type_: "features", doc: "features and labels of every split" }],
        ..About::NONE
    };

    fn run(_: Params, context: &Context) -> Result<()> {
        let data = Dataset::open(context.input("data")?)?;
        ensure!(data.len(Split::Train) > 0, "the data set has no training images, of which all evaluations learn");
        let encoder = EncoderArtifact::open(context.input("encoder")?, &context.device)?;
        let total: usize = Split::LABELLED.iter().map(|&split| data.len(split)).sum();
        let mut meter = context.meter("encode", total as u64, "images");
        let (mut splits, mut done) = (BTreeMap::new(), 0);
        for split in Split::LABELLED.into_iter().filter(|&split| data.len(split) > 0) {
            let Frozen { artifact, .. } = &encoder;
            let normal = [artifact.mean.as_slice(), &artifact.sd];
            let rows: Vec<usize> = data.rows(split).collect();
            let values = encode_all(
                &data,
                &rows,
                normal,
                context,
                |x| encoder.features(x),
                |images| {
                    done += images as u64;
                    meter.at(done, &[]);
                },
            )?;
            if let Some(seen) = artifact.seen_of(&data, split).filter(|_| split != Split::Train) {
                context.measure(SEEN.name, split.name(), seen as f64);
            }
            splits.insert(
                split,
                SplitFeatures {
                    values,
                    labels: data.labels(split).to_vec(),
                    ids: rows.iter().map(|&row| row as u32).collect(),
                },
            );
        }
        let train: &SplitFeatures = &splits[&Split::Train];
        let features = train.values.len() / train.labels.len();
        FeatureSet { features, classes: data.manifest.classes.len(), splits }.save(&context.output("features")?)
    }
}

/// `[image, feature]` of some rows, a batch after the other. `seen` hears of how many more it has.
pub(super) fn encode_all(
    data: &Dataset,
    rows: &[usize],
    normal: [&[f32]; 2],
    context: &Context,
    network: impl Fn(Tensor<4>) -> Tensor<2>,
    mut seen: impl FnMut(usize),
) -> Result<Vec<f32>> {
    let batch = batch(data.manifest.height, data.manifest.width);
    let mut values = vec![];
    for rows in rows.chunks(batch) {
        context.check_stop()?;
        values.extend(encode(data, rows, normal, &context.device, &network));
        seen(rows.len());
    }
    Ok(values)
}

/// `[image, feature]` of some rows, in their order. `network` takes images `[batch, channels, h, w]` that are normalised with
/// `mean` and `sd`.
pub(super) fn encode(
    data: &Dataset,
    rows: &[usize],
    [mean, sd]: [&[f32]; 2],
    device: &Device,
    network: impl Fn(Tensor<4>) -> Tensor<2>,
) -> Vec<f32> {
    let manifest = &data.manifest;
    let shape = [rows.len(), manifest.height, manifest.width, manifest.channels];
    let (normaliser, size) = (Normaliser::new(mean, sd), manifest.image_bytes());
    let images = if is_gpu(device) {
        let mut staging = ByteStaging::new(shape, device);
        let bytes = staging.bytes().par_chunks_mut(size);
        bytes.zip(rows).for_each(|(to, &row)| to.copy_from_slice(&data.image(row)));
        let [mean, scale] = normaliser.mean_and_scale();
        staging.into_normalised(mean, scale)
    } else {
        let mut staging = Staging::new(shape, device);
        let values = staging.values().par_chunks_mut(size);
        values.zip(rows).for_each(|(to, &row)| normaliser.bytes(&data.image(row), to));
        staging.into_tensor()
    };
    network(images).into_data().try_to_vec().expect("features are floats")
}

#[cfg(test)]
mod tests {
    use super::batch;

    #[test]
    fn of_large_images_fewer_pass_through_the_network_at_once() {
        assert_eq!(
            [(28, 28), (32, 32), (64, 64), (224, 224), (1024, 1024)].map(|(h, w)| batch(h, w)),
            [500, 500, 125, 10, 1]
        );
    }
}
