//! Batches of views, made on rayon's threads while the network trains on the one before.

use super::ops::Size;
use super::{Geometry, Image, Normaliser, Policy, Rgb8, ViewKey};
use crate::data::pictures::Picture;
use crate::data::{Dataset, Manifest, Region, Split};
use crate::nn::ops::{Staging, allow_tf32, bfloat16, has_fast_bfloat16};
use crate::random::{Purpose, Rng};
use anyhow::Result;
use burn::tensor::{Device, Tensor};
use rayon::prelude::*;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::borrow::Cow;
use std::cell::OnceCell;
use std::collections::BTreeSet;
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

/// What is asked of a batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Wants {
    /// Of each image.
    pub views: usize,
    pub target: Target,
}

impl Wants {
    /// Images alone.
    pub const fn views(views: usize) -> Self {
        Self { views, target: Target::None }
    }
}

/// What is to be told of an image.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Target {
    None,
    Class,
    /// Of each pixel of the first view.
    Mask,
    /// In the first view.
    Regions,
}

/// The same of a batch.
#[derive(Debug, Clone)]
pub enum Targets {
    None,
    Classes(Vec<i32>),
    /// `[batch, height, width]`; [`OUTSIDE`] where nobody knows.
    Masks(Vec<u8>),
    /// Of each image.
    Regions(Vec<Vec<Region>>),
}

impl Targets {
    /// For what asked for classes.
    pub fn classes(&self) -> &[i32] {
        match self {
            Self::Classes(classes) => classes,
            other => panic!("classes were not asked for: {other:?}"),
        }
    }

    /// For what asked for masks.
    pub fn masks(&self) -> &[u8] {
        match self {
            Self::Masks(masks) => masks,
            other => panic!("masks were not asked for: {other:?}"),
        }
    }
}

/// One step's images.
#[derive(Debug, Clone)]
pub struct Batch {
    /// Their rows in the data set.
    pub ids: Vec<u32>,
    /// Each view `[batch, channels, height, width]`, normalised, in channels-last memory.
    pub views: Vec<Tensor<4>>,
    pub targets: Targets,
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
    pub wants: Wants,
    pub batch: usize,
    pub seed: u64,
    pub precision: Precision,
    /// Mean and standard deviation of each channel, that images are normalised with.
    pub normal: [&'a [f32]; 2],
}

impl<'a> Source<'a> {
    /// Of all images of the training split.
    pub fn of_train(data: &'a Dataset, policy: &'a Policy, wants: Wants, batch: usize, seed: u64) -> Self {
        let images = data.rows(Split::Train).collect();
        let normal = [data.manifest.mean.as_slice(), &data.manifest.sd];
        Self { data, images, policy, wants, batch, seed, precision: Precision::Float32, normal }
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

    /// The rows that come in that many steps, ascending: of an epoch those that fill no batch do not.
    pub fn rows_of(&self, steps: usize) -> Vec<usize> {
        let mut rows = BTreeSet::new();
        for epoch in 0..steps.div_ceil(self.steps_per_epoch()) {
            let left = steps - epoch * self.steps_per_epoch();
            rows.extend(&self.order(epoch)[..left.min(self.steps_per_epoch()) * self.size()]);
            if rows.len() == self.images.len() {
                break;
            }
        }
        rows.into_iter().collect()
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
        let mut views: Vec<Staging<f32>> = (0..self.wants.views).map(staging).collect();
        let mut of_images: Vec<Vec<&mut [f32]>> = images.iter().map(|_| vec![]).collect();
        for staging in &mut views {
            let values = staging.values();
            let size = values.len() / images.len();
            of_images.iter_mut().zip(values.chunks_mut(size)).for_each(|(of_image, to)| of_image.push(to));
        }
        // A picture is read once for all its views.
        let make = |pixels: &mut Image, (&image, of_image): (&usize, Vec<&mut [f32]>)| {
            let picture = PictureOf::new(self, image);
            let views = of_image.into_iter().enumerate().map(|(view, to)| {
                let key = ViewKey { seed: self.seed, epoch, image, view };
                let source = picture.source(self.policy.begins_with_crop(view));
                let geometry = self.policy.apply_as(source, Size { height, width }, key, pixels);
                normaliser.image(pixels, to);
                geometry
            });
            views.collect::<Vec<_>>().swap_remove(0)
        };
        let work = images.par_iter().zip(of_images);
        let geometries: Vec<Geometry> = work.map_init(Image::default, make).collect();
        Batch {
            ids: images.iter().map(|&image| image as u32).collect(),
            views: views.into_iter().map(|staging| self.precision.of(staging.into_tensor())).collect(),
            targets: self.targets(images, &geometries),
        }
    }

    /// `geometries`: of the first view of each image.
    fn targets(&self, images: &[usize], geometries: &[Geometry]) -> Targets {
        let with_geometry = images.iter().zip(geometries);
        match self.wants.target {
            Target::None => Targets::None,
            Target::Class => Targets::Classes(images.iter().map(|&image| self.data.class(image)).collect()),
            Target::Mask => {
                let mask = |&image| self.data.mask(image).expect("what asks for masks has a data set with some");
                Targets::Masks(with_geometry.flat_map(|(image, geometry)| geometry.mask(mask(image))).collect())
            }
            Target::Regions => {
                let regions = |&image| self.data.regions(image).expect("what asks for boxes has a data set with some");
                Targets::Regions(with_geometry.map(|(image, geometry)| geometry.boxes(regions(image))).collect())
            }
        }
    }
}

/// An image as operations take it, with three colours.
struct PictureOf<'a> {
    size: Size,
    image: OnceCell<Cow<'a, [u8]>>,
    /// All of the picture, where it is encoded and nothing is told of its places.
    whole: Option<Picture>,
    source: &'a Source<'a>,
    row: usize,
}

impl<'a> PictureOf<'a> {
    fn new(source: &'a Source<'a>, row: usize) -> Self {
        let Manifest { height, width, .. } = source.data.manifest;
        let has_places = matches!(source.wants.target, Target::Mask | Target::Regions);
        let whole = if has_places { None } else { source.data.whole(row) };
        Self { size: Size { height, width }, image: OnceCell::new(), whole, source, row }
    }

    /// The data set's image; or all of the picture, for a view that begins with a crop.
    fn source(&self, is_cropped: bool) -> Rgb8<'_> {
        match &self.whole {
            Some(whole) if is_cropped => Rgb8::new(&whole.rgb, whole.height, whole.width),
            _ => Rgb8::new(self.image.get_or_init(|| self.image()), self.size.height, self.size.width),
        }
    }

    fn image(&self) -> Cow<'a, [u8]> {
        let data = self.source.data;
        let image = match (&self.whole, data.manifest.pictures) {
            (Some(whole), Some(how)) => {
                Cow::Owned(how.image(whole.clone(), &data.manifest).expect("a picture is an image"))
            }
            _ => data.image(self.row),
        };
        match data.manifest.channels {
            1 => Cow::Owned(image.iter().flat_map(|&grey| [grey; 3]).collect()),
            _ => image,
        }
    }
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
    use crate::data::{DatasetWriter, Format, Labels, Sample};
    use crate::nn;

    /// The photographs, each of its own class.
    fn photographs(folder: &std::path::Path) -> Dataset {
        let samples = samples();
        let classes = vec!["a".into(); samples.len()];
        let format = Format {
            name: "photographs".into(),
            height: 64,
            width: 64,
            channels: 3,
            classes,
            labels: Labels::Images,
            pictures: None,
        };
        let mut writer = DatasetWriter::create(folder, format, samples.len()).unwrap();
        for (sample, class) in samples.iter().zip(0..) {
            let image = sample.source().bytes;
            writer.add(Sample::new(Split::Train, image, class)).unwrap();
        }
        writer.finish().unwrap();
        Dataset::open(folder).unwrap()
    }

    #[test]
    fn any_number_of_threads_makes_the_same_views() {
        let folder = tempfile::tempdir().unwrap();
        let (data, policy) = (photographs(folder.path()), MultiCropViews::default_policy());
        let source = Source::of_train(&data, &policy, Wants { views: 8, target: Target::Class }, 4, 1);
        let device = nn::device("cpu").unwrap();
        let values = |threads: usize| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            let batch = pool.install(|| source.batch_of(3, &[2, 0, 1, 3], &device));
            assert_eq!(batch.targets.classes(), [2, 0, 1, 3]);
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
        let source = Source::of_train(&data, &policy, Wants { views: 3, target: Target::Class }, 4, 1);
        let images = [2, 0, 1, 3];
        let batch = source.batch_of(5, &images, &nn::device("cpu").unwrap());
        let normaliser = Normaliser::new(&data.manifest.mean, &data.manifest.sd);
        assert_eq!(batch.targets.classes(), [2, 0, 1, 3]);
        for (view, values) in batch.views.iter().enumerate() {
            let rows: Vec<f32> = values.clone().permute([0, 2, 3, 1]).into_data().iter::<f32>().collect();
            for (row, &image) in rows.chunks_exact(64 * 64 * 3).zip(&images) {
                let mut alone = Image::default();
                let image_bytes = data.image(image);
                let source = Rgb8::new(&image_bytes, 64, 64);
                policy.apply(source, ViewKey { seed: 1, epoch: 5, image, view }, &mut alone);
                let mut expected = vec![0.0; row.len()];
                normaliser.image(&alone, &mut expected);
                assert!(row == expected, "view {view} of image {image}");
            }
        }
    }

    /// Of four images batches of three.
    #[test]
    fn rows_that_fill_no_batch_are_not_seen() {
        let folder = tempfile::tempdir().unwrap();
        let (data, policy) = (photographs(folder.path()), Policy::identity());
        let source = Source::of_train(&data, &policy, Wants::views(1), 3, 1);
        let seen = |steps: usize| {
            let mut seen = std::collections::BTreeSet::new();
            let device = nn::device("cpu").unwrap();
            let keep = |_, batch: Batch| {
                seen.extend(batch.ids.iter().map(|&id| id as usize));
                Ok(())
            };
            source.for_each(0..steps, &device, keep).unwrap();
            seen.into_iter().collect::<Vec<_>>()
        };
        assert_eq!([source.rows_of(1).len(), source.rows_of(9).len()], [3, 4]);
        (1..4).for_each(|steps| assert_eq!(source.rows_of(steps), seen(steps)));
    }

    #[test]
    fn batches_come_in_order_and_a_failure_ends_them() {
        let folder = tempfile::tempdir().unwrap();
        let (data, policy) = (photographs(folder.path()), Policy::identity());
        let source = Source::of_train(&data, &policy, Wants { views: 1, target: Target::Class }, 2, 1);
        let device = nn::device("cpu").unwrap();
        let labels = |steps: Range<usize>| {
            let mut seen = vec![];
            let keep = |step, batch: Batch| {
                seen.push((step, batch.targets.classes().to_vec()));
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
