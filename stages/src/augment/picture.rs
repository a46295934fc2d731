//! A picture of what a policy does to four photographs that the worker carries: on the left as they are, then views.
//!
//! The photographs are scaled crops of scikit-image's sample data: an astronaut (NASA, public domain), a cat and a cup of
//! coffee (CC0), a rocket (public domain).

use super::{Image, Policy};
use anyhow::{Context, Result};
use std::path::Path;

const SAMPLES: &[u8] = include_bytes!("samples.png");
const SIZE: usize = 64;
const VIEWS: usize = 8;
const GAP: usize = 4;

pub fn samples() -> Vec<Image> {
    let strip = image::load_from_memory(SAMPLES).expect("the samples are a PNG").into_rgb8();
    let count = strip.width() as usize / SIZE;
    (0..count)
        .map(|n| {
            let part = image::imageops::crop_imm(&strip, (n * SIZE) as u32, 0, SIZE as u32, SIZE as u32).to_image();
            Image::from_u8(part.as_raw(), SIZE, SIZE)
        })
        .collect()
}

pub fn draw(policy: &Policy, path: &Path) -> Result<()> {
    let samples = samples();
    let (columns, step) = (VIEWS + 1, SIZE + GAP);
    let mut canvas = image::RgbImage::from_pixel(
        (columns * step - GAP) as u32,
        (samples.len() * step - GAP) as u32,
        image::Rgb([255; 3]),
    );
    for (row, sample) in samples.iter().enumerate() {
        for column in 0..columns {
            let tile = match column {
                0 => sample.clone(),
                view => policy.apply(sample.clone(), 0, 0, row as u64, view as u64),
            };
            let bytes = tile.data.iter().map(|v| (v * 255.0).round().clamp(0.0, 255.0) as u8).collect();
            let tile = image::RgbImage::from_raw(SIZE as u32, SIZE as u32, bytes).expect("a tile keeps its size");
            image::imageops::replace(&mut canvas, &tile, (column * step) as i64, (row * step) as i64);
        }
    }
    canvas.save(path).with_context(|| format!("cannot write {}", path.display()))
}
