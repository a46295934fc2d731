//! Finding nodes: those of a place on the axes, and those upstream of another.

use super::Outcome;
use crate::plan::{Graph, Node};
use crate::recipe::{Column, TableSpec};
use petgraph::graph::NodeIndex;
use petgraph::visit::{Bfs, EdgeFiltered, Reversed};

/// Axis and label, for some axes.
pub(super) type Place = Vec<(String, String)>;

/// Every combination of labels on `axes`, the last axis fastest; one empty place when there are none.
pub(super) fn combinations(spec: &TableSpec, axes: &[String]) -> Vec<Place> {
    axes.iter().fold(vec![Place::new()], |places, axis| {
        let labels = spec.labels.iter().filter(|(own, _)| own == axis).flat_map(|(_, labels)| labels);
        let steps: Vec<_> = labels.map(|label| (axis.clone(), label.clone())).collect();
        places
            .iter()
            .flat_map(|place| steps.iter().map(|step| [&place[..], std::slice::from_ref(step)].concat()))
            .collect()
    })
}

/// Whether a node counts at a place. It stands for every label of an axis along which it does not vary.
pub(super) fn stands_for(node: &Node, place: &[(String, String)]) -> bool {
    place.iter().all(|(axis, label)| node.axes.iter().all(|(own, at)| own != axis || at == label))
}

/// The nodes whose measurements a cell is made of, in the order of the graph.
pub(super) fn of_cell(outcome: &Outcome, row: &[(String, String)], column: &Column) -> Vec<NodeIndex> {
    let graph = outcome.graph;
    let counts = |node: &Node| node.stage == column.from && stands_for(node, row) && stands_for(node, &column.where_);
    graph.node_indices().filter(|&index| counts(&graph[index])).collect()
}

/// A node and all that it stands on, over the connections that are used, the nearest first.
pub(super) fn with_upstream(graph: &Graph, start: NodeIndex) -> Vec<NodeIndex> {
    let used = EdgeFiltered::from_fn(graph, |edge| edge.weight().used);
    let towards_data = Reversed(&used);
    let mut search = Bfs::new(towards_data, start);
    std::iter::from_fn(|| search.next(towards_data)).collect()
}
