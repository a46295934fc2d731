//! `pretext`: recipes, plans, store, scheduler and tables. It does not know what a tensor is: whatever touches
//! one lives in a worker (`pretext-worker`), behind the messages of `pretext-protocol`.

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
