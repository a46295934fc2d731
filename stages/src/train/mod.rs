//! Training: the loop, the optimisers, moving averages, the schedule, checkpoints.

mod checkpoint;
pub mod ema;
mod failure;
mod learner;
mod method;
mod optimiser;
pub mod schedule;
mod training;

pub use ema::Ema;
pub use failure::Replayed;
pub use method::{Judge, Method, Training};
pub use optimiser::{Exclude, Optimiser, OptimiserConfig, OptimiserKind};
pub use training::train;
