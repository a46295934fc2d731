//! Data sets: one file per format, and the artifact that they all become.

mod cifar10;
mod dataset;
pub mod pictures;
mod sources;
mod split;

pub use cifar10::Cifar10;
pub use dataset::{Dataset, DatasetWriter, Manifest, Split, read_i32, read_json, write_json};
