use super::feature_set::{FeatureSet, SplitFeatures};
use super::linear_probe::{ACCURACY, FEATURES};
use super::nearest::{Neighbour, nearest};
use crate::context::{Context, Stopped};
use crate::data::Split;
use crate::metrics::accuracy;
use crate::nn::loss::l2_normalise;
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
            let go_on = |done: usize| {
                meter.at(done as u64, &[]);
                !context.stopping()
            };
            let Some(neighbours) = nearest(&unit_bank, &unit_queries, k, go_on) else { bail!(Stopped) };
            let predicted = predict(&neighbours, &bank.labels, set.classes, params.temperature);
            context.measure("accuracy", split.name(), accuracy(&predicted, &queries.labels));
        }
        Ok(())
    }
}

/// `[image, feature]`, of unit length.
fn unit_rows(split: &SplitFeatures, features: usize, device: &Device) -> Tensor<2> {
    let shape = [split.labels.len(), features];
    l2_normalise(Tensor::from_data(TensorData::new(split.values.clone(), shape), device))
}

/// The class of each query by its neighbours' vote. Of equal scores the lower class wins.
pub fn predict(neighbours: &[Vec<Neighbour>], labels: &[i32], classes: usize, temperature: f64) -> Vec<i32> {
    neighbours.par_iter().map(|neighbours| best(&scores(neighbours, labels, classes, temperature))).collect()
}

/// The score of every class: the sum of `exp(similarity / temperature)` over the neighbours that are of the class. The
/// bank's `labels` are below `classes`.
pub fn scores(neighbours: &[Neighbour], labels: &[i32], classes: usize, temperature: f64) -> Vec<f64> {
    let mut scores = vec![0.0; classes];
    for neighbour in neighbours {
        let class = labels[neighbour.index as usize] as usize;
        scores[class] += (f64::from(neighbour.similarity) / temperature).exp();
    }
    scores
}

fn best(scores: &[f64]) -> i32 {
    let better = |best: usize, class: usize| if scores[class] > scores[best] { class } else { best };
    (0..scores.len()).reduce(better).unwrap_or(0) as i32
}
