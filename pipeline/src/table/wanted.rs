//! What of a graph is computed where a recipe chooses: of what lies behind a choice, only that for the values that are chosen.

use super::nodes::{combinations, with_upstream};
use super::{Outcome, chosen};
use crate::recipe::{Choice, TableSpec};
use petgraph::Direction::Outgoing;
use petgraph::graph::NodeIndex;
use std::collections::{BTreeSet, HashSet};

/// The stages by whose measurements something is chosen; none where a recipe chooses nothing.
pub fn decide(tables: &[TableSpec]) -> BTreeSet<&str> {
    choices(tables).map(|choice| choice.by.from.as_str()).collect()
}

fn choices(tables: &[TableSpec]) -> impl Iterator<Item = &Choice> {
    tables.iter().flat_map(|table| &table.columns).flat_map(|column| &column.chosen)
}

/// The nodes that are wanted, as far as what is finished says: all that varies along no axis that is chosen along, what decides, what the
/// tables show of what was chosen, what no table shows and nothing else needs, and all that these stand on. It grows as more is finished,
/// and never shrinks.
pub fn wanted(outcome: &Outcome) -> HashSet<NodeIndex> {
    let (graph, tables) = (outcome.graph, outcome.tables);
    let chosen_along: BTreeSet<&String> = choices(tables).flat_map(|choice| &choice.axes).collect();
    let columns = tables.iter().flat_map(|table| &table.columns).map(|column| column.from.as_str());
    let shown: BTreeSet<&str> = columns.chain(decide(tables)).collect();
    let is_last = |index: &NodeIndex| !graph.edges_directed(*index, Outgoing).any(|edge| edge.weight().used);
    let in_any_case = graph.node_indices().filter(|index| {
        let node = &graph[*index];
        node.axes.iter().all(|(axis, _)| !chosen_along.contains(axis))
            || is_last(index) && !shown.contains(&*node.stage)
    });
    let of_tables = tables.iter().flat_map(|spec| {
        let rows = combinations(spec, &spec.rows).into_iter();
        rows.flat_map(move |row| {
            spec.columns.iter().flat_map(move |column| chosen::needed(outcome, spec, &row, column))
        })
    });
    let mut wanted = HashSet::new();
    for index in in_any_case.chain(of_tables) {
        if !wanted.contains(&index) {
            wanted.extend(with_upstream(graph, index));
        }
    }
    wanted
}
