mod assigned;
mod picture;

use super::linear_probe::FEATURES;
use crate::context::{Context, Stopped};
use crate::data::Split;
use crate::features::{FeatureSet, Standardiser, assign, averages, kmeans};
use crate::metrics::{Contingency, silhouette, squared_distance};
use crate::nn::ops;
use crate::random::{Purpose, Rng};
use crate::stage::{About, DATA, MeasureAbout, PortAbout, Stage};
use anyhow::{Result, bail, ensure};
use assigned::assigned;
use burn::tensor::Tensor;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// How well clusters of the features agree with the classes.
pub struct Cluster;

#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct Params {
    /// null: k-means. Else the name of a head that the encoder has kept, such as `classifier`: what is largest of its outputs is an
    /// image's cluster, and nothing is fitted
    assignment: Option<String>,
    /// of k-means: how many there are; 0: as many as classes
    #[schemars(range(min = 0, max = 100_000), extend("x-unit" = "clusters"))]
    clusters: u32,
    /// of k-means: runs from other first centres; the one with the smallest sum of squared distances on train counts
    #[schemars(range(min = 1, max = 1000), extend("x-unit" = "runs"))]
    restarts: u32,
    /// of the first centres, and of the images that the silhouette is of
    #[schemars(range(min = 0))]
    seed: u64,
}

impl Default for Params {
    fn default() -> Self {
        Self { assignment: None, clusters: 0, restarts: 10, seed: 0 }
    }
}

const SPLITS: &[&str] = &["train", "validation", "test"];
/// Images of a split that are compared with each other, all with all.
const COMPARED: usize = 2000;

impl Stage for Cluster {
    type Params = Params;
    const ABOUT: About = About {
        name: "eval/cluster",
        summary: "Clusters of the features, k-means or a method's own: do they agree with the classes?",
        docs: "k-means: Euclidean, on the features as they are (of pretrain/pixels: on pixels); k-means++ (Arthur & Vassilvitskii 2007), \
               then Lloyd's iterations until nothing changes, 300 at most. Labels are used to judge only: clusters are fitted on train, images of \
               other splits belong to the nearest centre, and which class a cluster stands for (accuracy; Xie et al. 2016, \
               arXiv:1511.06335, eq. 10) is settled on train as well, where publications often settle it on what they judge.\n\n\
               Beside the result, where the port `data` is connected: nearest.png, a row for each of the first ten clusters with the \
               training images that are nearest to its centre.",
        needs: &[
            FEATURES,
            PortAbout { required: false, doc: "the images that the features are of, for the picture", ..DATA },
            PortAbout {
                name: "encoder",
                type_: "encoder",
                required: false,
                used: true,
                doc: "of which the features are, with a head as `assignment` names it",
            },
        ],
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
            MeasureAbout {
                name: "silhouette",
                splits: SPLITS,
                unit: "",
                setting: false,
                doc: "how much nearer an image is to its own cluster than to the next one (Rousseeuw 1987), from -1 to 1; of 2,000 images, \
                      drawn by the seed, where there are more; 0 where all are in one cluster",
            },
            MeasureAbout {
                name: "inertia",
                splits: SPLITS,
                unit: "",
                setting: false,
                doc: "sum over the images of the squared distance to the centre of their cluster, in the features' own units",
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
        let (centres, clusters) = match &params.assignment {
            None => fitted(&train, &features, &params, set.classes, context)?,
            Some(head) => {
                ensure!(
                    params.clusters == 0,
                    "clusters is {}, and with `assignment` the head says how many there are: leave \
                     one out",
                    params.clusters
                );
                let (count, clusters) = assigned(&set, head, context)?;
                (averages(&train, &clusters[&Split::Train], count).0, clusters)
            }
        };
        let count = centres.dims()[0];
        let table = |split: Split| -> Result<Contingency> {
            Ok(Contingency::new(&clusters[&split], &set.split(split)?.labels, count, set.classes))
        };
        let matching = table(Split::Train)?.matching();
        let used = clusters[&Split::Train].iter().collect::<BTreeSet<_>>().len();
        if used < count {
            context.note(&format!("{used} of {count} clusters have training images"));
        }
        let unit = standardiser.unit();
        for split in Split::LABELLED {
            context.check_stop()?;
            let (table, x) = (table(split)?, features(split)?);
            context.measure("accuracy", split.name(), table.accuracy(&matching));
            context.measure("nmi", split.name(), table.nmi());
            context.measure("ari", split.name(), table.ari());
            context.measure("silhouette", split.name(), silhouette_of_some(&x, &clusters[&split], split, params.seed));
            let distances = distances(&x, &centres, &clusters[&split]);
            context.measure("inertia", split.name(), unit * unit * distances.iter().sum::<f64>());
            if split == Split::Train {
                picture::draw(&set, &clusters[&split], &distances, count, context)?;
            }
        }
        Ok(())
    }
}

/// The cluster of every image of each split.
type Clusters = BTreeMap<Split, Vec<u32>>;

/// Centres that k-means finds on train, and the nearest one of every image.
fn fitted(
    train: &Tensor<2>,
    features: &impl Fn(Split) -> Result<Tensor<2>>,
    params: &Params,
    classes: usize,
    context: &Context,
) -> Result<(Tensor<2>, Clusters)> {
    let clusters = if params.clusters == 0 { classes } else { params.clusters as usize };
    let images = train.dims()[0];
    ensure!(clusters <= images, "{clusters} clusters of {images} training images: lower `clusters`");
    context.check_stop()?;
    let restarts = params.restarts as usize;
    let mut meter = context.meter("cluster", restarts as u64, "runs");
    let go_on = |done: usize| {
        meter.at(done as u64, &[]);
        !context.stopping()
    };
    let Some(found) = kmeans(train, clusters, restarts, params.seed, go_on) else { bail!(Stopped) };
    let of_split = |split| Ok((split, assign(&features(split)?, &found.centres).0));
    let of_splits: Result<Clusters> = Split::LABELLED.into_iter().map(of_split).collect();
    Ok((found.centres, of_splits?))
}

/// Of each vector the squared distance to the centre of its cluster.
fn distances(x: &Tensor<2>, centres: &Tensor<2>, clusters: &[u32]) -> Vec<f64> {
    let width = x.dims()[1];
    ops::read(centres, |centres| {
        let centre = |cluster: u32| &centres[cluster as usize * width..][..width];
        ops::read(x, |x| {
            let rows = x.chunks_exact(width).zip(clusters);
            rows.map(|(row, &cluster)| f64::from(squared_distance(row, centre(cluster)))).collect()
        })
    })
}

/// The silhouette of as many images of a split as are compared.
fn silhouette_of_some(x: &Tensor<2>, clusters: &[u32], split: Split, seed: u64) -> f64 {
    let mut rows: Vec<usize> = (0..clusters.len()).collect();
    if rows.len() > COMPARED {
        Rng::new(seed, Purpose::Evaluate, &[split as u64]).shuffle(&mut rows);
        rows.truncate(COMPARED);
    }
    let width = x.dims()[1];
    let values: Vec<f32> = ops::read(x, |x| rows.iter().flat_map(|&row| &x[row * width..][..width]).copied().collect());
    silhouette(&values, width, &rows.iter().map(|&row| clusters[row]).collect::<Vec<u32>>())
}

#[cfg(test)]
mod tests;
