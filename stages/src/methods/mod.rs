//! Pretraining methods, one file each, and what they have in common.

mod autoencoder;
mod byol;
#[cfg(test)]
mod checks;
mod imported;
mod moco;
mod pixels;
mod pretrain;
mod projector;
mod random;
mod rotation;
mod simclr;
mod supervised;
#[cfg(test)]
mod tests;

pub use autoencoder::Autoencoder;
pub use byol::{Byol, regression};
pub use imported::Imported;
pub use moco::{MoCo, info_nce};
pub use pixels::Pixels;
pub use random::Random;
pub use rotation::Rotation;
pub use simclr::{SimClr, nt_xent};
pub use supervised::Supervised;
