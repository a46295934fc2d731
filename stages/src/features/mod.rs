//! Feature vectors: how images become them, and what is computed from them, for methods that look at their own features and for
//! what evaluates them.

mod encode;
mod feature_set;
mod lloyd;
pub mod logistic;
mod nearest;
mod newton;
mod online_knn;
mod spectrum;
mod standardiser;
mod weighted_knn;

pub use encode::{batch, check_finite, encode, encode_all, encode_each, normalised};
pub use feature_set::{FeatureSet, Labelled, SplitFeatures};
pub use lloyd::{assign, averages, kmeans};
pub use nearest::{Neighbour, bank_order, nearest, unit_bank};
pub use newton::GAIN;
pub use online_knn::OnlineKnn;
pub use spectrum::Spectrum;
pub use standardiser::Standardiser;
pub use weighted_knn::{all_scores, scores, unit_rows};
