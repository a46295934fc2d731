//! What tests of recipes share.

#![allow(dead_code, reason = "each test has use for a part of it")]

pub mod oracle;

use pretext::ids::{Key, NodeId};
use pretext::plan::{Graph, canonical};
use pretext_protocol::Catalogue;
use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;

/// Two methods and two seeds.
pub const SMALL: &str = "
name: small
axes: { method: [random, simclr], seed: [0, 1] }
stages:
  photos: { use: data/cifar10, with: { train: 100 } }
  views: { use: augment/simclr }
  pretrain: { use: pretrain/$(method), needs: { data: photos, views: views }, with: { epochs: 5, seed: $(seed) } }
  features: { use: features, needs: { data: photos, encoder: pretrain } }
";

pub fn folder() -> PathBuf {
    PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/recipes"))
}

/// That of the real worker, with the kinds of the design's recipe that are still to come.
pub fn catalogue() -> Catalogue {
    serde_json::from_slice(&fs::read(folder().join("catalogue.json")).unwrap()).unwrap()
}

/// Keys of all nodes, as if each stage yielded its own key's digest.
pub fn keys(graph: &Graph) -> BTreeMap<NodeId, Key> {
    let mut keys: Vec<Key> = vec![];
    for index in graph.node_indices() {
        let mut inputs = BTreeMap::new();
        let mut edges = graph.neighbors_directed(index, petgraph::Direction::Incoming).detach();
        while let Some((edge, source)) = edges.next(graph) {
            if graph[edge].used {
                inputs.insert(graph[edge].port.clone(), keys[source.index()].0);
            }
        }
        keys.push(canonical(&graph[index], inputs).key());
    }
    graph.node_weights().map(|node| node.id.clone()).zip(keys).collect()
}
