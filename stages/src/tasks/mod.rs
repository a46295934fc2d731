//! What encoders are judged by, one file each.

mod feature_set;
mod features;
mod knn;
mod lbfgs;
mod linear_probe;
mod logistic;

pub use feature_set::{FeatureSet, SplitFeatures};
pub use features::Features;
pub use knn::{Knn, vote};
pub use linear_probe::LinearProbe;
