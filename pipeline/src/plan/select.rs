//! Nodes by the names that people write: `probe`, `probe[method=simclr]`.

use super::{Graph, Node};
use crate::recipe::nearest;
use petgraph::Direction::Incoming;
use petgraph::graph::NodeIndex;
use std::collections::HashSet;

/// Why a name stands for no node.
#[derive(Debug, PartialEq, thiserror::Error)]
pub enum NoSuchNode {
    #[error("`{0}` is not a stage's name: write `probe`, or `probe[method=simclr,seed=0]` for some of its instances")]
    Malformed(String),
    #[error("there is no stage `{stage}`; {nearest}")]
    Stage { stage: String, nearest: String },
    #[error("`{stage}` does not vary along `{axis}`; {nearest}")]
    Axis { stage: String, axis: String, nearest: String },
    #[error("`{stage}` has no instance with {axis}={label}; {nearest}")]
    Label { stage: String, axis: String, label: String, nearest: String },
    #[error("no instance of `{stage}` has all of {places}")]
    Combination { stage: String, places: String },
}

/// The instances of a stage with the labels that are named; of axes that are not named, all.
pub fn select(graph: &Graph, name: &str) -> Result<Vec<NodeIndex>, NoSuchNode> {
    let (stage, places) = split(name).ok_or_else(|| NoSuchNode::Malformed(name.to_owned()))?;
    let of_stage: Vec<NodeIndex> = graph.node_indices().filter(|&node| graph[node].stage == stage).collect();
    if of_stage.is_empty() {
        let names: HashSet<&str> = graph.node_weights().map(|node| &*node.stage).collect();
        let mut names: Vec<&str> = names.into_iter().collect();
        names.sort_unstable();
        return Err(NoSuchNode::Stage { stage: stage.to_owned(), nearest: nearest(stage, names) });
    }
    for &(axis, label) in &places {
        check(graph, &of_stage, stage, axis, label)?;
    }
    let fits = |node: &Node| {
        places.iter().all(|(axis, label)| node.axes.iter().any(|(own, value)| own == axis && value == label))
    };
    let selected: Vec<NodeIndex> = of_stage.into_iter().filter(|&node| fits(&graph[node])).collect();
    if selected.is_empty() {
        let places: Vec<String> = places.iter().map(|(axis, label)| format!("{axis}={label}")).collect();
        return Err(NoSuchNode::Combination { stage: stage.to_owned(), places: places.join(", ") });
    }
    Ok(selected)
}

/// Some nodes, and all that they need.
pub fn with_what_they_need(graph: &Graph, nodes: impl IntoIterator<Item = NodeIndex>) -> HashSet<NodeIndex> {
    let mut found = HashSet::new();
    let mut open: Vec<NodeIndex> = nodes.into_iter().collect();
    while let Some(node) = open.pop() {
        if found.insert(node) {
            open.extend(graph.neighbors_directed(node, Incoming));
        }
    }
    found
}

/// `probe[method=simclr,seed=0]` -> `probe` and its places.
fn split(name: &str) -> Option<(&str, Vec<(&str, &str)>)> {
    let Some((stage, rest)) = name.split_once('[') else { return (!name.is_empty()).then_some((name, vec![])) };
    let places = rest.strip_suffix(']')?.split(',').map(|place| place.trim().split_once('='));
    Some((stage, places.collect::<Option<_>>()?))
}

/// Says which of the words is wrong, before all of them together are.
fn check(graph: &Graph, of_stage: &[NodeIndex], stage: &str, axis: &str, label: &str) -> Result<(), NoSuchNode> {
    let axes: Vec<&str> = graph[of_stage[0]].axes.iter().map(|(name, _)| &**name).collect();
    if !axes.contains(&axis) {
        let (stage, axis, nearest) = (stage.to_owned(), axis.to_owned(), nearest(axis, axes));
        return Err(NoSuchNode::Axis { stage, axis, nearest });
    }
    let mut labels: Vec<&str> = Vec::new();
    for (name, value) in of_stage.iter().flat_map(|&node| &graph[node].axes) {
        if name == axis && !labels.contains(&&**value) {
            labels.push(value);
        }
    }
    if !labels.contains(&label) {
        let (stage, axis) = (stage.to_owned(), axis.to_owned());
        return Err(NoSuchNode::Label { stage, axis, label: label.to_owned(), nearest: nearest(label, labels) });
    }
    Ok(())
}
