//! Measurements -> tables: the long form of every measurement, one table for each entry of a recipe's `tables:`,
//! what each row cost, and the files they are kept in.
//!
//! [`tabulate`] reads the graph in its own order and the table in the order of its labels, so that the bytes it
//! yields do not depend on what finished first, or on how often the run was interrupted. Costs do differ from run
//! to run: they stand in files of their own. `frame.rs` is the only file of the project that uses polars.

mod about;
mod build;
mod cells;
mod chosen;
mod compared;
mod costs;
mod differences;
mod error;
mod frame;
mod gaps;
mod grid;
mod markdown;
mod nodes;
mod numbers;
mod seen;
mod settings;
mod terminal;
#[cfg(test)]
mod tests;
mod wanted;
mod wording;
mod write;

pub use build::{Head, Row, Table};
pub use cells::{Cell, Summary};
pub use chosen::Chosen;
pub use compared::Compared;
pub use costs::{RowCost, Search};
pub use differences::Difference;
pub use error::TableError;
pub use settings::Settings;
pub use wanted::{decide, wanted};
pub use write::Tables;

use crate::ids::{Digest, NodeId};
use crate::plan::{Graph, Node};
use crate::recipe::TableSpec;
use crate::store::{Provenance, StageResult};
use std::collections::BTreeMap;

/// What a run came to: all that tables are made from.
#[derive(Clone, Copy)]
pub struct Outcome<'a> {
    pub recipe: RecipeInfo<'a>,
    /// Every axis of the recipe with its labels, as declared.
    pub axes: &'a [(String, Vec<String>)],
    pub tables: &'a [TableSpec],
    pub graph: &'a Graph,
    pub finished: &'a BTreeMap<NodeId, Finished<'a>>,
    /// Why a node failed, as its worker said.
    pub failed: &'a BTreeMap<NodeId, String>,
}

/// Which recipe it was, and what its numbers depend on beside it.
#[derive(Clone, Copy)]
pub struct RecipeInfo<'a> {
    pub name: &'a str,
    /// As the person typed it.
    pub path: &'a str,
    /// blake3 of the resolved recipe's text.
    pub digest: Digest,
    /// See [`pretext_protocol::Catalogue::numerics`].
    pub numerics: &'a str,
}

/// A node whose result is there.
#[derive(Clone, Copy)]
pub struct Finished<'a> {
    pub node: &'a Node,
    pub result: &'a StageResult,
    /// `None` only for a result that came into the store without one.
    pub provenance: Option<&'a Provenance>,
}

/// Makes every table of the recipe. Nodes that failed or are missing leave gaps, with their reasons.
pub fn tabulate(outcome: &Outcome) -> Result<Tables, TableError> {
    error::check(outcome.tables)?;
    let tables: Vec<Table> = outcome.tables.iter().map(|spec| build::table(outcome, spec)).collect();
    Ok(Tables {
        measurements: frame::measurements(outcome)?,
        costs: frame::costs(&tables)?,
        values: tables.iter().map(frame::values).collect::<Result<_, _>>()?,
        pages: tables.iter().map(|table| markdown::page(&outcome.recipe, table)).collect(),
        about: about::About::of(outcome, &tables),
        computed: about::Computed::of(outcome),
        tables,
    })
}
