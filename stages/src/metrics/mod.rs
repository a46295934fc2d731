//! Figures of merit, one file per family.

mod assignment;
mod classification;
mod clustering;
pub mod confusion_picture;
pub use classification::Confusion;
pub use clustering::Contingency;
