//! Single 32x32 images on one core: bytes in, normalised floats out, channels last.

use crate::{MEAN, SD, simclr};
use anyhow::{Context, Result};
use pretext_stages::augment::{Image, Normaliser, Rgb8, ViewKey};
use std::path::Path;
use std::time::Instant;

const SIDE: usize = 32;
const BYTES: usize = SIDE * SIDE * 3;
/// Times that a round goes through all images: about a tenth of a second.
const PASSES: usize = 80;

/// A round's views per second.
pub fn measure(images: &Path) -> Result<impl FnMut() -> Result<f64> + 'static> {
    let images = std::fs::read(images).with_context(|| format!("cannot read {}", images.display()))?;
    let (policy, normaliser) = (simclr(SIDE, 0.0), Normaliser::new(&MEAN, &SD));
    let (mut image, mut out) = (Image::default(), vec![0.0; images.len()]);
    let mut epoch = 0;
    Ok(move || {
        let started = Instant::now();
        for _ in 0..PASSES {
            for (number, (from, to)) in images.chunks(BYTES).zip(out.chunks_mut(BYTES)).enumerate() {
                let place = ViewKey { seed: 0, epoch, image: number, view: 0 };
                policy.apply(Rgb8::new(from, SIDE, SIDE), place, &mut image);
                normaliser.image(&image, to);
            }
            epoch += 1;
        }
        std::hint::black_box(&out);
        Ok((PASSES * images.len() / BYTES) as f64 / started.elapsed().as_secs_f64())
    })
}
