//! FCOS's losses (Tian et al. 2019, arXiv:1904.01355, equation 2): every place tells its class, and those that answer for an object where
//! its edges are, and how near to the middle they are themselves.

use super::assign::{Answer, Place, assign, places};
use crate::artifact::{DETECTOR, FPN};
use crate::augment::{Batch, Target, Targets, Wants};
use crate::data::Region;
use crate::nn::box_loss::{binary_cross_entropy, focal, giou};
use crate::nn::encoder::{Encoder, Map};
use crate::nn::layers::Mode;
use crate::nn::state::Part;
use crate::nn::{Detector, Fpn, HeadConfig, Init, Said, ops};
use crate::train::{At, Objective, Term};
use anyhow::Result;
use burn::module::Module;
use burn::tensor::{Device, Tensor};

/// Of the focal loss, as in its paper.
const ALPHA: f64 = 0.25;
const GAMMA: f64 = 2.0;
/// Levels of the pyramid at most: the last maps of an encoder, C3 to C5 of a ResNet-50.
const LEVELS: usize = 3;

/// A pyramid and a head over an encoder's maps.
pub struct Detection {
    pub fpn: Fpn,
    pub detector: Detector,
    pub classes: usize,
    /// In strides: see [`places`].
    pub reach: f32,
    /// Of the encoder.
    pub mode: Mode<'static>,
}

/// The maps that the pyramid stands on.
pub fn last_maps(encoder: &Encoder, images: Tensor<4>, mode: Mode) -> Result<Vec<Map>> {
    let maps = encoder.maps(images, mode)?;
    let first = maps.len().saturating_sub(LEVELS);
    Ok(maps.into_iter().skip(first).collect())
}

/// Stride and `[height, width]` of each map.
pub fn levels_of(maps: &[Map]) -> Vec<(usize, [usize; 2])> {
    let size = |map: &Map| {
        let [_, _, height, width] = map.x.dims();
        [height, width]
    };
    maps.iter().map(|map| (map.stride, size(map))).collect()
}

impl Detection {
    /// `channels`: of the encoder's last maps.
    pub fn new(
        init: &mut Init,
        channels: &[usize],
        width: usize,
        classes: usize,
        reach: f32,
        mode: Mode<'static>,
    ) -> Self {
        let fpn = Fpn::new(init, channels, width);
        Self { fpn, detector: Detector::new(init, width, channels.len(), classes), classes, reach, mode }
    }

    /// The same, not to be trained.
    pub fn valid(&self) -> Self {
        Self { fpn: self.fpn.valid(), detector: self.detector.valid(), ..*self }
    }

    /// Of the last maps.
    pub fn forward(&self, maps: Vec<Map>, mode: Mode) -> Said {
        let strides: Vec<usize> = maps.iter().map(|map| map.stride).collect();
        let levels = self.fpn.forward(maps.into_iter().map(|map| map.x).collect(), mode);
        self.detector.forward(levels, &strides)
    }
}

impl Objective for Detection {
    fn wants(&self) -> Wants {
        Wants { views: 1, target: Target::Regions }
    }

    fn heads(&self) -> Vec<(&'static str, &dyn Part)> {
        vec![(FPN, &self.fpn), (DETECTOR, &self.detector)]
    }

    fn heads_to_keep(&self) -> Vec<(&'static str, HeadConfig)> {
        vec![(FPN, self.fpn.config()), (DETECTOR, self.detector.config())]
    }

    fn losses(&mut self, encoder: &Encoder, mut batch: Batch, _: &At) -> Vec<Term> {
        let Targets::Regions(regions) = std::mem::replace(&mut batch.targets, Targets::None) else {
            panic!("boxes were asked for")
        };
        let [images] = batch.into_views();
        let maps = last_maps(encoder, images, self.mode).expect("the encoder has maps");
        let places = places(&levels_of(&maps), self.reach);
        losses(self.forward(maps, Mode::Train), &places, &regions, self.classes)
    }
}

/// Each is a sum over the batch, divided by how many places answer for an object. (One where there is none.)
pub fn losses(said: Said, places: &[Place], regions: &[Vec<Region>], classes: usize) -> Vec<Term> {
    let device = said.classes.device().inner();
    let answers: Vec<Option<Answer>> = regions.iter().flat_map(|regions| assign(places, regions)).collect();
    let is_there = Tensor::from_inner(ones_of_classes(&answers, classes, &device));
    let of_class = focal(said.classes.flatten::<1>(0, 2), is_there, ALPHA, GAMMA);
    let right = Answering::new(&answers);
    let [edges, centreness] =
        right.losses(said.distances.flatten::<2>(0, 1), said.centreness.flatten::<1>(0, 1), &device);
    let mean = |sum: Tensor<1>| sum / right.count.max(1) as f32;
    [("classes", of_class), ("boxes", edges), ("centreness", centreness)]
        .map(|(name, sum)| Term { name, weight: 1.0, value: mean(sum) })
        .into()
}

/// `[places classes]`: 1 where a place answers for an object of the class.
fn ones_of_classes(answers: &[Option<Answer>], classes: usize, device: &Device) -> Tensor<1> {
    let mut ones = vec![0.0; answers.len() * classes];
    for (place, answer) in answers.iter().enumerate() {
        if let Some(answer) = answer {
            ones[place * classes + answer.class as usize] = 1.0;
        }
    }
    ops::floats(&ones, device)
}

/// The places of a batch that answer for an object.
struct Answering {
    count: usize,
    /// Where there is none: the first, which counts nothing, so that all that is trained has a gradient.
    places: Vec<i32>,
    counts: f32,
    distances: Vec<f32>,
    centreness: Vec<f32>,
}

impl Answering {
    fn new(answers: &[Option<Answer>]) -> Self {
        let those = || answers.iter().zip(0..).filter_map(|(answer, place)| Some((answer.as_ref()?, place)));
        let count = those().count();
        if count == 0 {
            return Self { count, places: vec![0], counts: 0.0, distances: vec![1.0; 4], centreness: vec![1.0] };
        }
        Self {
            count,
            places: those().map(|(_, place)| place).collect(),
            counts: 1.0,
            distances: those().flat_map(|(answer, _)| answer.distances).collect(),
            centreness: those().map(|(answer, _)| answer.centreness()).collect(),
        }
    }

    /// Of the boxes and of the centre-ness, `[places, 4]` and `[places]`.
    fn losses(&self, distances: Tensor<2>, centreness: Tensor<1>, device: &Device) -> [Tensor<1>; 2] {
        let places = ops::integers(&self.places, device);
        // Seen from the place, the left and the upper edge are on the other side of 0.
        let sides = Tensor::from_inner(ops::floats(&[-1.0, -1.0, 1.0, 1.0], device).unsqueeze::<2>());
        let truth = Tensor::from_inner(ops::floats(&self.distances, device).reshape([self.places.len(), 4]));
        let found = distances.select(0, places.clone()) * sides.clone();
        let edges = giou(found, truth * sides).sum();
        let wanted = Tensor::from_inner(ops::floats(&self.centreness, device));
        let middle = binary_cross_entropy(centreness.select(0, places), wanted);
        [edges, middle].map(|loss| loss * self.counts)
    }
}

#[cfg(test)]
#[path = "objective_tests.rs"]
mod tests;
