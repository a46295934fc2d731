//! From what there is of a recipe's results to tables, on the terminal and in files.

use super::source::Source;
use crate::ids::{Digest, NodeId};
use crate::plan::Status;
use crate::recipe::Recipe;
use crate::run::NodeOutcome;
use crate::store::{NodeEvent, Provenance, StageResult, Store, StoreError};
use crate::table::{self, Finished, RecipeInfo};
use crate::text;
use anyhow::{Context, Result, bail};
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Where published tables go.
const RESULTS: &str = "results";
/// Beside the tables of a folder: the recipe that they are of.
const OWNER: &str = ".recipe";

/// The results that tables are made from, by the nodes' order in the graph.
pub(super) struct Results {
    found: Vec<Option<Arc<StageResult>>>,
    failed: BTreeMap<NodeId, String>,
    /// How many will still come: those that have neither a result nor a failure, need no node that has failed, and are wanted.
    missing: usize,
}

impl Results {
    /// What a run came to.
    pub(super) fn of_run(recipe: &Recipe, nodes: &[NodeOutcome]) -> Self {
        let failed = recipe.graph.node_weights().zip(nodes).filter_map(|(node, became)| match became {
            NodeOutcome::Failed { error } => Some((node.id.clone(), error.clone())),
            _ => None,
        });
        let missing = nodes.iter().filter(|node| **node == NodeOutcome::NotRun).count();
        let found = nodes.iter().map(|node| node.result().cloned()).collect();
        Self { found, failed: failed.collect(), missing }
    }

    /// What the store holds now, and what the last run could not compute.
    pub(super) fn of_store(recipe: &Recipe, statuses: &[Status], store: &Store) -> Result<Self, StoreError> {
        let last = store.runs()?.into_iter().rfind(|run| run.recipe == recipe.name);
        let lines = last.map_or(Ok(vec![]), |run| store.run_nodes(&run.id))?;
        let outcomes: BTreeMap<&NodeId, NodeEvent> = lines.iter().map(|line| (&line.node, line.outcome)).collect();
        let found: Vec<_> = statuses
            .iter()
            .map(|status| match status {
                Status::Hit { result, .. } => Some(result.clone()),
                _ => None,
            })
            .collect();
        let is_lost = |id: &NodeId| matches!(outcomes.get(id), Some(NodeEvent::Failed | NodeEvent::Skipped));
        let nodes = recipe.graph.node_weights().zip(statuses);
        let is_to_come = |status: &Status| !matches!(status, Status::Hit { .. } | Status::Spared);
        let missing = nodes.filter(|(node, status)| is_to_come(status) && !is_lost(&node.id)).count();
        let failed = lines.iter().filter(|line| line.outcome == NodeEvent::Failed);
        let failed = failed.filter_map(|line| Some((line.node.clone(), line.error.clone()?))).collect();
        Ok(Self { found, failed, missing })
    }
}

/// Where a recipe's tables go.
pub(super) struct Folders {
    /// `out/NAME`, or `out/NAME+3f9a21` of a recipe that `--set` has changed: tables of another recipe are other tables.
    own: PathBuf,
    published: Option<PathBuf>,
    /// The recipe's file, in full.
    recipe: PathBuf,
}

impl Folders {
    /// An error where a folder holds the tables of another recipe.
    pub(super) fn of(recipe: &Recipe, source: &Source, out: &Path, publish: bool) -> Result<Self> {
        let file = fs::canonicalize(&recipe.path).with_context(|| format!("cannot find {}", recipe.path))?;
        let name = match source.sets() {
            [] => recipe.name.clone(),
            _ if publish => bail!(
                "--publish is for recipes as they are committed: write what --set changes into a recipe that `extends` {}",
                recipe.path
            ),
            sets => format!("{}+{}", recipe.name, Digest::of(sets.join("\n").as_bytes()).short()),
        };
        let own = out.join(name);
        let published = publish.then(|| Path::new(RESULTS).join(&recipe.name));
        let folders = Self { own, published, recipe: file };
        match recipe.tables.is_empty() {
            true => Ok(folders),
            false => folders.refuse_others().map(|()| folders),
        }
    }

    fn refuse_others(&self) -> Result<()> {
        let owner = fs::read_to_string(self.own.join(OWNER)).ok().map(|text| PathBuf::from(text.trim_end()));
        let published = self.published.as_ref().and_then(|folder| owner_of_published(folder));
        for (folder, owner) in [(Some(&self.own), owner), (self.published.as_ref(), published)] {
            let (Some(folder), Some(owner)) = (folder, owner) else { continue };
            if owner != self.recipe && owner.exists() {
                bail!(
                    "{} holds the tables of {}, which has the same `name`: give one of the two another name, or write elsewhere \
                     by --out FOLDER. Nothing was run",
                    folder.display(),
                    owner.display()
                );
            }
        }
        Ok(())
    }
}

/// The recipe that published tables say they are of, if that is where it was.
fn owner_of_published(folder: &Path) -> Option<PathBuf> {
    let about = fs::read_to_string(folder.join("about.json")).ok()?;
    let about: serde_json::Value = serde_json::from_str(&about).ok()?;
    fs::canonicalize(about["recipe"]["path"].as_str()?).ok()
}

/// Writes the recipe's tables, and returns their text for the terminal. Tables of which results are still to come are not
/// written: what was whole stays.
pub(super) fn tabulate(recipe: &Recipe, results: &Results, store: &Store, folders: &Folders) -> Result<String> {
    let provenances: Vec<Option<Provenance>> =
        results.found.iter().map(|result| store.provenance(&result.as_ref()?.key)).collect();
    let nodes = recipe.graph.node_weights().zip(&results.found).zip(&provenances);
    let finished = nodes.filter_map(|((node, result), provenance)| {
        let finished = Finished { node, result: result.as_deref()?, provenance: provenance.as_ref() };
        Some((node.id.clone(), finished))
    });
    let tables = tables(recipe, &numerics(recipe), &finished.collect(), &results.failed)?;
    let written = folders.own.to_string_lossy();
    let shown = tables.terminal((results.missing == 0).then_some(&*written), super::terminal_width());
    if let (1.., Some(folder)) = (results.missing, &folders.published) {
        bail!("{}, and nothing was published to {}", partial(results, &folders.own), folder.display());
    }
    if results.missing > 0 {
        return Ok(format!("{}\n{shown}", partial(results, &folders.own)));
    }
    tables.write_all(&folders.own)?;
    // What cannot be noted is not protected, and nothing else.
    let _ = fs::write(folders.own.join(OWNER), format!("{}\n", folders.recipe.display()));
    if let Some(folder) = &folders.published {
        tables.publish(folder)?;
    }
    Ok(shown)
}

fn partial(results: &Results, folder: &Path) -> String {
    let there = results.found.iter().flatten().count();
    let kept = match folder.join(OWNER).exists() {
        true => format!("{} keeps the last whole tables", folder.display()),
        false => format!("nothing was written to {}", folder.display()),
    };
    let stages = text::counted(results.found.len(), "stage");
    format!("partial: {} of {stages} have a result; {kept}", text::count(there as u64))
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
