//! Figures of merit, one file per family.

mod assignment;
mod classification;
mod clustering;
pub mod confusion_picture;
pub mod detection;
pub mod image;
pub mod recall_picture;
mod segmentation;

pub use classification::Confusion;
pub use clustering::Contingency;
pub use segmentation::{Overlap, UNKNOWN};
