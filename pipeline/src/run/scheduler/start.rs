//! From a node whose inputs are known to a running job, or to a result that is there already.

use super::Scheduler;
use super::ready::Candidate;
use crate::plan::{Lookup, canonical};
use crate::run::{Job, NodeOutcome, Start, Update};
use crate::store::StageResult;
use petgraph::graph::NodeIndex;
use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// A node that an executor computes.
pub(super) struct Running {
    pub since: Instant,
    pub deadline: Option<Instant>,
    pub candidate: Candidate,
}

impl Running {
    pub fn is_overdue(&self) -> bool {
        self.deadline.is_some_and(|deadline| Instant::now() >= deadline)
    }
}

impl Scheduler<'_> {
    /// Finds keys for nodes whose inputs are known, reuses what there is for them and for what becomes known thereby,
    /// and makes the rest ready, if it is wanted.
    pub(super) fn look_up(&mut self, nodes: Vec<NodeIndex>) {
        let mut queue = VecDeque::from(nodes);
        while let Some(node) = queue.pop_front() {
            let canonical = match self.board.inputs(node) {
                Ok(inputs) => canonical(&self.work.graph[node], inputs),
                Err(error) => {
                    self.fail(node, None, error, Duration::ZERO);
                    continue;
                }
            };
            let key = canonical.key();
            let is_forced = self.work.wishes.forced.contains(&node);
            let again = match self.view.look_up(&key) {
                (Lookup::Found(result) | Lookup::Dropped(result), seconds) if !is_forced => {
                    queue.extend(self.reuse(node, result, seconds));
                    continue;
                }
                (Lookup::Damaged(damage), _) => Some(damage),
                (Lookup::Found(_) | Lookup::Dropped(_), _) => Some("forced".to_owned()),
                (Lookup::Missing, _) => None,
            };
            let refused = &self.work.wishes.refused;
            if let Some(error) = refused.get(&node).filter(|_| self.wants(node)) {
                self.fail(node, Some(key), error.clone(), Duration::ZERO);
            } else if self.wants(node) {
                self.ready.insert(node, Candidate { key, canonical, again, replaces: is_forced });
            } else if self.wanted.is_some() {
                self.aside.push(node);
            }
        }
    }

    /// Takes a result that is there. Returns what waits for nothing more.
    fn reuse(&mut self, index: NodeIndex, result: Arc<StageResult>, seconds: Option<f64>) -> Vec<NodeIndex> {
        let (node, key) = (&self.work.graph[index].id, result.key);
        self.summary.reused += 1;
        if let Some(seconds) = seconds {
            self.summary.saved_seconds += seconds;
            self.estimates.add(index, seconds);
        }
        match self.to_run {
            Some(_) => self.tell(&Update::Reused { node, key }),
            None => self.tell(&Update::Found { node, key }),
        }
        let freed = self.board.settle(index, NodeOutcome::Reused(result));
        self.has_result(index);
        self.drop_what_nobody_needs(index);
        freed
    }

    /// Has a node computed whose bytes somebody needs, though there is a result.
    pub(super) fn compute_again(&mut self, index: NodeIndex, why: String) {
        match self.board.inputs(index) {
            Ok(inputs) => {
                let canonical = canonical(&self.work.graph[index], inputs);
                let (key, again) = (canonical.key(), Some(why));
                self.ready.insert(index, Candidate { key, canonical, again, replaces: false });
            }
            Err(error) => self.fail(index, None, error, Duration::ZERO),
        }
    }

    /// Starts what there is room for; a large stage does not keep small ones waiting.
    pub(super) fn dispatch(&mut self) {
        let mut walk = self.ready.walk();
        while self.stopping_since.is_none() && !self.is_closed {
            let Some(index) = walk.next(&self.ready) else { return };
            match self.executor.start(&self.job(index)) {
                Ok(Start::NoRoom) => walk.pass_over(index, &self.ready),
                Ok(Start::GpuHeld { gpu, holder }) => {
                    walk.pass_over(index, &self.ready);
                    self.tell_held_gpu(index, &gpu, &holder);
                }
                Ok(Start::HeldElsewhere { holder }) => self.hold(index, &holder),
                Ok(Start::Running { attempt, resumed }) => self.started(index, attempt, resumed),
                Ok(Start::InputsGone) => self.restore_inputs(index),
                Ok(Start::AlreadyThere(result)) => {
                    self.ready.take(index);
                    let seconds = self.view.store().provenance(&result.key).map(|provenance| provenance.seconds);
                    let freed = self.reuse(index, result, seconds);
                    self.look_up(freed);
                    self.bytes_are_back(index);
                }
                Ok(Start::Impossible(why)) => self.cannot_start(index, why),
                Err(error) => self.cannot_start(index, format!("it could not be started: {error}")),
            }
        }
    }

    fn job(&self, index: NodeIndex) -> Job {
        let Candidate { key, canonical, replaces, .. } = self.candidate(index);
        Job {
            index,
            node: self.work.graph[index].clone(),
            recipe: self.work.recipe.to_owned(),
            key: *key,
            canonical: canonical.clone(),
            inputs: canonical.inputs.clone(),
            try_number: self.tries.get(&index).copied().unwrap_or(0) + 1,
            replaces: *replaces,
        }
    }

    fn restore_inputs(&mut self, index: NodeIndex) {
        let again = self.take(index).again;
        self.bring_back_inputs(index, again);
    }

    fn cannot_start(&mut self, index: NodeIndex, why: String) {
        let key = self.take(index).key;
        self.fail(index, Some(key), why, Duration::ZERO);
    }

    /// Others are told once that they wait; those that are looked at again now and then, no more.
    fn hold(&mut self, index: NodeIndex, holder: &str) {
        if self.told_to_wait.insert(index) {
            let (key, graph) = (self.candidate(index).key, self.work.graph);
            let mut running = self.running.iter();
            // Another node of this run may be the same computation.
            let twin = running.find(|(_, running)| running.candidate.key == key).map(|(twin, _)| *twin);
            let holder = twin.map_or(holder, |twin| &*graph[twin].id.0);
            self.tell(&Update::HeldElsewhere { node: &graph[index].id, holder });
        }
        self.ready.hold(index);
    }

    /// Once of each stage, as above.
    fn tell_held_gpu(&mut self, index: NodeIndex, gpu: &str, holder: &str) {
        if self.told_to_wait.insert(index) {
            self.tell(&Update::WaitsForGpu { node: &self.work.graph[index].id, gpu, holder });
        }
    }

    fn candidate(&self, index: NodeIndex) -> &Candidate {
        self.ready.get(index).expect("only ready nodes are started")
    }

    fn take(&mut self, index: NodeIndex) -> Candidate {
        self.ready.take(index).expect("only ready nodes are started")
    }

    fn started(&mut self, index: NodeIndex, attempt: u32, resumed: bool) {
        let candidate = self.take(index);
        *self.tries.entry(index).or_default() += 1;
        let node = &self.work.graph[index];
        let (node_id, key) = (&node.id, candidate.key);
        self.tell(&Update::Started { node: node_id, key, attempt, resumed, again: candidate.again.as_deref() });
        let since = Instant::now();
        let deadline = node.policy.timeout.and_then(|limit| since.checked_add(limit));
        self.running.insert(index, Running { since, deadline, candidate });
    }
}
