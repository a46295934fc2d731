//! Maps of several layers as one.

use super::Images;
use crate::artifact::Frozen;
use crate::nn::encoder::Encoder;
use crate::nn::layers::Mode;
use crate::nn::ops::float32;
use anyhow::{Context, Result, ensure};
use burn::tensor::Tensor;
use burn::tensor::module::{avg_pool2d, interpolate};
use burn::tensor::ops::{AvgPoolOptions, InterpolateMode, InterpolateOptions};

/// How a map joins a finer one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Joining {
    /// Its places are repeated.
    Repeated,
    /// Each place is the mean of the 3 x 3 around it, zeros around the map counting; enlarged bilinearly.
    LocalMeans,
}

/// Which maps of an encoder, and what they come to.
#[derive(Debug)]
pub struct Layers<'a> {
    encoder: &'a Encoder,
    /// From 0 on, ascending.
    numbers: Vec<usize>,
    joining: Joining,
    /// Of all maps together.
    pub channels: usize,
    /// Rows and columns of the finest.
    pub grid: [usize; 2],
}

impl<'a> Layers<'a> {
    /// `asked`: numbers from 1 on, or else `own`.
    pub fn new(images: &Images<'a>, asked: Option<&[u32]>, own: &[u32], joining: Joining) -> Result<Self> {
        let numbers = asked.unwrap_or(own);
        let encoder = network(images.encoder)?;
        let [channels, height, width] = images.data.manifest.input();
        let image = || Tensor::zeros([1, channels, height, width], &images.context.device);
        let maps = encoder.maps(image(), Mode::Eval)?.len();
        let mut sorted: Vec<usize> = numbers.iter().map(|&number| number as usize).collect();
        sorted.sort_unstable();
        let named = || sorted.iter().map(usize::to_string).collect::<Vec<_>>().join(", ");
        ensure!(
            sorted.last().is_some_and(|&last| last <= maps),
            "layers are {}{} and the encoder has {maps} map{}: write numbers from 1, the finest, to {maps}",
            named(),
            if asked.is_none() { ", as they are where none are written," } else { "" },
            if maps == 1 { "" } else { "s" }
        );
        ensure!(sorted.windows(2).all(|pair| pair[0] < pair[1]), "layers are {}: write each once", named());
        let mut layers = Self {
            encoder,
            numbers: sorted.iter().map(|number| number - 1).collect(),
            joining,
            channels: 0,
            grid: [0; 2],
        };
        let [_, of_all, rows, columns] = layers.joined(image())?.dims();
        (layers.channels, layers.grid) = (of_all, [rows, columns]);
        Ok(layers)
    }

    /// Of the finest.
    pub fn places(&self) -> usize {
        self.grid[0] * self.grid[1]
    }

    /// Images `[batch, channels, height, width]` to the channels of all maps at the places of the finest,
    /// `[batch, channels, rows, columns]`.
    pub fn joined(&self, images: Tensor<4>) -> Result<Tensor<4>> {
        let maps = self.encoder.maps(images, Mode::Eval)?;
        let maps: Vec<Tensor<4>> = self.numbers.iter().map(|&number| float32(maps[number].x.clone())).collect();
        Ok(joined(maps, self.joining))
    }
}

fn network(encoder: &Frozen) -> Result<&Encoder> {
    encoder.encoder().context("raw pixels have no maps: connect the encoder of another method, or choose knn")
}

fn joined(maps: Vec<Tensor<4>>, joining: Joining) -> Tensor<4> {
    let [_, _, rows, columns] = maps[0].dims();
    let enlarged = |map: Tensor<4>| {
        let (map, mode) = match joining {
            Joining::Repeated => (map, InterpolateMode::Nearest),
            Joining::LocalMeans => (local_means(map), InterpolateMode::Bilinear),
        };
        let [_, _, own_rows, own_columns] = map.dims();
        if [own_rows, own_columns] == [rows, columns] {
            return map;
        }
        interpolate(map, InterpolateOptions::new(mode).with_align_corners(false).with_output_size([rows, columns]))
    };
    Tensor::cat(maps.into_iter().map(enlarged).collect(), 1)
}

fn local_means(map: Tensor<4>) -> Tensor<4> {
    avg_pool2d(map, AvgPoolOptions::new([3, 3]).with_stride([1, 1]).with_padding([1, 1]))
}

#[cfg(test)]
mod tests {
    use super::*;
    use burn::tensor::TensorData;

    fn map(rows: usize, columns: usize) -> Tensor<4> {
        let values: Vec<f32> = (0..rows * columns).map(|i| i as f32).collect();
        Tensor::from_data(TensorData::new(values, [1, 1, rows, columns]), &crate::nn::device("cpu").unwrap())
    }

    fn second(joining: Joining) -> Vec<f64> {
        joined(vec![map(4, 4), map(2, 2)], joining).narrow(1, 1, 1).into_data().iter::<f64>().collect()
    }

    #[test]
    fn coarse_maps_are_repeated_or_enlarged() {
        assert_eq!(second(Joining::Repeated), [0, 0, 1, 1, 0, 0, 1, 1, 2, 2, 3, 3, 2, 2, 3, 3].map(f64::from));
        // Of 0, 1, 2, 3 and zeros around them each mean is 6 / 9.
        assert!(second(Joining::LocalMeans).iter().all(|value| (value - 6.0 / 9.0).abs() < 1e-6));
    }

    #[test]
    fn a_place_is_the_mean_of_those_around_it() {
        let found: Vec<f64> = local_means(map(3, 3)).into_data().iter::<f64>().collect();
        let expected = [8.0, 15.0, 12.0, 21.0, 36.0, 27.0, 20.0, 33.0, 24.0].map(|sum| sum / 9.0);
        assert!(found.iter().zip(expected).all(|(found, expected)| (found - expected).abs() < 1e-6), "{found:?}");
    }
}
