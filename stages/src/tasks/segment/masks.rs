//! What the masks of a data set have to be, and what they are predicted to be.

use crate::artifact::EncoderArtifact;
use crate::context::Context;
use crate::data::{Dataset, Manifest, Split};
use crate::features::{batch, normalised};
use crate::metrics::UNKNOWN;
use crate::nn::Segmenter;
use crate::nn::encoder::Encoder;
use crate::nn::layers::Mode;
use anyhow::{Context as _, Result, ensure};
use burn::module::Module;

/// What the lowest value of a mask stands for.
const BACKGROUND: &str = "background";

/// What masks tell apart, in the order of their values.
pub fn classes(data: &Manifest) -> Vec<String> {
    std::iter::once(BACKGROUND.to_owned()).chain(data.classes.iter().cloned()).collect()
}

/// An error where masks hold what is no class.
pub fn check(data: &Dataset, split: Split) -> Result<()> {
    let known = classes(&data.manifest).len();
    for row in data.rows(split) {
        let mask = data.mask(row).context(
            "the data set has no masks, which segmentation learns from: use data/scenes, data/masks, data/nifti, data/head_mri, or data/coco and data/voc with \
             `masks: true`",
        )?;
        let wrong = mask.iter().find(|&&shown| shown != UNKNOWN && usize::from(shown) >= known);
        ensure!(
            wrong.is_none(),
            "the mask of row {row} ({}) holds {}: expected 0 for the background, 1 to {} for the classes, 255 where nobody knows",
            split.name(),
            wrong.copied().unwrap_or_default(),
            known - 1
        );
    }
    Ok(())
}

/// An error where there is nothing to learn.
pub fn check_to_train_on(data: &Dataset, images: &[usize]) -> Result<()> {
    let has_object =
        |&row: &usize| data.mask(row).is_some_and(|mask| mask.iter().any(|&shown| shown != UNKNOWN && shown > 0));
    ensure!(
        images.iter().any(has_object),
        "the masks of all {} images with labels show the background only: use more of them (`images`), or a data set with objects",
        images.len()
    );
    Ok(())
}

/// The class of every pixel of a split, `[n, height, width]`. Of classes with equal scores the first.
pub fn predicted(
    segmenter: &Segmenter,
    data: &Dataset,
    split: Split,
    artifact: &EncoderArtifact,
    encoder: &Encoder,
    context: &Context,
) -> Result<Vec<u8>> {
    let (encoder, segmenter) = (encoder.valid(), segmenter.valid());
    let Manifest { height, width, channels, .. } = data.manifest;
    let rows: Vec<usize> = data.rows(split).collect();
    let mut meter = context.meter(split.name(), rows.len() as u64, "images");
    let mut masks = Vec::with_capacity(rows.len() * height * width);
    for (number, rows) in rows.chunks(batch([height, width])).enumerate() {
        context.check_stop()?;
        let shape = [rows.len(), height, width, channels];
        let images =
            normalised(shape, [&artifact.mean, &artifact.sd], &context.device, |place| data.image(rows[place]));
        let scores = segmenter.forward(encoder.maps(images, Mode::Eval)?, [height, width], Mode::Eval);
        masks.extend(scores.argmax(1).into_data().iter::<i64>().map(|class| class as u8));
        meter.at((number * batch([height, width]) + rows.len()) as u64, &[]);
    }
    Ok(masks)
}
