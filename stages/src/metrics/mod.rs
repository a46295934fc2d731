//! Figures of merit, one file per family.

mod assignment;
mod aupro;
mod classification;
mod clustering;
pub mod confusion_picture;
pub mod detection;
mod distance;
mod histogram_picture;
pub mod image;
mod ranking;
pub mod recall_picture;
mod segmentation;
mod silhouette;

pub use aupro::aupro;
pub use classification::Confusion;
pub use clustering::Contingency;
pub use distance::squared_distance;
pub use histogram_picture::histogram;
pub use ranking::{auroc, average_precision, macro_auroc, top_k_accuracy};
pub use segmentation::{Overlap, UNKNOWN};
pub use silhouette::silhouette;
