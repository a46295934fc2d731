//! `drawn.png`: what an objective makes of some images, for people.

use crate::augment::{Precision, Source};
use crate::context::Context;
use crate::data::{Dataset, Split, draw_grid};
use crate::nn::PixelValues;
use crate::nn::encoder::Encoder;
use crate::train::{Objective, Training};
use anyhow::Result;
use burn::tensor::Tensor;
use image::RgbImage;

const IMAGES: usize = 10;

/// The answer that a puzzle's classifier gives to each image: the place of the highest of its logits, `[batch, answers]`.
pub fn predicted(logits: Tensor<2>) -> Vec<usize> {
    logits.argmax(1).into_data().iter::<i64>().map(|answer| answer as usize).collect()
}

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
    let values = PixelValues::new(normal[0], normal[1], &context.device.clone().autodiff());
    let columns: Vec<Vec<RgbImage>> = columns.into_iter().map(|column| values.pictures(column)).collect();
    let rows: Vec<Vec<RgbImage>> =
        (0..columns[0].len()).map(|row| columns.iter().map(|column| column[row].clone()).collect()).collect();
    draw_grid(&rows, &context.side().join("drawn.png"))
}
