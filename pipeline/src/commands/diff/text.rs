//! A comparison as people read it: what differs alike stands on one line, however many nodes it is.

use super::compare::{Change, Comparison, Moved};
use crate::ids::NodeId;
use crate::plan::{common_name, split, words};
use crate::text::{counted, figure};
use std::collections::BTreeMap;
use std::fmt::Write;

/// So many nodes are shown with their own measurement; of more only those that differ most.
const SHOWN: usize = 8;
const NAMES: usize = 44;

pub(super) fn text(comparison: &Comparison) -> String {
    let Comparison { from, to, added, removed, changed, same } = comparison;
    let mut text = format!("{} -> {}\n", from.id, to.id);
    let named = |run: &crate::store::RunRecord| format!("{} ({})", run.recipe, run.path);
    let recipes = match (named(from) == named(to), from.recipe_digest == to.recipe_digest) {
        (true, true) => format!("{}, the same recipe", named(to)),
        (true, false) => {
            format!("{}, changed ({} -> {})", named(to), from.recipe_digest.short(), to.recipe_digest.short())
        }
        (false, _) => format!("{} -> {}", named(from), named(to)),
    };
    let _ = writeln!(text, "recipe: {recipes}");
    let (alike, differ) = (counted(*same, "stage"), if changed.len() == 1 { "differs" } else { "differ" });
    let _ =
        writeln!(text, "{alike} alike, {} {differ}, {} added, {} removed", changed.len(), added.len(), removed.len());
    lines(&mut text, "only in the second", grouped(added.iter().map(|node| (*node, String::new()))));
    lines(&mut text, "only in the first", grouped(removed.iter().map(|node| (*node, String::new()))));
    let outcomes = changed.iter().filter_map(|c| c.outcome.map(|[from, to]| (c.node, format!("{from} -> {to}"))));
    lines(&mut text, "outcome", grouped(outcomes));
    lines(&mut text, "what was computed", grouped(changed.iter().filter_map(reasons)));
    measurements(&mut text, changed);
    text
}

/// Digests are left out: they differ between any two nodes.
fn reasons<'a>(change: &Change<'a>) -> Option<(&'a NodeId, String)> {
    let reasons: Vec<String> = change.reasons.iter().map(|reason| words(reason, None).0).collect();
    (!reasons.is_empty()).then(|| (change.node, reasons.join("; ")))
}

fn lines(text: &mut String, title: &str, groups: Vec<(String, String)>) {
    if !groups.is_empty() {
        let _ = writeln!(text, "\n{title}");
    }
    for (name, what) in groups {
        text.push_str(format!("  {name:<NAMES$} {what}").trim_end());
        text.push('\n');
    }
}

/// Nodes of a stage of which the same is said, by their common name; in the order of the first of them.
fn grouped<'a>(nodes: impl Iterator<Item = (&'a NodeId, String)>) -> Vec<(String, String)> {
    let mut groups: Vec<(&str, String, Vec<Places>)> = vec![];
    let mut places: BTreeMap<(&str, String), usize> = BTreeMap::new();
    for (node, what) in nodes {
        let (stage, axes) = split(&node.0).unwrap_or((&node.0, vec![]));
        let place = *places.entry((stage, what.clone())).or_insert(groups.len());
        if place == groups.len() {
            groups.push((stage, what, vec![]));
        }
        groups[place].2.push(axes);
    }
    let name = |stage, members: &[Places]| common_name(stage, members.iter().map(|axes| &axes[..]));
    groups.into_iter().map(|(stage, what, members)| (name(stage, &members), what)).collect()
}

/// Axis and label of each place.
type Places<'a> = Vec<(&'a str, &'a str)>;

/// Stage, measurement and split.
type Measured<'a> = (&'a str, &'a str, &'a str);

/// Old, new and difference of every measurement, one table for each stage's.
fn measurements(text: &mut String, changed: &[Change]) {
    let mut tables: Vec<(Measured, Vec<(&NodeId, &Moved)>)> = vec![];
    for (change, moved) in changed.iter().flat_map(|change| change.measurements.iter().map(move |one| (change, one))) {
        let stage = split(&change.node.0).map_or(&*change.node.0, |(stage, _)| stage);
        let table = (stage, moved.name, moved.split);
        match tables.iter_mut().find(|(known, _)| *known == table) {
            Some((_, rows)) => rows.push((change.node, moved)),
            None => tables.push((table, vec![(change.node, moved)])),
        }
    }
    for ((stage, name, split), rows) in tables {
        let split = if split.is_empty() { String::new() } else { format!(" ({split})") };
        let title = format!("{stage}: {name}{split}");
        let _ = writeln!(text, "\n{title:<w$} {:>10} {:>10} {:>10}", "old", "new", "difference", w = NAMES + 2);
        table(text, rows);
    }
}

fn table(text: &mut String, mut rows: Vec<(&NodeId, &Moved)>) {
    let number = rows.len();
    if number > SHOWN {
        let size = |moved: &Moved| moved.difference.map_or(f64::INFINITY, f64::abs);
        rows.sort_by(|(_, one), (_, other)| size(other).total_cmp(&size(one)));
    }
    for (node, moved) in rows.iter().take(SHOWN) {
        row(text, &node.0, moved.from, moved.to, moved.difference);
    }
    if number > SHOWN {
        let differ = if number - SHOWN == 1 { "differs" } else { "differ" };
        let _ = writeln!(text, "  and {} that {differ} less", number - SHOWN);
    }
    let both: Vec<(f64, f64)> = rows.iter().filter_map(|(_, moved)| moved.from.zip(moved.to)).collect();
    if both.len() > 1 {
        let mean = |of: fn(&(f64, f64)) -> f64| both.iter().map(of).sum::<f64>() / both.len() as f64;
        let (from, to) = (mean(|(from, _)| *from), mean(|(_, to)| *to));
        row(text, &format!("mean of {}", both.len()), Some(from), Some(to), Some(to - from));
    }
}

fn row(text: &mut String, name: &str, from: Option<f64>, to: Option<f64>, difference: Option<f64>) {
    let shown = |value: Option<f64>| value.map_or("-".to_owned(), figure);
    let difference = match difference {
        Some(positive) if positive > 0.0 => format!("+{}", figure(positive)),
        other => shown(other),
    };
    let _ = writeln!(text, "  {name:<NAMES$} {:>10} {:>10} {difference:>10}", shown(from), shown(to));
}
