//! The plan as people read it: nodes of a stage with the same fate on one line.

use super::evaluate::{Reason, Status};
use super::{Graph, Node};
use crate::recipe::schema;
use crate::text::{count, duration};
use petgraph::Direction;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fmt::Write;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// How far the reasons stand to the right of the names.
const NAMES: usize = 44;

/// One line for each group, then what the recipe says and a kind ignores. `now` is what times are told from.
pub fn text(recipe: &str, graph: &Graph, statuses: &[Status], now: SystemTime) -> String {
    let groups = groups(graph, statuses);
    let of = |word: &str| count(groups.iter().filter(|group| group.word == word).map(|g| g.nodes.len() as u64).sum());
    let all = count(statuses.len() as u64);
    let mut text = format!("{recipe}: {all} stages · {} hit, {} to run, {} open\n", of("hit"), of("run"), of("open"));
    for group in &groups {
        let line = format!("{:<5} {:<NAMES$} {}", group.word, group.name(), group.why(now));
        let _ = writeln!(text, "{}", line.trim_end());
    }
    for note in ignored(graph) {
        let _ = writeln!(text, "note: {note}");
    }
    text
}

/// Nodes of one stage that have the same fate for the same reasons.
struct Group<'a> {
    word: &'static str,
    nodes: Vec<&'a Node>,
    /// What is the same for all of them.
    reasons: Vec<String>,
    /// Digests and damages, which every node has of its own; shown where all have the same.
    details: Vec<Option<String>>,
    last: Option<u64>,
}

/// In the order of the graph.
fn groups<'a>(graph: &'a Graph, statuses: &[Status]) -> Vec<Group<'a>> {
    let mut groups: Vec<Group> = vec![];
    let mut places: HashMap<(&str, &'static str, Vec<String>), usize> = HashMap::new();
    for (node, status) in graph.node_weights().zip(statuses) {
        let (word, said, last) = fate(node, status);
        let (reasons, details): (Vec<String>, Vec<Option<String>>) = said.into_iter().unzip();
        let place = *places.entry((&node.stage, word, reasons.clone())).or_insert(groups.len());
        if place == groups.len() {
            groups.push(Group { word, nodes: vec![], reasons, details: details.clone(), last });
        }
        groups[place].add(node, &details, last);
    }
    groups
}

impl<'a> Group<'a> {
    fn add(&mut self, node: &'a Node, details: &[Option<String>], last: Option<u64>) {
        self.nodes.push(node);
        for (common, detail) in self.details.iter_mut().zip(details) {
            if common != detail {
                *common = None;
            }
        }
        self.last = self.last.max(last);
    }

    /// The stage's name with the axes on which all of them have the same place, and how many they are.
    fn name(&self) -> String {
        let mut shared = self.nodes[0].axes.clone();
        self.nodes.iter().for_each(|node| shared.retain(|place| node.axes.contains(place)));
        let places: Vec<String> = shared.iter().map(|(axis, label)| format!("{axis}={label}")).collect();
        let places = if places.is_empty() { String::new() } else { format!("[{}]", places.join(",")) };
        let times = if self.nodes.len() > 1 { format!(" x{}", count(self.nodes.len() as u64)) } else { String::new() };
        format!("{}{places}{times}", self.nodes[0].stage)
    }

    fn why(&self, now: SystemTime) -> String {
        let with_detail = |(reason, detail): (&String, &Option<String>)| match detail {
            Some(detail) => format!("{reason}{detail}"),
            None => reason.clone(),
        };
        let reasons: Vec<String> = self.reasons.iter().zip(&self.details).map(with_detail).collect();
        let ago = self.last.and_then(|last| now.duration_since(UNIX_EPOCH + Duration::from_secs(last)).ok());
        let ago = ago.map_or(String::new(), |ago| format!(" (last run {} ago)", duration(ago.as_secs_f64())));
        format!("{}{ago}", reasons.join("; "))
    }
}

/// A reason, and its detail, which may differ within a group.
type Why = (String, Option<String>);

/// The word for it, its reasons, and when it last ran.
fn fate(node: &Node, status: &Status) -> (&'static str, Vec<Why>, Option<u64>) {
    match status {
        Status::Hit { .. } => ("hit", vec![], None),
        Status::Open { waits_for } => {
            let stage = waits_for.0.split('[').next().unwrap_or_default();
            ("open", vec![(format!("waits for what {stage} yields"), None)], None)
        }
        Status::Unchecked => ("unchecked", vec![("its worker is not allowed yet".into(), None)], None),
        Status::Run { reasons, last, .. } => ("run", reasons.iter().map(|one| reason(node, one)).collect(), *last),
    }
}

fn reason(node: &Node, reason: &Reason) -> Why {
    let value = |name: &str, value: &Option<Value>| match value {
        Some(value) => schema::plain(value),
        None => schema::default_at(&node.kind.params, name).map_or("default".into(), |value| schema::plain(&value)),
    };
    let plain = match reason {
        Reason::Damaged(damage) => return ("its result is damaged".into(), Some(format!(": {damage}"))),
        Reason::Input { port, from, to } => {
            let short = |digest: &Option<crate::ids::Digest>| digest.map_or("none".into(), |digest| digest.short());
            let change = format!(" ({} -> {})", short(from), short(to));
            return (format!("input `{port}` changed"), Some(change));
        }
        Reason::NeverRan => "never ran".into(),
        Reason::Gone => "its result is no longer in the store".into(),
        Reason::Parameter { name, from, to } => format!("{name} {} -> {}", value(name, from), value(name, to)),
        Reason::Version { from, to } => format!("version {from} -> {to}"),
        Reason::Kind { from, to } => format!("kind {from} -> {to}"),
        Reason::Code { path, .. } => format!("{path} changed"),
        Reason::BytesNeeded { by } => format!("its bytes were dropped and {by} needs them"),
        Reason::Forced => "forced".into(),
        Reason::Numerics { from, to } => format!("numerics {from} -> {to}"),
    };
    (plain, None)
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
