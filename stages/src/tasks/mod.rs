//! What encoders are evaluated by, one file each.

mod accuracies;
mod anomaly;
mod cluster;
mod denoise;
mod detect;
mod embed;
mod export;
mod features;
mod finetune;
mod generate;
mod inpaint;
mod knn;
mod linear_probe;
mod project;
mod restoration;
mod retrieve;
mod robustness;
mod segment;
mod shift;
mod tuning;

pub use anomaly::Anomaly;
pub use cluster::Cluster;
pub use denoise::Denoise;
pub use detect::{Detect, nms};
pub use embed::Embed;
pub use export::Export;
pub use features::Features;
pub use finetune::Finetune;
pub use generate::Generate;
pub use inpaint::Inpaint;
pub use knn::Knn;
pub use linear_probe::LinearProbe;
pub use project::Project;
pub use retrieve::Retrieve;
pub use robustness::Robustness;
pub use segment::Segment;
