//! For every node: is its result there, and if not, why must it run?

use super::known::{Known, Lookup};
use super::{Canonical, Graph, Node};
use crate::ids::{Digest, Key, NodeId};
use crate::store::{LastRun, StageResult};
use petgraph::Direction;
use petgraph::graph::NodeIndex;
use petgraph::visit::EdgeRef;
use serde_json::Value;
use std::collections::BTreeMap;
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
        /// When it last ran under this name in this recipe, in seconds since 1970.
        last: Option<u64>,
    },
    /// Its key depends on what a node before it will yield.
    Open {
        waits_for: NodeId,
    },
    /// Its worker may not be started before a person has allowed it, so that nothing is known of it but its place.
    Unchecked,
}

/// Why a node must run.
#[derive(Debug, Clone, PartialEq)]
pub enum Reason {
    NeverRan,
    /// Its result is there and not whole.
    Damaged(String),
    /// The same computation ran once, and its result is no longer there.
    Gone,
    Parameter {
        name: String,
        from: Option<Value>,
        to: Option<Value>,
    },
    Input {
        port: String,
        from: Option<Digest>,
        to: Option<Digest>,
    },
    Version {
        from: u32,
        to: u32,
    },
    Kind {
        from: String,
        to: String,
    },
    Numerics {
        from: String,
        to: String,
    },
    /// A file that the recipe names under `code:`.
    Code {
        path: String,
        from: Option<Digest>,
        to: Option<Digest>,
    },
    /// It has a result whose bytes were dropped, and this node needs them.
    BytesNeeded {
        by: NodeId,
    },
    /// The user wants it.
    Forced,
}

/// The canonical form of a node whose inputs are known.
pub fn canonical(node: &Node, inputs: BTreeMap<String, Digest>) -> Canonical {
    Canonical {
        kind: node.kind.name.clone(),
        version: node.kind.version,
        numerics: node.numerics.to_string(),
        params: BTreeMap::from(&node.keyed_params),
        inputs,
        code: BTreeMap::clone(&node.code),
    }
}

/// The status of every node, by index.
pub fn evaluate(graph: &Graph, known: &dyn Known, recipe: &str) -> Vec<Status> {
    let mut statuses: Vec<Status> = Vec::with_capacity(graph.node_count());
    // Nodes stand in an order in which each comes after what it needs.
    for index in graph.node_indices() {
        let status = match inputs(graph, index, &statuses) {
            _ if !graph[index].is_checked => Status::Unchecked,
            Ok(inputs) => settled(&graph[index], known, recipe, canonical(&graph[index], inputs)),
            Err(waits_for) => Status::Open { waits_for },
        };
        statuses.push(status);
    }
    statuses
}

/// The digest on each used port, or the node that is waited for.
fn inputs(graph: &Graph, index: NodeIndex, statuses: &[Status]) -> Result<BTreeMap<String, Digest>, NodeId> {
    let used = graph.edges_directed(index, Direction::Incoming).filter(|edge| edge.weight().used);
    let mut used: Vec<_> = used.collect();
    // petgraph gives the latest edge first: of several that are waited for, the recipe's first is named.
    used.reverse();
    used.into_iter()
        .map(|edge| match &statuses[edge.source().index()] {
            Status::Hit { result, .. } => match result.artifacts.get(&edge.weight().output) {
                Some(digest) => Ok((edge.weight().port.clone(), *digest)),
                None => Err(graph[edge.source()].id.clone()),
            },
            Status::Run { .. } | Status::Open { .. } | Status::Unchecked => Err(graph[edge.source()].id.clone()),
        })
        .collect()
}

fn settled(node: &Node, known: &dyn Known, recipe: &str, canonical: Canonical) -> Status {
    let key = canonical.key();
    let damage = match known.result(&key) {
        Lookup::Found(result) => return Status::Hit { key, result },
        Lookup::Damaged(damage) => Some(Reason::Damaged(damage)),
        Lookup::Missing => None,
    };
    let last = known.last(recipe, &node.id);
    let reasons = match (damage, &last) {
        (Some(damage), _) => vec![damage],
        (None, None) => vec![Reason::NeverRan],
        (None, Some(last)) => differences(last, &canonical),
    };
    Status::Run { key, reasons, last: last.map(|last| last.at) }
}

/// What changed since the node last ran.
pub fn differences(last: &LastRun, now: &Canonical) -> Vec<Reason> {
    let (before, mut reasons) = (&last.canonical, vec![]);
    if before.kind != now.kind {
        return vec![Reason::Kind { from: before.kind.clone(), to: now.kind.clone() }];
    }
    if before.version != now.version {
        reasons.push(Reason::Version { from: before.version, to: now.version });
    }
    if before.numerics != now.numerics {
        reasons.push(Reason::Numerics { from: before.numerics.clone(), to: now.numerics.clone() });
    }
    let flat = |params: &BTreeMap<String, Value>| {
        let mut leaves = BTreeMap::new();
        params.iter().for_each(|(name, value)| flatten(name, value, &mut leaves));
        leaves
    };
    let pairs = union(flat(&before.params), flat(&now.params));
    reasons.extend(pairs.into_iter().map(|(name, from, to)| Reason::Parameter { name, from, to }));
    let pairs = union(before.inputs.clone(), now.inputs.clone());
    reasons.extend(pairs.into_iter().map(|(port, from, to)| Reason::Input { port, from, to }));
    let pairs = union(before.code.clone(), now.code.clone());
    reasons.extend(pairs.into_iter().map(|(path, from, to)| Reason::Code { path, from, to }));
    if reasons.is_empty() {
        reasons.push(Reason::Gone);
    }
    reasons
}

/// `encoder.width`
fn flatten(name: &str, value: &Value, leaves: &mut BTreeMap<String, Value>) {
    match value.as_object() {
        Some(entries) => entries.iter().for_each(|(inner, value)| flatten(&format!("{name}.{inner}"), value, leaves)),
        None => {
            leaves.insert(name.to_owned(), value.clone());
        }
    }
}

/// What differs between two maps.
fn union<V: Clone + PartialEq>(
    before: BTreeMap<String, V>,
    now: BTreeMap<String, V>,
) -> Vec<(String, Option<V>, Option<V>)> {
    let names: std::collections::BTreeSet<&String> = before.keys().chain(now.keys()).collect();
    let pairs = names.into_iter().map(|name| (name.clone(), before.get(name).cloned(), now.get(name).cloned()));
    pairs.filter(|(_, from, to)| from != to).collect()
}
