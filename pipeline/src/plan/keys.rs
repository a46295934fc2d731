//! Canonical forms and keys of nodes whose inputs are known.

use super::{Canonical, CodeFile, Graph, Node, Params, Status};
use crate::ids::{Digest, Key};
use petgraph::Direction;
use petgraph::graph::NodeIndex;
use petgraph::visit::EdgeRef;
use serde::{Serialize, Serializer};
use std::collections::BTreeMap;

/// The canonical form of a node whose inputs are known.
pub fn canonical(node: &Node, inputs: BTreeMap<String, Digest>) -> Canonical {
    Canonical {
        kind: node.kind.name.clone(),
        version: node.kind.version,
        numerics: node.numerics.to_string(),
        params: BTreeMap::from(&node.keyed_params),
        inputs,
        command: node.program.command.clone(),
        code: node.program.digests(),
    }
}

/// The canonical form of a node of a plan; `None` while what is on one of its ports is not known.
pub fn canonical_at(graph: &Graph, index: NodeIndex, statuses: &[Status]) -> Option<Canonical> {
    let mut keyer = Keyer::default();
    let result = |source: NodeIndex| match &statuses[source.index()] {
        Status::Hit { result, .. } => Some(result),
        _ => None,
    };
    let artifact = |source: NodeIndex, output: &str| result(source)?.artifacts.get(output).copied();
    match keyer.gather(graph, index, artifact) {
        None => Some(keyer.canonical(&graph[index])),
        Some(_) => None,
    }
}

/// Makes keys of many nodes, one after the other, with the same memory.
#[derive(Default)]
pub(super) struct Keyer<'a> {
    /// What is on each used port, in the order of the ports' names.
    inputs: Vec<(&'a str, Digest)>,
    json: Vec<u8>,
}

impl<'a> Keyer<'a> {
    /// Collects what is on the ports of a node. Returns a node that must be waited for: the recipe's first.
    pub(super) fn gather(
        &mut self,
        graph: &'a Graph,
        index: NodeIndex,
        artifact: impl Fn(NodeIndex, &str) -> Option<Digest>,
    ) -> Option<NodeIndex> {
        self.inputs.clear();
        let mut waits_for = None;
        // petgraph gives the latest edge first.
        for edge in graph.edges_directed(index, Direction::Incoming).filter(|edge| edge.weight().used) {
            match artifact(edge.source(), &edge.weight().output) {
                Some(digest) => self.inputs.push((&edge.weight().port, digest)),
                None => waits_for = Some(edge.source()),
            }
        }
        self.inputs.sort_unstable();
        waits_for
    }

    /// The key of a node whose ports were gathered: the digest of the same bytes as [`Canonical::key`], without making
    /// the canonical form.
    pub(super) fn key(&mut self, node: &Node) -> Key {
        self.json.clear();
        let form = Borrowed {
            kind: &node.kind.name,
            version: node.kind.version,
            numerics: &node.numerics,
            params: &node.keyed_params,
            inputs: Inputs(&self.inputs),
            command: &node.program.command,
            code: &node.program.code,
        };
        serde_json::to_writer(&mut self.json, &form).expect("plain data serialises");
        Key(Digest::of(&self.json))
    }

    pub(super) fn canonical(&self, node: &Node) -> Canonical {
        canonical(node, self.inputs.iter().map(|(port, digest)| ((*port).to_owned(), *digest)).collect())
    }
}

/// [`Canonical`] of what others own. A test holds the two against each other.
#[derive(Serialize)]
struct Borrowed<'a> {
    kind: &'a str,
    version: u32,
    numerics: &'a str,
    params: &'a Params,
    inputs: Inputs<'a>,
    #[serde(skip_serializing_if = "<[String]>::is_empty")]
    command: &'a [String],
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    code: &'a BTreeMap<String, CodeFile>,
}

struct Inputs<'a>(&'a [(&'a str, Digest)]);

impl Serialize for Inputs<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().map(|(port, digest)| (port, digest)))
    }
}
