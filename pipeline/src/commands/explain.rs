use super::source::{Planned, Source};
use super::{print, target};
use crate::ids::NodeId;
use crate::plan::{Canonical, Device, History, Known, Node, Question, Status, WorkerName};
use crate::recipe::schema;
use crate::store::Store;
use crate::text;
use anyhow::Result;
use clap::Args;
use petgraph::Direction::{Incoming, Outgoing};
use petgraph::graph::NodeIndex;
use petgraph::visit::EdgeRef;
use serde_json::Value;
use std::cell::RefCell;
use std::collections::HashMap;
use std::process::ExitCode;
use std::time::SystemTime;

#[derive(Debug, Args)]
#[command(override_usage = "pretext explain [OPTIONS] [RECIPE] <STAGE>")]
pub(super) struct ExplainArgs {
    /// The recipe's file, where several have the stage, and the stage: 'probe[method=simclr,seed=0]'. Axes may be left
    /// out, if few stages are meant then
    #[arg(num_args = 1..=2, required = true, value_names = ["RECIPE", "STAGE"])]
    words: Vec<String>,
    #[command(flatten)]
    source: Source,
}

pub(super) fn explain(args: &ExplainArgs) -> Result<ExitCode> {
    let (planned, nodes) = target::find_few(&args.words, &args.source)?;
    let runs = Runs { store: planned.view.store(), read: RefCell::default() };
    let pages: Vec<String> = nodes.iter().map(|index| page(&planned, &runs, *index)).collect();
    print(&pages.join("\n"))?;
    Ok(ExitCode::SUCCESS)
}

/// The node, its fate, and what it is made of.
fn page(planned: &Planned, runs: &Runs, index: NodeIndex) -> String {
    let Planned { view, recipe, statuses } = planned;
    let node = &recipe.graph[index];
    let (graph, name, now) = (&recipe.graph, &recipe.name, SystemTime::now());
    let question = Question { graph, statuses, known: view, history: runs, now };
    let mut text = format!("{}\n  {}", node.id, question.answer(index).replace('\n', "\n  "));
    if let Status::Hit { key, .. } = &statuses[index.index()] {
        if let Some(made) = view.store().provenance(key) {
            let cost = text::duration(made.seconds);
            text += &format!(": computed at {} on {} ({}, ", made.finished, made.machine.host, made.device);
            text += &format!("{}) in {cost}", text::counted(made.threads, "thread"));
            if made.node != node.id || made.recipe != *name {
                text += &format!(", as {} of {}", made.node, made.recipe);
            }
        }
        let run = view.last(&node.id).filter(|last| last.key == *key && !last.run.is_empty());
        text += &run.map_or(String::new(), |last| format!("; last used in the run {}", last.run));
    }
    let key = match &statuses[index.index()] {
        Status::Hit { key, .. } | Status::Run { key, .. } => key.to_string(),
        Status::Open { .. } | Status::Spared | Status::Unchecked => "not known yet".to_owned(),
    };
    let rows = [
        ("kind", format!("{}, version {}", node.kind.name, node.kind.version)),
        ("needs", needs(planned, index)),
        ("needed by", needed_by(planned, index)),
        ("resources", resources(planned, index)),
        ("worker", worker(&node.worker)),
        ("key", key),
    ];
    text.push('\n');
    let places = paths(node);
    let places = (!places.is_empty()).then_some(("paths", places));
    rows.iter().chain(&places).fold(text, |text, (what, value)| text + &format!("  {what:<10} {value}\n"))
}

fn needs(planned: &Planned, index: NodeIndex) -> String {
    let graph = &planned.recipe.graph;
    let mut edges: Vec<_> = graph.edges_directed(index, Incoming).collect();
    edges.reverse();
    let need = |edge: &petgraph::graph::EdgeReference<'_, crate::plan::Edge>| {
        let status = match &planned.statuses[edge.source().index()] {
            _ if !edge.weight().used => "ignored".to_owned(),
            Status::Hit { result, .. } => match result.artifacts.get(&edge.weight().output) {
                Some(digest) => format!("hit, {}", digest.short()),
                None => "hit".to_owned(),
            },
            other => other.word().to_owned(),
        };
        format!("{}: {} ({status})", edge.weight().port, graph[edge.source()].id)
    };
    if edges.is_empty() { "nothing".to_owned() } else { edges.iter().map(need).collect::<Vec<_>>().join(", ") }
}

fn needed_by(planned: &Planned, index: NodeIndex) -> String {
    let graph = &planned.recipe.graph;
    let used = graph.edges_directed(index, Outgoing).filter(|edge| edge.weight().used);
    let mut users: Vec<NodeIndex> = used.map(|edge| edge.target()).collect();
    users.sort();
    users.dedup();
    target::some_of(users.iter().map(|user| &graph[*user].id))
}

/// What lies there counts, and where that is does not.
fn paths(node: &Node) -> String {
    let places = node.params.iter().filter(|(name, _)| schema::is_path(&node.kind.params, name));
    let place = |(name, value): (&str, &Value)| {
        let counted = node.keyed_params[name].as_str().unwrap_or_default();
        format!("{name}: {} ({})", schema::plain(value), counted.get(..6).unwrap_or("not read"))
    };
    places.map(place).collect::<Vec<_>>().join(", ")
}

fn resources(planned: &Planned, index: NodeIndex) -> String {
    let resources = &planned.recipe.graph[index].resources;
    let memory: Vec<String> = resources.memory_bytes.iter().map(|bytes| text::bytes(*bytes)).collect();
    let mut parts = vec![text::counted(resources.threads, "thread"), memory.join(", then ")];
    match (resources.device, resources.gpus) {
        (_, gpus) if gpus > 0 => parts.push(text::counted(gpus, "GPU")),
        (Device::Auto, _) => parts.push("a GPU where there is one".to_owned()),
        (device, _) => parts.push(device.to_string()),
    }
    if let Some(seconds) = resources.seconds_at(1) {
        parts.push(text::rough_duration(seconds as f64));
    }
    parts.join(", ")
}

fn worker(worker: &WorkerName) -> String {
    match worker {
        WorkerName::Stages => "pretext-worker".to_owned(),
        WorkerName::Command => "a shell command".to_owned(),
        WorkerName::Foreign(name) => format!("{name}, which the recipe names under `workers`"),
    }
}

/// What earlier runs computed, each read once.
struct Runs<'a> {
    store: &'a Store,
    read: RefCell<HashMap<String, HashMap<NodeId, Canonical>>>,
}

impl History for Runs<'_> {
    fn computed_in(&self, run: &str, node: &NodeId) -> Option<Canonical> {
        if run.is_empty() {
            return None;
        }
        let mut read = self.read.borrow_mut();
        let nodes = read.entry(run.to_owned()).or_insert_with(|| {
            // A record that is gone or cannot be read explains nothing, and nothing else is lost.
            let nodes = self.store.run_nodes(run).unwrap_or_default();
            nodes.into_iter().filter_map(|node| Some((node.node, node.canonical?))).collect()
        });
        nodes.get(node).cloned()
    }
}
