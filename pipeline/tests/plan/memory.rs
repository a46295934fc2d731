//! A small recipe, and what earlier runs of it have left behind.

pub use crate::common::{SMALL as RECIPE, catalogue, folder};
use pretext::ids::{Digest, Key, NodeId};
use pretext::plan::{Canonical, Graph, Known, Lookup, Reason, Status, canonical, evaluate};
use pretext::recipe::parse;
use pretext::store::{LastRun, StageResult};
use pretext_protocol::Catalogue;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

pub fn graph(recipe: &str) -> Graph {
    graph_of(recipe, &catalogue())
}

pub fn graph_of(recipe: &str, catalogue: &Catalogue) -> Graph {
    parse("recipe.yaml", recipe, catalogue).unwrap_or_else(|errors| panic!("{errors}")).graph
}

/// Results by key, and what last ran under each name.
#[derive(Default)]
pub struct Memory {
    pub results: Mutex<BTreeMap<Key, Arc<StageResult>>>,
    pub last: Mutex<BTreeMap<NodeId, LastRun>>,
    /// What each node computed in the run that all last ran in.
    pub first: Mutex<BTreeMap<NodeId, Canonical>>,
    /// Of these the bytes were dropped.
    pub dropped: Mutex<Vec<Key>>,
    /// Of these the artifact is broken.
    pub damaged: Mutex<Vec<Key>>,
}

impl Known for Memory {
    fn result(&self, key: &Key) -> Lookup {
        if self.damaged.lock().unwrap().contains(key) {
            return Lookup::Damaged(format!("artifact {} is missing", key.0.short()));
        }
        match self.results.lock().unwrap().get(key) {
            Some(result) if self.dropped.lock().unwrap().contains(key) => Lookup::Dropped(result.clone()),
            Some(result) => Lookup::Found(result.clone()),
            None => Lookup::Missing,
        }
    }
    fn last(&self, node: &NodeId) -> Option<LastRun> {
        self.last.lock().unwrap().get(node).cloned()
    }
}

/// The run that all last ran in.
pub const RUN: &str = "1970-01-12T13-46-40Z";
/// When everything last ran, in seconds since 1970.
pub const THEN: u64 = 1_000_000;

impl Memory {
    /// Runs all that must run, one after the other; `yields` is the digest of each node's output.
    pub fn run(&self, graph: &Graph, yields: impl Fn(&str) -> Digest) -> Vec<String> {
        let mut ran = vec![];
        loop {
            let statuses = evaluate(graph, self);
            let next = graph.node_indices().find(|index| matches!(statuses[index.index()], Status::Run { .. }));
            let Some(index) = next else { return ran };
            let node = &graph[index];
            let mut inputs = BTreeMap::new();
            let mut edges = graph.neighbors_directed(index, petgraph::Direction::Incoming).detach();
            while let Some((edge, source)) = edges.next(graph) {
                if graph[edge].used {
                    inputs.insert(graph[edge].port.clone(), yields(&graph[source].id.0));
                }
            }
            let canonical = canonical(node, inputs);
            let key = canonical.key();
            let artifacts = node.kind.gives.iter().map(|output| (output.name.clone(), yields(&node.id.0))).collect();
            self.last
                .lock()
                .unwrap()
                .insert(node.id.clone(), LastRun { key, canonical: canonical.clone(), at: THEN, run: RUN.into() });
            let result = StageResult { key, artifacts, measurements: vec![] };
            self.results.lock().unwrap().insert(key, Arc::new(result));
            ran.push(node.id.0.clone());
        }
    }

    /// Has another recipe compute what a node that must run would.
    pub fn yields(&self, graph: &Graph, name: &str, digest: Digest) {
        let index = graph.node_indices().find(|&index| graph[index].id.0 == name).unwrap();
        let Status::Run { key, .. } = self.status(graph, name) else { panic!("{name} need not run") };
        let artifacts = graph[index].kind.gives.iter().map(|output| (output.name.clone(), digest)).collect();
        self.results.lock().unwrap().insert(key, Arc::new(StageResult { key, artifacts, measurements: vec![] }));
    }

    /// One that knows everything of the recipe.
    pub fn full() -> Self {
        let memory = Self::default();
        memory.run(&graph(RECIPE), by_name);
        memory
    }

    pub fn status(&self, graph: &Graph, name: &str) -> Status {
        let index = graph.node_indices().find(|&index| graph[index].id.0 == name).unwrap();
        evaluate(graph, self).swap_remove(index.index())
    }

    pub fn reasons(&self, graph: &Graph, name: &str) -> Vec<Reason> {
        match self.status(graph, name) {
            Status::Run { reasons, .. } => reasons,
            other => panic!("{name} need not run: {other:?}"),
        }
    }
}

pub fn by_name(name: &str) -> Digest {
    Digest::of(name.as_bytes())
}

pub const SIMCLR: &str = "pretrain[method=simclr,seed=0]";
pub const FEATURES: &str = "features[method=simclr,seed=0]";
