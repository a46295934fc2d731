//! Figures of merit, one file per family.

mod assignment;
mod classification;
mod clustering;
pub use classification::accuracy;
pub use clustering::Contingency;
