//! Where the commands meet the parts that read recipes, explain plans and write tables. On this branch those parts
//! are not there; each function is the one call that is to stand in its place.

use crate::plan::Graph;
use crate::recipe::TableSpec;
use crate::run::Outcome;
use crate::store::Store;
use anyhow::{Result, bail};
use pretext_protocol::Catalogue;
use std::path::Path;

/// A checked recipe: becomes `recipe::Recipe`.
pub(super) struct Recipe {
    pub(super) name: String,
    pub(super) graph: Graph,
    pub(super) tables: Vec<TableSpec>,
}

/// Becomes `recipe::load(path, catalogue)`.
pub(super) fn load(path: &Path, _catalogue: &Catalogue) -> Result<Recipe> {
    bail!("{}: this build reads no recipes", path.display())
}

/// Becomes `plan::evaluate(&recipe.graph, store, &recipe.name, numerics)` and its text.
pub(super) fn plan_text(recipe: &Recipe, _store: &Store, _numerics: &str) -> String {
    format!("{}: {} stages\n", recipe.name, recipe.graph.node_count())
}

/// Becomes the listing of kinds by h1's `stages`.
pub(super) fn stages_text(catalogue: &Catalogue, kind: Option<&str>) -> Result<String> {
    let shown = catalogue.kinds.iter().filter(|known| kind.is_none_or(|kind| known.name == kind));
    Ok(shown.map(|known| format!("{}  {}\n", known.name, known.summary)).collect())
}

/// Becomes `table::write_all`: for every node of the graph with a result, the result and `store.provenance(&key)`.
pub(super) fn tabulate(_: &Path, recipe: &Recipe, _: &Outcome, _: &Store, _: &Path, _: bool) -> Result<()> {
    if recipe.tables.is_empty() { Ok(()) } else { bail!("this build writes no tables") }
}
