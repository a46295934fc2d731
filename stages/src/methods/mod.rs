//! Pretraining methods, one file each, and what they have in common.

mod artifact;
mod autoencoder;
mod classifier;
mod pixels;
mod pretrain;
mod random;
mod rotation;
mod simclr;
mod supervised;

pub use artifact::{EncoderArtifact, Frozen};
pub use autoencoder::Autoencoder;
pub use pixels::Pixels;
pub use random::Random;
pub use rotation::Rotation;
pub use simclr::{SimClr, nt_xent};
pub use supervised::Supervised;
