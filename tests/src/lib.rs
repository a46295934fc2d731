//! What the integration tests share: a worker with instant, deterministic stages, graphs written by hand, and a
//! laboratory that runs them and says in which order what happened; the real worker without `pretext`.

pub mod fake;
mod graph;
mod lab;
mod place;
mod processes;
mod store_acts;
mod terminal;
pub mod trainings;
mod worker;

pub use graph::{GraphSpec, NodeSpec};
pub use lab::{Lab, Ran};
pub use place::Place;
pub use processes::{children_of, is_running, parent_of, signal, wait_at_most, wait_until};
pub use store_acts::*;
pub use terminal::in_terminal;
pub use worker::WorkerProcess;
