//! PatchCore (Roth et al. 2022, arXiv:2106.08265): of all patches of normal images a coreset is kept, and a test image is as unlike them as
//! its patch that is farthest from the nearest of those.

use super::bank::{Bank, Near, vectors};
use super::coreset::{DIRECTIONS, greedy, projection};
use super::layers::{Joining, Layers};
use super::{Detector, Found, Images, Params};
use crate::context::{Context, Stopped};
use crate::features::check_finite;
use crate::nn::ops;
use crate::random::{Purpose, Rng};
use anyhow::{Result, bail, ensure};
use burn::tensor::{Tensor, TensorData};
use std::collections::BTreeMap;

const OWN_LAYERS: [u32; 2] = [2, 3];

pub struct PatchCore<'a> {
    layers: Layers<'a>,
    bank: Bank,
    neighbours: usize,
}

impl<'a> PatchCore<'a> {
    /// Images pass through the network twice: once for the few numbers that patches are chosen by, and once more for what is chosen.
    pub fn fit(images: &Images<'a>, params: &Params) -> Result<Self> {
        let layers = Layers::new(images, params.layers.as_deref(), &OWN_LAYERS, Joining::LocalMeans)?;
        let rows = images.train();
        let all = rows.len() * layers.places();
        let candidates = candidates(all, params.patches as usize, params.seed);
        if candidates.len() < all {
            images
                .context
                .note(&format!("the coreset is chosen from {} of {all} patches, as `patches` says", candidates.len()));
        }
        let count = ((params.share * candidates.len() as f64).ceil() as usize).clamp(1, candidates.len());
        let neighbours = params.neighbours as usize;
        ensure!(
            neighbours <= count,
            "neighbours is {neighbours}, and the coreset has {count} patches ({} of {}): raise `share`, or lower `neighbours`",
            params.share,
            candidates.len()
        );
        let (values, width) = projected(images, &layers, &candidates, params.seed)?;
        let chosen = chosen(&values, width, count, params.seed, images.context)?;
        drop(values);
        let mut chosen: Vec<usize> = chosen.into_iter().map(|place| candidates[place]).collect();
        chosen.sort_unstable();
        let bank = Bank::new(whole(images, &layers, &chosen)?, layers.channels, &images.context.device)?;
        Ok(Self { layers, bank, neighbours })
    }
}

/// Patches by their numbers, image by image and row by row: all, or as many as are asked for, ascending.
fn candidates(all: usize, most: usize, seed: u64) -> Vec<usize> {
    let mut patches: Vec<usize> = (0..all).collect();
    if all > most {
        Rng::new(seed, Purpose::Evaluate, &[all as u64, 0]).shuffle(&mut patches);
        patches.truncate(most);
        patches.sort_unstable();
    }
    patches
}

/// The numbers by which candidates are compared, `[candidate, width]`.
fn projected(images: &Images, layers: &Layers, candidates: &[usize], seed: u64) -> Result<(Vec<f32>, usize)> {
    let matrix = projection(layers.channels, seed, &images.context.device);
    let width = layers.channels.min(DIRECTIONS);
    let mut values = Vec::with_capacity(candidates.len() * width);
    let mut left = candidates.iter().copied().peekable();
    let mut first = 0;
    images.each("patches", images.train(), |rows, x| {
        let patches = vectors(layers.joined(x)?);
        let patches = match &matrix {
            None => patches,
            Some(matrix) => {
                let shape = [patches.len() / layers.channels, layers.channels];
                let patches = Tensor::from_data(TensorData::new(patches, shape), &images.context.device);
                ops::read(&ops::product(&patches, matrix), <[f32]>::to_vec)
            }
        };
        check_finite(&patches)?;
        let end = first + rows.len() * layers.places();
        while let Some(patch) = left.next_if(|&patch| patch < end) {
            values.extend_from_slice(&patches[(patch - first) * width..][..width]);
        }
        first = end;
        Ok(())
    })?;
    Ok((values, width))
}

fn chosen(values: &[f32], width: usize, count: usize, seed: u64, context: &Context) -> Result<Vec<usize>> {
    let first = Rng::new(seed, Purpose::Evaluate, &[values.len() as u64, 1]).below(values.len() / width);
    let mut meter = context.meter("coreset", count as u64, "patches");
    let go_on = |chosen: usize| {
        meter.at(chosen as u64, &[]);
        !context.stopping()
    };
    match greedy(values, width, count, first, go_on) {
        Some(chosen) => Ok(chosen),
        None => bail!(Stopped),
    }
}

/// What the maps say of some patches, `[patch, channel]`. `patches`: by number, ascending.
fn whole(images: &Images, layers: &Layers, patches: &[usize]) -> Result<Vec<f32>> {
    let (places, train) = (layers.places(), images.train());
    let mut of_row: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
    patches.iter().for_each(|patch| of_row.entry(train[patch / places]).or_default().push(patch % places));
    let mut values = Vec::with_capacity(patches.len() * layers.channels);
    images.each("coreset", of_row.keys().copied().collect(), |rows, x| {
        let of_images = vectors(layers.joined(x)?);
        for (row, of_image) in rows.iter().zip(of_images.chunks_exact(places * layers.channels)) {
            for place in &of_row[row] {
                values.extend_from_slice(&of_image[place * layers.channels..][..layers.channels]);
            }
        }
        Ok(())
    })?;
    Ok(values)
}

impl Detector for PatchCore<'_> {
    fn look_at(&self, images: Tensor<4>) -> Result<Found> {
        let (batch, places, channels) = (images.dims()[0], self.layers.places(), self.layers.channels);
        let device = images.device();
        let patches = vectors(self.layers.joined(images)?);
        let near: Vec<Near> = self.bank.nearest(&patches, 1)?.into_iter().map(|near| near[0]).collect();
        let of_images = near.chunks_exact(places).zip(patches.chunks_exact(places * channels));
        let scores: Result<Vec<f32>> =
            of_images.map(|(near, patches)| image_score(&self.bank, self.neighbours, near, patches)).collect();
        let [rows, columns] = self.layers.grid;
        let distances: Vec<f32> = near.iter().map(|near| near.distance).collect();
        let map = Tensor::from_data(TensorData::new(distances, [batch, 1, rows, columns]), &device);
        Ok(Found { scores: Some(scores?), map: Some(map) })
    }
}

/// The score of an image, by the nearest of the coreset of each of its patches: equations 6 and 7. The weight is the smaller the more alike
/// the distances of the patch to all those are that lie around the nearest. `patches`: `[patch, channel]`.
fn image_score(bank: &Bank, neighbours: usize, near: &[Near], patches: &[f32]) -> Result<f32> {
    let farther = |best: usize, other: usize| if near[other].distance > near[best].distance { other } else { best };
    let place = (0..near.len()).reduce(farther).expect("an image has places");
    let Near { index, distance } = near[place];
    if neighbours == 1 {
        return Ok(distance);
    }
    let channels = patches.len() / near.len();
    let patch = &patches[place * channels..][..channels];
    let around = bank.nearest(&bank.vector(index), neighbours)?;
    let distances: Vec<f64> = around[0].iter().map(|other| f64::from(bank.distance(patch, other.index))).collect();
    Ok((weight(f64::from(distance), &distances) * f64::from(distance)) as f32)
}

/// `1 - exp(own) / sum of exp(around)`, as a multiple of the largest, since exponentials of large distances would be infinite.
fn weight(own: f64, around: &[f64]) -> f64 {
    let largest = around.iter().copied().fold(own, f64::max);
    let sum: f64 = around.iter().map(|distance| (distance - largest).exp()).sum();
    1.0 - (own - largest).exp() / sum
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_weight_is_that_of_the_formula_at_any_distance() {
        let formula = 1.0 - 2.0f64.exp() / (2.0f64.exp() + 3.0f64.exp() + 2.5f64.exp());
        assert!((weight(2.0, &[2.0, 3.0, 2.5]) - formula).abs() < 1e-12);
        assert!((weight(1002.0, &[1002.0, 1003.0, 1002.5]) - formula).abs() < 1e-9);
        assert_eq!(weight(0.0, &[0.0; 9]), 1.0 - 1.0 / 9.0);
    }

    /// scikit-learn 1.9.1's `NearestNeighbors` and the equations, by `stages/tests/anomaly/reference.py`.
    #[test]
    fn scores_are_those_of_the_paper() {
        let waves = |i: usize| (1.7 * i as f64).sin() as f32;
        let bank = Bank::new((0..150).map(waves).collect(), 3, &crate::nn::device("cpu").unwrap()).unwrap();
        let images: Vec<f32> = (1000..1024).map(|i| 1.5 * waves(i)).collect();
        for (patches, expected) in images.chunks_exact(12).zip([0.6430981967600728, 0.634034312931613]) {
            let near: Vec<Near> = bank.nearest(patches, 1).unwrap().iter().map(|near| near[0]).collect();
            let found = f64::from(image_score(&bank, 9, &near, patches).unwrap());
            assert!((found - expected).abs() < 1e-5, "{found} in place of {expected}");
            let farthest = near.iter().map(|near| near.distance).fold(0.0, f32::max);
            assert_eq!(image_score(&bank, 1, &near, patches).unwrap(), farthest);
        }
    }

    #[test]
    fn of_many_patches_some_are_drawn_once_each() {
        assert_eq!(candidates(5, 5, 0), [0, 1, 2, 3, 4]);
        let some = candidates(1000, 50, 0);
        assert!(some.len() == 50 && some.windows(2).all(|pair| pair[0] < pair[1]) && some != candidates(1000, 50, 1));
    }
}
