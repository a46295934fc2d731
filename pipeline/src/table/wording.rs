//! The words around the numbers.

use super::build::{Head, Row, Table};
use crate::text;
use std::collections::{BTreeMap, BTreeSet};

/// A row's name where it must be one text.
pub(super) fn row_label<'a>(labels: impl IntoIterator<Item = &'a String>) -> String {
    labels.into_iter().map(String::as_str).collect::<Vec<_>>().join(", ")
}

/// A row's name within a sentence: a table without axes has one that has none.
pub(super) fn row_name<'a>(labels: impl IntoIterator<Item = &'a String>) -> String {
    Some(row_label(labels)).filter(|label| !label.is_empty()).unwrap_or_else(|| "the only row".to_owned())
}

/// `accuracy` of the test split
pub(super) fn measurement(name: &str, split: &str) -> String {
    match split {
        "" => format!("`{name}`"),
        split => format!("`{name}` of the {split} split"),
    }
}

/// Each once, in the order in which they are met first.
pub(super) fn each_once<T: PartialEq>(items: impl IntoIterator<Item = T>) -> Vec<T> {
    let mut known = vec![];
    for item in items {
        if !known.contains(&item) {
            known.push(item);
        }
    }
    known
}

/// What the table shows and how often it was measured.
pub(super) fn heading(table: &Table) -> String {
    let subject = one_subject(table);
    subject.into_iter().chain(spread(table)).collect::<Vec<_>>().join(", ")
}

/// What each column shows, where that differs: one line each.
pub(super) fn subjects(table: &Table) -> Vec<String> {
    match one_subject(table) {
        Some(_) => vec![],
        None => table.columns.iter().map(|head| format!("{}: {}", head.title, subject(head))).collect(),
    }
}

/// What the measurements are, as the kinds say that give them: one line for each.
pub(super) fn meanings(table: &Table) -> Vec<String> {
    let told = table.columns.iter().filter(|head| !head.doc.is_empty());
    each_once(told.map(|head| format!("`{}`: {}", head.value, head.doc)))
}

fn one_subject(table: &Table) -> Option<String> {
    let first = subject(table.columns.first()?);
    table.columns.iter().all(|head| subject(head) == first).then_some(first)
}

fn subject(head: &Head) -> String {
    let split = if head.split.is_empty() { String::new() } else { format!(" on the {} split", head.split) };
    let unit = match head.unit.as_str() {
        "" => String::new(),
        "fraction" => ", in percent".to_owned(),
        unit => format!(", in {unit}"),
    };
    format!("{}{split}{unit}", head.value)
}

/// mean ± sd of 3 seeds
fn spread(table: &Table) -> Option<String> {
    let counted = runs(&table.over, table.n)?;
    Some(if table.n > 1 { format!("mean ± sd of {counted}") } else { counted })
}

/// `3 seeds`: how many values a mean is of, where anything is averaged over.
pub(super) fn runs(over: &[String], n: usize) -> Option<String> {
    match over {
        [] => None,
        [axis] => Some(counted(axis, n)),
        axes => Some(format!("{} over {}", text::counted(n, "run"), axes.join(" and "))),
    }
}

/// `3 seeds`; `3 values of n`, which is no word.
fn counted(axis: &str, number: usize) -> String {
    match noun(axis) {
        Some(noun) => text::counted(number, noun),
        None => format!("{} of {axis}", text::counted(number, "value")),
    }
}

/// What a value of an axis is called, where the axis is called by a word: one of `seeds` is a seed.
fn noun(axis: &str) -> Option<&str> {
    let is_singular = ["ss", "us", "is"].iter().any(|end| axis.ends_with(end));
    let noun = axis.strip_suffix('s').filter(|_| !is_singular).unwrap_or(axis);
    let is_word = noun.chars().count() > 2 && noun.contains(['a', 'e', 'i', 'o', 'u', 'y']);
    is_word.then_some(noun)
}

/// What rows are held against, and how.
pub(super) fn against(table: &Table) -> Option<String> {
    let held = row_label(table.against.iter().map(|(_, label)| label));
    let pairs = table.over.first().map(|axis| format!(" in pairs of one {}", singular(axis)));
    let intervals = if has_intervals(&table.rows) { " [interval]" } else { "" };
    (!table.against.is_empty()).then(|| format!("difference to {held}{}{intervals}", pairs.unwrap_or_default()))
}

/// How differences are to be read.
pub(super) fn note_of_differences(rows: &[Row]) -> Option<String> {
    let is_shared = rows.iter().flat_map(|row| &row.cells).any(|cell| cell.is_shared);
    let shared = if is_shared {
        "; what is computed once is held against each of them as it is, and its own chance is not in it"
    } else {
        ""
    };
    has_intervals(rows).then(|| {
        format!(
            "differences: an interval (Student's, 95 % or more) leaves out 0 where Holm's procedure (1979), for all rows of its column at 5 %, \
             says that the difference is none of chance; it speaks of other runs on these images, not of other images{shared}"
        )
    })
}

fn has_intervals(rows: &[Row]) -> bool {
    rows.iter().flat_map(|row| &row.cells).any(|cell| cell.difference.is_some_and(|one| one.interval.is_some()))
}

/// `seed`, or `value of n`.
fn singular(axis: &str) -> String {
    noun(axis).map_or_else(|| format!("value of {axis}"), String::from)
}

/// What a cost is the cost of.
pub(super) fn one_run(over: &[String]) -> String {
    match over {
        [] => String::new(),
        [axis] => format!(" of one {}", singular(axis)),
        _ => " of one run".to_owned(),
    }
}

/// What a reader must know to compare the rows.
pub(super) fn notes(rows: &[Row], over: &[String]) -> Vec<String> {
    shared_computations(rows, over).into_iter().chain(devices(rows)).collect()
}

/// Why a cell of which nothing is missing has fewer values than others: some of what is averaged over plays no part in it.
fn shared_computations(rows: &[Row], over: &[String]) -> Option<String> {
    let shared = rows.iter().flat_map(|row| &row.cells).filter(|cell| cell.is_shared);
    let counts: BTreeSet<usize> = shared.filter_map(|cell| Some(cell.summary?.n)).collect();
    let counts: Vec<String> = counts.into_iter().map(|n| format!("n = {n}")).collect();
    let what = match over {
        [axis] => format!("what does not depend on {axis}"),
        axes => format!("what does not depend on all of {}", axes.join(", ")),
    };
    (!counts.is_empty()).then(|| format!("{}: {what} is computed once and counted once", counts.join(", ")))
}

/// Which rows were computed on which devices, where they differ.
fn devices(rows: &[Row]) -> Option<String> {
    let mut by_devices: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for row in rows.iter().filter(|row| !row.cost.devices.is_empty()) {
        by_devices.entry(row.cost.devices.join(" and ")).or_default().push(row_name(&row.labels));
    }
    let one_device = by_devices.len() < 2 && rows.iter().all(|row| row.cost.devices.len() < 2);
    let groups = by_devices.iter().map(|(devices, rows)| format!("{} on {devices}", rows.join(", ")));
    (!one_device).then(|| format!("computed on different devices: {}", groups.collect::<Vec<_>>().join("; ")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_axis_is_counted_by_its_values_however_it_is_called() {
        assert_eq!([counted("seed", 1), counted("seed", 3)], ["1 seed", "3 seeds"]);
        assert_eq!([counted("seeds", 1), counted("seeds", 3)], ["1 seed", "3 seeds"]);
        assert_eq!(
            [counted("loss", 1), counted("loss", 2), counted("category", 2)],
            ["1 loss", "2 losses", "2 categories"]
        );
    }
}
