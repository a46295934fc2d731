//! Which nodes of which recipe a command is about.

use super::source::{Planned, Source};
use crate::ids::NodeId;
use crate::plan::{Graph, NodePattern};
use crate::recipe::nearest;
use crate::store::{LatestNode, RunRecord};
use crate::text::count;
use anyhow::{Result, anyhow, bail};
use petgraph::Direction;
use petgraph::graph::NodeIndex;
use std::collections::{BTreeSet, HashSet};
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

/// The pattern with its labels as some nodes have them.
pub(super) fn spelt_as<'a>(pattern: &NodePattern, nodes: impl Iterator<Item = &'a NodeId>) -> Result<NodePattern> {
    pattern.clone().spelt_as(nodes).map_err(|message| anyhow!(message))
}

/// Plans the recipe, and finds the nodes that are meant. Where no recipe is named, it is the one that ran in this store
/// and has such a node.
pub(super) fn find(recipe: Option<&str>, pattern: &NodePattern, source: &Source) -> Result<(Planned, Vec<NodeIndex>)> {
    let path = match recipe {
        Some(path) => PathBuf::from(path),
        None => {
            let store = source.look()?;
            // Most often the store lies where the runs were started, and the question may come from elsewhere.
            let beside = store.root().parent().unwrap_or(store.root());
            recipe_with(&store.latest_nodes()?, &store.runs()?, pattern, beside)?
        }
    };
    let planned = Planned::load(&path, source)?;
    let nodes = nodes(&planned.recipe.graph, pattern, &planned.recipe.path)?;
    Ok((planned, nodes))
}

/// [`find`] by the words of a command line, to tell of each node. An error where so many are meant that nobody would read
/// it.
pub(super) fn find_few(words: &[String], source: &Source) -> Result<(Planned, Vec<NodeIndex>)> {
    let (recipe, rest) = split_recipe(words);
    let pattern = pattern(&rest[0])?;
    let (planned, nodes) = find(recipe, &pattern, source)?;
    if nodes.len() > MOST {
        let one = &planned.recipe.graph[nodes[0]].id;
        bail!("`{pattern}` means {} stages; say which of them, as in '{one}'", count(nodes.len() as u64));
    }
    Ok((planned, nodes))
}

/// Every node that is meant; an error with the nearest names where there is none.
pub(super) fn nodes(graph: &Graph, pattern: &NodePattern, recipe: &str) -> Result<Vec<NodeIndex>> {
    let pattern = &spelt_as(pattern, graph.node_weights().map(|node| &node.id))?;
    let meant: Vec<NodeIndex> = graph.node_indices().filter(|index| pattern.matches(&graph[*index].id)).collect();
    if meant.is_empty() {
        bail!(
            "{recipe} has no stage `{pattern}`; {}",
            near(&pattern.to_string(), graph.node_weights().map(|node| &node.id))
        );
    }
    Ok(meant)
}

/// What may have been meant: a name that is near, or else a stage whose name is, or else what there is of the stage.
fn near<'a>(word: &str, nodes: impl Iterator<Item = &'a NodeId>) -> String {
    let stage_of = |name: &'a str| name.split('[').next().unwrap_or_default();
    let all: BTreeSet<&str> = nodes.map(|node| &*node.0).collect();
    let (stage, whole) = (word.split('[').next().unwrap_or_default(), nearest(word, all.iter().copied()));
    let same: Vec<&str> = all.iter().copied().filter(|name| stage_of(name) == stage).collect();
    match (word.contains('[') && whole.ends_with('?'), same.as_slice()) {
        (true, _) => whole,
        (false, []) => nearest(stage, all.into_iter().map(stage_of).collect::<BTreeSet<_>>()),
        (false, [first, ..]) if same.len() > 12 => {
            format!("there are {} of `{stage}`, such as '{first}'", count(same.len() as u64))
        }
        (false, _) => nearest(word, same),
    }
}

/// Some nodes, and all that they need.
pub(super) fn with_what_they_need(graph: &Graph, nodes: impl IntoIterator<Item = NodeIndex>) -> HashSet<NodeIndex> {
    let mut found = HashSet::new();
    let mut open: Vec<NodeIndex> = nodes.into_iter().collect();
    while let Some(node) = open.pop() {
        if found.insert(node) {
            open.extend(graph.neighbors_directed(node, Direction::Incoming));
        }
    }
    found
}

/// The file of the one recipe of this store that has such a node, as it was given when it last ran, from here or from the
/// folder that the store lies in.
fn recipe_with(records: &[LatestNode], runs: &[RunRecord], pattern: &NodePattern, beside: &Path) -> Result<PathBuf> {
    if records.is_empty() {
        bail!("nothing has run in this store: name the recipe's file too: RECIPE.yaml '{pattern}'");
    }
    let pattern = &spelt_as(pattern, records.iter().map(|record| &record.node))?;
    let recipes: BTreeSet<&str> =
        records.iter().filter(|record| pattern.matches(&record.node)).map(|record| record.recipe.as_str()).collect();
    let how = format!("name its file: RECIPE.yaml '{pattern}'");
    let mut recipes = recipes.into_iter();
    let (Some(recipe), further) = (recipes.next(), recipes.collect::<Vec<_>>()) else {
        bail!(
            "no recipe that ran in this store has a stage `{pattern}` ({}); for one that has not run {how}",
            near(&pattern.to_string(), records.iter().map(|record| &record.node))
        );
    };
    if !further.is_empty() {
        bail!("several recipes have a stage `{pattern}` ({recipe}, {}): {how}", further.join(", "));
    }
    let run = runs.iter().rev().find(|run| run.recipe == recipe);
    let places = run.map(|run| [PathBuf::from(&run.path), beside.join(&run.path)]);
    match places.into_iter().flatten().find(|path| path.is_file()) {
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::{Digest, Key};

    fn record(recipe: &str, node: &str) -> LatestNode {
        let (recipe, node, key) = (recipe.into(), NodeId(node.into()), Key(Digest::of(b"")));
        LatestNode { recipe, run: "run".into(), node, key }
    }

    fn run(recipe: &str, path: &Path) -> RunRecord {
        RunRecord {
            id: "2026-11-24T12-57-03Z".into(),
            recipe: recipe.into(),
            path: path.display().to_string(),
            recipe_digest: Digest::of(b""),
            process: 1,
            host: "box".into(),
            started: 0,
            finished: None,
            summary: None,
        }
    }

    #[test]
    fn the_one_recipe_that_has_the_stage_is_found() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("one.yaml");
        std::fs::write(&file, "name: one").unwrap();
        let records = [record("one", "probe[seed=0]"), record("two", "features"), record("one", "features")];
        let runs = [run("one", Path::new("gone.yaml")), run("one", &file), run("two", Path::new("two.yaml"))];
        let find = |name: &str| match recipe_with(&records, &runs, &NodePattern::parse(name).unwrap(), Path::new("/")) {
            Ok(path) => path.display().to_string(),
            Err(error) => error.to_string(),
        };
        assert_eq!(find("probe"), file.display().to_string());
        assert_eq!(
            find("features"),
            "several recipes have a stage `features` (one, two): name its file: RECIPE.yaml 'features'"
        );
        assert_eq!(
            find("prob[seed=0]"),
            "no recipe that ran in this store has a stage `prob[seed=0]` (did you mean `probe[seed=0]`?); for one that has \
             not run name its file: RECIPE.yaml 'prob[seed=0]'"
        );
        let probe = NodePattern::parse("probe").unwrap();
        let elsewhere = [run("one", Path::new("one.yaml"))];
        assert_eq!(recipe_with(&records, &elsewhere, &probe, folder.path()).unwrap(), file);
        assert_eq!(
            recipe_with(&records, &runs[..1], &probe, folder.path()).unwrap_err().to_string(),
            "the file of the recipe `one`, which has `probe`, is not where it was: name its file: RECIPE.yaml 'probe'"
        );
    }

    #[test]
    fn the_recipe_may_stand_first() {
        let words = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>();
        let split = |given: &[&str]| {
            let given = words(given);
            let (recipe, rest) = split_recipe(&given);
            (recipe.map(str::to_owned), rest.to_vec())
        };
        assert_eq!(split(&["r.yaml", "probe"]), (Some("r.yaml".into()), words(&["probe"])));
        assert_eq!(split(&["probe", "features"]), (None, words(&["probe", "features"])));
        assert_eq!(split(&["r.yaml"]), (None, words(&["r.yaml"])));
    }
}
