//! Figures of merit, one file per family.

mod assignment;
mod classification;
mod clustering;
pub mod confusion_picture;
pub mod detection;
mod ranking;
pub mod recall_picture;
mod segmentation;

pub use classification::Confusion;
pub use clustering::Contingency;
pub use ranking::{auroc, average_precision, macro_auroc, top_k_accuracy};
pub use segmentation::{Overlap, UNKNOWN};
