//! Recipe + catalogue -> a DAG of typed nodes, their keys, and for each whether it must run and why.

mod known;
mod node;
pub use known::*;
pub use node::*;
