//! Training: the loop, the optimisers, moving averages, the schedule, checkpoints.

mod checkpoint;
pub mod ema;
mod optimiser;
pub mod schedule;
mod training;

pub use ema::Ema;
pub use optimiser::{Exclude, Optimiser, OptimiserConfig, OptimiserKind};
pub use training::{Method, Training, train};
