//! What encoders are judged by, one file each.

mod feature_set;
mod features;
mod kmeans;
mod knn;
mod lbfgs;
mod linear_probe;
mod lloyd;
mod logistic;
mod nearest;
mod online_knn;

pub use feature_set::{FeatureSet, SplitFeatures};
pub use features::Features;
pub use kmeans::KMeans;
pub use knn::{Knn, predict, scores};
pub use linear_probe::LinearProbe;
pub use nearest::{Neighbour, nearest};
pub use online_knn::OnlineKnn;
