use super::accuracies::{ACCURACY, BALANCED_ACCURACY, MACRO_F1, report};
use super::feature_set::FeatureSet;
use super::linear_probe::FEATURES;
use super::nearest::{Neighbour, nearest};
use crate::context::{Context, Stopped};
use crate::data::Split;
use crate::random::{Purpose, Rng};
use crate::stage::{About, Stage};
use anyhow::{Result, bail, ensure};
use burn::tensor::{Device, Tensor, TensorData};
use rayon::prelude::*;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// How well an image's neighbours tell its class.
pub struct Knn;

#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct Params {
    /// neighbours that vote
    #[schemars(range(min = 1))]
    k: u32,
    /// T: a neighbour's vote weighs exp(cosine similarity / T)
    #[schemars(extend("exclusiveMinimum" = 0))]
    temperature: f64,
    /// not used: nothing is drawn
    #[schemars(range(min = 0))]
    seed: u64,
}

impl Default for Params {
    fn default() -> Self {
        Self { k: 200, temperature: 0.1, seed: 0 }
    }
}

impl Stage for Knn {
    type Params = Params;
    const ABOUT: About = About {
        name: "eval/knn",
        // 2: right at small temperatures too; what is equally near or has equal scores is chosen by chance.
        version: 2,
        summary: "Weighted k nearest neighbours by cosine (Wu et al. 2018, arXiv:1805.01978, sec. 3.4)",
        docs: "The train split votes. k and temperature are fixed beforehand, nothing is chosen. Of images that are equally near \
               those vote that come first in an order drawn once and for all, which has nothing to do with the data set's own; \
               an image whose classes have equal scores counts as a part of an image for each of them. In `predictions` beside the \
               result: which class each image was taken for (.npy).",
        needs: &[FEATURES],
        unused: &["seed"],
        measures: &[ACCURACY, BALANCED_ACCURACY, MACRO_F1],
        ..About::NONE
    };

    fn run(params: Params, context: &Context) -> Result<()> {
        let set = FeatureSet::open(context.input("features")?)?;
        let bank = set.split(Split::Train)?;
        let (k, images) = (params.k as usize, bank.labels.len());
        ensure!(k <= images, "k is {k} and there are {images} training images: lower `k`");
        let order = bank_order(images);
        let labels: Vec<i32> = order.iter().map(|&image| bank.labels[image]).collect();
        let rows = order.iter().map(|&image| &bank.values[image * set.features..][..set.features]);
        let unit_bank = unit_rows(rows, set.features, &context.device);
        for split in [Split::Validation, Split::Test] {
            let queries = set.split(split)?;
            let unit_queries = unit_rows(queries.values.chunks_exact(set.features), set.features, &context.device);
            let mut meter = context.meter(split.name(), queries.labels.len() as u64, "images");
            let go_on = |done: usize| {
                meter.at(done as u64, &[]);
                !context.stopping()
            };
            let Some(neighbours) = nearest(&unit_bank, &unit_queries, k, go_on) else { bail!(Stopped) };
            let scores = all_scores(&neighbours, &labels, set.classes, params.temperature);
            report(context, split, &scores, queries.labelled(set.classes))?;
        }
        Ok(())
    }
}

/// In which the bank's images are looked at: one that has nothing to do with their classes. Of equal similarities the earlier image
/// is nearer, and data sets are often sorted by class.
fn bank_order(images: usize) -> Vec<usize> {
    let mut order: Vec<usize> = (0..images).collect();
    Rng::new(0, Purpose::Evaluate, &[]).shuffle(&mut order);
    order
}

/// Rows of `features` values, each divided by its length: `[row, feature]`. A row of zeros stays one, and has a similarity of 0
/// to all others.
pub fn unit_rows<'a>(rows: impl Iterator<Item = &'a [f32]>, features: usize, device: &Device) -> Tensor<2> {
    let mut units: Vec<f32> = vec![];
    for row in rows {
        // Squares of float32 leave its range.
        let length = row.iter().map(|&v| f64::from(v).powi(2)).sum::<f64>().sqrt();
        let divisor = if length > 0.0 { length } else { 1.0 };
        units.extend(row.iter().map(|&v| (f64::from(v) / divisor) as f32));
    }
    let shape = [units.len() / features, features];
    Tensor::from_data(TensorData::new(units, shape), device)
}

/// [`scores`] of every query: `[query, class]`.
pub fn all_scores(neighbours: &[Vec<Neighbour>], labels: &[i32], classes: usize, temperature: f64) -> Vec<f64> {
    neighbours.par_iter().flat_map_iter(|neighbours| scores(neighbours, labels, classes, temperature)).collect()
}

/// The score of every class: the sum of `exp(similarity / temperature)` over the neighbours that are of the class, as a
/// multiple of the nearest one's, since the exponential of a small temperature would be infinite. The bank's `labels` are below
/// `classes`.
pub fn scores(neighbours: &[Neighbour], labels: &[i32], classes: usize, temperature: f64) -> Vec<f64> {
    let similarity = |neighbour: &Neighbour| f64::from(neighbour.similarity);
    let nearest = neighbours.iter().map(similarity).fold(f64::NEG_INFINITY, f64::max);
    let mut scores = vec![0.0; classes];
    for neighbour in neighbours {
        let class = labels[neighbour.index as usize] as usize;
        scores[class] += ((similarity(neighbour) - nearest) / temperature).exp();
    }
    scores
}

#[cfg(test)]
mod tests {
    use super::*;

    fn neighbours(similarities: &[f32]) -> Vec<Neighbour> {
        (0..).zip(similarities).map(|(index, &similarity)| Neighbour { index, similarity }).collect()
    }

    /// One image of class 1 that is nearest, and many of class 0 that are nearly as near.
    #[test]
    fn the_nearest_decides_at_any_temperature_that_is_small_enough() {
        let similarities: Vec<f32> = [0.97].into_iter().chain([0.96; 59]).collect();
        let labels: Vec<i32> = [1].into_iter().chain([0; 59]).collect();
        for temperature in [1e-3, 1e-4, 1e-30, f64::MIN_POSITIVE, 5e-324] {
            let scores = scores(&neighbours(&similarities), &labels, 2, temperature);
            assert!(scores[1] == 1.0 && scores[0] < 1.0, "{temperature:e}: {scores:?}");
        }
        // Where it is large the votes are counted.
        let scores = scores(&neighbours(&similarities), &labels, 2, 1e30);
        assert_eq!(scores, [59.0, 1.0]);
    }

    #[test]
    fn scores_are_those_of_the_formula_but_for_a_factor() {
        let (similarities, labels) = ([0.9f32, -0.3, 0.5, 0.2], [2, 0, 1, 0]);
        let scores = scores(&neighbours(&similarities), &labels, 4, 0.1);
        let term = |similarity: f32| ((f64::from(similarity) - f64::from(0.9f32)) / 0.1).exp();
        assert_eq!(scores, [term(-0.3) + term(0.2), term(0.5), 1.0, 0.0]);
    }

    /// Rows that float32 cannot square, in either direction, and one without a direction.
    #[test]
    fn rows_of_any_length_become_unit_rows() {
        let device = crate::nn::device("cpu").unwrap();
        let rows = unit_rows([3e30f32, 4e30, 3e-30, -4e-30, 0.0, 0.0].chunks_exact(2), 2, &device);
        let expected = [0.6, 0.8, 0.6, -0.8, 0.0, 0.0];
        for (found, expected) in rows.into_data().iter::<f64>().zip(expected) {
            assert!((found - expected).abs() < 1e-7, "{found} in place of {expected}");
        }
    }

    /// A data set that is sorted by class, of which an encoder has made the same vector everywhere.
    #[test]
    fn of_images_that_are_all_as_near_the_first_classes_are_not_preferred() {
        let order = bank_order(1000);
        let labels: Vec<i32> = order.iter().map(|&image| image as i32 / 100).collect();
        let device = crate::nn::device("cpu").unwrap();
        let rows = unit_rows(order.iter().map(|_| [1.0f32, 1.0].as_slice()), 2, &device);
        let found = nearest(&rows, &rows.clone().narrow(0, 0, 1), 200, |_| true).unwrap();
        let scores = scores(&found[0], &labels, 10, 0.1);
        // 20 are expected of each of the ten classes, sd 4; four of them.
        assert!(scores.iter().all(|&votes| (4.0..36.0).contains(&votes)), "{scores:?}");
        let mut sorted = order;
        sorted.sort_unstable();
        assert!(sorted.into_iter().eq(0..1000));
    }
}
