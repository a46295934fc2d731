use super::{Graph, Node, WorkerName};
use crate::recipe::schema;
use crate::text::counted;
use petgraph::Direction;
use pretext_protocol::StageKind;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

/// What a person should know of a recipe that is no mistake.
pub fn notes(graph: &Graph) -> Vec<String> {
    [unlisted(graph), ignored(graph)].concat()
}

/// Files that commands name and that count in no key: `line reads count.py, which is not under its `code:``.
pub fn unlisted(graph: &Graph) -> Vec<String> {
    let mut told: BTreeSet<(String, &str)> = BTreeSet::new();
    for node in graph.node_weights() {
        let whose = match &node.worker {
            WorkerName::Foreign(name) => format!("worker `{name}`"),
            _ => format!("stage `{}`", node.stage),
        };
        told.extend(node.program.unlisted.iter().map(|file| (whose.clone(), file.as_str())));
    }
    let note = |(whose, file)| {
        format!("{whose} names the file {file}, which is not under its `code:`: a change of it is not noticed")
    };
    told.into_iter().map(note).collect()
}

/// Stages that want more threads than there are: they run alone, and slower than with fewer.
pub fn wider_than(graph: &Graph, threads: usize) -> Vec<String> {
    let wide = graph.node_weights().filter(|node| node.resources.threads > threads);
    let stages: BTreeSet<(&str, usize)> = wide.map(|node| (&*node.stage, node.resources.threads)).collect();
    let there = counted(threads, "thread");
    let note = |(stage, wanted)| {
        format!(
            "stage `{stage}` wants {wanted} threads and there are {there}: it runs alone, and slower than with fewer"
        )
    };
    stages.into_iter().map(note).collect()
}

/// What a kind accepts for its family's sake and that counts for nothing: `pretrain/pixels ignores encoder, epochs`.
fn ignored(graph: &Graph) -> Vec<String> {
    // By address, since a graph shares its kinds.
    let mut of_kinds: HashMap<*const StageKind, Ignored> = HashMap::new();
    for index in graph.node_indices() {
        let node = &graph[index];
        let ignored = of_kinds.entry(Arc::as_ptr(&node.kind)).or_insert_with(|| Ignored::of(&node.kind));
        ignored.look_at(node);
        for edge in graph.edges_directed(index, Direction::Incoming).filter(|edge| !edge.weight().used) {
            if !ignored.ports.contains(&*edge.weight().port) {
                ignored.ports.insert(edge.weight().port.to_string());
            }
        }
    }
    let mut by_name: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for Ignored { kind, ports, given, .. } in of_kinds.into_values() {
        let ports = ports.into_iter().map(|port| format!("port {port}"));
        by_name.entry(kind).or_default().extend(given.into_iter().chain(ports));
    }
    let notes = by_name.into_iter().filter(|(_, notes)| !notes.is_empty());
    notes.map(|(kind, notes)| format!("{kind} ignores {}", notes.into_iter().collect::<Vec<_>>().join(", "))).collect()
}

/// What nodes of one kind were given in vain.
struct Ignored {
    kind: String,
    /// Parameters that it ignores and that all nodes so far have left at their defaults.
    untouched: Vec<(String, Value)>,
    given: BTreeSet<String>,
    ports: BTreeSet<String>,
}

impl Ignored {
    fn of(kind: &StageKind) -> Self {
        let properties = kind.params["properties"].as_object().into_iter().flatten();
        let unused = properties.filter(|(_, property)| property["x-unused"] == true);
        let untouched = unused.map(|(name, property)| (name.clone(), schema::default(property))).collect();
        Self { kind: kind.name.clone(), untouched, given: BTreeSet::new(), ports: BTreeSet::new() }
    }

    fn look_at(&mut self, node: &Node) {
        for (name, _) in self.untouched.extract_if(.., |(name, default)| node.params.get(name) != Some(default)) {
            self.given.insert(name);
        }
    }
}
