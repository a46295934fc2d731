//! Bytes that the recipe does not keep: dropped when nothing needs them any more, computed again when something does.

use super::Scheduler;
use crate::ids::Digest;
use crate::plan::Graph;
use crate::run::Update;
use crate::store::{ArtifactState, Drop};
use petgraph::graph::NodeIndex;
use std::collections::{HashMap, HashSet};

/// Who waits for bytes that are being computed again, and which bytes stay.
pub(super) struct Bytes {
    /// Whether the recipe drops any.
    are_dropped: bool,
    /// For the artifacts of each node those who need them, with the reason why they run.
    waiting: HashMap<NodeIndex, Vec<(NodeIndex, Option<String>)>>,
    /// Artifacts of stages that are kept: another stage may have yielded the same bytes.
    kept: HashSet<Digest>,
}

impl Bytes {
    pub fn new(graph: &Graph) -> Self {
        let are_dropped = graph.node_weights().any(|node| !node.policy.keep);
        Self { are_dropped, waiting: HashMap::new(), kept: HashSet::new() }
    }

    /// Those who waited for these cannot run; they are skipped with all else that needs the node.
    pub fn will_not_come(&mut self, source: NodeIndex) {
        self.waiting.remove(&source);
    }
}

impl Scheduler<'_> {
    /// Has every input of a node computed again whose bytes are not there; the node is looked at again when they are.
    pub(super) fn bring_back_inputs(&mut self, index: NodeIndex, again: Option<String>) {
        let store = self.view.store();
        let is_gone = |digest: &Digest| store.artifact_state(digest) != ArtifactState::Whole;
        let inputs = self.board.inputs_of(index).into_iter();
        let gone: Vec<NodeIndex> = inputs.filter(|(_, digest)| is_gone(digest)).map(|(source, _)| source).collect();
        let Some(&first) = gone.first() else { return self.look_again(index, again) };
        for &source in &gone {
            if !self.is_under_way(source) {
                let why = format!("{} needs its bytes, which were dropped", self.work.graph[index].id);
                self.compute_again(source, why);
            }
        }
        // One at a time: when the first is back, the node finds out whether another is still missing.
        self.bytes.waiting.entry(first).or_default().push((index, again));
    }

    /// The bytes of a node are there again: those who waited for them go on.
    pub(super) fn bytes_are_back(&mut self, source: NodeIndex) {
        for (index, again) in self.bytes.waiting.remove(&source).unwrap_or_default() {
            self.look_again(index, again);
        }
    }

    /// Looks at a node anew whose inputs may be others now.
    fn look_again(&mut self, index: NodeIndex, again: Option<String>) {
        match again {
            Some(why) if !self.board.is_pending(index) => self.compute_again(index, why),
            _ => self.look_up(vec![index]),
        }
    }

    /// Drops what the recipe does not keep, of a node that has a result now and of what it needs, once all that needs it has
    /// one too. What a failed stage needs stays for the next run.
    pub(super) fn drop_what_nobody_needs(&mut self, index: NodeIndex) {
        if !self.bytes.are_dropped {
            return;
        }
        if let Some(result) = self.board.outcome(index).result().filter(|_| self.work.graph[index].policy.keep) {
            self.bytes.kept.extend(result.artifacts.values());
        }
        let inputs = self.board.inputs_of(index).into_iter().map(|(source, _)| source);
        let nodes: Vec<NodeIndex> = inputs.chain([index]).filter(|&node| !self.work.graph[node].policy.keep).collect();
        for node in nodes {
            let users = self.board.users(node);
            let needs_it = |user: &NodeIndex| self.board.outcome(*user).result().is_none() || self.is_under_way(*user);
            if !users.is_empty() && !self.is_under_way(node) && !users.iter().any(needs_it) {
                self.drop_bytes(node);
            }
        }
    }

    /// Whether a node is being computed or will be, though it may have a result.
    fn is_under_way(&self, node: NodeIndex) -> bool {
        let waits = || self.bytes.waiting.values().flatten().any(|(waiting, _)| *waiting == node);
        self.ready.contains(node) || self.running.contains_key(&node) || waits()
    }

    fn drop_bytes(&mut self, node: NodeIndex) {
        let Some(result) = self.board.outcome(node).result() else { return };
        let store = self.view.store();
        let unkept = result.artifacts.values().filter(|digest| !self.bytes.kept.contains(digest));
        // Where the disk refuses or another process reads it, it stays: `gc` finds it.
        let freed = unkept.map(|digest| match store.drop_artifact(digest) {
            Ok(Drop::Done(bytes)) => bytes,
            Ok(Drop::InUse | Drop::NotThere) | Err(_) => 0,
        });
        let bytes = freed.sum();
        if bytes > 0 {
            self.tell(&Update::Dropped { node: &self.work.graph[node].id, bytes });
        }
    }
}
