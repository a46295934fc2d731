//! What encoders are evaluated by, one file each.

mod accuracies;
mod anomaly;
mod cluster;
mod denoise;
mod detect;
mod embed;
mod export;
mod feature_set;
mod features;
mod finetune;
mod generate;
mod inpaint;
mod knn;
mod linear_probe;
mod lloyd;
mod logistic;
mod nearest;
mod newton;
mod online_knn;
mod project;
mod restoration;
mod retrieve;
mod robustness;
mod segment;
mod shift;
mod spectrum;
mod standardiser;
mod tuning;

pub use anomaly::Anomaly;
pub use cluster::Cluster;
pub use denoise::Denoise;
pub use detect::{Detect, nms};
pub use embed::Embed;
pub use export::Export;
pub use feature_set::{FeatureSet, SplitFeatures};
pub use features::{Features, batch, normalised};
pub use finetune::Finetune;
pub use generate::Generate;
pub use inpaint::Inpaint;
pub use knn::{Knn, all_scores, scores};
pub use linear_probe::LinearProbe;
pub use lloyd::kmeans;
pub use nearest::{Neighbour, nearest};
pub use online_knn::OnlineKnn;
pub use project::Project;
pub use retrieve::Retrieve;
pub use robustness::Robustness;
pub use segment::Segment;

// Data sets are tested by what could be learned from them too easily.
#[cfg(test)]
pub use {
    logistic::{Path as LogisticPath, Problem as LogisticProblem},
    standardiser::Standardiser,
};
