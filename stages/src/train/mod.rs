//! Training: the loop, the optimisers, moving averages, the schedule, checkpoints.

mod checkpoint;
mod classification;
mod ema;
mod failure;
mod fit;
mod learner;
mod objective;
mod optimiser;
pub mod schedule;

pub use classification::Classification;
pub use ema::{Ema, MomentumEncoder};
pub use failure::Replayed;
pub use fit::fit;
pub use objective::{At, Evaluation, Objective, Term, Training, networks};
pub use optimiser::{Exclude, Optimiser, OptimiserConfig, OptimiserKind, Rates};
