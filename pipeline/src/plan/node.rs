use super::{Device, Params, Program};
use crate::ids::{Digest, Key, NodeId};
use pretext_protocol::StageKind;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

/// The resolved recipe: an edge leads from what is needed to what needs it.
pub type Graph = petgraph::graph::DiGraph<Node, Edge>;
pub use petgraph::graph::NodeIndex;

/// One instance of a stage.
#[derive(Debug, Clone)]
pub struct Node {
    pub id: NodeId,
    /// The stage of the recipe it is an instance of.
    pub stage: String,
    /// Its place on each axis that it varies along, in the order of the recipe's `axes`: axis, label of the value.
    pub axes: Vec<(String, String)>,
    pub kind: Arc<StageKind>,
    /// What the numbers depend on beside kinds and parameters, as its worker says. Counts in the key.
    pub numerics: Arc<str>,
    /// Every parameter, defaults included, typed as the schema says. What the worker gets.
    pub params: Params,
    /// The parameters that count in the key: used ones that differ from their default.
    pub keyed_params: Params,
    pub resources: NodeResources,
    pub policy: Policy,
    pub worker: WorkerName,
    /// What is started where a program of the recipe's own computes it.
    pub program: Arc<Program>,
    /// False for a stage of a worker that nobody has allowed yet: of its kind only the name is known.
    pub is_checked: bool,
}

impl Node {
    /// The parameters that are paths and count, each with where it is and the digest of what lay there when the recipe was
    /// read.
    pub fn paths(&self) -> Vec<(String, PathBuf, Digest)> {
        let mut found = vec![];
        for (name, property) in self.kind.params["properties"].as_object().into_iter().flatten() {
            collect_paths(property, name, &self.params[name], &self.keyed_params[name], &mut found);
        }
        found
    }
}

fn collect_paths(schema: &Value, name: &str, given: &Value, keyed: &Value, found: &mut Vec<(String, PathBuf, Digest)>) {
    for (inner, property) in schema["properties"].as_object().into_iter().flatten() {
        collect_paths(property, &format!("{name}.{inner}"), &given[inner], &keyed[inner], found);
    }
    let digest = keyed.as_str().and_then(|digest| digest.parse().ok());
    if let (true, Some(place), Some(digest)) = (schema["x-path"] == true, given.as_str(), digest) {
        found.push((name.to_owned(), PathBuf::from(place), digest));
    }
}

/// What is reserved for a stage. None of it counts in a key.
#[derive(Debug, Clone, PartialEq)]
pub struct NodeResources {
    /// How many threads the stage computes with. Never changed by load, nor by the attempt: it changes the last bits.
    pub threads: usize,
    /// Memory by attempt; the last holds for all further ones. Never empty.
    pub memory_bytes: Vec<u64>,
    /// Where it is computed; `auto` only where its kind has use for a GPU.
    pub device: Device,
    /// How many GPUs it is given, where it wants a number of them.
    pub gpus: usize,
    /// How long it is expected to take, by attempt, where the recipe says so: what a cluster is asked for, and what time
    /// is left by, where no earlier run tells.
    pub seconds: Vec<u64>,
}

impl Default for NodeResources {
    /// One thread: several such stages side by side do more than one with several threads.
    fn default() -> Self {
        Self { threads: 1, memory_bytes: vec![1 << 30], device: Device::Auto, gpus: 0, seconds: vec![] }
    }
}

impl NodeResources {
    /// Memory for an attempt, counted from 1.
    pub fn memory_at(&self, attempt: u32) -> u64 {
        at(&self.memory_bytes, attempt).unwrap_or_default()
    }

    /// Seconds for an attempt, counted from 1.
    pub fn seconds_at(&self, attempt: u32) -> Option<u64> {
        at(&self.seconds, attempt)
    }
}

fn at(by_attempt: &[u64], attempt: u32) -> Option<u64> {
    by_attempt.get(attempt.saturating_sub(1) as usize).or(by_attempt.last()).copied()
}

/// What is done about a stage that fails or is done. None of it counts in a key.
#[derive(Debug, Clone, PartialEq)]
pub struct Policy {
    /// How often it is tried again after a failure.
    pub retries: u32,
    /// An attempt that takes longer is ended and counts as failed.
    pub timeout: Option<Duration>,
    /// False: its artifacts are dropped when nothing in the recipe needs them any more; its result stays.
    pub keep: bool,
}

impl Default for Policy {
    fn default() -> Self {
        Self { retries: 0, timeout: None, keep: true }
    }
}

/// Who computes a stage.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum WorkerName {
    /// `pretext-worker`.
    #[default]
    Stages,
    /// `pretext` itself: a shell command with declared inputs and outputs (`tool/command`).
    Command,
    /// One that the recipe's `workers:` names.
    Foreign(Arc<str>),
}

/// A connection.
#[derive(Debug, Clone, PartialEq)]
pub struct Edge {
    /// The port of the stage that needs it.
    pub port: String,
    /// The output of the stage that gives it.
    pub output: String,
    /// False when the port is accepted and ignored: it counts in no key, and nothing waits for it.
    pub used: bool,
}

/// The canonical form of a computation, whose digest is its [`Key`]. Serialised as JSON with sorted keys.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Canonical {
    pub kind: String,
    pub version: u32,
    pub numerics: String,
    pub params: BTreeMap<String, Value>,
    /// Content digest of the artifact on each used port.
    pub inputs: BTreeMap<String, Digest>,
    /// Of a recipe's own worker ([`Program::command`]).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub command: Vec<String>,
    /// Digests of the files that count ([`Program::code`]).
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub code: BTreeMap<String, Digest>,
}

impl Canonical {
    pub fn key(&self) -> Key {
        Key(Digest::of(&serde_json::to_vec(self).expect("plain data serialises")))
    }
}
