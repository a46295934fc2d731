//! What could run, in the order in which it should.

use crate::ids::Key;
use crate::plan::{Canonical, Graph, Node, NodeResources, depths};
use petgraph::graph::NodeIndex;
use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::ops::Bound::{Excluded, Unbounded};

/// A node that could run now.
pub(super) struct Candidate {
    pub key: Key,
    pub canonical: Canonical,
    /// Why the result that is there will not do.
    pub again: Option<String>,
    /// Whether it is computed though there may be a whole result: the user wants it.
    pub replaces: bool,
}

/// What is furthest from the sources comes first: so the first rows of a table are whole early, and bytes that nobody keeps
/// are needed for a short time only. Among equals, the recipe's order.
type Place = (Reverse<usize>, NodeIndex);

/// Candidates by what they want, since what there is no room for once there is no room for a thousand times.
pub(super) struct Ready {
    depths: Vec<usize>,
    /// The size of each node of the graph.
    sizes: Vec<usize>,
    by_size: Vec<BTreeMap<Place, Candidate>>,
    /// Another process, or another node with the same key, computes these.
    held: BTreeMap<Place, Candidate>,
}

/// A walk through all candidates, in order.
pub(super) struct Walk {
    /// How far it is among those of each size; none where it has ended.
    reached: Vec<Option<Option<Place>>>,
}

impl Ready {
    pub fn new(graph: &Graph) -> Self {
        let mut known: Vec<&NodeResources> = vec![];
        let mut sizes = vec![];
        for Node { resources, .. } in graph.node_weights() {
            let size = known.iter().position(|known| *known == resources).unwrap_or(known.len());
            if size == known.len() {
                known.push(resources);
            }
            sizes.push(size);
        }
        let by_size = known.iter().map(|_| BTreeMap::new()).collect();
        Self { depths: depths(graph), sizes, by_size, held: BTreeMap::new() }
    }

    pub fn is_empty(&self) -> bool {
        self.held.is_empty() && self.by_size.iter().all(BTreeMap::is_empty)
    }

    pub fn insert(&mut self, node: NodeIndex, candidate: Candidate) {
        let place = self.place(node);
        self.by_size[self.sizes[node.index()]].insert(place, candidate);
    }

    pub fn contains(&self, node: NodeIndex) -> bool {
        self.get(node).is_some() || self.held.contains_key(&self.place(node))
    }

    pub fn get(&self, node: NodeIndex) -> Option<&Candidate> {
        self.by_size[self.sizes[node.index()]].get(&self.place(node))
    }

    pub fn take(&mut self, node: NodeIndex) -> Option<Candidate> {
        let place = self.place(node);
        self.by_size[self.sizes[node.index()]].remove(&place)
    }

    /// Puts a candidate aside whose key somebody else has.
    pub fn hold(&mut self, node: NodeIndex) {
        let place = self.place(node);
        if let Some(candidate) = self.take(node) {
            self.held.insert(place, candidate);
        }
    }

    /// Makes those ready again that were put aside, all or those with a key.
    pub fn release(&mut self, key: Option<Key>) {
        let fits = |_: &Place, candidate: &mut Candidate| key.is_none_or(|key| candidate.key == key);
        for ((depth, node), candidate) in self.held.extract_if(.., fits) {
            self.by_size[self.sizes[node.index()]].insert((depth, node), candidate);
        }
    }

    pub fn walk(&self) -> Walk {
        Walk { reached: vec![Some(None); self.by_size.len()] }
    }

    fn place(&self, node: NodeIndex) -> Place {
        (Reverse(self.depths[node.index()]), node)
    }
}

impl Walk {
    /// The next candidate of those that are there now.
    pub fn next(&mut self, ready: &Ready) -> Option<NodeIndex> {
        let next = |(size, reached): (usize, &Option<Option<Place>>)| {
            let from = reached.as_ref()?.map_or(Unbounded, Excluded);
            Some((*ready.by_size[size].range((from, Unbounded)).next()?.0, size))
        };
        let (place, size) = self.reached.iter().enumerate().filter_map(next).min()?;
        self.reached[size] = Some(Some(place));
        Some(place.1)
    }

    /// Passes over all that want as much as a node.
    pub fn pass_over(&mut self, node: NodeIndex, ready: &Ready) {
        self.reached[ready.sizes[node.index()]] = None;
    }
}
