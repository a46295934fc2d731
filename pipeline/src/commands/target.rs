//! Which nodes of which recipe a command is about.

use super::places::{Places, Planned};
use crate::ids::NodeId;
use crate::plan::{Graph, NodePattern};
use crate::recipe::nearest;
use crate::store::Store;
use crate::text::count;
use anyhow::{Result, anyhow, bail};
use petgraph::graph::NodeIndex;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// So many stages are told of one by one, and no more.
const MOST: usize = 20;

/// The words of a command line: the recipe's file, where it is given, and the rest.
pub(super) fn split_recipe(words: &[String]) -> (Option<&str>, &[String]) {
    match words {
        [recipe, rest @ ..] if !rest.is_empty() && is_file_name(recipe) => (Some(recipe), rest),
        rest => (None, rest),
    }
}

/// Whether a word means a recipe's file.
pub(super) fn is_file_name(word: &str) -> bool {
    let path = Path::new(word);
    path.extension().is_some_and(|extension| extension == "yaml" || extension == "yml") || path.is_file()
}

pub(super) fn pattern(word: &str) -> Result<NodePattern> {
    NodePattern::parse(word).map_err(|message| anyhow!(message))
}

/// Plans the recipe, and finds the nodes that are meant. Where no recipe is named, it is the one that ran in this store
/// and has such a node.
pub(super) fn find(recipe: Option<&str>, pattern: &NodePattern, places: &Places) -> Result<(Planned, Vec<NodeIndex>)> {
    let path = match recipe {
        Some(path) => PathBuf::from(path),
        None => recipe_with(&places.store()?, pattern)?,
    };
    let planned = Planned::load(&path, places)?;
    let nodes = nodes(&planned.recipe.graph, pattern, &planned.recipe.path)?;
    Ok((planned, nodes))
}

/// Every node that is meant; an error with the nearest names where there is none.
fn nodes(graph: &Graph, pattern: &NodePattern, recipe: &str) -> Result<Vec<NodeIndex>> {
    let meant: Vec<NodeIndex> = graph.node_indices().filter(|index| pattern.matches(&graph[*index].id)).collect();
    if meant.is_empty() {
        let stages: BTreeSet<&str> = graph.node_weights().map(|node| &*node.stage).collect();
        let names = stages.into_iter().chain(graph.node_weights().map(|node| &*node.id.0));
        bail!("{recipe} has no stage `{pattern}`; {}", nearest(&pattern.to_string(), names));
    }
    Ok(meant)
}

/// An error where so many are meant that nobody would read it.
pub(super) fn few(nodes: &[NodeIndex], graph: &Graph, pattern: &NodePattern) -> Result<()> {
    if nodes.len() > MOST {
        let one = &graph[nodes[0]].id;
        bail!("`{pattern}` means {} stages; say which of them, as in '{one}'", count(nodes.len() as u64));
    }
    Ok(())
}

/// The file of the one recipe of this store that has such a node, as it was given when it last ran.
fn recipe_with(store: &Store, pattern: &NodePattern) -> Result<PathBuf> {
    let records = store.node_records()?;
    if records.is_empty() {
        bail!("nothing has run in this store: name the recipe's file too: RECIPE.yaml '{pattern}'");
    }
    let recipes: BTreeSet<&str> =
        records.iter().filter(|record| pattern.matches(&record.node)).map(|record| record.recipe.as_str()).collect();
    let how = format!("name its file: RECIPE.yaml '{pattern}'");
    let mut recipes = recipes.into_iter();
    let (Some(recipe), further) = (recipes.next(), recipes.collect::<Vec<_>>()) else {
        let names: BTreeSet<&str> = records.iter().map(|record| record.node.0.as_ref()).collect();
        bail!(
            "no recipe that ran in this store has a stage `{pattern}`; {}; or {how}",
            nearest(&pattern.to_string(), names)
        );
    };
    if !further.is_empty() {
        bail!("several recipes have a stage `{pattern}` ({recipe}, {}): {how}", further.join(", "));
    }
    let run = store.runs()?.into_iter().rev().find(|run| run.recipe == recipe);
    match run.map(|run| PathBuf::from(run.path)).filter(|path| path.is_file()) {
        Some(path) => Ok(path),
        None => bail!("the file of the recipe `{recipe}`, which has `{pattern}`, is not where it was: {how}"),
    }
}

/// Nodes by their names, a few of them, and how many more there are.
pub(super) fn some_of<'a>(nodes: impl ExactSizeIterator<Item = &'a NodeId>) -> String {
    const SHOWN: usize = 5;
    let more = nodes.len().saturating_sub(SHOWN);
    let shown: Vec<String> = nodes.take(SHOWN).map(ToString::to_string).collect();
    match (shown.is_empty(), more) {
        (true, _) => "nothing".to_owned(),
        (false, 0) => shown.join(", "),
        (false, more) => format!("{} and {} more", shown.join(", "), count(more as u64)),
    }
}
