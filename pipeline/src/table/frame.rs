//! The one place that uses polars: aggregates, and frames written as CSV.

use super::build::{Row, Table};
use super::cells::Summary;
use super::costs::RowCost;
use super::{Finished, Outcome, TableError, wording};
use polars::prelude::*;
use pretext_protocol::Measurement;
use std::collections::BTreeSet;

/// Mean, sample standard deviation and number of values; nothing of nothing.
///
/// Works on the differences to the first value, which are exact where values lie close together: equal ones have
/// exactly their own mean and an sd of 0.
pub(super) fn summary(values: &[f64]) -> Option<Summary> {
    let first = *values.first()?;
    let differences = values.iter().map(|value| value - first).collect::<Vec<_>>();
    let differences = Float64Chunked::from_vec("difference".into(), differences);
    let sd = differences.std(1).filter(|_| values.len() > 1);
    Some(Summary { mean: first + differences.mean()?, sd, n: values.len() })
}

/// Columns of the long form beside the axes.
const OWN: [&str; 5] = ["stage", "node", "measurement", "split", "value"];

/// Every measurement of every stage, one a line, in the order of the graph.
pub(super) fn measurements(outcome: &Outcome) -> Result<String, TableError> {
    let nodes = outcome.graph.node_weights().filter_map(|node| outcome.finished.get(&node.id));
    let lines: Vec<(&Finished, &Measurement)> =
        nodes.flat_map(|finished| finished.result.measurements.iter().map(move |m| (finished, m))).collect();
    let mut columns = vec![
        text("stage", lines.iter().map(|(f, _)| Some(f.node.stage.clone()))),
        text("node", lines.iter().map(|(f, _)| Some(f.node.id.to_string()))),
    ];
    for (axis, _) in outcome.axes {
        let label = |f: &Finished| f.node.axes.iter().find(|(own, _)| own == axis).map(|(_, label)| label.clone());
        let name = if OWN.contains(&axis.as_str()) { &format!("axis {axis}") } else { axis };
        columns.push(text(name, lines.iter().map(|(f, _)| label(f))));
    }
    columns.push(text("measurement", lines.iter().map(|(_, m)| Some(m.name.clone()))));
    columns.push(text("split", lines.iter().map(|(_, m)| Some(m.split.clone()).filter(|split| !split.is_empty()))));
    columns.push(number("value", lines.iter().map(|(_, m)| Some(m.value).filter(|value| value.is_finite()))));
    csv(columns, "the measurements")
}

/// A table with every digit. What is missing is empty.
pub(super) fn values(table: &Table) -> Result<String, TableError> {
    let rows = || table.rows.iter();
    let labels = table.axes.iter().enumerate();
    let mut columns: Vec<Column> =
        labels.map(|(at, axis)| text(axis, rows().map(|row| Some(row.labels[at].clone())))).collect();
    for (at, head) in table.columns.iter().enumerate() {
        let name = |what: &str| format!("{} {what}", head.title);
        let summary = |row: &Row| row.cells[at].summary;
        columns.push(number(&name("mean"), rows().map(|row| Some(summary(row)?.mean))));
        columns.push(number(&name("sd"), rows().map(|row| summary(row)?.sd)));
        columns.push(count(&name("n"), rows().map(|row| Some(summary(row).map_or(0, |summary| summary.n as u64)))));
        if table.has_references(at) {
            let reference = |row: &Row| row.cells[at].reference.clone();
            let published = if head.unit == "fraction" { "published (percent)" } else { "published" };
            columns.push(number(&name(published), rows().map(|row| Some(reference(row)?.value))));
            columns.push(text(&name("source"), rows().map(|row| Some(reference(row)?.source))));
        }
    }
    // Behind the values, whose places others may know.
    for (at, head) in table.columns.iter().enumerate().filter(|_| !table.against.is_empty()) {
        let held = wording::row_label(table.against.iter().map(|(_, label)| label));
        let name = |what: &str| format!("{} above {held} {what}", head.title);
        let difference = |row: &Row| row.cells[at].difference;
        columns.push(number(&name("mean"), rows().map(|row| Some(difference(row)?.mean))));
        columns.push(number(&name("low"), rows().map(|row| Some(difference(row)?.interval?[0]))));
        columns.push(number(&name("high"), rows().map(|row| Some(difference(row)?.interval?[1]))));
        columns.push(count(&name("n"), rows().map(|row| Some(difference(row)?.n as u64))));
    }
    for compared in table.differing() {
        let value = |value: &String| Some(value.clone()).filter(|value| value != "-");
        columns.push(text(&compared.name, compared.values.iter().map(value)));
    }
    csv(columns, &format!("table `{}`", table.name))
}

/// What each row of each table cost.
pub(super) fn costs(tables: &[Table]) -> Result<String, TableError> {
    let rows = || tables.iter().flat_map(|table| table.rows.iter().map(move |row| (table, row)));
    let costs = || rows().map(|(_, row)| &row.cost);
    let listed = |items: &[String]| Some(items.join("; ")).filter(|text| !text.is_empty());
    let threads = |cost: &RowCost| cost.threads.iter().map(usize::to_string).collect::<Vec<_>>();
    let note = |cost: &RowCost| {
        let devices = (cost.devices.len() > 1).then_some("computed on different devices");
        Some(devices.into_iter().chain(cost.search.words()).collect::<Vec<_>>().join("; "))
            .filter(|note| !note.is_empty())
    };
    let columns = vec![
        text("table", rows().map(|(table, _)| Some(table.name.clone()))),
        text("row", rows().map(|(_, row)| Some(wording::row_label(&row.labels)))),
        number("seconds", costs().map(|cost| cost.seconds.map(rounded))),
        number("pretrain_seconds", costs().map(|cost| cost.pretrain_seconds.map(rounded))),
        number("images_per_second", costs().map(|cost| cost.images_per_second.map(rounded))),
        number("data_wait_share", costs().map(|cost| cost.data_wait_share.map(rounded))),
        count("peak_bytes", costs().map(|cost| cost.peak_bytes)),
        count("peak_rss_bytes", costs().map(|cost| cost.peak_rss_bytes)),
        text("device", costs().map(|cost| listed(&cost.devices))),
        text("threads", costs().map(|cost| listed(&threads(cost)))),
        text("machine", costs().map(|cost| listed(&cost.machines))),
        text("note", costs().map(note)),
    ];
    csv(columns, "the costs")
}

/// To three decimals: clocks are not better than that.
fn rounded(value: f64) -> f64 {
    (value * 1000.0).round() / 1000.0
}

fn text(name: &str, values: impl Iterator<Item = Option<String>>) -> Column {
    Column::new(name.into(), values.collect::<Vec<_>>())
}

fn number(name: &str, values: impl Iterator<Item = Option<f64>>) -> Column {
    // There is no minus zero: it would be written with its sign.
    Column::new(name.into(), values.map(|value| value.map(|value| value + 0.0)).collect::<Vec<_>>())
}

fn count(name: &str, values: impl Iterator<Item = Option<u64>>) -> Column {
    Column::new(name.into(), values.collect::<Vec<_>>())
}

/// Numbers are written as short as they can be read back. Columns of one name (two of a table with the same title)
/// are counted, since a frame holds each name once.
fn csv(mut columns: Vec<Column>, what: &str) -> Result<String, TableError> {
    let mut taken = BTreeSet::new();
    for column in &mut columns {
        let name = column.name().to_string();
        let names = (1..).map(|n| if n == 1 { name.clone() } else { format!("{name} {n}") });
        let free = names.into_iter().find(|name| taken.insert(name.clone())).unwrap_or(name.clone());
        column.rename(free.into());
    }
    let write = || -> PolarsResult<Vec<u8>> {
        let mut bytes = vec![];
        CsvWriter::new(&mut bytes).finish(&mut DataFrame::new_infer_height(columns)?)?;
        Ok(bytes)
    };
    let failed = |source: Box<dyn std::error::Error + Send + Sync>| TableError::Frame { what: what.to_owned(), source };
    let bytes = write().map_err(|e| failed(e.into()))?;
    String::from_utf8(bytes).map_err(|e| failed(e.into()))
}
