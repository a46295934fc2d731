//! From what became of the nodes to tables, on the terminal and in files.

use crate::ids::NodeId;
use crate::recipe::Recipe;
use crate::run::{NodeOutcome, Outcome};
use crate::store::{Provenance, Store};
use crate::table::{self, Finished, RecipeInfo};
use anyhow::Result;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

/// Where published tables go.
const RESULTS: &str = "results";

/// Writes the recipe's tables to `out/NAME`, and to `results/NAME` if they are to be published. Returns their text for the
/// terminal.
pub(super) fn tabulate(recipe: &Recipe, outcome: &Outcome, store: &Store, out: &Path, publish: bool) -> Result<String> {
    let provenances: Vec<Option<Provenance>> =
        outcome.nodes.iter().map(|node| node.result().and_then(|result| store.provenance(&result.key))).collect();
    let mut finished = BTreeMap::new();
    let mut failed = BTreeMap::new();
    for ((node, became), provenance) in recipe.graph.node_weights().zip(&outcome.nodes).zip(&provenances) {
        if let Some(result) = became.result() {
            finished.insert(node.id.clone(), Finished { node, result, provenance: provenance.as_ref() });
        } else if let NodeOutcome::Failed { error } = became {
            failed.insert(node.id.clone(), error.clone());
        }
    }
    let tables = tables(recipe, &numerics(recipe), &finished, &failed)?;
    let folder: PathBuf = out.join(&recipe.name);
    tables.write_all(&folder)?;
    if publish {
        tables.publish(&Path::new(RESULTS).join(&recipe.name))?;
    }
    Ok(tables.terminal(&folder.to_string_lossy(), super::terminal_width()))
}

/// What the workers of all stages compute with.
fn numerics(recipe: &Recipe) -> String {
    let all: BTreeSet<&str> = recipe.graph.node_weights().map(|node| &*node.numerics).collect();
    all.into_iter().filter(|numerics| !numerics.is_empty()).collect::<Vec<_>>().join("; ")
}

fn tables<'a>(
    recipe: &'a Recipe,
    numerics: &'a str,
    finished: &'a BTreeMap<NodeId, Finished<'a>>,
    failed: &'a BTreeMap<NodeId, String>,
) -> Result<table::Tables, table::TableError> {
    table::tabulate(&table::Outcome {
        recipe: RecipeInfo { name: &recipe.name, path: &recipe.path, digest: recipe.digest, numerics },
        axes: &recipe.axes,
        tables: &recipe.tables,
        graph: &recipe.graph,
        finished,
        failed,
    })
}
