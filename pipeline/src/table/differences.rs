//! Rows held against one of their table: differences in pairs of runs, with intervals.

use super::cells::{Summary, measured, once};
use super::{Outcome, frame, nodes};
use crate::ids::Key;
use crate::plan::Node;
use crate::recipe::{Column, TableSpec};
use petgraph::graph::NodeIndex;
use statrs::distribution::{ContinuousCDF, StudentsT};

/// By how much a cell is above the one that it is held against.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Difference {
    /// Over pairs of runs, as measured.
    pub mean: f64,
    /// How many pairs there are.
    pub n: usize,
    /// It leaves out 0 where Holm's procedure says that the difference is none of chance. `None` where pairs do not differ from each other,
    /// or there is one only.
    pub interval: Option<[f64; 2]>,
}

/// How often the procedure may be wrong in a column without differences.
const ERROR: f64 = 0.05;
/// A spread of less than this share of the mean is rounding.
const ROUNDING: f64 = 1e-9;

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
    let graph = outcome.graph;
    let mut differences: Vec<([Key; 2], f64)> = vec![];
    for &node in nodes {
        for &other in others.iter().filter(|&&other| are_a_pair(&graph[node], &graph[other], &spec.over)) {
            let both = measured(outcome, node, column).zip(measured(outcome, other, column));
            differences.extend(both.map(|((own_key, own), (held_key, held))| ([own_key, held_key], own - held)));
        }
    }
    once(&differences)
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

/// Student's test of whether a mean is 0.
struct Test {
    /// Of the mean.
    error: f64,
    student: StudentsT,
    /// How probable as large a mean is, were it 0.
    chance: f64,
}

impl Test {
    /// `None` where values do not differ but by rounding, or there is one only.
    fn of(Summary { mean, sd, n }: Summary) -> Option<Self> {
        let sd = sd.filter(|sd| *sd > (ROUNDING * mean.abs()).max(f64::EPSILON))?;
        let error = sd / (n as f64).sqrt();
        let student = StudentsT::new(0.0, 1.0, n as f64 - 1.0).ok()?;
        Some(Self { error, student, chance: 2.0 * student.cdf(-(mean / error).abs()) })
    }

    /// Around the mean, so wide that it leaves out 0 where the test says so at that level.
    fn interval(&self, mean: f64, level: f64) -> [f64; 2] {
        let half = -self.student.inverse_cdf(level / 2.0) * self.error;
        [mean - half, mean + half]
    }
}

/// Of each row of a column the mean of its pairs' differences, with Student's interval at the level that Holm's procedure (1979) tests it
/// at: 95 % or more by itself.
pub(super) fn differences(rows: &[Vec<f64>]) -> Vec<Option<Difference>> {
    let summaries: Vec<Option<Summary>> = rows.iter().map(|pairs| frame::summary(pairs)).collect();
    let tests: Vec<Option<Test>> = summaries.iter().map(|summary| Test::of((*summary)?)).collect();
    let levels = holm(&tests.iter().map(|test| Some(test.as_ref()?.chance)).collect::<Vec<_>>());
    let of_row = |(row, summary): (usize, &Option<Summary>)| {
        let Summary { mean, n, .. } = (*summary)?;
        let interval = tests[row].as_ref().zip(levels[row]).map(|(test, level)| test.interval(mean, level));
        Some(Difference { mean, n, interval })
    };
    summaries.iter().enumerate().map(of_row).collect()
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

    /// Two equal differences are no proof, and a spread of rounding is none.
    #[test]
    fn what_does_not_differ_from_run_to_run_is_not_tested() {
        let found = differences(&[vec![0.25; 3], vec![0.1 + 0.2, 0.3, 0.3], vec![1.0, 2.0]]);
        let intervals = found.iter().map(|found| found.unwrap().interval).collect::<Vec<_>>();
        assert_eq!(intervals[..2], [None, None]);
        // It is the only one of the column, and held against all 5 %: Student's quantile of one degree of freedom is 12.706.
        let [low, high] = intervals[2].unwrap();
        assert!((high - low - 2.0 * 12.706_204_7 * 0.5).abs() < 1e-6, "{low} {high}");
    }
}
