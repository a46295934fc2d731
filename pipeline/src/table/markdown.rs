//! A table as a Markdown page that can be committed.

use super::build::{Row, Table};
use super::grid::{Align, GridColumn, lines};
use super::settings::Settings;
use super::{RecipeInfo, numbers, wording};
use crate::terminal::harmless;

const BEHIND: &str = "Made of (with what is not by default)";

pub(super) fn page(recipe: &RecipeInfo, table: &Table) -> String {
    let title = format!("# {}", table.title.as_ref().unwrap_or(&table.name));
    let source = format!("Recipe `{}` (digest `{}`), {}.", recipe.name, recipe.digest, recipe.numerics);
    let notes = [wording::subjects(table), table.notes.clone()].concat();
    let settings: Vec<String> = table.settings.iter().map(settings).collect();
    let missing: Vec<String> = table.gaps.iter().map(|gap| gap.line.clone()).collect();
    let lists = [
        list("Missing", &missing),
        list("Notes", &notes),
        list("Measured", &wording::meanings(table)),
        list("Settings", &settings),
        list(BEHIND, &table.behind),
    ];
    let shared = table.shared().unwrap_or_default();
    let (columns, against) = (columns(table), against(table));
    let blocks =
        [title, source, wording::heading(table), grid(&columns), shared].into_iter().chain(against).chain(lists);
    let page = blocks.filter(|block| !block.is_empty()).collect::<Vec<_>>().join("\n\n") + "\n";
    // It is read on terminals too.
    harmless(&page).into_owned()
}

/// A list under its title, since two lists in a row would run together; nothing when it is empty.
fn list(title: &str, lines: &[String]) -> String {
    if lines.is_empty() {
        return String::new();
    }
    format!("{title}:\n\n{}", lines.iter().map(|line| format!("- {line}")).collect::<Vec<_>>().join("\n"))
}

/// What the rows are above the one that they are held against, and a table of it.
fn against(table: &Table) -> Vec<String> {
    let Some(heading) = wording::against(table) else { return vec![] };
    let labels = numbers::labels(table, table.held()).into_iter();
    let columns: Vec<GridColumn> = labels.chain(numbers::columns_of_differences(table)).map(escaped).collect();
    vec![format!("{heading}:"), grid(&columns)]
}

fn grid(columns: &[GridColumn]) -> String {
    let rule = columns.iter().map(|column| match column.align {
        Align::Left => "-".repeat(column.width().max(3)),
        Align::Right => format!("{}:", "-".repeat(column.width().max(3) - 1)),
    });
    let mut lines = lines(columns, " | ");
    lines.insert(1, rule.collect::<Vec<_>>().join(" | "));
    lines.iter().map(|line| format!("| {line} |")).collect::<Vec<_>>().join("\n")
}

fn columns(table: &Table) -> Vec<GridColumn> {
    let labels = numbers::labels(table, table.rows.iter()).into_iter().map(escaped);
    let differing = table.differing().map(|it| column(&it.name, Align::Left, it.values.iter().cloned()));
    let mut columns: Vec<GridColumn> = labels.chain(differing).collect();
    for (at, head) in table.columns.iter().enumerate() {
        columns.push(column(&head.title, Align::Right, numbers::column(table, at).iter().map(|cell| cell.plain())));
        if table.has_references(at) {
            let reference = |row: &Row| row.cells[at].reference.clone();
            let value = |row: &Row| reference(row).map(|r| numbers::plain(r.value)).unwrap_or_default();
            let source = |row: &Row| reference(row).map(|r| r.source).unwrap_or_default();
            columns.push(column("published", Align::Right, table.rows.iter().map(value)));
            columns.push(column("source", Align::Left, table.rows.iter().map(source)));
        }
    }
    columns
}

fn column(title: &str, align: Align, cells: impl Iterator<Item = String>) -> GridColumn {
    escaped(GridColumn::new(title, align, cells))
}

/// A column whose texts cannot break the table.
fn escaped(GridColumn { title, align, cells }: GridColumn) -> GridColumn {
    let escaped = |text: &str| text.replace('|', "\\|").replace('\n', " ");
    GridColumn::new(escaped(&title), align, cells.iter().map(|cell| escaped(cell)))
}

/// probe (eval/linear_probe): epochs 100, batch 256; l2 chosen per row: 0.001-0.1
fn settings(stage: &Settings) -> String {
    let kind = if stage.summary.is_empty() { stage.kind.clone() } else { format!("{}: {}", stage.kind, stage.summary) };
    let listed = |pairs: &[(String, String)]| {
        pairs.iter().map(|(name, value)| format!("{name} {value}")).collect::<Vec<_>>().join(", ")
    };
    let varied = listed(&stage.varied);
    let varied = if varied.is_empty() { varied } else { format!("differing: {varied}") };
    let parts = [listed(&stage.fixed), varied, listed(&stage.chosen)];
    let parts: Vec<String> = parts.into_iter().filter(|part| !part.is_empty()).collect();
    match parts.is_empty() {
        true => format!("`{}` ({kind})", stage.stage),
        false => format!("`{}` ({kind}): {}", stage.stage, parts.join("; ")),
    }
}
