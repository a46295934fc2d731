//! One cell: the mean and standard deviation of one measurement over the nodes of one place.

use super::differences::Difference;
use super::gaps::Gaps;
use super::{Outcome, frame, nodes, wording};
use crate::ids::Key;
use crate::recipe::{Column, Reference};
use petgraph::graph::NodeIndex;
use std::collections::{BTreeMap, BTreeSet};

/// What stands in one row and column.
#[derive(Debug, Clone, PartialEq)]
pub struct Cell {
    /// `None` when no node of the cell gave the measurement: a gap.
    pub summary: Option<Summary>,
    /// How many nodes the recipe has for it.
    pub expected: usize,
    /// How many of them gave the measurement.
    pub measured: usize,
    /// Each computation stands for several nodes, since not all that is averaged over counts in it: it is one value of `summary`.
    pub is_shared: bool,
    /// The published value to stand beside it.
    pub reference: Option<Reference>,
    /// To the cell of the row that this one is held against.
    pub difference: Option<Difference>,
}

#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Summary {
    /// As measured: a fraction stays a fraction.
    pub mean: f64,
    /// Of the sample (divided by n - 1); `None` of a single value.
    pub sd: Option<f64>,
    pub n: usize,
}

impl Cell {
    /// Of which nothing is known.
    pub(super) fn empty() -> Self {
        Self { summary: None, expected: 0, measured: 0, is_shared: false, reference: None, difference: None }
    }
}

/// Fills one cell from `nodes` and notes why a value is missing.
pub(super) fn cell(
    outcome: &Outcome,
    row: &[(String, String)],
    column: &Column,
    nodes: &[NodeIndex],
    gaps: &mut Gaps,
) -> Cell {
    let measured: Vec<(Key, f64)> = nodes.iter().filter_map(|&index| value(outcome, index, column, gaps)).collect();
    let values = once(&measured);
    let label = wording::row_label(row.iter().map(|(_, label)| label));
    if nodes.is_empty() {
        let row = wording::row_name(row.iter().map(|(_, label)| label));
        gaps.not_in_recipe(format!("{} of {row}", column.title));
    }
    Cell {
        summary: frame::summary(&values),
        expected: nodes.len(),
        measured: measured.len(),
        is_shared: values.len() < measured.len(),
        reference: column.references.iter().find(|reference| reference.row == label).cloned(),
        difference: None,
    }
}

/// The values of computations, each once where all stand for equally many nodes; else all, or some would weigh less than in other rows.
pub(super) fn once<K: Ord + Copy>(values: &[(K, f64)]) -> Vec<f64> {
    let mut counts: BTreeMap<K, usize> = BTreeMap::new();
    values.iter().for_each(|(computation, _)| *counts.entry(*computation).or_default() += 1);
    let mut of_each = counts.values();
    let first = of_each.next();
    let are_equal = of_each.all(|count| Some(count) == first);
    let mut known = BTreeSet::new();
    values.iter().filter(|(computation, _)| known.insert(*computation) || !are_equal).map(|&(_, value)| value).collect()
}

/// The computation of one node, and its measurement that a column shows.
pub(super) fn measured(outcome: &Outcome, index: NodeIndex, column: &Column) -> Option<(Key, f64)> {
    let result = outcome.finished.get(&outcome.graph[index].id)?.result;
    let mut fitting = result.measurements.iter().filter(|m| m.name == column.value && m.split == column.split);
    let only = fitting.next().filter(|_| fitting.next().is_none())?;
    Some((result.key, only.value)).filter(|(_, value)| value.is_finite())
}

/// The same, or nothing and a note of the reason.
fn value(outcome: &Outcome, index: NodeIndex, column: &Column, gaps: &mut Gaps) -> Option<(Key, f64)> {
    if let Some(value) = measured(outcome, index, column) {
        return Some(value);
    }
    let node = &outcome.graph[index].id;
    let Some(finished) = outcome.finished.get(node) else {
        let upstream = nodes::with_upstream(outcome.graph, index);
        let ids = upstream.iter().map(|&index| &outcome.graph[index].id);
        let failure = ids.filter_map(|id| outcome.failed.get_key_value(id)).next();
        gaps.not_computed(node, failure);
        return None;
    };
    let all = &finished.result.measurements;
    let mut fitting = all.iter().filter(|m| m.name == column.value && m.split == column.split);
    match (fitting.next(), fitting.next()) {
        (Some(_), None) => gaps.not_finite(finished.node, column),
        (first, _) => gaps.not_measured(node, column, all, first.is_some()),
    }
    None
}

pub(super) fn keys(outcome: &Outcome, nodes: &[NodeIndex]) -> BTreeSet<Key> {
    let finished = nodes.iter().filter_map(|&index| outcome.finished.get(&outcome.graph[index].id));
    finished.map(|finished| finished.result.key).collect()
}

#[cfg(test)]
mod tests {
    use super::once;

    #[test]
    fn computations_count_once_where_that_changes_no_weights() {
        assert_eq!(once(&[(1, 2.0), (1, 2.0), (2, 4.0), (2, 4.0)]), [2.0, 4.0]);
        assert_eq!(once(&[(1, 2.0), (2, 4.0), (2, 4.0)]), [2.0, 4.0, 4.0]);
        assert!(once::<u8>(&[]).is_empty());
    }
}
