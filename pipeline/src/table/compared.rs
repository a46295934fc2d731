//! What a reader compares rows by: how the encoders behind them were trained. Where it is the same for all rows it is told once,
//! where it differs it is a column.

use super::Outcome;
use super::nodes::with_upstream;
use super::wording::each_once;
use crate::plan::{Edge, Node};
use crate::recipe::schema::{default, giver, plain};
use crate::text::count;
use petgraph::Direction::Incoming;
use petgraph::graph::{EdgeReference, NodeIndex};
use petgraph::visit::EdgeRef;
use serde_json::Value;
use std::collections::BTreeSet;

/// Parameters that families share by these names, in the order in which they are told.
const PARAMETERS: [&str; 5] = ["encoder", LENGTH, "batch", "optimiser", "precision"];
/// How long it trains: the first of these that is given.
const LENGTH: &str = "length";
const LENGTHS: [&str; 3] = ["steps", "images", EPOCHS];
const EPOCHS: &str = "epochs";
/// A measurement: how many images went through the network. Four rotations of each cost four times.
const SEEN: &str = "images_seen";
/// What stands for it where a training does not measure it.
const NOT_COUNTED: &str = "not counted";
/// The port of what is done to images before a network sees them.
const VIEWS: &str = "views";

/// Whether a parameter is told of all rows.
pub(super) fn is_compared(name: &str) -> bool {
    PARAMETERS.contains(&name) || LENGTHS.contains(&name)
}

/// One of them, with its value in each row; `-` where it does not count.
#[derive(Debug, Clone, PartialEq)]
pub struct Compared {
    pub name: String,
    pub values: Vec<String>,
}

impl Compared {
    /// Its value, where all rows in which it counts have one.
    pub fn shared(&self) -> Option<&str> {
        let mut counting = self.values.iter().filter(|value| *value != NOTHING);
        let first = counting.next()?;
        counting.all(|value| value == first).then_some(first)
    }
}

pub(super) const NOTHING: &str = "-";

/// Those that count in any row; `rows`: the nodes of each row's cells. A row is made of what it measures and of what that stands
/// on; of the former the settings are told elsewhere.
pub(super) fn compared(outcome: &Outcome, rows: &[Vec<NodeIndex>]) -> Vec<Compared> {
    let upstream: Vec<BTreeSet<NodeIndex>> = rows.iter().map(|cells| before(outcome, cells)).collect();
    // What stands behind every row, such as a network that all are evaluated by, is not what they are compared by, unless it is all that
    // was trained.
    let is_common = |node: &NodeIndex| upstream.iter().all(|nodes| nodes.contains(node));
    let is_trained =
        |node: &&NodeIndex| PARAMETERS.iter().any(|name| parameter(&outcome.graph[**node], name).is_some());
    let own = |nodes: &BTreeSet<NodeIndex>| -> BTreeSet<NodeIndex> {
        nodes.iter().filter(|node| !is_common(node)).copied().collect()
    };
    let own: Vec<BTreeSet<NodeIndex>> = upstream.iter().map(own).collect();
    let upstream = if own.iter().all(|nodes| nodes.iter().any(|node| is_trained(&node))) { own } else { upstream };
    let of_rows = |name: &str, value: &dyn Fn(NodeIndex) -> Option<String>| Compared {
        name: name.to_owned(),
        values: upstream.iter().map(|nodes| joined(nodes.iter().filter_map(|&node| value(node)))).collect(),
    };
    let parameters = PARAMETERS.map(|name| of_rows(name, &|node| parameter(&outcome.graph[node], name)));
    let views = of_rows(VIEWS, &|node| views(outcome, node));
    let seen = |nodes: &BTreeSet<NodeIndex>| total(nodes.iter().filter_map(|&node| measured(outcome, node)));
    let seen = Compared { name: "images seen".to_owned(), values: upstream.iter().map(seen).collect() };
    let all = parameters.into_iter().chain([seen, views]);
    all.filter(|compared| compared.values.iter().any(|value| value != NOTHING)).collect()
}

fn before(outcome: &Outcome, cells: &[NodeIndex]) -> BTreeSet<NodeIndex> {
    let of_cell = |&cell: &NodeIndex| with_upstream(outcome.graph, cell).into_iter().filter(move |node| *node != cell);
    cells.iter().flat_map(of_cell).collect()
}

/// Each once, in the order of the recipe.
pub(super) fn joined(values: impl Iterator<Item = String>) -> String {
    let values = each_once(values);
    if values.is_empty() { NOTHING.to_owned() } else { values.join(" / ") }
}

/// Of what went through an encoder at several stages; an untrained one, which another begins from, has seen nothing.
fn total(seen: impl Iterator<Item = String>) -> String {
    let seen: Vec<String> = seen.collect();
    let is_only_0 = seen.iter().all(|seen| seen == "0");
    joined(seen.into_iter().filter(|seen| is_only_0 || seen != "0"))
}

fn parameter(node: &Node, name: &str) -> Option<String> {
    let used = |name: &str| {
        let property = &node.kind.params["properties"][name];
        let value = node.params.get(name).filter(|value| !value.is_null())?;
        (property.is_object() && property["x-unused"] != true).then_some((property, value))
    };
    if let Some((_, value)) = giver(&node.kind.params, name, |giver| node.params.get(giver)) {
        return Some(plain(value));
    }
    if name != LENGTH {
        return used(name).map(|(property, value)| told(property, value));
    }
    // Of what has no epochs, `images` may be anything.
    let has_epochs = node.kind.params["properties"][EPOCHS].is_object();
    let mut lengths = LENGTHS.into_iter().filter(|name| has_epochs || *name == "steps");
    lengths.find_map(|name| Some(format!("{} {name}", length(used(name)?.1))))
}

/// `599,040`: a number of steps, images or epochs.
fn length(value: &Value) -> String {
    value.as_u64().map_or_else(|| plain(value), count)
}

/// `conv4 (width 64)`: of a map its kind, and what is not as it is by default.
pub(super) fn told(schema: &Value, value: &Value) -> String {
    let Some(entries) = value.as_object() else { return plain(value) };
    let differs = |name: &str, value: &Value| *value != default(&schema["properties"][name]);
    let others = entries.iter().filter(|(name, value)| *name != "kind" && differs(name, value));
    let others: Vec<String> = others.map(|(name, value)| format!("{name} {}", plain(value))).collect();
    match (entries.get("kind"), others.is_empty()) {
        (Some(kind), true) => plain(kind),
        (Some(kind), false) => format!("{} ({})", plain(kind), others.join(", ")),
        (None, true) => "default".to_owned(),
        (None, false) => others.join(", "),
    }
}

fn measured(outcome: &Outcome, node: NodeIndex) -> Option<String> {
    let (node, finished) = (&outcome.graph[node], outcome.finished.get(&outcome.graph[node].id)?);
    let seen = finished.result.measurements.iter().find(|measurement| measurement.name == SEEN);
    let is_trained = || parameter(node, LENGTH).map(|_| NOT_COUNTED.to_owned());
    seen.map(|seen| count(seen.value as u64)).or_else(is_trained)
}

/// The kind of what is on a node's port of views, with what is not as it is by default. Where nothing is, the kind has views of its own.
fn views(outcome: &Outcome, node: NodeIndex) -> Option<String> {
    let kind = &outcome.graph[node].kind;
    let port = kind.needs.iter().find(|port| port.type_ == VIEWS && port.used)?;
    let on_port = |edge: &EdgeReference<'_, Edge>| edge.weight().used && edge.weight().port == port.name;
    let Some(edge) = outcome.graph.edges_directed(node, Incoming).find(on_port) else {
        return Some(format!("{}'s own", kind.name));
    };
    let source = &outcome.graph[edge.source()];
    let own: Vec<String> = source.keyed_params.iter().map(|(name, value)| format!("{name} {}", plain(value))).collect();
    let own = if own.is_empty() { String::new() } else { format!(" ({})", own.join(", ")) };
    Some(format!("{}{own}", source.kind.name))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn what_is_the_same_wherever_it_counts_is_shared() {
        let of =
            |values: &[&str]| Compared { name: "epochs".into(), values: values.iter().map(|v| (*v).into()).collect() };
        assert_eq!(of(&["-", "6", "6"]).shared(), Some("6"));
        assert_eq!(of(&["-", "6", "12"]).shared(), None);
        assert_eq!(of(&["-"]).shared(), None);
    }

    #[test]
    fn what_begins_from_an_untrained_network_has_seen_what_it_says() {
        let of = |seen: &[&str]| total(seen.iter().map(|seen| (*seen).to_owned()));
        assert_eq!(
            [of(&["0"]), of(&["0", "6,000"]), of(&["0", NOT_COUNTED]), of(&[])],
            ["0", "6,000", NOT_COUNTED, "-"]
        );
    }

    #[test]
    fn of_a_map_its_kind_is_told_and_what_is_not_as_it_is_by_default() {
        let schema = json!({ "properties": { "kind": { "type": "string", "default": "conv4" }, "width": { "type": "integer", "default": 32 } } });
        assert_eq!(told(&schema, &json!({ "kind": "resnet18", "width": 32 })), "resnet18");
        assert_eq!(told(&schema, &json!({ "kind": "conv4", "width": 8 })), "conv4 (width 8)");
        assert_eq!(told(&json!({ "type": "integer" }), &json!(128)), "128");
    }
}
