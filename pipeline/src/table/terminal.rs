//! A table as the run prints it at its end.

use super::Search;
use super::build::{Row, Table};
use super::gaps::Gap;
use super::grid::{Align, GridColumn, folded, pad};
use super::numbers::{self, Shown};
use super::wording;
use crate::ids::NodeId;
use std::collections::{BTreeSet, HashSet};
use unicode_width::UnicodeWidthStr;

const GAPS_SHOWN: usize = 6;

/// How far the rows stand to the right.
const INDENT: &str = "  ";

/// One table, with what each row cost. `dir` is where its files are, as the person would type it. Of a table that is
/// wider than `width` the columns that are too many stand beneath, beside the rows' names again. `told`: the failures that the
/// tables before it have told.
pub(super) fn page(table: &Table, dir: Option<&str>, width: Option<usize>, told: &mut HashSet<NodeId>) -> String {
    let title = table.title.clone().into_iter();
    let heading = Some(wording::heading(table)).filter(|heading| !heading.is_empty());
    let heading = title.chain(heading).collect::<Vec<_>>().join(": ");
    let width = width.map_or(usize::MAX / 2, |width| width.saturating_sub(INDENT.len()));
    let grid = indented(&numbers::labels(table, table.rows.iter()), &columns(table), width);
    let grid = grid.into_iter().chain(against(table, width));
    let shared = table.shared().into_iter();
    let notes =
        wording::subjects(table).into_iter().chain(shared).chain(gaps(table, dir, told)).chain(table.notes.clone());
    let all = [heading].into_iter().chain(grid).chain(notes).chain(footer(table, dir));
    all.filter(|line| !line.is_empty()).map(|line| line + "\n").collect()
}

/// Why values are missing. The page lists every reason; here a run that failed as a whole leaves room for the table.
fn gaps(table: &Table, dir: Option<&str>, told: &mut HashSet<NodeId>) -> Vec<String> {
    let line = |gap: &Gap| match &gap.again {
        Some((node, again)) if !told.insert(node.clone()) => format!("  {again}"),
        _ => format!("  {}", gap.line),
    };
    let shown = table.gaps.iter().take(GAPS_SHOWN).map(line);
    let heading = (!table.gaps.is_empty()).then(|| "missing:".to_owned());
    let more = table.gaps.len().saturating_sub(GAPS_SHOWN);
    let rest = (more > 0).then(|| match dir {
        Some(dir) => format!("  and {more} more: see {dir}/{}.md", table.name),
        None => format!("  and {more} more"),
    });
    heading.into_iter().chain(shown).chain(rest).collect()
}

/// What the rows are above the one that they are held against.
fn against(table: &Table, width: usize) -> Vec<String> {
    let Some(heading) = wording::against(table) else { return vec![] };
    let differences: Vec<Vec<GridColumn>> = numbers::columns_of_differences(table).map(|column| vec![column]).collect();
    let lines = indented(&numbers::labels(table, table.held()), &differences, width);
    [heading].into_iter().chain(lines).collect()
}

/// Lines of columns, those that are too many beneath, beside the rows' names again.
fn indented(labels: &[GridColumn], columns: &[Vec<GridColumn>], width: usize) -> Vec<String> {
    let lines = folded(labels, columns, "   ", width).into_iter().flatten();
    lines.map(|line| format!("{INDENT}{line}").trim_end().to_owned()).collect()
}

/// Each value, with the published one beside it, and the costs.
fn columns(table: &Table) -> Vec<Vec<GridColumn>> {
    let column = |(at, head): (usize, &super::Head)| {
        let own = GridColumn::new(&head.title, Align::Right, aligned(&numbers::column(table, at)));
        let published =
            table.has_references(at).then(|| GridColumn::new("published", Align::Right, published(table, at)));
        [own].into_iter().chain(published).collect()
    };
    let cost = |row: &Row| row.cost.seconds.map_or("-".to_owned(), numbers::duration);
    let costs = vec![GridColumn::new("cost", Align::Right, table.rows.iter().map(cost))];
    let differing = table.differing().map(|it| vec![GridColumn::new(&it.name, Align::Left, it.values.iter().cloned())]);
    table.columns.iter().enumerate().map(column).chain(differing).chain([costs]).collect()
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
fn footer(table: &Table, dir: Option<&str>) -> Vec<String> {
    let chosen = table.settings.iter().filter(|stage| !stage.chosen.is_empty()).map(|stage| {
        let chosen = stage.chosen.iter().map(|(name, value)| format!("{name} {value}"));
        format!("{}: {}", stage.stage, chosen.collect::<Vec<_>>().join(", "))
    });
    let files = dir.map(|dir| format!("full table: {dir}/{}.{{csv,md}}", table.name));
    vec![cost(table), chosen.chain(files).collect::<Vec<_>>().join(" · ")]
}

fn cost(table: &Table) -> String {
    let costs = || table.rows.iter().map(|row| &row.cost);
    let threads: BTreeSet<usize> = costs().flat_map(|cost| cost.threads.iter().copied()).collect();
    let devices: BTreeSet<&str> = costs().flat_map(|cost| &cost.devices).map(String::as_str).collect();
    let machines: BTreeSet<&str> = costs().flat_map(|cost| &cost.machines).map(String::as_str).collect();
    if machines.is_empty() {
        return String::new();
    }
    let search = costs().map(|cost| cost.search).max().and_then(Search::words);
    let search = search.map_or(String::new(), |words| format!(", {words}"));
    let devices = devices.into_iter().collect::<Vec<_>>().join(" and ");
    let machines = machines.into_iter().collect::<Vec<_>>().join(" and ");
    format!(
        "cost: pretraining and evaluation{}{search}, on {devices} with {}, {machines}",
        wording::one_run(&table.over),
        numbers::threads(threads)
    )
}
