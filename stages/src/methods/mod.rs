//! Pretraining methods, one file each, and what they have in common.

mod autoencoder;
mod byol;
#[cfg(test)]
mod checks;
mod colorization;
mod deep_embedded_clustering;
mod denoising_autoencoder;
mod fusion;
mod imported;
mod inpainting;
mod jigsaw;
mod mae;
mod moco;
mod pca;
mod pixels;
mod random;
mod relative_patch;
mod rotation;
mod shared;
mod simclr;
mod spark;
mod supervised;
#[cfg(test)]
mod tests;
mod vae;

pub use autoencoder::Autoencoder;
pub use byol::{Byol, regression};
pub use colorization::Colorization;
pub use deep_embedded_clustering::DeepEmbeddedClustering;
pub use denoising_autoencoder::DenoisingAutoencoder;
pub use fusion::Fusion;
pub use imported::Imported;
pub use inpainting::Inpainting;
pub use jigsaw::Jigsaw;
pub use mae::Mae;
pub use moco::{MoCo, info_nce};
pub use pca::Pca;
pub use pixels::Pixels;
pub use random::Random;
pub use relative_patch::RelativePatch;
pub use rotation::Rotation;
pub use shared::patches::masked_patch_error;
pub use simclr::{SimClr, nt_xent};
pub use spark::Spark;
pub use supervised::Supervised;
pub use vae::Vae;
