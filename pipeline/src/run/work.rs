use crate::ids::{Digest, NodeId};
use crate::plan::{Graph, Node};
use crate::store::{StageResult, Summary};
use petgraph::graph::NodeIndex;
use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::Arc;

/// What is to be computed.
#[derive(Clone, Copy)]
pub struct Work<'a> {
    pub graph: &'a Graph,
    /// The recipe's name.
    pub recipe: &'a str,
    /// The recipe's file, and the digest of its text.
    pub path: &'a str,
    pub digest: Digest,
    pub wishes: &'a Wishes,
    /// Where what is computed depends on what was: by a recipe's `choose`.
    pub choosing: Option<&'a dyn Choosing>,
}

/// Says what of a graph is wanted, as far as is known.
pub trait Choosing {
    /// By what has become of each node so far. Grows as more is known.
    fn wanted(&self, nodes: &[NodeOutcome]) -> HashSet<NodeIndex>;
    /// Whether more may be wanted when this node has a result.
    fn decides(&self, node: &Node) -> bool;
}

/// What the user wants to be different this time.
#[derive(Debug, Clone)]
pub struct Wishes {
    /// Only these are computed; of the others it is used what is there. None: all.
    pub only: Option<HashSet<NodeIndex>>,
    /// These are computed though their results are there.
    pub forced: HashSet<NodeIndex>,
    /// Whether what does not need a failed stage is still computed.
    pub keep_going: bool,
    /// These are not begun, since it is known that they would fail, and why.
    pub refused: HashMap<NodeIndex, String>,
}

impl Default for Wishes {
    fn default() -> Self {
        Self { only: None, forced: HashSet::new(), keep_going: true, refused: HashMap::new() }
    }
}

impl Wishes {
    /// Whether a node is to be computed where it has no result.
    pub fn wants(&self, node: NodeIndex) -> bool {
        self.only.as_ref().is_none_or(|only| only.contains(&node))
    }
}

impl Work<'_> {
    /// Each axis with the number of its labels, in the order of the recipe as far as the graph shows it: a node has its axes
    /// in that order, and one that varies along most of them shows most of it.
    pub(super) fn axes(&self) -> Vec<(String, usize)> {
        let widest = self.graph.node_weights().max_by_key(|node| node.axes.len());
        let mut axes: Vec<(&str, BTreeSet<&str>)> = Vec::new();
        for (axis, label) in widest.into_iter().chain(self.graph.node_weights()).flat_map(|node| &node.axes) {
            let place = axes.iter().position(|(known, _)| known == axis).unwrap_or(axes.len());
            if place == axes.len() {
                axes.push((axis, BTreeSet::new()));
            }
            axes[place].1.insert(label);
        }
        axes.into_iter().map(|(axis, labels)| (axis.to_owned(), labels.len())).collect()
    }
}

/// What became of a node.
#[derive(Debug, Clone, PartialEq)]
pub enum NodeOutcome {
    /// There was a result.
    Reused(Arc<StageResult>),
    Computed(Arc<StageResult>),
    Failed {
        error: String,
    },
    /// It could not run, since `needs` has failed.
    Skipped {
        needs: NodeId,
    },
    /// What was chosen needs something else.
    Spared,
    /// It was stopped, or left out, or its turn did not come before the run ended.
    NotRun,
}

impl NodeOutcome {
    /// The node's result, if it has one.
    pub fn result(&self) -> Option<&Arc<StageResult>> {
        match self {
            Self::Reused(result) | Self::Computed(result) => Some(result),
            _ => None,
        }
    }
}

/// What a run came to.
#[derive(Debug)]
pub struct Outcome {
    /// By the node's index in the graph.
    pub nodes: Vec<NodeOutcome>,
    pub summary: Summary,
}
