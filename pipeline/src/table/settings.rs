//! How the stages that a table measures were set, so that its numbers can be compared with others'.

use super::compared::{is_compared, told};
use super::costs::PRETRAINING;
use super::nodes::with_upstream;
use super::wording::each_once;
use super::{Finished, Outcome, numbers};
use crate::plan::Node;
use crate::recipe::schema::plain;
use petgraph::graph::NodeIndex;
use pretext_protocol::Measure;
use serde_json::Value;
use std::collections::BTreeSet;

const DATA: &str = "data";

/// One stage of a table's columns, as far as it is of one kind.
#[derive(Debug, Clone, PartialEq)]
pub struct Settings {
    pub stage: String,
    pub kind: String,
    /// What that kind is, in one line.
    pub summary: String,
    /// Parameters that are the same in all rows of the kind, in the order of the stage's schema.
    pub fixed: Vec<(String, String)>,
    /// Those that are not, with their values, in the same order; seeds are left out, and lists that nobody would read.
    pub varied: Vec<(String, String)>,
    /// What the stage chose for itself (k, L2): one value, or the range of what was chosen in the rows.
    pub chosen: Vec<(String, String)>,
}

/// One entry for each kind of each stage of the columns, in their order.
pub(super) fn settings<'a>(
    outcome: &Outcome,
    columns: impl Iterator<Item = (&'a str, Vec<NodeIndex>)>,
) -> Vec<Settings> {
    let mut stages: Vec<(&str, Vec<&Node>)> = vec![];
    let all = columns.flat_map(|(stage, nodes)| nodes.into_iter().map(move |node| (stage, &outcome.graph[node])));
    for (stage, node) in all {
        match stages.iter_mut().find(|(known, of)| *known == stage && of[0].kind.name == node.kind.name) {
            Some((_, nodes)) => nodes.push(node),
            None => stages.push((stage, vec![node])),
        }
    }
    stages.iter().map(|(stage, nodes)| of_stage(outcome, stage, nodes)).collect()
}

/// `nodes`: one at least, and all of one kind.
fn of_stage(outcome: &Outcome, stage: &str, nodes: &[&Node]) -> Settings {
    let first = nodes[0];
    Settings {
        stage: stage.to_owned(),
        kind: first.kind.name.clone(),
        summary: first.kind.summary.clone(),
        fixed: fixed(first, nodes),
        varied: varied(first, nodes),
        chosen: chosen(outcome, nodes),
    }
}

/// What the cells stand on, a kind of stages a line: `data/cifar10: train 10000, validation 2000`. Of each what is not as it is by
/// default; what [`super::compared`] tells of all rows, seeds, and what nobody would read are left out. Data sets have a line in any case.
pub(super) fn behind(outcome: &Outcome, cells: &[NodeIndex]) -> Vec<String> {
    let cells: BTreeSet<NodeIndex> = cells.iter().copied().collect();
    let upstream = cells.iter().flat_map(|&cell| with_upstream(outcome.graph, cell));
    let upstream: BTreeSet<NodeIndex> = upstream.filter(|node| !cells.contains(node)).collect();
    let mut kinds: Vec<(&str, Vec<&Node>)> = vec![];
    for node in upstream.iter().map(|&index| &outcome.graph[index]) {
        match kinds.iter_mut().find(|(known, _)| *known == node.kind.name) {
            Some((_, nodes)) => nodes.push(node),
            None => kinds.push((&node.kind.name, vec![node])),
        }
    }
    let line = |(kind, nodes): (&str, Vec<&Node>)| {
        let told = counting(nodes[0]).filter(|(name, _)| is_given(&nodes, name));
        let told: Vec<String> =
            told.filter_map(|(name, _)| Some(format!("{name} {}", values(name, &nodes)?))).collect();
        match (told.is_empty(), nodes[0].kind.family() == DATA) {
            (true, false) => None,
            (true, true) => Some(format!("`{kind}`")),
            (false, _) => Some(format!("`{kind}`: {}", told.join(", "))),
        }
    };
    kinds.into_iter().filter_map(line).collect()
}

/// What was chosen at the edge of what was tried: a setting whose name is that of the list that it is chosen from.
pub(super) fn edges<'a>(outcome: &Outcome, columns: impl Iterator<Item = (&'a str, Vec<NodeIndex>)>) -> Vec<String> {
    let mut told: Vec<String> = vec![];
    for (stage, nodes) in columns {
        let nodes = nodes.iter().map(|&index| &outcome.graph[index]);
        for (node, Finished { result, .. }) in nodes.filter_map(|node| Some((node, outcome.finished.get(&node.id)?))) {
            let settings = node.kind.measures.iter().filter(|measure| measure.setting);
            for Measure { name, .. } in settings {
                let chosen = result.measurements.iter().find(|measurement| measurement.name == *name);
                let tried = node.params.get(name).and_then(Value::as_array);
                let tried = tried.map(|tried| tried.iter().filter_map(Value::as_f64).collect::<Vec<f64>>());
                let (Some(chosen), Some(tried)) = (chosen, tried) else { continue };
                let Some(edge) = edge(&tried, chosen.value) else { continue };
                let note = format!("{stage}: {}", at_an_edge(name, chosen.value, edge));
                if !told.contains(&note) {
                    told.push(note);
                }
            }
        }
    }
    told
}

/// What a reader must know where the best may not be among what was tried.
pub(super) fn at_an_edge(name: &str, chosen: f64, edge: &str) -> String {
    let chosen = numbers::plain(chosen);
    format!("{name} {chosen}, the {edge} that was tried, was chosen in some rows: beyond it there may be a better one")
}

/// At which edge of what was tried it lies.
pub(super) fn edge(tried: &[f64], chosen: f64) -> Option<&'static str> {
    let (least, most) = (tried.iter().copied().reduce(f64::min)?, tried.iter().copied().reduce(f64::max)?);
    match chosen {
        _ if least == most => None,
        _ if chosen == least => Some("smallest"),
        _ if chosen == most => Some("largest"),
        _ => None,
    }
}

/// Whether a parameter is not as it is by default in some node, and is not told of all rows ([`super::compared`]).
fn is_given(nodes: &[&Node], name: &str) -> bool {
    !is_compared(name) && nodes.iter().any(|node| node.keyed_params.iter().any(|(given, _)| given == name))
}

/// Of what trains encoders that which is given, since how they are trained is told of all rows; of other kinds all.
fn is_setting(nodes: &[&Node], name: &str) -> bool {
    nodes[0].kind.family() != PRETRAINING || is_given(nodes, name)
}

/// Every parameter that counts, in the order in which the kind declares them, with its value in the first node.
fn counting(first: &Node) -> impl Iterator<Item = (&String, &Value)> {
    let properties = first.kind.params["properties"].as_object().into_iter().flatten();
    let counting = properties.filter(|(_, property)| property["x-unused"] != true && property["x-unkeyed"] != true);
    counting.filter_map(|(name, _)| Some((name, first.params.get(name)?)))
}

fn fixed(first: &Node, nodes: &[&Node]) -> Vec<(String, String)> {
    let is_shared = |name: &str, value: &Value| nodes.iter().all(|node| node.params.get(name) == Some(value));
    let shared = counting(first).filter(|(name, value)| is_shared(name, value) && is_setting(nodes, name));
    let shown = |name: &str, value: &Value| match first.kind.params["properties"][name]["x-unit"].as_str() {
        Some(unit) if !value.is_null() => format!("{} {unit}", plain(value)),
        _ => plain(value),
    };
    shared.map(|(name, value)| (name.clone(), shown(name, value))).collect()
}

fn varied(first: &Node, nodes: &[&Node]) -> Vec<(String, String)> {
    let differs = |name: &str| nodes.iter().any(|node| node.params.get(name) != first.params.get(name));
    let differing = counting(first).filter(|(name, _)| differs(name) && is_setting(nodes, name));
    differing.filter_map(|(name, _)| Some((name.clone(), values(name, nodes)?))).collect()
}

/// The values of a parameter, each once; none of a seed, and none that nobody would read.
fn values(name: &str, nodes: &[&Node]) -> Option<String> {
    const READABLE: usize = 6;
    const LENGTH: usize = 80;
    let is_short = |value: &String| value.len() <= LENGTH && !value.contains('\n');
    let values = each_once(nodes.iter().filter_map(|node| node.params.get(name)));
    let schema = &nodes[0].kind.params["properties"][name];
    // Of a map that is long what is not as it is by default.
    let shown = |value: &Value| Some(plain(value)).filter(is_short).unwrap_or_else(|| told(schema, value));
    let values: Vec<String> = values.into_iter().map(shown).collect();
    let is_told = name != "seed" && values.len() <= READABLE && values.iter().all(is_short);
    is_told.then(|| values.join(" / "))
}

fn chosen(outcome: &Outcome, nodes: &[&Node]) -> Vec<(String, String)> {
    let mut names: Vec<&str> = vec![];
    for Measure { name, .. } in nodes.iter().flat_map(|node| &node.kind.measures).filter(|m| m.setting) {
        if !names.contains(&name.as_str()) {
            names.push(name);
        }
    }
    let values = |name: &str| {
        let finished = nodes.iter().filter_map(|node| outcome.finished.get(&node.id));
        let measured = finished.flat_map(|finished| &finished.result.measurements);
        measured.filter(|m| m.name == name && m.value.is_finite()).map(|m| m.value).collect::<Vec<f64>>()
    };
    let range = |name: &str| {
        let values = values(name);
        let (least, most) = (values.iter().copied().reduce(f64::min)?, values.iter().copied().reduce(f64::max)?);
        Some(if least == most {
            numbers::plain(least)
        } else {
            format!("chosen per row: {}-{}", numbers::plain(least), numbers::plain(most))
        })
    };
    names.iter().filter_map(|name| Some(((*name).to_owned(), range(name)?))).collect()
}
