//! `drawn.png`: what an objective makes of some images, for people.

use crate::augment::{Precision, Source};
use crate::context::Context;
use crate::data::{Dataset, Manifest, Split, draw_grid};
use crate::nn::encoder::Encoder;
use crate::nn::ops;
use crate::train::{Objective, Training};
use anyhow::Result;
use burn::tensor::Tensor;
use image::RgbImage;

const IMAGES: usize = 10;

/// Draws the first validation images, or training images where there are none, a row each, beside what the objective shows of them;
/// nothing where it shows nothing.
pub fn draw(
    objective: &dyn Objective,
    encoder: &Encoder,
    training: &Training,
    data: &Dataset,
    context: &Context,
) -> Result<()> {
    let split = if data.len(Split::Validation) > 0 { Split::Validation } else { Split::Train };
    let images: Vec<usize> = data.rows(split).take(IMAGES).collect();
    let Source { policy, wants, seed, normal, .. } = training.source;
    let source =
        Source { data, batch: images.len(), images, policy, wants, seed, normal, precision: Precision::Float32 };
    let mut columns = vec![];
    source.for_each(0..1, &context.device.clone().autodiff(), |_, batch| {
        columns = objective.shown(encoder, batch, &training.at(0));
        Ok(())
    })?;
    if columns.is_empty() {
        return Ok(());
    }
    let columns: Vec<Vec<RgbImage>> = columns.into_iter().map(|column| pictures(column, &data.manifest)).collect();
    let rows: Vec<Vec<RgbImage>> =
        (0..columns[0].len()).map(|row| columns.iter().map(|column| column[row].clone()).collect()).collect();
    draw_grid(&rows, &context.side().join("drawn.png"))
}

/// Normalised images `[batch, channels, height, width]` with three colours.
fn pictures(images: Tensor<4>, data: &Manifest) -> Vec<RgbImage> {
    let [_, channels, height, width] = images.dims();
    let values = images.permute([0, 2, 3, 1]);
    let byte = |channel: usize, value: f32| ((value * data.sd[channel] + data.mean[channel]) * 255.0).round() as u8;
    ops::read(&ops::float32(values), |values| {
        let image = |values: &[f32]| {
            RgbImage::from_fn(width as u32, height as u32, |x, y| {
                let pixel = &values[(y as usize * width + x as usize) * channels..][..channels];
                image::Rgb(std::array::from_fn(|colour| byte(colour % channels, pixel[colour % channels])))
            })
        };
        values.chunks_exact(channels * height * width).map(image).collect()
    })
}
