//! Who waits for whom.

use super::NodeOutcome;
use crate::ids::Digest;
use crate::plan::Graph;
use crate::store::StageResult;
use petgraph::Direction::{Incoming, Outgoing};
use petgraph::graph::NodeIndex;
use petgraph::visit::EdgeRef;
use std::collections::BTreeMap;
use std::sync::Arc;

/// The state of every node of a graph.
pub(super) struct Board<'a> {
    graph: &'a Graph,
    /// Of how many used inputs the artifact is not known yet.
    missing: Vec<usize>,
    outcomes: Vec<NodeOutcome>,
}

impl<'a> Board<'a> {
    pub(super) fn new(graph: &'a Graph) -> Self {
        let used_inputs = |node| graph.edges_directed(node, Incoming).filter(|edge| edge.weight().used).count();
        let missing = graph.node_indices().map(used_inputs).collect();
        Self { graph, missing, outcomes: vec![NodeOutcome::NotRun; graph.node_count()] }
    }

    /// The nodes that wait for nothing, in the order of the recipe.
    pub(super) fn sources(&self) -> Vec<NodeIndex> {
        self.graph.node_indices().filter(|node| self.missing[node.index()] == 0).collect()
    }

    /// Notes a node's result. Returns the nodes that wait for nothing more.
    pub(super) fn settle(&mut self, node: NodeIndex, outcome: NodeOutcome) -> Vec<NodeIndex> {
        self.outcomes[node.index()] = outcome;
        let mut ready = Vec::new();
        for user in self.users(node) {
            self.missing[user.index()] -= 1;
            if self.missing[user.index()] == 0 && self.is_pending(user) {
                ready.push(user);
            }
        }
        ready.sort();
        ready
    }

    /// Notes that a node has failed. Returns all that needs it, directly or not, and is thereby skipped.
    pub(super) fn fail(&mut self, node: NodeIndex, error: String) -> Vec<NodeIndex> {
        let needs = self.graph[node].id.clone();
        self.outcomes[node.index()] = NodeOutcome::Failed { error };
        let mut skipped = Vec::new();
        let mut lost = self.users(node);
        while let Some(user) = lost.pop() {
            if self.is_pending(user) {
                self.outcomes[user.index()] = NodeOutcome::Skipped { needs: needs.clone() };
                skipped.push(user);
                lost.extend(self.users(user));
            }
        }
        skipped.sort();
        skipped
    }

    /// The artifact on each used port of a node that waits for nothing.
    pub(super) fn inputs(&self, node: NodeIndex) -> Result<BTreeMap<String, Digest>, String> {
        let edges = self.graph.edges_directed(node, Incoming).filter(|edge| edge.weight().used);
        let digest_on = |edge: petgraph::graph::EdgeReference<'_, crate::plan::Edge>| {
            let source = &self.graph[edge.source()].id;
            let result = self.result(edge.source()).ok_or_else(|| format!("{source} has no result yet"))?;
            let output = &edge.weight().output;
            let digest =
                result.artifacts.get(output).ok_or_else(|| format!("the result of {source} has no `{output}`"))?;
            Ok((edge.weight().port.clone(), *digest))
        };
        edges.map(digest_on).collect()
    }

    pub(super) fn is_pending(&self, node: NodeIndex) -> bool {
        matches!(self.outcomes[node.index()], NodeOutcome::NotRun)
    }

    pub(super) fn pending(&self) -> impl Iterator<Item = NodeIndex> + '_ {
        self.graph.node_indices().filter(|node| self.is_pending(*node))
    }

    pub(super) fn into_outcomes(self) -> Vec<NodeOutcome> {
        self.outcomes
    }

    fn result(&self, node: NodeIndex) -> Option<&Arc<StageResult>> {
        self.outcomes[node.index()].result()
    }

    /// One for each used connection: a node that needs another twice is there twice.
    fn users(&self, node: NodeIndex) -> Vec<NodeIndex> {
        let used = self.graph.edges_directed(node, Outgoing).filter(|edge| edge.weight().used);
        used.map(|edge| edge.target()).collect()
    }
}
