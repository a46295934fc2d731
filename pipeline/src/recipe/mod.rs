//! YAML -> a checked recipe. Every error carries its place in the file.

mod tables;
pub use tables::*;
