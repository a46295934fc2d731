//! Who waits for whom.

use super::NodeOutcome;
use crate::ids::Digest;
use crate::plan::{Edge, Graph};
use crate::store::StageResult;
use petgraph::Direction::{Incoming, Outgoing};
use petgraph::graph::{EdgeReference, NodeIndex};
use petgraph::visit::EdgeRef;
use std::collections::BTreeMap;
use std::sync::Arc;

/// The state of every node of a graph.
pub(super) struct Board<'a> {
    graph: &'a Graph,
    /// Of how many used inputs the artifact is not known yet.
    missing: Vec<usize>,
    outcomes: Vec<NodeOutcome>,
    /// How many nodes wait for something or run.
    pending: usize,
}

impl<'a> Board<'a> {
    pub(super) fn new(graph: &'a Graph) -> Self {
        let used_inputs = |node| graph.edges_directed(node, Incoming).filter(|edge| edge.weight().used).count();
        let missing = graph.node_indices().map(used_inputs).collect();
        let pending = graph.node_count();
        Self { graph, missing, outcomes: vec![NodeOutcome::NotRun; pending], pending }
    }

    /// The nodes that wait for nothing, in the order of the recipe.
    pub(super) fn sources(&self) -> Vec<NodeIndex> {
        self.graph.node_indices().filter(|node| self.missing[node.index()] == 0).collect()
    }

    /// Notes a node's result. Returns the nodes that wait for nothing more. A node that had a result already, and was
    /// computed for its bytes, frees nobody.
    pub(super) fn settle(&mut self, node: NodeIndex, outcome: NodeOutcome) -> Vec<NodeIndex> {
        let before = self.outcome(node).clone();
        self.set(node, outcome);
        let mut ready = Vec::new();
        if before.result().is_some() {
            return ready;
        }
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
        self.set(node, NodeOutcome::Failed { error });
        let mut skipped = Vec::new();
        let mut lost = self.users(node);
        while let Some(user) = lost.pop() {
            if self.is_pending(user) {
                self.set(user, NodeOutcome::Skipped { needs: needs.clone() });
                skipped.push(user);
                lost.extend(self.users(user));
            }
        }
        skipped.sort();
        skipped
    }

    /// The artifact on each used port of a node that waits for nothing.
    pub(super) fn inputs(&self, node: NodeIndex) -> Result<BTreeMap<String, Digest>, String> {
        let digest_on = |edge: EdgeReference<'_, Edge>| {
            let source = &self.graph[edge.source()].id;
            let result = self.outcome(edge.source()).result();
            let result = result.ok_or_else(|| format!("{source} has no result yet"))?;
            let output = &edge.weight().output;
            let digest =
                result.artifacts.get(output).ok_or_else(|| format!("the result of {source} has no `{output}`"))?;
            Ok((edge.weight().port.clone(), *digest))
        };
        self.used_inputs(node).map(digest_on).collect()
    }

    /// The nodes on a node's used ports, each with its artifact there.
    pub(super) fn inputs_of(&self, node: NodeIndex) -> Vec<(NodeIndex, Digest)> {
        let known = |edge: EdgeReference<'_, Edge>| {
            let result: &Arc<StageResult> = self.outcome(edge.source()).result()?;
            Some((edge.source(), *result.artifacts.get(&edge.weight().output)?))
        };
        self.used_inputs(node).filter_map(known).collect()
    }

    pub(super) fn outcome(&self, node: NodeIndex) -> &NodeOutcome {
        &self.outcomes[node.index()]
    }

    pub(super) fn outcomes(&self) -> &[NodeOutcome] {
        &self.outcomes
    }

    /// Notes that nodes are not computed, since nobody wants them.
    pub(super) fn spare(&mut self, nodes: &[NodeIndex]) {
        nodes.iter().for_each(|node| self.set(*node, NodeOutcome::Spared));
    }

    pub(super) fn is_pending(&self, node: NodeIndex) -> bool {
        matches!(self.outcome(node), NodeOutcome::NotRun)
    }

    pub(super) fn pending(&self) -> impl Iterator<Item = NodeIndex> + '_ {
        self.graph.node_indices().filter(|node| self.is_pending(*node))
    }

    pub(super) fn pending_count(&self) -> usize {
        self.pending
    }

    pub(super) fn into_outcomes(self) -> Vec<NodeOutcome> {
        self.outcomes
    }

    /// One for each used connection: a node that needs another twice is there twice.
    pub(super) fn users(&self, node: NodeIndex) -> Vec<NodeIndex> {
        let used = self.graph.edges_directed(node, Outgoing).filter(|edge| edge.weight().used);
        used.map(|edge| edge.target()).collect()
    }

    fn used_inputs(&self, node: NodeIndex) -> impl Iterator<Item = EdgeReference<'_, Edge>> {
        self.graph.edges_directed(node, Incoming).filter(|edge| edge.weight().used)
    }

    fn set(&mut self, node: NodeIndex, outcome: NodeOutcome) {
        self.pending -= usize::from(self.is_pending(node));
        self.outcomes[node.index()] = outcome;
    }
}
