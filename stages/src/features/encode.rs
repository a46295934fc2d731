//! From images to feature vectors, without augmentation.

use crate::augment::Normaliser;
use crate::context::Context;
use crate::data::{Dataset, Manifest};
use crate::nn::ops::{Staging, is_gpu};
use anyhow::{Result, ensure};
use burn::tensor::{Device, Tensor};
use rayon::prelude::*;
use std::borrow::Cow;

/// Images that pass through the network at once: no gradients are kept, so that many cost little memory. Of large ones there
/// are fewer; 64 and 1,000 are as fast.
pub fn batch([height, width]: [usize; 2]) -> usize {
    const MOST: usize = 500;
    const PIXELS: usize = MOST * 32 * 32;
    (PIXELS / (height * width)).clamp(1, MOST)
}

/// `[image, feature]` of some rows, `batch` of them after the other. `seen` hears of how many more it has.
pub fn encode_all(
    data: &Dataset,
    rows: &[usize],
    normal: [&[f32]; 2],
    batch: usize,
    context: &Context,
    network: impl Fn(Tensor<4>) -> Tensor<2>,
    mut seen: impl FnMut(usize),
) -> Result<Vec<f32>> {
    let mut values = vec![];
    encode_each(data, rows, normal, batch, context, network, |rows, more| {
        values.extend(more);
        seen(rows.len());
        Ok(())
    })?;
    Ok(values)
}

/// The same, of which `take` gets the rows of each batch and what is theirs.
pub fn encode_each(
    data: &Dataset,
    rows: &[usize],
    normal: [&[f32]; 2],
    batch: usize,
    context: &Context,
    network: impl Fn(Tensor<4>) -> Tensor<2>,
    mut take: impl FnMut(&[usize], Vec<f32>) -> Result<()>,
) -> Result<()> {
    for rows in rows.chunks(batch) {
        context.check_stop()?;
        take(rows, encode(data, rows, normal, &context.device, &network))?;
    }
    Ok(())
}

/// `[image, feature]` of some rows, in their order. `network` takes images `[batch, channels, h, w]` that are normalised with
/// `mean` and `sd`.
pub fn encode(
    data: &Dataset,
    rows: &[usize],
    normal: [&[f32]; 2],
    device: &Device,
    network: impl Fn(Tensor<4>) -> Tensor<2>,
) -> Vec<f32> {
    let Manifest { height, width, channels, .. } = data.manifest;
    let images = normalised([rows.len(), height, width, channels], normal, device, |place| data.image(rows[place]));
    network(images).into_data().try_to_vec().expect("features are floats")
}

/// Features that are not finite come of an encoder that is broken.
pub fn check_finite(values: &[f32]) -> Result<()> {
    let wrong = values.iter().find(|value| !value.is_finite());
    ensure!(
        wrong.is_none(),
        "the encoder makes features of these images that are {}, which nothing can be told by",
        wrong.copied().unwrap_or_default()
    );
    Ok(())
}

/// Images `[batch, height, width, channels]` by their places in a batch, normalised with mean and standard deviation, as
/// `[batch, channels, h, w]` on a device. To a GPU they go as bytes.
pub fn normalised<'a>(
    shape: [usize; 4],
    [mean, sd]: [&[f32]; 2],
    device: &Device,
    image: impl Fn(usize) -> Cow<'a, [u8]> + Sync,
) -> Tensor<4> {
    let (normaliser, size) = (Normaliser::new(mean, sd), shape[1..].iter().product());
    if is_gpu(device) {
        let mut staging = Staging::<u8>::new(shape, device);
        let places = staging.values().par_chunks_mut(size).enumerate();
        places.for_each(|(place, to)| to.copy_from_slice(&image(place)));
        let [mean, scale] = normaliser.mean_and_scale();
        return staging.into_normalised(mean, scale);
    }
    let mut staging = Staging::new(shape, device);
    let places = staging.values().par_chunks_mut(size).enumerate();
    places.for_each(|(place, to)| normaliser.bytes(&image(place), to));
    staging.into_tensor()
}

#[cfg(test)]
mod tests {
    use super::batch;

    #[test]
    fn of_large_images_fewer_pass_through_the_network_at_once() {
        assert_eq!([28, 32, 64, 224, 1024].map(|side| batch([side, side])), [500, 500, 125, 10, 1]);
    }
}
