mod start;

use super::board::Board;
use super::estimate::Estimates;
use super::{End, Event, Executor, NodeOutcome, Observer, Outcome, Summary, Update, Work};
use crate::ids::Key;
use crate::plan::Canonical;
use crate::store::{Provenance, StageResult, Store};
use crossbeam_channel::{Receiver, RecvTimeoutError};
use petgraph::graph::NodeIndex;
use start::Candidate;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// How often what is not told by events is looked at: keys that other processes hold, and the time.
const TICK: Duration = Duration::from_millis(200);
/// How long stages may take to save their state when they are asked to stop.
const PATIENCE: Duration = Duration::from_secs(20);
/// How long they may take to be gone when they are killed.
const LAST_PATIENCE: Duration = Duration::from_secs(2);

/// Computes every node of a graph for which the store has no result. A node that fails takes down what needs it and
/// nothing else.
pub fn schedule(
    work: &Work,
    store: &Store,
    executor: &mut dyn Executor,
    events: &Receiver<Event>,
    observers: &mut [Box<dyn Observer>],
) -> Outcome {
    let scheduler = Scheduler {
        work: *work,
        store,
        executor,
        observers,
        board: Board::new(work.graph),
        ready: BTreeMap::new(),
        running: BTreeMap::new(),
        estimates: Estimates::default(),
        to_run: None,
        summary: Summary::default(),
        began: Instant::now(),
        looked: Instant::now(),
        stopping_since: None,
    };
    scheduler.run(events)
}

/// A node that an executor computes.
struct Running {
    since: Instant,
    canonical: Canonical,
}

struct Scheduler<'a> {
    work: Work<'a>,
    store: &'a Store,
    executor: &'a mut dyn Executor,
    observers: &'a mut [Box<dyn Observer>],
    board: Board<'a>,
    /// What could run now, in the order of the recipe.
    ready: BTreeMap<NodeIndex, Candidate>,
    running: BTreeMap<NodeIndex, Running>,
    estimates: Estimates,
    /// How many were left to run when all that could be reused was; until then reuse is not told one by one.
    to_run: Option<usize>,
    summary: Summary,
    began: Instant,
    /// When keys that others hold, and the time that is left, were last looked at.
    looked: Instant,
    stopping_since: Option<Instant>,
}

impl Scheduler<'_> {
    fn run(mut self, events: &Receiver<Event>) -> Outcome {
        self.look_up(self.board.sources());
        self.announce();
        self.dispatch();
        while self.is_busy() {
            let has_ended = match events.recv_timeout(TICK.saturating_sub(self.looked.elapsed())) {
                Ok(event) => self.handle(event),
                Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => false,
            };
            let is_time = self.looked.elapsed() >= TICK;
            if is_time {
                self.look_around();
            }
            if is_time || has_ended {
                self.dispatch();
            }
        }
        self.conclude()
    }

    fn is_busy(&self) -> bool {
        let Some(since) = self.stopping_since else { return !self.running.is_empty() || !self.ready.is_empty() };
        !self.running.is_empty() && since.elapsed() < PATIENCE + LAST_PATIENCE
    }

    /// Tells what can be known before anything runs.
    fn announce(&mut self) {
        let Work { graph, recipe, .. } = self.work;
        self.estimates.add_earlier(graph, self.board.pending(), recipe, self.store);
        let to_run = self.board.pending().count();
        self.to_run = Some(to_run);
        self.tell(&Update::Planned {
            recipe,
            stages: graph.node_count(),
            axes: self.work.axes(),
            reused: self.summary.reused,
            to_run,
            estimate_seconds: self.remaining(),
        });
    }

    /// Returns whether something has ended, so that there is room, or a key is free.
    fn handle(&mut self, event: Event) -> bool {
        match event {
            Event::Progress(index, progress) => {
                self.tell(&Update::Progress { node: &self.work.graph[index].id, progress: &progress });
                false
            }
            Event::Ended(index, end) => {
                self.ended(index, end);
                true
            }
            Event::Interrupt => {
                self.stop();
                true
            }
        }
    }

    fn ended(&mut self, index: NodeIndex, end: End) {
        let Some(Running { since, canonical }) = self.running.remove(&index) else { return };
        match end {
            End::Done { result, provenance } => self.done(index, result, &canonical, &provenance),
            End::Failed { error } => self.fail(index, error, since.elapsed()),
            End::Stopped { saved } => {
                *if saved { &mut self.summary.stopped } else { &mut self.summary.cut_short } += 1;
                self.tell(&Update::Stopped { node: &self.work.graph[index].id, saved });
            }
        }
    }

    fn done(&mut self, index: NodeIndex, result: Arc<StageResult>, canonical: &Canonical, provenance: &Provenance) {
        let node = &self.work.graph[index];
        self.summary.computed += 1;
        self.estimates.add(node, provenance.seconds);
        let (key, measurements) = (result.key, &result.measurements);
        self.tell(&Update::Done { node, key, seconds: provenance.seconds, measurements });
        self.remember(index, result.key, canonical);
        let freed = self.board.settle(index, NodeOutcome::Computed(result));
        self.look_up(freed);
    }

    fn fail(&mut self, index: NodeIndex, error: String, spent: Duration) {
        let node = &self.work.graph[index].id;
        self.tell(&Update::Failed { node, seconds: spent.as_secs_f64(), error: &error });
        self.summary.failed.push((node.clone(), error.clone()));
        for skipped in self.board.fail(index, error) {
            self.summary.skipped += 1;
            self.tell(&Update::Skipped { node: &self.work.graph[skipped].id, needs: node });
        }
    }

    fn stop(&mut self) {
        self.stopping_since = Some(Instant::now());
        self.summary.interrupted = true;
        self.tell(&Update::Stopping { running: self.running.len() });
        self.executor.stop();
    }

    /// What time alone brings about.
    fn look_around(&mut self) {
        self.looked = Instant::now();
        if self.stopping_since.is_some_and(|since| since.elapsed() >= PATIENCE) {
            self.executor.kill();
        }
        let to_run = self.to_run.unwrap_or_default();
        let ended = to_run.saturating_sub(self.board.pending().count());
        self.tell(&Update::Overall { ended, to_run, remaining_seconds: self.remaining() });
    }

    fn remaining(&self) -> Option<f64> {
        let spent =
            |index: NodeIndex| self.running.get(&index).map_or(0.0, |running| running.since.elapsed().as_secs_f64());
        let pending = self.board.pending().map(|index| (&self.work.graph[index], spent(index)));
        self.estimates.remaining(pending, |threads| self.executor.width(threads))
    }

    /// What a node led to is remembered to explain later runs; none of these depends on it.
    fn remember(&self, index: NodeIndex, key: Key, canonical: &Canonical) {
        let _ = self.store.note_result(self.work.recipe, &self.work.graph[index].id, key, canonical);
    }

    fn conclude(mut self) -> Outcome {
        self.summary.cut_short += self.running.len();
        self.summary.seconds = self.began.elapsed().as_secs_f64();
        let summary = self.summary.clone();
        self.tell(&Update::Finished(&summary));
        Outcome { nodes: self.board.into_outcomes(), summary }
    }

    fn tell(&mut self, update: &Update) {
        self.observers.iter_mut().for_each(|observer| observer.on(update));
    }
}
