//! For every node: is its result there, and if not, why must it run?

use super::keys::Keyer;
use super::known::{Known, Lookup};
use super::reason::{Reason, differences};
use super::{Graph, Node};
use crate::ids::{Digest, Key, NodeId};
use crate::store::{LastRun, StageResult};
use petgraph::Direction;
use petgraph::graph::NodeIndex;
use petgraph::visit::EdgeRef;
use rayon::prelude::*;
use std::sync::Arc;

/// What would become of a node.
#[derive(Debug, Clone, PartialEq)]
pub enum Status {
    Hit {
        key: Key,
        result: Arc<StageResult>,
    },
    Run {
        key: Key,
        reasons: Vec<Reason>,
        /// When it last ran under this name in this recipe.
        last: Option<Earlier>,
    },
    /// Its key depends on what a node before it will yield.
    Open {
        waits_for: NodeId,
    },
    /// It has no result and needs none: `choose` has picked other values, or has not picked yet.
    Spared,
    /// Its worker may not be started before a person has allowed it, so that nothing is known of it but its place.
    Unchecked,
}

impl Status {
    /// Whether its result is there.
    pub fn is_hit(&self) -> bool {
        matches!(self, Self::Hit { .. })
    }

    /// `hit`, `run`, `open`, `spared` or `unchecked`.
    pub fn word(&self) -> &'static str {
        match self {
            Self::Hit { .. } => "hit",
            Self::Run { .. } => "run",
            Self::Open { .. } => "open",
            Self::Spared => "spared",
            Self::Unchecked => "unchecked",
        }
    }
}

/// An earlier run of a node.
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
pub struct Earlier {
    /// Seconds since 1970.
    pub at: u64,
    /// The run's name; empty where it is not known.
    pub run: String,
}

impl From<&LastRun> for Earlier {
    fn from(last: &LastRun) -> Self {
        Self { at: last.at, run: last.run.clone() }
    }
}

/// A status, and whether it is a hit whose bytes were dropped.
struct Found {
    status: Status,
    is_dropped: bool,
}

/// Of fewer nodes it is not worth waking further threads.
const WORTH_SHARING: usize = 256;

/// The status of every node, by index.
pub fn evaluate<'a>(graph: &'a Graph, known: &dyn Known) -> Vec<Status> {
    let began = std::time::Instant::now();
    let mut found: Vec<Option<Found>> = std::iter::repeat_with(|| None).take(graph.node_count()).collect();
    // The nodes of a level need nothing of each other, so that what is known of them can be looked up side by side.
    for level in levels(graph) {
        let look = |keyer: &mut Keyer<'a>, index: &NodeIndex| look_up(keyer, graph, *index, &found, known);
        let here: Vec<Found> = match level.len() < WORTH_SHARING {
            true => level.iter().scan(Keyer::default(), |keyer, index| Some(look(keyer, index))).collect(),
            false => level.par_iter().map_init(Keyer::default, look).collect(),
        };
        level.iter().zip(here).for_each(|(index, here)| found[index.index()] = Some(here));
    }
    let found = found.into_iter().map(|found| found.expect("every node is on a level"));
    let (mut statuses, is_dropped): (Vec<Status>, Vec<bool>) =
        found.map(|found| (found.status, found.is_dropped)).unzip();
    need_bytes(graph, &mut statuses, &is_dropped, known);
    tracing::debug!(nodes = graph.node_count(), seconds = began.elapsed().as_secs_f64(), "planned");
    statuses
}

/// How many nodes the longest way passes that leads to each, by index. What a node does not use is no way to it.
pub fn depths(graph: &Graph) -> Vec<usize> {
    let mut depths = vec![0; graph.node_count()];
    // Nodes stand in an order in which each comes after what it needs.
    for index in graph.node_indices() {
        let used = graph.edges_directed(index, Direction::Incoming).filter(|edge| edge.weight().used);
        depths[index.index()] = used.map(|edge| depths[edge.source().index()] + 1).max().unwrap_or(0);
    }
    depths
}

/// Nodes by their depth.
fn levels(graph: &Graph) -> Vec<Vec<NodeIndex>> {
    let depths = depths(graph);
    let mut levels = vec![vec![]; depths.iter().max().map_or(0, |deepest| deepest + 1)];
    graph.node_indices().for_each(|index| levels[depths[index.index()]].push(index));
    levels
}

fn look_up<'a>(
    keyer: &mut Keyer<'a>,
    graph: &'a Graph,
    index: NodeIndex,
    found: &[Option<Found>],
    known: &dyn Known,
) -> Found {
    let node = &graph[index];
    let is_dropped = false;
    if !node.is_checked {
        return Found { status: Status::Unchecked, is_dropped };
    }
    let artifact = |source: NodeIndex, output: &str| yielded(found[source.index()].as_ref()?, output);
    if let Some(source) = keyer.gather(graph, index, artifact) {
        return Found { status: Status::Open { waits_for: graph[source].id.clone() }, is_dropped };
    }
    let key = keyer.key(node);
    match known.result(&key) {
        Lookup::Found(result) => Found { status: Status::Hit { key, result }, is_dropped },
        Lookup::Dropped(result) => Found { status: Status::Hit { key, result }, is_dropped: true },
        Lookup::Damaged(damage) => Found { status: must_run(keyer, node, key, Some(damage), known), is_dropped },
        Lookup::Missing => Found { status: must_run(keyer, node, key, None, known), is_dropped },
    }
}

fn yielded(found: &Found, output: &str) -> Option<Digest> {
    match &found.status {
        Status::Hit { result, .. } => result.artifacts.get(output).copied(),
        Status::Run { .. } | Status::Open { .. } | Status::Spared | Status::Unchecked => None,
    }
}

fn must_run(keyer: &Keyer, node: &Node, key: Key, damage: Option<String>, known: &dyn Known) -> Status {
    let last = known.last(&node.id);
    let reasons = match (damage, &last) {
        (Some(damage), _) => vec![Reason::Damaged { damage }],
        (None, None) => {
            let (reason, last) =
                known.unfinished(&node.id).map_or((Reason::NeverRan, None), |(why, at)| (why, Some(at)));
            return Status::Run { key, reasons: vec![reason], last };
        }
        (None, Some(last)) => differences(&last.canonical, &keyer.canonical(node)),
    };
    let reasons = if reasons.is_empty() { vec![Reason::Gone] } else { reasons };
    Status::Run { key, reasons, last: last.as_ref().map(Earlier::from) }
}

/// What was dropped runs again where a node that will run needs its bytes. Last nodes first, since what runs again needs
/// bytes itself. A node that is open may turn out to be a hit: it needs nothing yet.
fn need_bytes(graph: &Graph, statuses: &mut [Status], is_dropped: &[bool], known: &dyn Known) {
    let dropped = graph.node_indices().rev().filter(|index| is_dropped[index.index()]);
    for index in dropped {
        let used = graph.edges_directed(index, Direction::Outgoing).filter(|edge| edge.weight().used);
        let runs = |user: &NodeIndex| matches!(statuses[user.index()], Status::Run { .. });
        let user = used.map(|edge| edge.target()).filter(runs).min();
        if let (Some(user), Status::Hit { key, .. }) = (user, &statuses[index.index()]) {
            let reasons = vec![Reason::BytesNeeded { by: graph[user].id.clone() }];
            let last = known.last(&graph[index].id).as_ref().map(Earlier::from);
            statuses[index.index()] = Status::Run { key: *key, reasons, last };
        }
    }
}
