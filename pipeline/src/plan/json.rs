//! The plan as one JSON document, for other programs. It is written node by node, so that one of many nodes takes no
//! more memory than a small one.

use super::{Counts, Earlier, Graph, Node, Reason, Status};
use crate::ids::{Key, NodeId};
use serde::{Serialize, Serializer};
use std::io::{self, Write};

/// Writes `recipe`, `counts`, `nodes` (each on a line of its own) and `notes`, those of the graph and further ones.
pub fn write_json(
    out: &mut impl Write,
    recipe: &str,
    graph: &Graph,
    statuses: &[Status],
    further: &[String],
) -> io::Result<()> {
    write!(out, "{{\"recipe\":")?;
    serde_json::to_writer(&mut *out, recipe)?;
    write!(out, ",\"counts\":")?;
    serde_json::to_writer(&mut *out, &Counts::of(statuses))?;
    write!(out, ",\"nodes\":[")?;
    for (place, (node, status)) in graph.node_weights().zip(statuses).enumerate() {
        out.write_all(if place == 0 { b"\n" } else { b",\n" })?;
        serde_json::to_writer(&mut *out, &Entry::of(node, status))?;
    }
    write!(out, "\n],\"notes\":")?;
    serde_json::to_writer(&mut *out, &[super::notes(graph).as_slice(), further].concat())?;
    writeln!(out, "}}")
}

#[derive(Serialize)]
struct Entry<'a> {
    node: &'a NodeId,
    stage: &'a str,
    axes: Axes<'a>,
    status: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    key: Option<&'a Key>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    reasons: Vec<Reason>,
    #[serde(skip_serializing_if = "Option::is_none")]
    waits_for: Option<&'a NodeId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    last_run: Option<&'a Earlier>,
}

impl<'a> Entry<'a> {
    fn of(node: &'a Node, status: &'a Status) -> Self {
        let entry = Self {
            node: &node.id,
            stage: &node.stage,
            axes: Axes(node),
            status: status.word(),
            key: None,
            reasons: vec![],
            waits_for: None,
            last_run: None,
        };
        match status {
            Status::Hit { key, .. } => Self { key: Some(key), ..entry },
            Status::Run { key, reasons, last } => {
                let reasons = reasons.iter().map(|reason| reason.with_defaults(&node.kind)).collect();
                Self { key: Some(key), reasons, last_run: last.as_ref(), ..entry }
            }
            Status::Open { waits_for } => Self { waits_for: Some(waits_for), ..entry },
            Status::Spared | Status::Unchecked => entry,
        }
    }
}

/// Axis and label as a map, in the order of the recipe's axes.
struct Axes<'a>(&'a Node);

impl Serialize for Axes<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.axes.iter().map(|(axis, label)| (&**axis, &**label)))
    }
}
