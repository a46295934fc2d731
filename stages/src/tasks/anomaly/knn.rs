use super::bank::Bank;
use super::{Detector, Found, Images};
use crate::artifact::Frozen;
use crate::nn::ops;
use anyhow::{Result, ensure};
use burn::tensor::Tensor;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Which distance is an image's score.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Distance {
    /// The mean of those to the nearest training images.
    Mean,
    /// The largest of them.
    Kth,
}

/// How far an image's features are from the nearest ones of training.
pub struct Knn<'a> {
    encoder: &'a Frozen,
    bank: Bank,
    k: usize,
    distance: Distance,
}

impl<'a> Knn<'a> {
    pub fn fit(images: &Images<'a>, k: usize, distance: Distance) -> Result<Self> {
        let rows = images.train();
        ensure!(k <= rows.len(), "k is {k} and there are {} training images: lower `k`", rows.len());
        let (mut values, count) = (vec![], rows.len());
        images.each("encode", rows, |_, x| {
            ops::read(&images.encoder.features(x), |features| values.extend_from_slice(features));
            Ok(())
        })?;
        let width = values.len() / count;
        Ok(Self { encoder: images.encoder, bank: Bank::new(values, width, &images.context.device)?, k, distance })
    }
}

impl Detector for Knn<'_> {
    fn look_at(&self, images: Tensor<4>) -> Result<Found> {
        let near = ops::read(&self.encoder.features(images), |features| self.bank.nearest(features, self.k))?;
        let score = |distances: Vec<f32>| match self.distance {
            Distance::Mean => distances.iter().sum::<f32>() / self.k as f32,
            Distance::Kth => distances[self.k - 1],
        };
        let scores = near.into_iter().map(|near| score(near.iter().map(|near| near.distance).collect()));
        Ok(Found { scores: Some(scores.collect()), map: None })
    }
}
