use super::accuracies::{ACCURACY, BALANCED_ACCURACY, MACRO_F1, report};
use super::linear_probe::FEATURES;
use crate::context::{Context, Stopped};
use crate::data::Split;
use crate::features::{FeatureSet, all_scores, nearest, unit_bank, unit_rows};
use crate::stage::{About, Stage};
use anyhow::{Result, bail, ensure};
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
        let (unit_bank, order) = unit_bank(bank, set.features, &context.device);
        let labels: Vec<i32> = order.iter().map(|&image| bank.labels[image]).collect();
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::features::{bank_order, scores};

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
