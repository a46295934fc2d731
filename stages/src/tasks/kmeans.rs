use super::feature_set::FeatureSet;
use super::linear_probe::FEATURES;
use super::lloyd::{assign, kmeans};
use super::standardiser::Standardiser;
use crate::context::{Context, Stopped};
use crate::data::Split;
use crate::metrics::Contingency;
use crate::stage::{About, MeasureAbout, Stage};
use anyhow::{Result, bail, ensure};
use burn::tensor::Tensor;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

/// How well clusters of the features agree with the classes.
pub struct KMeans;

#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct Params {
    /// how many there are; 0: as many as classes
    #[schemars(range(min = 0, max = 100_000), extend("x-unit" = "clusters"))]
    clusters: u32,
    /// runs from other first centres; the one with the smallest sum of squared distances on train counts
    #[schemars(range(min = 1, max = 1000), extend("x-unit" = "runs"))]
    restarts: u32,
    /// of the first centres
    #[schemars(range(min = 0))]
    seed: u64,
}

impl Default for Params {
    fn default() -> Self {
        Self { clusters: 0, restarts: 10, seed: 0 }
    }
}

const SPLITS: &[&str] = &["train", "validation", "test"];

impl Stage for KMeans {
    type Params = Params;
    const ABOUT: About = About {
        name: "eval/kmeans",
        // 2: products by another library, which rounds otherwise. 3: of features far from zero distances are no rounding.
        version: 3,
        summary: "k-means on the features of train: do its clusters agree with the classes?",
        docs: "Euclidean, on the features as they are; k-means++ (Arthur & Vassilvitskii 2007), then Lloyd's iterations \
               until nothing changes. Labels are used to judge only: clusters are fitted on train, images of other splits \
               belong to the nearest centre, and which class a cluster stands for (accuracy; Xie et al. 2016, \
               arXiv:1511.06335, eq. 10) is settled on train as well, where publications often settle it on what they \
               judge.",
        needs: &[FEATURES],
        measures: &[
            MeasureAbout {
                name: "accuracy",
                splits: SPLITS,
                unit: "fraction",
                setting: false,
                doc: "share of images whose cluster stands for their class, each cluster for another (Hungarian method)",
            },
            MeasureAbout {
                name: "nmi",
                splits: SPLITS,
                unit: "fraction",
                setting: false,
                doc: "mutual information of clusters and classes, over the mean of their entropies",
            },
            MeasureAbout {
                name: "ari",
                splits: SPLITS,
                unit: "fraction",
                setting: false,
                doc: "adjusted Rand index: agreement on pairs of images, 0 by chance",
            },
        ],
        ..About::NONE
    };

    fn run(params: Params, context: &Context) -> Result<()> {
        let set = FeatureSet::open(context.input("features")?)?;
        let standardiser = Standardiser::together(&set)?;
        let features =
            |split: Split| -> Result<Tensor<2>> { Ok(standardiser.apply(set.split(split)?, &context.device)) };
        let train = features(Split::Train)?;
        let clusters = if params.clusters == 0 { set.classes } else { params.clusters as usize };
        let images = train.dims()[0];
        ensure!(clusters <= images, "{clusters} clusters of {images} training images: lower `clusters`");
        let restarts = params.restarts as usize;
        let mut meter = context.meter("cluster", restarts as u64, "runs");
        let go_on = |done: usize| {
            meter.at(done as u64, &[]);
            !context.stopping()
        };
        let Some(found) = kmeans(&train, clusters, restarts, params.seed, go_on) else { bail!(Stopped) };
        let mut matching = vec![];
        for split in Split::LABELLED {
            let (nearest, _) = assign(&features(split)?, &found.centres);
            let table = Contingency::new(&nearest, &set.split(split)?.labels, clusters, set.classes);
            if split == Split::Train {
                matching = table.matching();
                let used = nearest.iter().collect::<BTreeSet<_>>().len();
                if used < clusters {
                    context.note(&format!("{used} of {clusters} clusters have images: there are no more that differ"));
                }
            }
            context.measure("accuracy", split.name(), table.accuracy(&matching));
            context.measure("nmi", split.name(), table.nmi());
            context.measure("ari", split.name(), table.ari());
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tasks::SplitFeatures;

    /// Two heaps side by side, far from zero in comparison with their distance, so that squares in float32 would not tell them
    /// apart; then as large as float32 gets.
    #[test]
    fn heaps_far_from_zero_and_large_ones_are_told_apart() {
        let device = crate::nn::device("cpu").unwrap();
        for (far, scale) in [(1000.0f32, 0.05f32), (0.0, 1e25)] {
            let values =
                (0..40).flat_map(|i| [far + scale * (i % 2) as f32, far + scale * 0.01 * (i / 2) as f32]).collect();
            let train = SplitFeatures { values, labels: (0..40).map(|i| i % 2).collect(), ids: vec![] };
            let set = FeatureSet { features: 2, classes: 2, splits: [(Split::Train, train.clone())].into() };
            let x = Standardiser::together(&set).unwrap().apply(&train, &device);
            let found = kmeans(&x, 2, 3, 0, |_| true).unwrap();
            let table = Contingency::new(&assign(&x, &found.centres).0, &train.labels, 2, 2);
            assert_eq!(table.accuracy(&table.matching()), 1.0, "{far} {scale}");
        }
    }

    #[test]
    fn vectors_that_are_all_the_same_are_one_cluster() {
        let train = SplitFeatures { values: vec![3.5; 60], labels: vec![0; 20], ids: vec![] };
        let set = FeatureSet { features: 3, classes: 2, splits: [(Split::Train, train.clone())].into() };
        let x = Standardiser::together(&set).unwrap().apply(&train, &crate::nn::device("cpu").unwrap());
        let found = kmeans(&x, 4, 2, 0, |_| true).unwrap();
        assert_eq!((found.inertia, assign(&x, &found.centres).0), (0.0, vec![0; 20]));
    }
}
