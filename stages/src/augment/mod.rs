//! View policies: what is done to an image before a network sees it. A policy is an artifact of its own; the loader
//! applies it.

mod image;
mod loader;
pub mod ops;
mod picture;
mod policy;
mod simclr;
mod standard;

pub use image::Image;
pub use loader::{Batch, Loader, channels_last, normalise_into};
pub use policy::{Operation, Policy};
pub use simclr::SimClrViews;
pub use standard::StandardViews;
