use super::feature_set::{FeatureSet, SplitFeatures};
use super::linear_probe::{ACCURACY, FEATURES};
use crate::context::Context;
use crate::data::Split;
use crate::metrics::accuracy;
use crate::nn::loss::l2_normalise;
use crate::stage::{About, Stage};
use anyhow::{Result, ensure};
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

/// Queries whose similarities are held at once.
const BLOCK: usize = 500;

impl Stage for Knn {
    type Params = Params;
    const ABOUT: About = About {
        name: "eval/knn",
        summary: "Weighted k nearest neighbours by cosine (Wu et al. 2018, arXiv:1805.01978, sec. 3.4)",
        docs: "The train split votes. k and temperature are fixed beforehand, nothing is chosen. Of equal scores the \
               lower class wins.",
        needs: &[FEATURES],
        unused: &["seed"],
        measures: &[ACCURACY],
        ..About::NONE
    };

    fn run(params: Params, context: &Context) -> Result<()> {
        let set = FeatureSet::open(context.input("features")?)?;
        let bank = set.split(Split::Train)?;
        let k = params.k as usize;
        ensure!(k <= bank.labels.len(), "k is {k} and there are {} training images: lower `k`", bank.labels.len());
        let unit_bank = unit_rows(bank, set.features, &context.device);
        for split in [Split::Validation, Split::Test] {
            let queries = set.split(split)?;
            let unit_queries = unit_rows(queries, set.features, &context.device);
            let mut meter = context.meter(split.name(), queries.labels.len() as u64, "images");
            let mut predicted = Vec::with_capacity(queries.labels.len());
            for start in (0..queries.labels.len()).step_by(BLOCK) {
                context.check_stop()?;
                let block = unit_queries.clone().narrow(0, start, BLOCK.min(queries.labels.len() - start));
                let scores = vote(unit_bank.clone(), &bank.labels, block, set.classes, k, params.temperature);
                predicted.extend(scores.iter().map(|scores| best(scores)));
                meter.at(predicted.len() as u64, &[]);
            }
            context.measure("accuracy", split.name(), accuracy(&predicted, &queries.labels));
        }
        Ok(())
    }
}

fn unit_rows(split: &SplitFeatures, features: usize, device: &Device) -> Tensor<2> {
    l2_normalise(Tensor::from_data(TensorData::new(split.values.clone(), [split.labels.len(), features]), device))
}

/// The score of every class for every query: the sum of `exp(similarity / temperature)` over those of its `k` nearest
/// that are of the class. `bank` and `queries` are `[n, features]` of unit length.
pub fn vote(
    bank: Tensor<2>,
    labels: &[i32],
    queries: Tensor<2>,
    classes: usize,
    k: usize,
    temperature: f64,
) -> Vec<Vec<f64>> {
    let similarity: Vec<f32> =
        queries.matmul(bank.transpose()).into_data().try_to_vec().expect("similarities are floats");
    similarity
        .par_chunks_exact(labels.len())
        .map(|row| {
            let mut order: Vec<u32> = (0..labels.len() as u32).collect();
            // Of equal similarities the earlier image is nearer, so that the choice is the same everywhere.
            let nearer = |&a: &u32, &b: &u32| row[b as usize].total_cmp(&row[a as usize]).then(a.cmp(&b));
            if k < order.len() {
                order.select_nth_unstable_by(k, nearer);
                order.truncate(k);
            }
            order.sort_unstable();
            let mut scores = vec![0.0; classes];
            for &neighbour in &order {
                scores[labels[neighbour as usize] as usize] += (f64::from(row[neighbour as usize]) / temperature).exp();
            }
            scores
        })
        .collect()
}

fn best(scores: &[f64]) -> i32 {
    let better = |best: usize, class: usize| if scores[class] > scores[best] { class } else { best };
    (0..scores.len()).reduce(better).unwrap_or(0) as i32
}
