//! A DAG of typed nodes, their keys, and for each whether it must run and why.

mod evaluate;
mod known;
mod node;
mod select;
mod text;

pub use evaluate::{Reason, Status, canonical, differences, evaluate};
pub use known::{Known, Lookup};
pub use node::*;
pub use select::{NoSuchNode, select, with_what_they_need};
pub use text::text;
