//! View policies: what is done to an image before a network sees it. A policy is an artifact of its own; a source of
//! batches applies it.

mod byol;
mod check;
mod contrastive;
mod geometry;
pub mod holes;
mod image;
pub mod masking;
mod multicrop;
mod normalise;
mod operation;
pub mod ops;
mod picture;
mod policy;
mod rand_augment;
mod scratch;
mod simclr;
mod source;
mod space;
mod standard;
mod sum_of_rows;
mod trivial_augment;
mod vectorised;

pub use byol::ByolViews;
pub use geometry::{Affine, Geometry, OUTSIDE};
pub use image::{Image, Rgb8};
pub use multicrop::MultiCropViews;
pub use normalise::Normaliser;
pub use operation::Operation;
pub use picture::{Photograph, samples};
pub use policy::{Policy, ViewKey};
pub use rand_augment::RandAugmentViews;
pub use simclr::SimClrViews;
pub use source::{Batch, Precision, Source, Target, Targets, Wants, channels_last};
pub use standard::StandardViews;
pub use trivial_augment::TrivialAugmentViews;
