//! A DAG of typed nodes, their keys, and for each whether it must run and why.

mod evaluate;
mod known;
mod node;
mod params;
mod text;

pub use evaluate::{Reason, Status, canonical, differences, evaluate};
pub use known::{Known, Lookup};
pub use node::*;
pub use params::Params;
pub use text::text;
