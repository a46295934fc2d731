//! Rows held against one of their table: differences in pairs of runs, with intervals.

use super::cells::measured;
use super::{Outcome, frame, nodes};
use crate::ids::Key;
use crate::plan::Node;
use crate::recipe::{Column, TableSpec};
use petgraph::graph::NodeIndex;
use statrs::distribution::{ContinuousCDF, StudentsT};
use std::collections::BTreeSet;

/// By how much a cell is above the one that it is held against.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Difference {
    /// Over pairs of runs, as measured.
    pub mean: f64,
    /// How many pairs there are.
    pub n: usize,
    /// Of 95 %, for all rows of a column together; `None` of a single pair.
    pub interval: Option<[f64; 2]>,
}

/// How often one of the intervals of a column may miss what it is of.
const ERROR: f64 = 0.05;

/// The row that one at `place` is held against; `None` of that itself, and where rows are held against nothing.
pub(super) fn place_against(spec: &TableSpec, place: &[(String, String)]) -> Option<nodes::Place> {
    let against = |(axis, label): &(String, String)| {
        let other = spec.against.iter().find(|(own, _)| own == axis);
        (axis.clone(), other.map_or(label, |(_, other)| other).clone())
    };
    let other: nodes::Place = place.iter().map(against).collect();
    (other != place).then_some(other)
}

/// What the nodes of one cell measure more than those of another, in pairs that agree on all axes that are averaged over. What is one
/// computation for several of their values is one pair.
pub(super) fn pairs(
    outcome: &Outcome,
    spec: &TableSpec,
    column: &Column,
    nodes: &[NodeIndex],
    others: &[NodeIndex],
) -> Vec<f64> {
    let (graph, mut known) = (outcome.graph, BTreeSet::<[Key; 2]>::new());
    let mut differences = vec![];
    for &node in nodes {
        for &other in others.iter().filter(|&&other| are_a_pair(&graph[node], &graph[other], &spec.over)) {
            let (Some(own), Some(held)) = (measured(outcome, node, column), measured(outcome, other, column)) else {
                continue;
            };
            if known.insert([node, other].map(|index| outcome.finished[&graph[index].id].result.key)) {
                differences.push(own - held);
            }
        }
    }
    differences
}

/// One that does not vary along an axis stands for all its values.
fn are_a_pair(node: &Node, other: &Node, over: &[String]) -> bool {
    let label =
        |node: &Node, axis: &String| node.axes.iter().find(|(own, _)| own == axis).map(|(_, label)| label.clone());
    over.iter().all(|axis| match (label(node, axis), label(other, axis)) {
        (Some(own), Some(held)) => own == held,
        _ => true,
    })
}

/// Of each row of a column the mean of its pairs' differences, with Student's interval at the level that Holm's procedure (1979) tests it
/// at: it leaves out 0 where that says that the difference is none of chance, with an error of 5 % for the whole column.
pub(super) fn differences(rows: &[Vec<f64>]) -> Vec<Option<Difference>> {
    let summaries: Vec<_> = rows.iter().map(|pairs| frame::summary(pairs)).collect();
    // Standard error, and the probability of as large a mean by chance.
    let tested = |summary: &super::Summary| {
        let error = summary.sd? / (summary.n as f64).sqrt();
        let student = StudentsT::new(0.0, 1.0, summary.n as f64 - 1.0).expect("there are two pairs");
        let chance =
            if error > 0.0 { 2.0 * student.cdf(-(summary.mean / error).abs()) } else { f64::from(summary.mean == 0.0) };
        Some((error, student, chance))
    };
    let tests: Vec<_> = summaries.iter().map(|summary| tested(summary.as_ref()?)).collect();
    let levels = holm(&tests.iter().map(|test| test.as_ref().map(|(.., chance)| *chance)).collect::<Vec<_>>());
    let interval = |summary: &super::Summary, test: &Option<(f64, StudentsT, f64)>, level: Option<f64>| {
        let ((error, student, _), level) = (test.as_ref()?, level?);
        let half = if *error > 0.0 { -student.inverse_cdf(level / 2.0) * error } else { 0.0 };
        Some([summary.mean - half, summary.mean + half])
    };
    let of_row = summaries.iter().zip(&tests).zip(levels);
    let difference = |((summary, test), level): ((&Option<super::Summary>, _), _)| {
        let summary = summary.as_ref()?;
        Some(Difference { mean: summary.mean, n: summary.n, interval: interval(summary, test, level) })
    };
    of_row.map(difference).collect()
}

/// The level that each is tested at, where there is a test: from the least likely to be chance on, 5 % divided by how many are left, and
/// lower where one before was no less likely by that measure, so that what is behind one that may be chance may be, too.
fn holm(chances: &[Option<f64>]) -> Vec<Option<f64>> {
    let mut order: Vec<usize> = (0..chances.len()).filter(|&row| chances[row].is_some()).collect();
    order.sort_by(|&a, &b| chances[a].partial_cmp(&chances[b]).expect("they are numbers"));
    let mut levels = vec![None; chances.len()];
    let mut adjusted = 0.0_f64;
    for (place, &row) in order.iter().enumerate() {
        let (left, chance) = ((order.len() - place) as f64, chances[row].unwrap_or_default());
        adjusted = adjusted.max(left * chance);
        levels[row] = Some(if chance > 0.0 { ERROR * chance / adjusted } else { ERROR / left });
    }
    levels
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Of three pairs Student's quantiles and chances have a closed form (two degrees of freedom).
    #[test]
    fn intervals_are_students_at_the_levels_of_holm() {
        let rows = [vec![3.0, 3.5, 4.0], vec![], vec![0.5, 2.0, 1.0], vec![-1.0, 0.5, 0.2], vec![2.0]];
        let found = differences(&rows);
        let quantile = |level: f64| (1.0 - level) * (2.0 / (1.0 - (1.0 - level).powi(2))).sqrt();
        let near = |row: usize, mean: f64, error: f64, level: f64| {
            let half = quantile(level) * error;
            let Difference { mean: found, interval: Some([low, high]), n: 3 } = found[row].unwrap() else { panic!() };
            assert!((found - mean).abs() < 1e-12 && (high - low - 2.0 * half).abs() < 1e-9, "{row}: {low} {high}");
            assert!((low + high - 2.0 * mean).abs() < 1e-9);
        };
        // Of .007, .12 and .85 the least is held against a third of 5 %, the next against the half, and the last against all.
        near(0, 3.5, (0.25_f64 / 3.0).sqrt(), 0.05 / 3.0);
        near(2, 7.0 / 6.0, (7.0_f64 / 12.0 / 3.0).sqrt(), 0.05 / 2.0);
        near(3, -0.1, (0.63_f64 / 3.0).sqrt(), 0.05);
        assert_eq!(found[1], None);
        assert_eq!(found[4], Some(Difference { mean: 2.0, n: 1, interval: None }));
    }

    /// Of chances .01, .03 and .04 the second misses its half of 5 %, and the third, which would pass, is not looked at any more.
    #[test]
    fn what_is_behind_one_that_may_be_chance_may_be_too() {
        let levels = holm(&[Some(0.04), Some(0.01), None, Some(0.03)]);
        let expected = [Some(0.05 * 0.04 / 0.06), Some(0.05 / 3.0), None, Some(0.05 / 2.0)];
        for (level, expected) in levels.iter().zip(expected) {
            assert_eq!(level.is_some(), expected.is_some());
            assert!((level.unwrap_or(0.0) - expected.unwrap_or(0.0)).abs() < 1e-12, "{levels:?}");
        }
        assert!(0.04 > levels[0].unwrap() && 0.01 < levels[1].unwrap() && 0.03 > levels[3].unwrap());
    }

    #[test]
    fn what_does_not_differ_from_run_to_run_has_no_width() {
        let found = differences(&[vec![0.25; 3], vec![0.0; 3]]);
        assert_eq!(found[0].unwrap().interval, Some([0.25, 0.25]));
        assert_eq!(found[1].unwrap().interval, Some([0.0, 0.0]));
    }
}
