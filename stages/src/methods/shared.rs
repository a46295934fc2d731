//! What several methods have in common.

pub mod decoding;
pub mod patches;
pub mod pretrain;
pub mod projector;
pub mod shown;
pub mod streams;
pub mod tiles;
