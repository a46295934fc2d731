//! Data sets: one file per format, and the artifact that they all become.

mod cifar10;
mod dataset;
mod folder;
pub mod npy;
pub mod pictures;
mod sources;
mod split;
mod summary;
mod writer;

pub use cifar10::Cifar10;
pub use dataset::{Dataset, Encoded, Manifest, Region, Split, column};
pub use folder::Folder;
pub use sources::Source;
pub use split::keep;
pub use writer::{DatasetWriter, Format, Pixels, Sample, Summed};

/// The kinds that fetch their data, and from where, in the order in which it is tried.
pub const FETCHED: [(&str, &[Source]); 1] = [("data/cifar10", &cifar10::SOURCES)];
