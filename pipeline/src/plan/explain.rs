//! Why one node would run or wait, with the chain of causes before it.

use super::words::{SPARED, ago, sentence, words};
use super::{Canonical, Graph, Known, Reason, Status, canonical, canonical_at, differences};
use crate::ids::NodeId;
use petgraph::Direction;
use petgraph::graph::{EdgeReference, NodeIndex};
use petgraph::visit::EdgeRef;
use std::time::SystemTime;

/// What earlier runs have computed.
pub trait History {
    /// The canonical form of a node in a run.
    fn computed_in(&self, run: &str, node: &NodeId) -> Option<Canonical>;
}

/// All that is needed to explain the nodes of a plan.
pub struct Question<'a> {
    pub graph: &'a Graph,
    pub statuses: &'a [Status],
    pub known: &'a dyn Known,
    pub history: &'a dyn History,
    /// What times are told from.
    pub now: SystemTime,
}

impl Question<'_> {
    /// `would run: epochs 100 -> 200 (last run 2 h 00 min ago)`, or `open` and a line for each input that is waited for.
    pub fn answer(&self, index: NodeIndex) -> String {
        match &self.statuses[index.index()] {
            Status::Hit { .. } => "hit".to_owned(),
            Status::Spared => format!("spared: {SPARED}"),
            Status::Unchecked => "unchecked: its worker is not allowed yet".to_owned(),
            Status::Run { .. } => format!("would run: {}", self.reasons(index)),
            Status::Open { .. } => format!("open: it is not known yet whether it would run{}", self.waiting(index)),
        }
    }

    /// Why a node that must run must, with the causes of changed inputs, and when it last ran.
    fn reasons(&self, index: NodeIndex) -> String {
        let Status::Run { reasons, last, .. } = &self.statuses[index.index()] else { return String::new() };
        let run = last.as_ref().map(|last| last.run.as_str()).unwrap_or_default();
        let told = self.told(index, reasons, run);
        let last = last.as_ref().and_then(|last| Some((ago(last.at, self.now)?, &last.run)));
        match last {
            None => told,
            Some((ago, run)) if run.is_empty() => format!("{told} (last run {ago})"),
            Some((ago, run)) => format!("{told} (last run {ago}, in {run})"),
        }
    }

    fn told(&self, index: NodeIndex, reasons: &[Reason], run: &str) -> String {
        let kind = &self.graph[index].kind;
        let one = |reason: &Reason| {
            let (plain, own) = words(reason, Some(kind));
            let cause = match reason {
                Reason::Input { port, .. } => self.cause(index, port, run),
                _ => None,
            };
            format!("{plain}{}{}", own.unwrap_or_default(), cause.map_or(String::new(), |cause| format!(" {cause}")))
        };
        reasons.iter().map(one).collect::<Vec<_>>().join("; ")
    }

    /// Why what is on a port is not what it was in a run: `because pretrain ran again: epochs 100 -> 200`.
    fn cause(&self, index: NodeIndex, port: &str, run: &str) -> Option<String> {
        let source = self.inputs(index).find(|edge| &*edge.weight().port == port)?.source();
        let id = &self.graph[source].id;
        let now = canonical_at(self.graph, source, self.statuses)?;
        let Some(before) = self.history.computed_in(run, id) else { return Some(format!("and comes from {id}")) };
        let changes = differences(&before, &now);
        if changes.is_empty() {
            return Some(format!("because {id} ran again and yielded other bytes"));
        }
        Some(format!("because {id} ran again: {}", self.told(source, &changes, run)))
    }

    /// What is waited for, on which port, and what is known already of the node itself.
    fn waiting(&self, index: NodeIndex) -> String {
        let mut lines = String::new();
        let mut inputs: Vec<_> = self.inputs(index).collect();
        inputs.reverse();
        for edge in inputs {
            if let Some(chain) = self.chain(edge.source()) {
                lines += &format!("\n  `{}` waits for {chain}", edge.weight().port);
            }
        }
        let node = &self.graph[index];
        let Some(last) = self.known.last(&node.id) else { return format!("{lines}\n  it never ran") };
        let own = differences(&last.canonical, &canonical(node, last.canonical.inputs.clone()));
        match own.is_empty() {
            true => format!("{lines}\n  where that yields the same bytes as before, its result is reused"),
            false => format!("{lines}\n  in itself changed: {}", sentence(&own, Some(&node.kind))),
        }
    }

    /// `features, which waits for pretrain, which would run: never ran`. None for what is there.
    fn chain(&self, index: NodeIndex) -> Option<String> {
        let id = &self.graph[index].id;
        match &self.statuses[index.index()] {
            Status::Hit { .. } => None,
            Status::Run { .. } => Some(format!("{id}, which would run: {}", self.reasons(index))),
            Status::Spared => Some(format!("{id}, which is spared: {SPARED}")),
            Status::Unchecked => Some(format!("{id}, whose worker is not allowed yet")),
            Status::Open { waits_for } => {
                let next = self.inputs(index).map(|edge| edge.source()).find(|at| self.graph[*at].id == *waits_for)?;
                Some(format!("{id}, which waits for {}", self.chain(next)?))
            }
        }
    }

    fn inputs(&self, index: NodeIndex) -> impl Iterator<Item = EdgeReference<'_, super::Edge>> {
        self.graph.edges_directed(index, Direction::Incoming).filter(|edge| edge.weight().used)
    }
}
