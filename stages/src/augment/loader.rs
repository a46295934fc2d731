//! Batches of views, made on rayon's threads while the network trains on the one before.

use super::{Image, Policy};
use crate::data::{Dataset, Split};
use crate::random::{Purpose, Rng};
use anyhow::Result;
use burn::tensor::{Device, Tensor, TensorData};
use rayon::prelude::*;
use std::sync::mpsc::sync_channel;

/// How many batches may wait for the network.
const QUEUE: usize = 3;

/// One step's images.
#[derive(Debug)]
pub struct Batch {
    /// Each view `[batch, 3, height, width]`, normalised, in channels-last memory.
    pub views: Vec<Tensor<4>>,
    pub labels: Vec<i32>,
}

impl Batch {
    /// The views, for a method that asked for `N` of each image.
    pub fn into_views<const N: usize>(self) -> [Tensor<4>; N] {
        let count = self.views.len();
        self.views.try_into().unwrap_or_else(|_| panic!("a batch of {count} views where {N} are used"))
    }
}

/// The training split in a seeded order, in whole batches; what is left at an epoch's end is dropped.
#[derive(Debug)]
pub struct Loader<'a> {
    pub data: &'a Dataset,
    pub policy: &'a Policy,
    /// Views of each image.
    pub views: usize,
    pub batch: usize,
    pub seed: u64,
}

/// A batch before it is a tensor.
struct Pixels {
    views: Vec<Vec<f32>>,
    labels: Vec<i32>,
}

impl Loader<'_> {
    pub fn steps_per_epoch(&self) -> usize {
        self.data.len(Split::Train) / self.batch
    }

    /// Calls `body` with (step, batch) for each of `steps`, in order. Steps count through all epochs.
    pub fn for_each(
        &self,
        steps: std::ops::Range<usize>,
        device: &Device,
        mut body: impl FnMut(usize, Batch) -> Result<()>,
    ) -> Result<()> {
        std::thread::scope(|scope| {
            let (send, receive) = sync_channel(QUEUE);
            let first = steps.start;
            scope.spawn(move || {
                let mut order = (usize::MAX, Vec::new());
                for step in steps {
                    let (epoch, position) = (step / self.steps_per_epoch(), step % self.steps_per_epoch());
                    if order.0 != epoch {
                        order = (epoch, self.order(epoch));
                    }
                    let images = &order.1[position * self.batch..(position + 1) * self.batch];
                    // The other side is gone when `body` failed.
                    if send.send(self.pixels(epoch, images)).is_err() {
                        return;
                    }
                }
            });
            for (offset, pixels) in receive.into_iter().enumerate() {
                body(first + offset, self.to_batch(pixels, device))?;
            }
            Ok(())
        })
    }

    fn order(&self, epoch: usize) -> Vec<usize> {
        let mut order: Vec<usize> = (0..self.data.len(Split::Train)).collect();
        Rng::new(self.seed, Purpose::Shuffle, &[epoch as u64]).shuffle(&mut order);
        order
    }

    fn pixels(&self, epoch: usize, images: &[usize]) -> Pixels {
        let manifest = &self.data.manifest;
        let size = manifest.image_bytes();
        let view = |view: usize| {
            let mut values = vec![0.0; images.len() * size];
            values.par_chunks_mut(size).zip(images).for_each(|(to, &index)| {
                let image = Image::from_u8(self.data.image(Split::Train, index), manifest.height, manifest.width);
                let image = self.policy.apply(image, self.seed, epoch as u64, index as u64, view as u64);
                normalise_into(to, &image.data, &manifest.mean, &manifest.sd);
            });
            values
        };
        Pixels {
            views: (0..self.views).map(view).collect(),
            labels: images.iter().map(|&index| self.data.labels(Split::Train)[index]).collect(),
        }
    }

    fn to_batch(&self, pixels: Pixels, device: &Device) -> Batch {
        let manifest = &self.data.manifest;
        let tensor = |values| channels_last(values, manifest.height, manifest.width, device);
        Batch { views: pixels.views.into_iter().map(tensor).collect(), labels: pixels.labels }
    }
}

/// `(value - mean) / sd` of each channel.
pub fn normalise_into(to: &mut [f32], from: &[f32], mean: &[f32], sd: &[f32]) {
    for (to, from) in to.as_chunks_mut::<3>().0.iter_mut().zip(from.as_chunks::<3>().0) {
        for c in 0..3 {
            to[c] = (from[c] - mean[c]) / sd[c];
        }
    }
}

/// Values laid out `[batch, height, width, 3]`, seen as `[batch, 3, height, width]` without moving them.
pub fn channels_last(values: Vec<f32>, height: usize, width: usize, device: &Device) -> Tensor<4> {
    let batch = values.len() / (height * width * 3);
    Tensor::<4>::from_data(TensorData::new(values, [batch, height, width, 3]), device).permute([0, 3, 1, 2])
}
