use crate::ids::{Digest, Key, NodeId};
use pretext_protocol::StageKind;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use std::collections::BTreeMap;
use std::sync::Arc;

/// The resolved recipe: an edge leads from what is needed to what needs it.
pub type Graph = petgraph::graph::DiGraph<Node, Edge>;

/// One instance of a stage.
#[derive(Debug, Clone)]
pub struct Node {
    pub id: NodeId,
    /// The stage of the recipe it is an instance of.
    pub stage: String,
    /// Its place on each axis that it varies along, in the order of the recipe's `axes`: axis, label of the value.
    pub axes: Vec<(String, String)>,
    pub kind: Arc<StageKind>,
    /// Every parameter, defaults included, typed as the schema says. What the worker gets.
    pub params: Map<String, Value>,
    /// The parameters that count in the key: used ones that differ from their default, sorted.
    pub keyed_params: BTreeMap<String, Value>,
    pub resources: NodeResources,
}

#[derive(Debug, Clone, PartialEq)]
pub struct NodeResources {
    /// How many threads the stage computes with. Never changed by load.
    pub threads: usize,
    /// What the scheduler reserves for it.
    pub memory_bytes: u64,
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
}

impl Canonical {
    pub fn key(&self) -> Key {
        Key(Digest::of(&serde_json::to_vec(self).expect("plain data serialises")))
    }
}
