//! Numbers as people read them.

use super::build::{Row, Table};
use super::cells::Summary;
use super::differences::Difference;
use super::grid::{Align, GridColumn};
use crate::text;

/// The parts of one cell, so that a column can be aligned on them.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Shown {
    pub mean: String,
    pub sd: Option<String>,
    /// `(n = 2)`, where a cell has fewer values than the table says, or those of fewer computations.
    pub n: Option<String>,
}

impl Shown {
    /// 41.9 ± 0.6 (n = 2)
    pub fn plain(&self) -> String {
        let sd = self.sd.iter().map(|sd| format!(" ± {sd}"));
        let n = self.n.iter().map(|n| format!(" {n}"));
        [self.mean.clone()].into_iter().chain(sd).chain(n).collect()
    }
}

/// One column of a table.
pub(super) fn column(table: &Table, at: usize) -> Vec<Shown> {
    let cells = table.rows.iter().map(|row| row.cells[at].summary);
    let digits = Digits::of_column(table, at);
    let shown = |summary: Option<Summary>| match summary {
        None => Shown { mean: "-".to_owned(), sd: None, n: None },
        Some(Summary { mean, sd, n }) => Shown {
            mean: digits.show(mean),
            sd: sd.map(|sd| digits.show(sd)),
            n: (n != table.n).then(|| format!("(n = {n})")),
        },
    };
    cells.map(shown).collect()
}

/// By how much the rows of a column are above those that they are held against, with as many digits: `+3.1 [-0.4, +6.6]`; those that
/// others are held against are left out.
pub(super) fn differences(table: &Table, at: usize) -> Vec<String> {
    let digits = Digits::of_column(table, at);
    let shown = |difference: Option<Difference>| {
        let Some(Difference { mean, n, interval }) = difference else { return "-".to_owned() };
        let interval = interval.map(|[low, high]| format!(" [{}, {}]", digits.signed(low), digits.signed(high)));
        let n = (n != table.n).then(|| format!(" (n = {n})"));
        [digits.signed(mean)].into_iter().chain(interval).chain(n).collect()
    };
    table.held().map(|row| shown(row.cells[at].difference)).collect()
}

/// What rows are called, a column for each axis.
pub(super) fn labels<'a>(table: &Table, rows: impl Iterator<Item = &'a Row> + Clone) -> Vec<GridColumn> {
    let cells = |at: usize| rows.clone().map(move |row| row.labels[at].clone());
    table.axes.iter().enumerate().map(|(at, axis)| GridColumn::new(axis, Align::Left, cells(at))).collect()
}

/// A column of [`differences`] for each of the table's.
pub(super) fn columns_of_differences(table: &Table) -> impl Iterator<Item = GridColumn> {
    let heads = table.columns.iter().enumerate();
    heads.map(|(at, head)| GridColumn::new(&head.title, Align::Right, differences(table, at)))
}

/// How a column's numbers are scaled and rounded, all alike.
struct Digits {
    factor: f64,
    decimals: usize,
}

/// More decimals than these are never shown.
const MOST_DECIMALS: f64 = 6.0;

impl Digits {
    /// Fractions are percentages with one decimal. Of other numbers the typical sd (the root of the mean variance)
    /// keeps its first digit; where there is no sd, the largest mean keeps three.
    fn of(unit: &str, cells: &[Summary]) -> Self {
        if unit == "fraction" {
            return Self { factor: 100.0, decimals: 1 };
        }
        let variances: Vec<f64> = cells.iter().filter_map(|cell| cell.sd).map(|sd| sd * sd).collect();
        let typical_sd = (variances.iter().sum::<f64>() / variances.len().max(1) as f64).sqrt();
        let largest = cells.iter().map(|cell| cell.mean.abs()).fold(0.0, f64::max);
        let decimals = match (typical_sd > 0.0, largest > 0.0) {
            // From 0.95 on it is rounded to the next power of ten.
            (true, _) => -(typical_sd / 0.95).log10().floor(),
            (false, true) => 2.0 - largest.log10().floor(),
            (false, false) => 0.0,
        };
        Self { factor: 1.0, decimals: decimals.clamp(0.0, MOST_DECIMALS) as usize }
    }

    fn of_column(table: &Table, at: usize) -> Self {
        let cells = table.rows.iter().filter_map(|row| row.cells[at].summary);
        Self::of(&table.columns[at].unit, &cells.collect::<Vec<_>>())
    }

    /// With its sign, also where it is rounded to 0: what is on which side of it counts.
    fn signed(&self, value: f64) -> String {
        if value == 0.0 { self.show(value) } else { format!("{:+.*}", self.decimals, value * self.factor) }
    }

    fn show(&self, value: f64) -> String {
        text::without_minus_zero(format!("{:.*}", self.decimals, value * self.factor))
    }
}

/// A number as short as it can be read back.
pub(super) fn plain(value: f64) -> String {
    text::without_minus_zero(value.to_string())
}

/// 0 s, 4.2 s, 41 s, 12 min, 1.4 h
pub(super) fn duration(seconds: f64) -> String {
    match seconds {
        s if s < 0.05 => "0 s".to_owned(),
        s if s < 9.95 => format!("{s:.1} s"),
        s if s < 119.5 => format!("{s:.0} s"),
        s if s < 119.5 * 60.0 => format!("{:.0} min", s / 60.0),
        s => format!("{:.1} h", s / 3600.0),
    }
}

/// 1 thread, 2 threads, 2 and 4 threads
pub(super) fn threads(counts: impl IntoIterator<Item = usize>) -> String {
    let counts: Vec<String> = counts.into_iter().map(|count| count.to_string()).collect();
    let noun = if counts == ["1"] { "thread" } else { "threads" };
    format!("{} {noun}", counts.join(" and "))
}
