//! From a node whose inputs are known to a running job, or to a result that is there already.

use super::{Running, Scheduler};
use crate::plan::{Canonical, Known, Lookup, NodeResources, canonical};
use crate::run::{Job, NodeOutcome, Start, Update};
use crate::store::StageResult;
use petgraph::graph::NodeIndex;
use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// A node that could run now.
pub(super) struct Candidate {
    job: Job,
    /// What is wrong with the result that is there.
    damage: Option<String>,
    /// Whether another process, or another node with the same key, computes it.
    held: bool,
}

impl Scheduler<'_> {
    /// Finds keys for nodes whose inputs are known, reuses what there is for them and for what becomes known thereby,
    /// and makes the rest ready.
    pub(super) fn look_up(&mut self, nodes: Vec<NodeIndex>) {
        let mut queue = VecDeque::from(nodes);
        while let Some(node) = queue.pop_front() {
            let job = match self.job(node) {
                Ok(job) => job,
                Err(error) => {
                    self.fail(node, error, Duration::ZERO);
                    continue;
                }
            };
            let damage = match self.store.result(&job.key) {
                Lookup::Found(result) => {
                    queue.extend(self.reuse(node, result, &job.canonical));
                    continue;
                }
                Lookup::Missing | Lookup::Dropped(_) => None,
                Lookup::Damaged(damage) => Some(damage),
            };
            self.ready.insert(node, Candidate { job, damage, held: false });
        }
    }

    fn job(&self, index: NodeIndex) -> Result<Job, String> {
        let node = self.work.graph[index].clone();
        let digests = self.board.inputs(index)?;
        let inputs = digests.iter().map(|(port, digest)| (port.clone(), self.store.artifact(digest))).collect();
        let canonical = canonical(&node, digests);
        Ok(Job { index, node, recipe: self.work.recipe.to_owned(), key: canonical.key(), canonical, inputs })
    }

    /// Takes a result that is there. Returns what waits for nothing more.
    fn reuse(&mut self, index: NodeIndex, result: Arc<StageResult>, canonical: &Canonical) -> Vec<NodeIndex> {
        let node = &self.work.graph[index];
        self.summary.reused += 1;
        if let Some(provenance) = self.store.provenance(&result.key) {
            self.summary.saved_seconds += provenance.seconds;
            self.estimates.add(node, provenance.seconds);
        }
        if self.to_run.is_some() {
            self.tell(&Update::Reused { node: &node.id, key: result.key });
        }
        self.remember(index, result.key, canonical);
        self.board.settle(index, NodeOutcome::Reused(result))
    }

    /// Starts what there is room for, in the order of the recipe; a large stage does not keep small ones waiting.
    pub(super) fn dispatch(&mut self) {
        if self.stopping_since.is_some() {
            return;
        }
        let mut no_room_for: Vec<NodeResources> = Vec::new();
        for index in self.ready.keys().copied().collect::<Vec<_>>() {
            let candidate = &self.ready[&index];
            let resources = &candidate.job.node.resources;
            if no_room_for.contains(resources) {
                continue;
            }
            match self.executor.start(&candidate.job) {
                Ok(Start::NoRoom) => no_room_for.push(resources.clone()),
                Ok(Start::HeldElsewhere { holder }) => self.hold(index, &holder),
                Ok(Start::Running { attempt, resumed }) => self.started(index, attempt, resumed),
                Ok(Start::AlreadyThere(result)) => {
                    let candidate = self.ready.remove(&index).expect("only ready nodes are started");
                    let freed = self.reuse(index, result, &candidate.job.canonical);
                    self.look_up(freed);
                }
                Err(error) => {
                    self.ready.remove(&index);
                    self.fail(index, format!("it could not be started: {error}"), Duration::ZERO);
                }
            }
        }
    }

    fn hold(&mut self, index: NodeIndex, holder: &str) {
        let candidate = self.ready.get_mut(&index).expect("only ready nodes are started");
        if !std::mem::replace(&mut candidate.held, true) {
            self.tell(&Update::HeldElsewhere { node: &self.work.graph[index].id, holder });
        }
    }

    fn started(&mut self, index: NodeIndex, attempt: u32, resumed: bool) {
        let Candidate { job, damage, .. } = self.ready.remove(&index).expect("only ready nodes are started");
        self.running.insert(index, Running { since: Instant::now(), canonical: job.canonical });
        let node = &self.work.graph[index].id;
        self.tell(&Update::Started { node, key: job.key, attempt, resumed, damage: damage.as_deref() });
    }
}
