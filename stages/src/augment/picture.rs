//! A picture of what a policy does to four photographs that the worker carries: on the left as they are, then views.
//!
//! The photographs are scaled crops of scikit-image's sample data: an astronaut (NASA, public domain), a cat and a cup of
//! coffee (CC0), a rocket (public domain).

use super::{Image, Policy, Rgb8, ViewKey};
use anyhow::{Context, Result};
use std::path::Path;

const SAMPLES: &[u8] = include_bytes!("samples.png");
const SIZE: usize = 64;
const VIEWS: usize = 8;
const GAP: usize = 4;

/// A photograph of 64 x 64 pixels.
#[derive(Debug, Clone)]
pub struct Photograph(Vec<u8>);

impl Photograph {
    pub fn source(&self) -> Rgb8<'_> {
        Rgb8::new(&self.0, SIZE, SIZE)
    }
}

/// The photographs.
pub fn samples() -> Vec<Photograph> {
    let strip = image::load_from_memory(SAMPLES).expect("the samples are a PNG").into_rgb8();
    let count = strip.width() as usize / SIZE;
    let part = |n: usize| image::imageops::crop_imm(&strip, (n * SIZE) as u32, 0, SIZE as u32, SIZE as u32).to_image();
    (0..count).map(|n| Photograph(part(n).into_raw())).collect()
}

/// Writes the picture as a PNG. Views that are smaller than the photographs are shown as they are.
pub fn draw(policy: &Policy, path: &Path) -> Result<()> {
    let samples = samples();
    let (columns, step) = (VIEWS + 1, SIZE + GAP);
    let mut canvas = image::RgbImage::from_pixel(
        (columns * step - GAP) as u32,
        (samples.len() * step - GAP) as u32,
        image::Rgb([255; 3]),
    );
    let mut tile = Image::default();
    for (row, sample) in samples.iter().enumerate() {
        for column in 0..columns {
            match column {
                0 => tile.load(sample.source()),
                _ => {
                    let place = ViewKey { seed: 0, epoch: 0, image: row, view: column - 1 };
                    policy.apply(sample.source(), place, &mut tile);
                }
            }
            let tile = image::RgbImage::from_raw(tile.width as u32, tile.height as u32, tile.to_bytes())
                .expect("three bytes for every pixel");
            image::imageops::replace(&mut canvas, &tile, (column * step) as i64, (row * step) as i64);
        }
    }
    canvas.save(path).with_context(|| format!("cannot write {}", path.display()))
}
