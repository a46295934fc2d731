//! Figures of merit, one file per family.

mod classification;
pub use classification::accuracy;
