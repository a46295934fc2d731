//! Batches of views, made on rayon's threads while the network trains on the one before.

use super::ops::Size;
use super::{Image, Normaliser, Place, Policy, Rgb8};
use crate::data::{Dataset, Split};
use crate::nn::ops::{Staging, allow_tf32, bfloat16, has_fast_bfloat16};
use crate::random::{Purpose, Rng};
use anyhow::Result;
use burn::tensor::{Device, Tensor};
use rayon::prelude::*;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::ops::Range;
use std::sync::mpsc::sync_channel;
use std::time::{Duration, Instant};

/// How many batches may wait for the network.
const QUEUE: usize = 3;

/// The number format of images, in which an encoder then computes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Precision {
    Float32,
    // float32 whose products a GPU computes with 10 bits of precision; on a processor float32.
    Tf32,
    Bfloat16,
}

impl Precision {
    /// What a training on a device needs beforehand; says where it will not be what it is for.
    pub fn prepare(self, device: &str) {
        match self {
            Self::Bfloat16 if !has_fast_bfloat16(device) => {
                eprintln!("warning: this processor has no instructions for bfloat16; `precision: float32` is faster");
            }
            Self::Tf32 if device == "cpu" => {
                eprintln!("warning: tf32 is a GPU's; on this processor it is float32, under another name");
            }
            Self::Tf32 => allow_tf32(true),
            Self::Float32 | Self::Bfloat16 => {}
        }
    }

    fn of<const D: usize>(self, x: Tensor<D>) -> Tensor<D> {
        match self {
            Self::Float32 | Self::Tf32 => x,
            Self::Bfloat16 => bfloat16(x),
        }
    }
}

/// One step's images.
#[derive(Debug)]
pub struct Batch {
    /// Their rows in the data set.
    pub ids: Vec<u32>,
    /// Each view `[batch, channels, height, width]`, normalised, in channels-last memory.
    pub views: Vec<Tensor<4>>,
    /// Their classes; -1 where nobody knows.
    pub labels: Vec<i32>,
}

impl Batch {
    /// The views, for a method that asked for `N` of each image.
    pub fn into_views<const N: usize>(self) -> [Tensor<4>; N] {
        let count = self.views.len();
        self.views.try_into().unwrap_or_else(|_| panic!("a batch of {count} views where {N} are used"))
    }
}

/// Images to train on in a seeded order, in whole batches; what is left at an epoch's end is dropped. Where there are fewer than a batch
/// has, a batch has them all.
#[derive(Debug)]
pub struct Source<'a> {
    pub data: &'a Dataset,
    /// Rows of the data set.
    pub images: Vec<usize>,
    pub policy: &'a Policy,
    /// Views of each image.
    pub views: usize,
    pub batch: usize,
    pub seed: u64,
    pub precision: Precision,
    /// Mean and standard deviation of each channel, that images are normalised with.
    pub normal: [&'a [f32]; 2],
}

impl<'a> Source<'a> {
    /// Of all images of the training split.
    pub fn of_train(data: &'a Dataset, policy: &'a Policy, views: usize, batch: usize, seed: u64) -> Self {
        let images = data.rows(Split::Train).collect();
        let normal = [data.manifest.mean.as_slice(), &data.manifest.sd];
        Self { data, images, policy, views, batch, seed, precision: Precision::Float32, normal }
    }

    /// Images in a batch.
    pub fn size(&self) -> usize {
        self.batch.min(self.images.len())
    }

    pub fn steps_per_epoch(&self) -> usize {
        self.images.len() / self.size()
    }

    /// Calls `body` with (step, batch) for each of `steps`, in order. Steps count through all epochs. Gives the time in
    /// which `body` waited for a batch.
    pub fn for_each(
        &self,
        steps: Range<usize>,
        device: &Device,
        mut body: impl FnMut(usize, Batch) -> Result<()>,
    ) -> Result<Duration> {
        std::thread::scope(|scope| {
            let (send, receive) = sync_channel(QUEUE);
            let mut next = steps.start;
            scope.spawn(move || {
                let mut order = (usize::MAX, Vec::new());
                for step in steps {
                    let (epoch, position) = (step / self.steps_per_epoch(), step % self.steps_per_epoch());
                    if order.0 != epoch {
                        order = (epoch, self.order(epoch));
                    }
                    let images = &order.1[position * self.size()..(position + 1) * self.size()];
                    // The other side is gone when `body` failed.
                    if send.send(self.batch_of(epoch, images, device)).is_err() {
                        return;
                    }
                }
            });
            let (mut waited, mut asked) = (Duration::ZERO, Instant::now());
            while let Ok(batch) = receive.recv() {
                waited += asked.elapsed();
                body(next, batch)?;
                (next, asked) = (next + 1, Instant::now());
            }
            Ok(waited)
        })
    }

    fn order(&self, epoch: usize) -> Vec<usize> {
        let mut order = self.images.clone();
        Rng::new(self.seed, Purpose::Shuffle, &[epoch as u64]).shuffle(&mut order);
        order
    }

    /// All views of all images, made side by side.
    fn batch_of(&self, epoch: usize, images: &[usize], device: &Device) -> Batch {
        let manifest = &self.data.manifest;
        let (height, width) = (manifest.height, manifest.width);
        let normaliser = Normaliser::new(self.normal[0], self.normal[1]);
        let staging = |view| {
            let size = self.policy.size(view, Size { height, width });
            Staging::new([images.len(), size.height, size.width, manifest.channels], device)
        };
        let mut views: Vec<Staging> = (0..self.views).map(staging).collect();
        let places = views.iter_mut().enumerate().flat_map(|(view, staging)| {
            let values = staging.values();
            let size = values.len() / images.len();
            values.chunks_mut(size).zip(images).map(move |(to, &image)| (view, image, to))
        });
        let places: Vec<_> = places.collect();
        places.into_par_iter().for_each_init(Default::default, |(colours, pixels): &mut (Vec<u8>, Image), place| {
            let (view, image, to) = place;
            let source = Rgb8::new(coloured(self.data.image(image), manifest.channels, colours), height, width);
            self.policy.apply(source, Place { seed: self.seed, epoch, image, view }, pixels);
            normaliser.image(pixels, to);
        });
        Batch {
            ids: images.iter().map(|&image| image as u32).collect(),
            views: views.into_iter().map(|staging| self.precision.of(staging.into_tensor())).collect(),
            labels: images.iter().map(|&image| self.data.class(image)).collect(),
        }
    }
}

/// An image with the three colours that operations work on: grey is repeated in `room`.
fn coloured<'a>(image: &'a [u8], channels: usize, room: &'a mut Vec<u8>) -> &'a [u8] {
    if channels == 3 {
        return image;
    }
    room.clear();
    room.extend(image.iter().flat_map(|&grey| [grey; 3]));
    room
}

/// Values laid out `[batch, height, width, 3]` as `[batch, 3, height, width]` in the same order of memory.
pub fn channels_last(values: Vec<f32>, height: usize, width: usize, device: &Device) -> Tensor<4> {
    let mut staging = Staging::new([values.len() / (height * width * 3), height, width, 3], device);
    staging.values().copy_from_slice(&values);
    staging.into_tensor()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::augment::{MultiCropViews, SimClrViews, samples};
    use crate::data::{DatasetWriter, Format, Sample};
    use crate::nn;

    /// The photographs, each of its own class.
    fn photographs(folder: &std::path::Path) -> Dataset {
        let samples = samples();
        let classes = vec!["a".into(); samples.len()];
        let format = Format { name: "photographs".into(), height: 64, width: 64, channels: 3, classes };
        let mut writer = DatasetWriter::create(folder, format, samples.len()).unwrap();
        for (sample, class) in samples.iter().zip(0..) {
            let image = sample.source().bytes;
            writer.add(Sample { split: Split::Train, image, class, group: None }).unwrap();
        }
        writer.finish().unwrap();
        Dataset::open(folder).unwrap()
    }

    #[test]
    fn any_number_of_threads_makes_the_same_views() {
        let folder = tempfile::tempdir().unwrap();
        let (data, policy) = (photographs(folder.path()), MultiCropViews::default_policy());
        let source = Source::of_train(&data, &policy, 8, 4, 1);
        let device = nn::device("cpu").unwrap();
        let values = |threads: usize| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            let batch = pool.install(|| source.batch_of(3, &[2, 0, 1, 3], &device));
            assert_eq!(batch.labels, [2, 0, 1, 3]);
            let views = batch.views.into_iter();
            views.map(|view| (view.dims(), view.into_data().iter::<f32>().collect::<Vec<_>>())).collect::<Vec<_>>()
        };
        let alone = values(1);
        assert_eq!(alone.iter().map(|view| view.0[2]).collect::<Vec<_>>(), [64, 64, 16, 16, 16, 16, 16, 16]);
        assert!(alone == values(3));
    }

    /// By what the policy makes of each image by itself.
    #[test]
    fn all_views_in_a_row_of_a_batch_are_of_one_image() {
        let folder = tempfile::tempdir().unwrap();
        let (data, policy) = (photographs(folder.path()), SimClrViews::default_policy());
        let source = Source::of_train(&data, &policy, 3, 4, 1);
        let images = [2, 0, 1, 3];
        let batch = source.batch_of(5, &images, &nn::device("cpu").unwrap());
        let normaliser = Normaliser::new(&data.manifest.mean, &data.manifest.sd);
        assert_eq!(batch.labels, [2, 0, 1, 3]);
        for (view, values) in batch.views.iter().enumerate() {
            let rows: Vec<f32> = values.clone().permute([0, 2, 3, 1]).into_data().iter::<f32>().collect();
            for (row, &image) in rows.chunks_exact(64 * 64 * 3).zip(&images) {
                let mut alone = Image::default();
                let source = Rgb8::new(data.image(image), 64, 64);
                policy.apply(source, Place { seed: 1, epoch: 5, image, view }, &mut alone);
                let mut expected = vec![0.0; row.len()];
                normaliser.image(&alone, &mut expected);
                assert!(row == expected, "view {view} of image {image}");
            }
        }
    }

    #[test]
    fn batches_come_in_order_and_a_failure_ends_them() {
        let folder = tempfile::tempdir().unwrap();
        let (data, policy) = (photographs(folder.path()), Policy::identity());
        let source = Source::of_train(&data, &policy, 1, 2, 1);
        let device = nn::device("cpu").unwrap();
        let labels = |steps: Range<usize>| {
            let mut seen = vec![];
            let keep = |step, batch: Batch| {
                seen.push((step, batch.labels));
                Ok(())
            };
            source.for_each(steps, &device, keep).unwrap();
            seen
        };
        let all = labels(0..8);
        assert!(all.iter().map(|(step, _)| *step).eq(0..8));
        for epoch in all.chunks(2) {
            let mut classes: Vec<i32> = epoch.iter().flat_map(|(_, labels)| labels.clone()).collect();
            classes.sort();
            assert_eq!(classes, [0, 1, 2, 3]);
        }
        assert_eq!(labels(3..8), all[3..], "from the middle of an epoch");
        let stopped =
            source.for_each(0..1000, &device, |step, _| if step < 2 { Ok(()) } else { anyhow::bail!("enough") });
        assert_eq!(stopped.unwrap_err().to_string(), "enough");
    }
}
