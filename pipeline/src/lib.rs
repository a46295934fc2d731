//! `pretext`: recipes, plans, store, scheduler and tables. It does not know what a tensor is: whatever touches
//! one lives in a worker (`pretext-worker`), behind the messages of `pretext-protocol`.

/// Version, and an id made from the sources: which build computed a result.
pub const BUILD: &str = concat!(env!("CARGO_PKG_VERSION"), "+", env!("PRETEXT_BUILD"));

pub mod commands;
pub mod ids;
pub mod plan;
pub mod recipe;
pub mod run;
pub mod store;
pub mod table;
pub mod terminal;
pub mod text;
pub mod trace;
pub(crate) mod user;
