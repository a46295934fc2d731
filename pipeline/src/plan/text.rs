//! The plan as people read it: nodes of a stage with the same fate on one line.

use super::evaluate::{Reason, Status};
use super::{Graph, Node};
use crate::recipe::schema;
use petgraph::Direction;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;

/// One line for each group, then what the recipe says and a kind ignores.
pub fn text(recipe: &str, graph: &Graph, statuses: &[Status]) -> String {
    let count = |of: fn(&Status) -> bool| statuses.iter().filter(|status| of(status)).count();
    let (hits, runs) = (count(|s| matches!(s, Status::Hit { .. })), count(|s| matches!(s, Status::Run { .. })));
    let open = statuses.len() - hits - runs;
    let mut text = format!("{recipe}: {} stages · {hits} hit, {runs} to run, {open} open\n", statuses.len());
    for (nodes, fate) in groups(graph, statuses) {
        let times = if nodes.len() > 1 { format!(" x{}", nodes.len()) } else { String::new() };
        let name = format!("{}{times}", shared_name(&nodes));
        let (word, why) = fate.split_once('\t').unwrap_or((&fate, ""));
        let line = format!("{word:<5} {name:<44} {why}");
        let _ = writeln!(text, "{}", line.trim_end());
    }
    for note in ignored(graph) {
        let _ = writeln!(text, "note: {note}");
    }
    text
}

/// Nodes of one stage with the same fate, in the order of the graph.
fn groups<'a>(graph: &'a Graph, statuses: &[Status]) -> Vec<(Vec<&'a Node>, String)> {
    let mut groups: Vec<(Vec<&Node>, String)> = vec![];
    for (node, status) in graph.node_weights().zip(statuses) {
        let fate = fate(status);
        match groups.iter_mut().find(|(nodes, other)| nodes[0].stage == node.stage && *other == fate) {
            Some((nodes, _)) => nodes.push(node),
            None => groups.push((vec![node], fate)),
        }
    }
    groups
}

fn fate(status: &Status) -> String {
    match status {
        Status::Hit { .. } => "hit".into(),
        Status::Open { waits_for } => {
            let stage = waits_for.0.split('[').next().unwrap_or_default();
            format!("open\twaits for what {stage} yields")
        }
        Status::Run { reasons, .. } => format!("run\t{}", reasons.iter().map(reason).collect::<Vec<_>>().join("; ")),
    }
}

fn reason(reason: &Reason) -> String {
    let value = |value: &Option<serde_json::Value>| value.as_ref().map_or("default".into(), schema::plain);
    match reason {
        Reason::NeverRan => "never ran".into(),
        Reason::Damaged(damage) => format!("its result is damaged: {damage}"),
        Reason::Gone => "its result is no longer in the store".into(),
        Reason::Parameter { name, from, to } => format!("{name} {} -> {}", value(from), value(to)),
        Reason::Input { port, from, to } => {
            let short = |digest: &Option<crate::ids::Digest>| digest.map_or("none".into(), |digest| digest.short());
            format!("input `{port}` changed ({} -> {})", short(from), short(to))
        }
        Reason::Version { from, to } => format!("version {from} -> {to}"),
        Reason::Kind { from, to } => format!("kind {from} -> {to}"),
        Reason::Numerics { from, to } => format!("numerics {from} -> {to}"),
    }
}

/// The stage's name with the axes on which all of them have the same place.
fn shared_name(nodes: &[&Node]) -> String {
    let shared = nodes[0].axes.iter().filter(|place| nodes.iter().all(|node| node.axes.contains(place)));
    let places: Vec<String> = shared.map(|(axis, label)| format!("{axis}={label}")).collect();
    if places.is_empty() { nodes[0].stage.clone() } else { format!("{}[{}]", nodes[0].stage, places.join(",")) }
}

/// What a kind accepts for its family's sake and that counts for nothing: `pretrain/pixels ignores encoder, epochs`.
fn ignored(graph: &Graph) -> Vec<String> {
    let mut of_kinds: BTreeMap<&str, BTreeSet<String>> = BTreeMap::new();
    for index in graph.node_indices() {
        let kind = &graph[index].kind;
        let notes = of_kinds.entry(&kind.name).or_default();
        for edge in graph.edges_directed(index, Direction::Incoming).filter(|edge| !edge.weight().used) {
            notes.insert(format!("port {}", edge.weight().port));
        }
        let properties = kind.params["properties"].as_object();
        for (name, property) in properties.into_iter().flatten().filter(|(_, property)| property["x-unused"] == true) {
            if graph[index].params.get(name) != Some(&schema::default(property)) {
                notes.insert(name.clone());
            }
        }
    }
    let notes = of_kinds.into_iter().filter(|(_, notes)| !notes.is_empty());
    notes.map(|(kind, notes)| format!("{kind} ignores {}", notes.into_iter().collect::<Vec<_>>().join(", "))).collect()
}
