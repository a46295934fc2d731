use crate::ids::NodeId;
use crate::plan::{Reason, differences};
use crate::store::{NodeEvent, RunNode, RunRecord};
use pretext_protocol::Measurement;
use serde::Serialize;
use std::collections::{BTreeSet, HashMap};

/// What differs between two runs.
#[derive(Debug, Serialize)]
pub(super) struct Comparison<'a> {
    pub from: &'a RunRecord,
    pub to: &'a RunRecord,
    /// Nodes that only the second run has.
    pub added: Vec<&'a NodeId>,
    /// Nodes that only the first run has.
    pub removed: Vec<&'a NodeId>,
    /// In the order of the second run's graph.
    pub changed: Vec<Change<'a>>,
    /// How many nodes both have in which nothing differs.
    pub same: usize,
}

/// A node in which something differs.
#[derive(Debug, PartialEq, Serialize)]
pub(super) struct Change<'a> {
    pub node: &'a NodeId,
    /// Where only one of them has a result.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub outcome: Option<[NodeEvent; 2]>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub reasons: Vec<Reason>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub measurements: Vec<Moved<'a>>,
}

/// A measurement that is not what it was.
#[derive(Debug, PartialEq, Serialize)]
pub(super) struct Moved<'a> {
    pub name: &'a str,
    pub split: &'a str,
    pub from: Option<f64>,
    pub to: Option<f64>,
    pub difference: Option<f64>,
}

impl<'a> Comparison<'a> {
    pub fn of(from: &'a RunRecord, to: &'a RunRecord, before: &'a [RunNode], now: &'a [RunNode]) -> Self {
        let earlier: HashMap<&NodeId, &RunNode> = before.iter().map(|node| (&node.node, node)).collect();
        let later: BTreeSet<&NodeId> = now.iter().map(|node| &node.node).collect();
        let removed = before.iter().map(|node| &node.node).filter(|node| !later.contains(node)).collect();
        let mut comparison = Self { from, to, added: vec![], removed, changed: vec![], same: 0 };
        for node in now {
            match earlier.get(&node.node).map(|earlier| Change::of(earlier, node)) {
                None => comparison.added.push(&node.node),
                Some(None) => comparison.same += 1,
                Some(Some(change)) => comparison.changed.push(change),
            }
        }
        comparison
    }
}

impl<'a> Change<'a> {
    /// None where nothing differs.
    fn of(before: &'a RunNode, now: &'a RunNode) -> Option<Self> {
        let outcome = (has_result(before) != has_result(now)).then_some([before.outcome, now.outcome]);
        let reasons = match (&before.canonical, &now.canonical) {
            (Some(before), Some(now)) => differences(before, now),
            _ => vec![],
        };
        let measurements = moved(&before.measurements, &now.measurements);
        let nothing = outcome.is_none() && reasons.is_empty() && measurements.is_empty();
        (!nothing).then_some(Self { node: &now.node, outcome, reasons, measurements })
    }
}

/// Whether it was computed now or earlier makes no difference.
fn has_result(node: &RunNode) -> bool {
    matches!(node.outcome, NodeEvent::Computed | NodeEvent::Reused)
}

fn moved<'a>(before: &'a [Measurement], now: &'a [Measurement]) -> Vec<Moved<'a>> {
    let value = |all: &[Measurement], of: &Measurement| {
        all.iter().find(|one| one.name == of.name && one.split == of.split).map(|one| one.value)
    };
    let gone = before.iter().filter(|one| value(now, one).is_none());
    let pairs = now.iter().chain(gone).map(|one| (one, value(before, one), value(now, one)));
    // By their bits: what is no number twice is the same.
    let moved = pairs.filter(|(_, from, to)| from.map(f64::to_bits) != to.map(f64::to_bits)).map(|(one, from, to)| {
        let difference = from.zip(to).map(|(from, to)| to - from);
        Moved { name: &one.name, split: &one.split, from, to, difference }
    });
    moved.collect()
}
