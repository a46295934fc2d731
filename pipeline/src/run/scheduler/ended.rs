//! What follows from the end of a job.

use super::Scheduler;
use super::start::Running;
use crate::ids::Key;
use crate::plan::Canonical;
use crate::run::{End, NodeOutcome, Update};
use crate::store::{Provenance, StageResult};
use petgraph::graph::NodeIndex;
use std::sync::Arc;
use std::time::Duration;

impl Scheduler<'_> {
    pub(super) fn ended(&mut self, index: NodeIndex, end: End) {
        let Some(running) = self.running.remove(&index) else { return };
        self.ready.release(Some(running.candidate.key));
        match end {
            End::Done { result, provenance } => self.done(index, result, &running.candidate.canonical, &provenance),
            End::Failed { error } => self.failed(index, running, error),
            End::Stopped { saved } => {
                *if saved { &mut self.summary.stopped } else { &mut self.summary.cut_short } += 1;
                self.tell(&Update::Stopped { node: &self.work.graph[index].id, saved });
            }
        }
    }

    fn done(&mut self, index: NodeIndex, result: Arc<StageResult>, canonical: &Canonical, provenance: &Provenance) {
        let node = &self.work.graph[index];
        self.summary.computed += 1;
        // It was counted as reused before something needed its bytes.
        self.summary.reused -= usize::from(matches!(self.board.outcome(index), NodeOutcome::Reused(_)));
        self.estimates.add(index, provenance.seconds);
        let (key, measurements, seconds) = (result.key, &result.measurements, provenance.seconds);
        let notes = &provenance.notes;
        self.tell(&Update::Done { node, key, seconds, measurements, notes, canonical });
        // So that it stands in the index, and the next plan need not open its files.
        self.view.look_up(&key);
        let freed = self.board.settle(index, NodeOutcome::Computed(result));
        self.has_result(index);
        self.look_up(freed);
        self.bytes_are_back(index);
        self.drop_what_nobody_needs(index);
    }

    /// Tries it again, where the recipe says so and nobody wants to stop.
    fn failed(&mut self, index: NodeIndex, running: Running, error: String) {
        let (node, spent) = (&self.work.graph[index], running.since.elapsed());
        let tries = self.tries.get(&index).copied().unwrap_or(0);
        let left = (node.policy.retries + 1).saturating_sub(tries);
        if left == 0 || self.stopping_since.is_some() {
            return self.fail(index, Some(running.candidate.key), error, spent);
        }
        self.tell(&Update::Retried { node: &node.id, seconds: spent.as_secs_f64(), error: &error, left });
        self.ready.insert(index, running.candidate);
    }

    pub(super) fn fail(&mut self, index: NodeIndex, key: Option<Key>, error: String, spent: Duration) {
        let node = &self.work.graph[index].id;
        self.tell(&Update::Failed { node, key, seconds: spent.as_secs_f64(), error: &error });
        self.summary.failed.push((node.clone(), error.clone()));
        self.bytes.will_not_come(index);
        for skipped in self.board.fail(index, error) {
            self.summary.skipped += 1;
            self.tell(&Update::Skipped { node: &self.work.graph[skipped].id, needs: node });
        }
        self.is_closed |= !self.work.wishes.keep_going;
    }
}
