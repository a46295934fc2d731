//! What the integration tests share: a worker with instant, deterministic stages, graphs written by hand, and a
//! laboratory that runs them and says in which order what happened.

pub mod fake;
mod graph;
mod lab;

pub use graph::{GraphSpec, NodeSpec};
pub use lab::{Lab, Ran, wait_until};
