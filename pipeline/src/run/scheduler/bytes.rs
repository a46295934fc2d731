//! Bytes that the recipe does not keep: dropped when nothing needs them any more, computed again when something does.

use super::Scheduler;
use crate::ids::Digest;
use crate::run::{NodeOutcome, Update};
use crate::store::{ArtifactState, Drop};
use petgraph::graph::NodeIndex;
use std::collections::HashMap;

/// Who waits for bytes that are being computed again.
#[derive(Default)]
pub(super) struct Bytes {
    waiting: HashMap<NodeIndex, Vec<NodeIndex>>,
}

impl Bytes {
    /// The nodes that waited for these.
    pub fn are_back(&mut self, source: NodeIndex) -> Vec<NodeIndex> {
        self.waiting.remove(&source).unwrap_or_default()
    }

    /// Those who waited for them are skipped with all else that needs the node.
    pub fn will_not_come(&mut self, source: NodeIndex) {
        self.waiting.remove(&source);
    }
}

impl Scheduler<'_> {
    /// Has every input of a node computed again whose bytes are not there; the node is looked at again when they are.
    pub(super) fn bring_back_inputs(&mut self, index: NodeIndex) {
        let store = self.view.store();
        let is_gone = |digest: &Digest| store.artifact_state(digest) != ArtifactState::Whole;
        let inputs = self.board.inputs_of(index).into_iter();
        let gone: Vec<NodeIndex> = inputs.filter(|(_, digest)| is_gone(digest)).map(|(source, _)| source).collect();
        let Some(&first) = gone.first() else { return self.look_up(vec![index]) };
        for &source in &gone {
            let is_on_its_way = self.ready.contains(source) || self.running.contains_key(&source);
            if !is_on_its_way {
                let why = format!("{} needs its bytes, which were dropped", self.work.graph[index].id);
                self.compute_again(source, why);
            }
        }
        // One at a time: when the first is back, the node finds out whether another is still missing.
        self.bytes.waiting.entry(first).or_default().push(index);
    }

    /// Drops what the recipe does not keep, of a node and of what it needs, once all that needs it has a result. What a failed
    /// stage needs stays for the next run.
    pub(super) fn drop_what_nobody_needs(&mut self, index: NodeIndex) {
        let mut candidates: Vec<NodeIndex> =
            self.board.inputs_of(index).into_iter().map(|(source, _)| source).collect();
        candidates.push(index);
        candidates.retain(|&node| !self.work.graph[node].policy.keep);
        for node in candidates {
            let users = self.board.users(node);
            let is_needed = users.is_empty()
                || self.bytes.waiting.contains_key(&node)
                || users.iter().any(|user| self.board.outcome(*user).result().is_none());
            if !is_needed {
                self.drop_bytes(node);
            }
        }
    }

    fn drop_bytes(&mut self, node: NodeIndex) {
        let (NodeOutcome::Reused(result) | NodeOutcome::Computed(result)) = self.board.outcome(node) else { return };
        let store = self.view.store();
        // Where the disk refuses or another process reads it, it stays: `gc` finds it.
        let freed = result.artifacts.values().map(|digest| match store.drop_artifact(digest) {
            Ok(Drop::Done(bytes)) => bytes,
            Ok(Drop::InUse | Drop::NotThere) | Err(_) => 0,
        });
        let bytes = freed.sum();
        if bytes > 0 {
            self.tell(&Update::Dropped { node: &self.work.graph[node].id, bytes });
        }
    }
}
