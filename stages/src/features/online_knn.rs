//! The weighted kNN of `eval/knn` while an encoder is trained: how well a part of the training images tells the classes
//! of a part of the validation images. It is there to be looked at: it chooses nothing, and the trained encoder is the same
//! without it.

use super::encode::{batch, encode};
use super::nearest::nearest;
use super::weighted_knn::{all_scores, unit_rows};
use crate::context::Context;
use crate::data::{Dataset, Split};
use crate::metrics::Confusion;
use crate::nn::encoder::Encoder;
use crate::nn::layers::Mode;
use crate::random::{Purpose, Rng};
use burn::module::Module;
use burn::tensor::Tensor;

const BANK: usize = 4000;
const QUERIES: usize = 1000;
/// Neighbours that vote; of a small bank at most a tenth.
const NEIGHBOURS: usize = 200;
const TEMPERATURE: f64 = 0.1;

pub struct OnlineKnn<'a> {
    data: &'a Dataset,
    /// Mean and standard deviation of each channel, that images are normalised with.
    normal: [&'a [f32]; 2],
    context: &'a Context<'a>,
    /// Training images that vote.
    bank: Vec<usize>,
    /// Validation images that are told.
    queries: Vec<usize>,
}

impl<'a> OnlineKnn<'a> {
    /// `None` for data without classes, or without images to judge by. Which images are used depends on `seed` only.
    pub fn new(data: &'a Dataset, normal: [&'a [f32]; 2], seed: u64, context: &'a Context<'a>) -> Option<Self> {
        let drawn = |split: Split, count: usize| {
            let mut order: Vec<usize> = data.rows(split).collect();
            Rng::new(seed, Purpose::Evaluate, &[split as u64]).shuffle(&mut order);
            order.truncate(count);
            order
        };
        let (bank, queries) = (drawn(Split::Train, BANK), drawn(Split::Validation, QUERIES));
        let can_evaluate = data.manifest.check_image_classes("kNN").is_ok()
            && data.manifest.classes.len() > 1
            && !bank.is_empty()
            && !queries.is_empty();
        can_evaluate.then_some(Self { data, normal, context, bank, queries })
    }

    /// Share of the validation images whose class is told, in [0, 1]. `None` when the stage was asked to stop.
    pub fn accuracy(&self, encoder: &Encoder) -> Option<f64> {
        let encoder = encoder.valid();
        let (bank, bank_labels) = self.features(&encoder, &self.bank)?;
        let (queries, labels) = self.features(&encoder, &self.queries)?;
        let k = (self.bank.len() / 10).clamp(1, NEIGHBOURS);
        let neighbours = nearest(&bank, &queries, k, |_| !self.context.stopping())?;
        let classes = self.data.manifest.classes.len();
        Some(Confusion::new(&all_scores(&neighbours, &bank_labels, classes, TEMPERATURE), &labels, classes).accuracy())
    }

    /// `[image, feature]` of unit length, and labels.
    fn features(&self, encoder: &Encoder, images: &[usize]) -> Option<(Tensor<2>, Vec<i32>)> {
        let (manifest, device) = (&self.data.manifest, &self.context.device);
        let mut values = vec![];
        for images in images.chunks(batch([manifest.height, manifest.width])) {
            if self.context.stopping() {
                return None;
            }
            values.extend(encode(self.data, images, self.normal, device, |x| encoder.pooled(x, Mode::Eval)));
        }
        let labels = images.iter().map(|&image| self.data.class(image)).collect();
        let features = values.len() / images.len();
        Some((unit_rows(values.chunks_exact(features), features, device), labels))
    }
}
