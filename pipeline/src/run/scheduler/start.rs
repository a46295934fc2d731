//! From a node whose inputs are known to a running job, or to a result that is there already.

use super::Scheduler;
use crate::ids::Key;
use crate::plan::{Canonical, Graph, Lookup, NodeResources, canonical};
use crate::run::{Job, NodeOutcome, Start, Update};
use crate::store::StageResult;
use petgraph::Direction::Incoming;
use petgraph::graph::NodeIndex;
use petgraph::visit::EdgeRef;
use std::cmp::Reverse;
use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// A node that could run now.
pub(super) struct Candidate {
    pub key: Key,
    pub canonical: Canonical,
    /// Why the result that is there will not do.
    pub again: Option<String>,
    /// Whether it is computed though there may be a whole result: the user wants it.
    pub replaces: bool,
    /// Whether another process, or another node with the same key, computes it.
    is_held: bool,
}

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

/// What could run, what is furthest from the sources first: so the first rows of a table are whole early, and bytes that
/// nobody keeps are needed for a short time only. Among equals, the recipe's order.
pub(super) struct Ready {
    depths: Vec<u32>,
    nodes: BTreeMap<(Reverse<u32>, NodeIndex), Candidate>,
}

impl Ready {
    pub fn new(graph: &Graph) -> Self {
        let mut depths = vec![0; graph.node_count()];
        // Nodes stand in an order in which each comes after what it needs.
        for node in graph.node_indices() {
            let used = graph.edges_directed(node, Incoming).filter(|edge| edge.weight().used);
            let before = used.map(|edge| depths[edge.source().index()] + 1);
            depths[node.index()] = before.max().unwrap_or(0);
        }
        Self { depths, nodes: BTreeMap::new() }
    }

    pub fn is_empty(&self) -> bool {
        self.nodes.is_empty()
    }

    pub fn insert(&mut self, node: NodeIndex, candidate: Candidate) {
        self.nodes.insert(self.place(node), candidate);
    }

    pub fn contains(&self, node: NodeIndex) -> bool {
        self.nodes.contains_key(&self.place(node))
    }

    fn take(&mut self, node: NodeIndex) -> Candidate {
        self.nodes.remove(&self.place(node)).expect("only ready nodes are started")
    }

    fn place(&self, node: NodeIndex) -> (Reverse<u32>, NodeIndex) {
        (Reverse(self.depths[node.index()]), node)
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
            if self.work.wishes.wants(node) {
                self.ready.insert(node, Candidate { key, canonical, again, replaces: is_forced, is_held: false });
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
        self.drop_what_nobody_needs(index);
        freed
    }

    /// Has a node computed whose bytes somebody needs, though there is a result.
    pub(super) fn compute_again(&mut self, index: NodeIndex, why: String) {
        match self.board.inputs(index) {
            Ok(inputs) => {
                let canonical = canonical(&self.work.graph[index], inputs);
                let (key, again) = (canonical.key(), Some(why));
                self.ready.insert(index, Candidate { key, canonical, again, replaces: false, is_held: false });
            }
            Err(error) => self.fail(index, None, error, Duration::ZERO),
        }
    }

    /// Has a node tried once more.
    pub(super) fn try_again(&mut self, index: NodeIndex, candidate: Candidate) {
        self.ready.insert(index, Candidate { is_held: false, ..candidate });
    }

    /// Starts what there is room for; a large stage does not keep small ones waiting.
    pub(super) fn dispatch(&mut self) {
        let mut no_room_for: Vec<NodeResources> = Vec::new();
        for (_, index) in self.ready.nodes.keys().copied().collect::<Vec<_>>() {
            if self.stopping_since.is_some() || self.is_closed {
                return;
            }
            let resources = &self.work.graph[index].resources;
            if no_room_for.contains(resources) || !self.ready.contains(index) {
                continue;
            }
            match self.executor.start(&self.job(index)) {
                Ok(Start::NoRoom) => {
                    no_room_for.push(resources.clone());
                    if no_room_for.len() >= MOST_SIZES {
                        return;
                    }
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
        let Candidate { key, canonical, replaces, .. } = &self.ready.nodes[&self.ready.place(index)];
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
        let again = self.ready.take(index).again;
        self.bring_back_inputs(index, again);
    }

    fn cannot_start(&mut self, index: NodeIndex, why: String) {
        let key = self.ready.take(index).key;
        self.fail(index, Some(key), why, Duration::ZERO);
    }

    fn hold(&mut self, index: NodeIndex, holder: &str) {
        let place = self.ready.place(index);
        let candidate = self.ready.nodes.get_mut(&place).expect("only ready nodes are started");
        if !std::mem::replace(&mut candidate.is_held, true) {
            self.tell(&Update::HeldElsewhere { node: &self.work.graph[index].id, holder });
        }
    }

    fn started(&mut self, index: NodeIndex, attempt: u32, resumed: bool) {
        let candidate = self.ready.take(index);
        *self.tries.entry(index).or_default() += 1;
        let node = &self.work.graph[index];
        let (node_id, key) = (&node.id, candidate.key);
        self.tell(&Update::Started { node: node_id, key, attempt, resumed, again: candidate.again.as_deref() });
        let since = Instant::now();
        let deadline = node.policy.timeout.and_then(|limit| since.checked_add(limit));
        self.running.insert(index, Running { since, deadline, candidate });
    }
}

/// When so many sizes of stages find no room, the others are not asked for it: each would cost a look at the store.
const MOST_SIZES: usize = 8;
