mod bytes;
mod choices;
mod ended;
mod ready;
mod start;

use super::board::Board;
use super::busy::Ticks;
use super::estimate::Estimates;
use super::{Event, Executor, NodeOutcome, Observer, Outcome, Update, Work};
use crate::plan::Known;
use crate::store::{Summary, View};
use bytes::Bytes;
use crossbeam_channel::{Receiver, RecvTimeoutError};
use petgraph::graph::NodeIndex;
use ready::Ready;
use start::Running;
use std::collections::{BTreeMap, HashSet};
use std::time::{Duration, Instant};

/// How often what is not told by events is looked at: keys that other processes hold, and the time.
const TICK: Duration = Duration::from_millis(200);
/// How long stages may take to save their state when they are asked to stop.
const PATIENCE: Duration = Duration::from_secs(20);
/// How long they may take to be gone when they are killed.
const LAST_PATIENCE: Duration = Duration::from_secs(2);

/// Computes every node of a graph that is wanted and for which the store has no result. A node that fails takes down what
/// needs it and, unless the user wants it otherwise, nothing else.
pub fn schedule(
    work: &Work,
    view: &View,
    executor: &mut dyn Executor,
    events: &Receiver<Event>,
    observers: &mut [Box<dyn Observer>],
) -> Outcome {
    let scheduler = Scheduler {
        work: *work,
        view,
        executor,
        observers,
        board: Board::new(work.graph),
        ready: Ready::new(work.graph),
        running: BTreeMap::new(),
        told_to_wait: HashSet::new(),
        tries: BTreeMap::new(),
        bytes: Bytes::new(work.graph),
        wanted: work.choosing.map(|choosing| choosing.wanted(&vec![NodeOutcome::NotRun; work.graph.node_count()])),
        aside: vec![],
        may_decide: false,
        estimates: Estimates::new(work.graph),
        to_run: None,
        summary: Summary::default(),
        began: Instant::now(),
        ticks: Ticks::now(),
        looked: Instant::now(),
        stopping_since: None,
        is_closed: false,
    };
    scheduler.run(events)
}

struct Scheduler<'a> {
    work: Work<'a>,
    view: &'a View,
    executor: &'a mut dyn Executor,
    observers: &'a mut [Box<dyn Observer>],
    board: Board<'a>,
    /// What could run now.
    ready: Ready,
    running: BTreeMap<NodeIndex, Running>,
    /// Nodes that somebody else computes, or whose GPU another run has, as was told.
    told_to_wait: HashSet<NodeIndex>,
    /// How often a node was tried in this run.
    tries: BTreeMap<NodeIndex, u32>,
    bytes: Bytes,
    /// What is wanted so far, where something is chosen on the way.
    wanted: Option<HashSet<NodeIndex>>,
    /// What could run now and is not wanted yet.
    aside: Vec<NodeIndex>,
    /// Whether a node that may decide has a result since this was looked at.
    may_decide: bool,
    estimates: Estimates,
    /// How many were left to run when all that could be reused was; until then reuse is not told one by one.
    to_run: Option<usize>,
    summary: Summary,
    began: Instant,
    /// The processor's, when it began.
    ticks: Option<Ticks>,
    /// When keys that others hold, and the time that is left, were last looked at.
    looked: Instant,
    stopping_since: Option<Instant>,
    /// Whether nothing more is started, since something has failed and the user wants to see it.
    is_closed: bool,
}

impl Scheduler<'_> {
    fn run(mut self, events: &Receiver<Event>) -> Outcome {
        self.look_up(self.board.sources());
        self.decide();
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
                self.decide();
                self.dispatch();
            }
        }
        self.conclude()
    }

    fn is_busy(&self) -> bool {
        let Some(since) = self.stopping_since else {
            return !self.running.is_empty() || (!self.ready.is_empty() && !self.is_closed);
        };
        !self.running.is_empty() && since.elapsed() < PATIENCE + LAST_PATIENCE
    }

    /// Tells what can be known before anything runs.
    fn announce(&mut self) {
        let Work { graph, recipe, .. } = self.work;
        let wanted: Vec<NodeIndex> = self.board.pending().filter(|node| self.wants(*node)).collect();
        let (view, store) = (self.view, self.view.store());
        let earlier = |node: NodeIndex| Some(store.provenance(&view.last(&graph[node].id)?.key)?.seconds);
        self.estimates.add_earlier(wanted.iter().copied(), earlier);
        let to_run = wanted.len();
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
            Event::Interrupt(signal) => {
                self.stop(signal);
                true
            }
        }
    }

    fn stop(&mut self, signal: i32) {
        self.stopping_since = Some(Instant::now());
        self.summary.interrupted = true;
        self.summary.signal = Some(signal);
        self.tell(&Update::Stopping { running: self.running.len() });
        self.executor.stop();
    }

    /// What time alone brings about.
    fn look_around(&mut self) {
        self.looked = Instant::now();
        self.ready.release(None);
        if self.stopping_since.is_some_and(|since| since.elapsed() >= PATIENCE) {
            self.executor.kill();
        }
        for (&index, running) in &mut self.running {
            if running.is_overdue() {
                running.deadline = None;
                self.executor.time_out(index);
            }
        }
        let to_run = self.to_run.unwrap_or_default();
        let ended = to_run.saturating_sub(self.wanted_pending());
        self.tell(&Update::Overall { ended, to_run, remaining_seconds: self.remaining() });
    }

    fn wanted_pending(&self) -> usize {
        match (&self.work.wishes.only, &self.wanted) {
            (None, None) => self.board.pending_count(),
            _ => self.board.pending().filter(|node| self.wants(*node)).count(),
        }
    }

    fn remaining(&self) -> Option<f64> {
        let spent =
            |index: NodeIndex| self.running.get(&index).map_or(0.0, |running| running.since.elapsed().as_secs_f64());
        let pending = self.board.pending().filter(|node| self.wants(*node));
        let pending = pending.map(|index| (index, &self.work.graph[index], spent(index)));
        self.estimates.remaining(pending, |threads| self.executor.width(threads))
    }

    fn conclude(mut self) -> Outcome {
        self.summary.cut_short += self.running.len();
        self.spare_the_rest();
        let begun = self.summary.stopped + self.summary.cut_short;
        self.summary.not_run = self.board.pending_count().saturating_sub(begun);
        self.summary.seconds = self.began.elapsed().as_secs_f64();
        self.summary.busy = self.ticks.and_then(|then| Ticks::now()?.busy_since(then));
        // Only a cache: the next run reads the plain files again.
        let _ = self.view.save();
        let summary = self.summary.clone();
        self.tell(&Update::Finished(&summary));
        Outcome { nodes: self.board.into_outcomes(), summary }
    }

    fn tell(&mut self, update: &Update) {
        self.observers.iter_mut().for_each(|observer| observer.on(update));
    }
}
