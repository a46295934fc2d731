//! Training: the loop, the optimisers, the schedule, checkpoints.

mod checkpoint;
mod optimiser;
pub mod schedule;
mod training;

pub use optimiser::{Optimiser, OptimiserConfig, OptimiserKind};
pub use training::{Method, Training, train};
