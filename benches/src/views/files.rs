//! JPEG files on all cores: decoded, two views of each, in batches of tensors.

use crate::{MEAN, SD, simclr};
use anyhow::{Context as _, Result};
use pretext_stages::augment::{Image, Normaliser, Policy, Rgb8, ViewKey};
use pretext_stages::data::pictures;
use pretext_stages::nn::{self, ops::Staging};
use rayon::prelude::*;
use std::path::{Path, PathBuf};
use std::time::Instant;

const SIDE: usize = 96;
const BATCH: usize = 128;

/// A round's views per second: once through all files.
pub fn measure(folder: &Path) -> Result<impl FnMut() -> Result<f64> + 'static> {
    let files: Vec<PathBuf> = pictures::list(folder)?.pictures.iter().map(|file| folder.join(file)).collect();
    let (policy, device) = (simclr(SIDE, 0.5), nn::device("cpu")?);
    let mut epoch = 0;
    Ok(move || {
        let started = Instant::now();
        for (number, batch) in files.chunks(BATCH).enumerate() {
            let mut views = [0, 1].map(|_| Staging::new([batch.len(), SIDE, SIDE, 3], &device));
            let [a, b] = &mut views;
            fill(batch, &policy, (epoch, number * BATCH), [a.values(), b.values()])?;
            std::hint::black_box(views.map(Staging::into_tensor));
        }
        epoch += 1;
        Ok(2.0 * files.len() as f64 / started.elapsed().as_secs_f64())
    })
}

/// Both views of every file of a batch, of which the first file is number `first` of `epoch`.
fn fill(files: &[PathBuf], policy: &Policy, (epoch, first): (usize, usize), [a, b]: [&mut [f32]; 2]) -> Result<()> {
    const VIEW: usize = SIDE * SIDE * 3;
    let normaliser = Normaliser::new(&MEAN, &SD);
    let views = a.par_chunks_mut(VIEW).zip(b.par_chunks_mut(VIEW)).zip(files).enumerate();
    views.try_for_each_init(Image::default, |image, (number, ((a, b), file))| {
        let picture = pictures::read(file, true).with_context(|| file.display().to_string())?;
        let source = Rgb8::new(&picture.rgb, picture.height, picture.width);
        for (view, to) in [a, b].into_iter().enumerate() {
            policy.apply(source, ViewKey { seed: 0, epoch, image: first + number, view }, image);
            normaliser.image(image, to);
        }
        Ok(())
    })
}
