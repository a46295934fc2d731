use super::Summary;
use crate::ids::NodeId;
use crate::plan::Graph;
use crate::store::StageResult;
use std::collections::BTreeSet;
use std::sync::Arc;

/// What is to be computed.
#[derive(Debug, Clone, Copy)]
pub struct Work<'a> {
    pub graph: &'a Graph,
    /// The recipe's name.
    pub recipe: &'a str,
}

impl Work<'_> {
    /// Each axis with the number of its labels, in the order in which the graph mentions them.
    pub(super) fn axes(&self) -> Vec<(String, usize)> {
        let mut axes: Vec<(&str, BTreeSet<&str>)> = Vec::new();
        for (axis, label) in self.graph.node_weights().flat_map(|node| &node.axes) {
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
    /// It was stopped, or its turn did not come before the user stopped the run.
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
