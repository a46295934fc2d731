//! `pretext-worker`: every stage that touches a tensor. It knows nothing of recipes, keys or caches; what it is told
//! comes through `pretext-protocol`.

/// Version, and an id made from the sources: which build computed a result.
pub const BUILD: &str = concat!(env!("CARGO_PKG_VERSION"), "+", env!("PRETEXT_BUILD"));

pub mod artifact;
pub mod augment;
pub mod catalog;
pub mod context;
pub mod csv;
pub mod data;
pub mod doctor;
pub mod features;
pub mod foreign;
pub mod json;
pub mod memory;
pub mod methods;
pub mod metrics;
pub mod nn;
pub mod random;
pub mod stage;
pub mod tasks;
pub mod train;
pub mod worker;
