//! Figures of merit, one file per family.

mod assignment;
mod classification;
mod clustering;
pub use classification::Confusion;
pub use clustering::Contingency;
