//! Recipe + catalogue -> a DAG of typed nodes, their keys, and for each whether it must run and why.

mod node;
pub use node::*;
