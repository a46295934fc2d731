//! One cell: the mean and standard deviation of one measurement over the nodes of one place.

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
    /// Several nodes, all with the same key: what is averaged over does not count in their computation.
    pub one_computation: bool,
    /// The published value to stand beside it.
    pub reference: Option<Reference>,
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
        Self { summary: None, expected: 0, one_computation: false, reference: None }
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
    let values: Vec<f64> = nodes.iter().filter_map(|&index| value(outcome, index, column, gaps)).collect();
    let label = wording::row_label(row.iter().map(|(_, label)| label));
    if nodes.is_empty() {
        let row = wording::row_name(row.iter().map(|(_, label)| label));
        gaps.not_in_recipe(format!("{} of {row}", column.title));
    }
    Cell {
        summary: frame::summary(&values),
        expected: nodes.len(),
        one_computation: nodes.len() > 1 && values.len() == nodes.len() && keys(outcome, nodes).len() == 1,
        reference: column.references.iter().find(|reference| reference.row == label).cloned(),
    }
}

/// The measurement of one node, or nothing and a note of the reason.
fn value(outcome: &Outcome, index: NodeIndex, column: &Column, gaps: &mut Gaps) -> Option<f64> {
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
        (Some(measurement), None) if measurement.value.is_finite() => Some(measurement.value),
        (Some(_), None) => {
            gaps.not_finite(finished.node, column);
            None
        }
        (first, _) => {
            gaps.not_measured(node, column, all, first.is_some());
            None
        }
    }
}

pub(super) fn keys(outcome: &Outcome, nodes: &[NodeIndex]) -> BTreeSet<Key> {
    let finished = nodes.iter().filter_map(|&index| outcome.finished.get(&outcome.graph[index].id));
    finished.map(|finished| finished.result.key).collect()
}
