//! A table as the run prints it at its end.

use super::build::{Row, Table};
use super::grid::{Align, GridColumn, lines, pad};
use super::numbers::{self, Shown};
use super::wording;
use std::collections::BTreeSet;
use unicode_width::UnicodeWidthStr;

const GAPS_SHOWN: usize = 6;

/// One table, with what each row cost. `dir` is where its files are, as the person would type it.
pub(super) fn page(table: &Table, dir: &str) -> String {
    let title = table.title.clone().into_iter();
    let heading = Some(wording::heading(table)).filter(|heading| !heading.is_empty());
    let heading = title.chain(heading).collect::<Vec<_>>().join(": ");
    let grid = lines(&columns(table), "   ").into_iter().map(|line| format!("  {line}").trim_end().to_owned());
    let notes = wording::subjects(table).into_iter().chain(gaps(table, dir)).chain(table.notes.clone());
    let all = [heading].into_iter().chain(grid).chain(notes).chain(footer(table, dir));
    all.filter(|line| !line.is_empty()).map(|line| line + "\n").collect()
}

/// Why values are missing. The page lists every reason; here a run that failed as a whole leaves room for the table.
fn gaps(table: &Table, dir: &str) -> Vec<String> {
    let shown = table.gaps.iter().take(GAPS_SHOWN).map(|gap| format!("  {gap}"));
    let heading = (!table.gaps.is_empty()).then(|| "missing:".to_owned());
    let more = table.gaps.len().saturating_sub(GAPS_SHOWN);
    let rest = (more > 0).then(|| format!("  and {more} more: see {dir}/{}.md", table.name));
    heading.into_iter().chain(shown).chain(rest).collect()
}

fn columns(table: &Table) -> Vec<GridColumn> {
    let labels = table
        .axes
        .iter()
        .enumerate()
        .map(|(at, axis)| GridColumn::new(axis, Align::Left, table.rows.iter().map(|row| row.labels[at].clone())));
    let mut columns: Vec<GridColumn> = labels.collect();
    for (at, head) in table.columns.iter().enumerate() {
        columns.push(GridColumn::new(&head.title, Align::Right, aligned(&numbers::column(table, at))));
        if table.has_references(at) {
            columns.push(GridColumn::new("published", Align::Right, published(table, at)));
        }
    }
    let cost = |row: &Row| row.cost.seconds.map_or("-".to_owned(), numbers::duration);
    columns.push(GridColumn::new("cost", Align::Right, table.rows.iter().map(cost)));
    columns
}

/// Brings the means, the ± and the sd of a column under one another.
fn aligned(cells: &[Shown]) -> Vec<String> {
    let widest = |part: fn(&Shown) -> &str| cells.iter().map(|cell| part(cell).width()).max().unwrap_or(0);
    let mean = widest(|cell| &cell.mean);
    let sd = widest(|cell| cell.sd.as_deref().unwrap_or(""));
    let n = widest(|cell| cell.n.as_deref().unwrap_or(""));
    let line = |cell: &Shown| {
        let mut text = pad(&cell.mean, mean, Align::Right);
        match &cell.sd {
            Some(own) => text += &format!(" ± {}", pad(own, sd, Align::Right)),
            None if sd > 0 => text += &" ".repeat(sd + " ± ".width()),
            None => {}
        }
        if n > 0 {
            text += &format!(" {}", pad(cell.n.as_deref().unwrap_or(""), n, Align::Left));
        }
        text
    };
    cells.iter().map(line).collect()
}

fn published(table: &Table, at: usize) -> Vec<String> {
    let value = |row: &Row| row.cells[at].reference.as_ref().map(|reference| numbers::plain(reference.value));
    table.rows.iter().map(|row| value(row).unwrap_or_default()).collect()
}

/// What was chosen for the rows, what the costs are costs of, where the whole table is.
fn footer(table: &Table, dir: &str) -> Vec<String> {
    let chosen = table.settings.iter().filter(|stage| !stage.chosen.is_empty()).map(|stage| {
        let chosen = stage.chosen.iter().map(|(name, value)| format!("{name} {value}"));
        format!("{}: {}", stage.stage, chosen.collect::<Vec<_>>().join(", "))
    });
    let files = format!("full table: {dir}/{}.{{csv,md}}", table.name);
    vec![cost(table), chosen.chain([files]).collect::<Vec<_>>().join(" · ")]
}

fn cost(table: &Table) -> String {
    let costs = || table.rows.iter().map(|row| &row.cost);
    let threads: BTreeSet<usize> = costs().flat_map(|cost| cost.threads.iter().copied()).collect();
    let devices: BTreeSet<&str> = costs().flat_map(|cost| &cost.devices).map(String::as_str).collect();
    let machines: BTreeSet<&str> = costs().flat_map(|cost| &cost.machines).map(String::as_str).collect();
    if machines.is_empty() {
        return String::new();
    }
    let devices = devices.into_iter().collect::<Vec<_>>().join(" and ");
    let machines = machines.into_iter().collect::<Vec<_>>().join(" and ");
    format!(
        "cost: pretraining and evaluation{}, on {devices} with {}, {machines}",
        wording::one_run(&table.over),
        numbers::threads(threads)
    )
}
