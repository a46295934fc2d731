use super::feature_set::{FeatureSet, SplitFeatures};
use crate::data::Split;
use anyhow::Result;
use burn::tensor::{Device, Tensor, TensorData};

/// Features seen from their mean over the train split, in units of how much they vary there.
#[derive(Debug)]
pub struct Standardiser {
    mean: Vec<f64>,
    unit: Vec<f64>,
}

/// In units, from the mean.
const FURTHEST: f64 = 1e15;

impl Standardiser {
    /// Each in its own standard deviation.
    pub fn each(set: &FeatureSet) -> Result<Self> {
        Ok(Self::each_of(set.split(Split::Train)?, set.features))
    }

    /// The same of some images, `width` features each.
    pub fn each_of(train: &SplitFeatures, width: usize) -> Self {
        let (mean, variance) = moments(train, width);
        let rows = || train.values.chunks_exact(width);
        let first = rows().next().unwrap_or_default();
        let changes = |i: usize| rows().any(|row| row[i] != first[i]);
        // What never changes says nothing: it becomes 0 everywhere.
        let unit = (0..width).map(|i| if changes(i) { variance[i].sqrt() } else { f64::INFINITY }).collect();
        Self { mean, unit }
    }

    /// What is taken from each feature, and what it is then multiplied by.
    pub fn mean_and_scale(&self) -> [Vec<f32>; 2] {
        [
            self.mean.iter().map(|&mean| mean as f32).collect(),
            self.unit.iter().map(|&unit| (1.0 / unit) as f32).collect(),
        ]
    }

    /// All in one unit, so that distances between images are all the same multiple of what they were, and float32 has room for
    /// their squares.
    pub fn together(set: &FeatureSet) -> Result<Self> {
        let (mean, variance) = moments(set.split(Split::Train)?, set.features);
        let spread = (variance.iter().sum::<f64>() / set.features as f64).sqrt();
        Ok(Self { mean, unit: vec![if spread > 0.0 { spread } else { 1.0 }; set.features] })
    }

    /// What one of the standardised features is in its own unit, where all have the same.
    pub fn unit(&self) -> f64 {
        self.unit[0]
    }

    /// `[image, feature]`
    pub fn apply(&self, split: &SplitFeatures, device: &Device) -> Tensor<2> {
        let width = self.mean.len();
        let of_row = |row: &[f32]| {
            let scales = self.mean.iter().zip(&self.unit);
            row.iter()
                .zip(scales)
                // What varied next to nothing in training may lie further off than float32 reaches.
                .map(|(&value, (mean, unit))| ((f64::from(value) - mean) / unit).clamp(-FURTHEST, FURTHEST) as f32)
                .collect::<Vec<_>>()
        };
        let values: Vec<f32> = split.values.chunks_exact(width).flat_map(of_row).collect();
        Tensor::from_data(TensorData::new(values, [split.labels.len(), width]), device)
    }
}

/// Mean and variance of every feature.
fn moments(split: &SplitFeatures, width: usize) -> (Vec<f64>, Vec<f64>) {
    let mean = averages(split, width, |_, value| value);
    // In a pass of its own: the mean of squares less the square of the mean is all rounding where the mean is large.
    let variance = averages(split, width, |i, value| (value - mean[i]).powi(2));
    (mean, variance)
}

/// Of a term of each feature's value, over all images.
fn averages(split: &SplitFeatures, width: usize, term: impl Fn(usize, f64) -> f64) -> Vec<f64> {
    let mut sums = vec![0.0; width];
    for row in split.values.chunks_exact(width) {
        sums.iter_mut().zip(row).enumerate().for_each(|(i, (sum, &value))| *sum += term(i, f64::from(value)));
    }
    sums.iter().map(|sum| sum / split.labels.len() as f64).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Of a feature far from zero, one that is tiny, and one that is constant, each standardised by hand.
    #[test]
    fn every_feature_that_changes_has_mean_0_and_variance_1() {
        let rows = [[1000.001f32, 1e-30, 7.1], [1000.002, 3e-30, 7.1], [1000.003, 5e-30, 7.1], [1000.006, 7e-30, 7.1]];
        let train = SplitFeatures { values: rows.concat(), labels: vec![0; rows.len()], ids: vec![] };
        let set = FeatureSet { features: 3, classes: 2, splits: [(Split::Train, train.clone())].into() };
        let standardiser = Standardiser::each(&set).unwrap();
        let device = crate::nn::device("cpu").unwrap();
        let columns = |split: &SplitFeatures| -> Vec<Vec<f64>> {
            let values: Vec<f64> = standardiser.apply(split, &device).into_data().iter::<f64>().collect();
            (0..3).map(|i| values.iter().skip(i).step_by(3).copied().collect()).collect()
        };
        let standardised = columns(&train);
        for column in &standardised[..2] {
            let mean = column.iter().sum::<f64>() / 4.0;
            let variance = column.iter().map(|v| v * v).sum::<f64>() / 4.0;
            assert!(mean.abs() < 1e-6 && (variance - 1.0).abs() < 1e-6, "{column:?}");
        }
        assert_eq!(standardised[2], [0.0; 4]);
        let other = SplitFeatures { values: vec![1000.0, 0.0, 1e30], labels: vec![0], ids: vec![] };
        let far = SplitFeatures { values: vec![1000.0, 1e30, 7.1], labels: vec![0], ids: vec![] };
        assert_eq!(columns(&far)[1], [f64::from(FURTHEST as f32)]);
        assert_eq!(columns(&other)[2], [0.0], "what never changed in training says nothing of another image either");
    }
}
