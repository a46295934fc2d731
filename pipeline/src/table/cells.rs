//! One cell: the mean and standard deviation of one measurement over the nodes of one place.

use super::differences::Difference;
use super::gaps::Gaps;
use super::{Outcome, frame, nodes, wording};
use crate::ids::Key;
use crate::recipe::{Column, Reference};
use petgraph::graph::NodeIndex;
use std::collections::BTreeSet;

/// What stands in one row and column.
#[derive(Debug, Clone, PartialEq)]
pub struct Cell {
    /// `None` when no node of the cell gave the measurement: a gap.
    pub summary: Option<Summary>,
    /// How many nodes the recipe has for it.
    pub expected: usize,
    /// Several nodes have the same key, since what is averaged over does not count in their computation: it is one value of `summary`.
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
        Self { summary: None, expected: 0, is_shared: false, reference: None, difference: None }
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
    let measured = nodes.iter().filter_map(|&index| Some((index, value(outcome, index, column, gaps)?)));
    let measured: Vec<(NodeIndex, f64)> = measured.collect();
    let mut counted = BTreeSet::new();
    let is_first = |&&(index, _): &&(NodeIndex, f64)| counted.insert(keys(outcome, &[index]));
    let values: Vec<f64> = measured.iter().filter(is_first).map(|&(_, value)| value).collect();
    let label = wording::row_label(row.iter().map(|(_, label)| label));
    if nodes.is_empty() {
        let row = wording::row_name(row.iter().map(|(_, label)| label));
        gaps.not_in_recipe(format!("{} of {row}", column.title));
    }
    Cell {
        summary: frame::summary(&values),
        expected: nodes.len(),
        is_shared: values.len() < measured.len(),
        reference: column.references.iter().find(|reference| reference.row == label).cloned(),
        difference: None,
    }
}

/// The measurement of one node that a column shows.
pub(super) fn measured(outcome: &Outcome, index: NodeIndex, column: &Column) -> Option<f64> {
    let all = &outcome.finished.get(&outcome.graph[index].id)?.result.measurements;
    let mut fitting = all.iter().filter(|m| m.name == column.value && m.split == column.split);
    let only = fitting.next().filter(|_| fitting.next().is_none())?;
    Some(only.value).filter(|value| value.is_finite())
}

/// The same, or nothing and a note of the reason.
fn value(outcome: &Outcome, index: NodeIndex, column: &Column, gaps: &mut Gaps) -> Option<f64> {
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
