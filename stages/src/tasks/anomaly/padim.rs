//! PaDiM (Defard et al. 2020, arXiv:2011.08785): what the maps of several layers say of a place is a Gaussian of normal images, and a test
//! image's score at the place its Mahalanobis distance.

use super::layers::{Joining, Layers};
use super::{Detector, Found, Images, Params};
use crate::features::check_finite;
use crate::nn::ops::{self, GaussianSums, Gaussians};
use crate::random::{Purpose, Rng};
use anyhow::{Context, Result, ensure};
use burn::tensor::{Int, Tensor, TensorData};

/// Added to the covariances' diagonals, section III-B.
const RIDGE: f64 = 0.01;
const OWN_LAYERS: [u32; 3] = [1, 2, 3];
/// Of the covariances there are so many at once while they are made.
const COPIES: usize = 3;
/// Bytes of all of them.
const MOST_BYTES: usize = 12 << 30;

pub struct Padim<'a> {
    layers: Layers<'a>,
    /// Of the maps' channels those that are used.
    channels: Tensor<1, Int>,
    gaussians: Gaussians,
}

impl<'a> Padim<'a> {
    pub fn fit(images: &Images<'a>, params: &Params) -> Result<Self> {
        let layers = Layers::new(images, params.layers.as_deref(), &OWN_LAYERS, Joining::Repeated)?;
        let channels = drawn(layers.channels, params.channels as usize, params.seed);
        let (places, used, rows) = (layers.places(), channels.len(), images.train());
        let bytes = COPIES * places * used * used * size_of::<f64>();
        ensure!(
            bytes <= MOST_BYTES,
            "padim needs {} GiB for the covariances of {used} channels at {places} places, and may have {}: lower `channels`, leave the \
             finest of `layers` out, or make the images smaller",
            bytes.div_ceil(1 << 30),
            MOST_BYTES >> 30
        );
        ensure!(rows.len() > 1, "there is 1 training image, and a Gaussian needs two: add some");
        let channels: Vec<i64> = channels.into_iter().map(|channel| channel as i64).collect();
        let channels = Tensor::from_data(TensorData::new(channels, [used]), &images.context.device);
        let mut sums: Option<GaussianSums> = None;
        images.each("fit", rows, |_, x| {
            let x = vectors(&layers, &channels, x)?;
            match &mut sums {
                Some(sums) => sums.add(&x),
                None => sums = Some(GaussianSums::new(&x)),
            }
            Ok(())
        })?;
        let gaussians = sums.context("there is no image to train on")?.fit(RIDGE)?;
        Ok(Self { layers, channels, gaussians })
    }
}

/// `[place, image, channel]`
fn vectors(layers: &Layers, channels: &Tensor<1, Int>, images: Tensor<4>) -> Result<Tensor<3>> {
    let maps = layers.joined(images)?.select(1, channels.clone());
    let [batch, used, rows, columns] = maps.dims();
    ops::read(&maps, check_finite)?;
    Ok(maps.reshape([batch, used, rows * columns]).permute([2, 0, 1]))
}

impl Detector for Padim<'_> {
    fn look_at(&self, images: Tensor<4>) -> Result<Found> {
        let batch = images.dims()[0];
        let distances = self.gaussians.distances(&vectors(&self.layers, &self.channels, images)?); // [place, image]
        let [rows, columns] = self.layers.grid;
        let map = distances.transpose().reshape([batch, 1, rows, columns]);
        Ok(Found { scores: None, map: Some(map) })
    }
}

/// Numbers of `count` of all channels, ascending; all where there are not as many.
fn drawn(all: usize, count: usize, seed: u64) -> Vec<usize> {
    let mut channels: Vec<usize> = (0..all).collect();
    Rng::new(seed, Purpose::Evaluate, &[all as u64]).shuffle(&mut channels);
    channels.truncate(count);
    channels.sort_unstable();
    channels
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn channels_are_drawn_once_each_and_all_where_there_are_few() {
        let some = drawn(448, 100, 0);
        assert!(some.len() == 100 && some.windows(2).all(|pair| pair[0] < pair[1]) && some[99] < 448);
        assert!(some == drawn(448, 100, 0) && some != drawn(448, 100, 1));
        assert_eq!(drawn(5, 100, 0), [0, 1, 2, 3, 4]);
    }
}
