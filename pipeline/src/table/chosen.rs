//! What a recipe's `choose` comes to: for a cell, the values along axes that are best by a measurement on validation. Where one that
//! decides is missing nothing is chosen, since what is missing may have been the best.

use super::build::Row;
use super::cells::{self, Cell, cell};
use super::compared::{self, Compared};
use super::gaps::{Gaps, Undecided};
use super::nodes::{Place, combinations, of_cell};
use super::wording::each_once;
use super::{Outcome, settings, wording};
use crate::recipe::{Best, Choice, Column, TableSpec};
use petgraph::graph::NodeIndex;
use serde::{Serialize, Serializer};
use std::collections::BTreeSet;

/// What was chosen along one axis for one cell of a table.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Chosen {
    /// The labels of the cell's row.
    pub row: Vec<String>,
    /// The title of its column.
    pub column: String,
    pub axis: String,
    /// Nothing where all values are one computation, which is then in the table.
    pub value: Option<String>,
    /// What it was chosen from. Of a single one nothing was chosen.
    pub from: Vec<String>,
    /// `probe.accuracy`, of the validation split.
    pub by: String,
    /// Whether it is the highest or the lowest mean.
    pub best: Best,
    /// Of how many values each mean is.
    pub n: usize,
    /// At which values of other axes it was chosen, where a recipe says so, for whatever others there are.
    #[serde(skip_serializing_if = "Place::is_empty", serialize_with = "as_map")]
    pub at: Place,
}

fn as_map<S: Serializer>(place: &Place, to: S) -> Result<S::Ok, S::Error> {
    to.collect_map(place.iter().map(|(axis, label)| (axis, label)))
}

/// What a choice came to for a cell.
pub(super) struct Settled {
    /// The cell's place on the axes.
    pub place: Place,
    pub chosen: Vec<Chosen>,
    pub tried: Vec<Tried>,
}

/// What was measured to choose by.
pub(super) struct Tried {
    pub split: String,
    /// For all values; none where there was nothing to choose.
    pub nodes: Vec<NodeIndex>,
}

/// `None` where something could not be chosen, of which `gaps` are told.
pub(super) fn settled(
    outcome: &Outcome,
    spec: &TableSpec,
    row: &Place,
    column: &Column,
    gaps: &mut Gaps,
) -> Option<Settled> {
    let mut settled = Settled { place: [row.as_slice(), &column.where_].concat(), chosen: vec![], tried: vec![] };
    for choice in &column.chosen {
        let Picked { values, tried, nodes, is_one_computation, n } =
            match pick(outcome, spec, &settled.place, choice, gaps) {
                Ok(picked) => picked,
                Err(why) => {
                    let row = wording::row_name(row.iter().map(|(_, label)| label));
                    gaps.not_chosen(&choice.axes, &choice.by.title, why, row);
                    return None;
                }
            };
        settled.chosen.extend(values.iter().map(|(axis, label)| Chosen {
            row: row.iter().map(|(_, label)| label.clone()).collect(),
            column: column.title.clone(),
            axis: axis.clone(),
            value: Some(label.clone()).filter(|_| !is_one_computation),
            from: labels_along(axis, &tried),
            by: choice.by.title.clone(),
            best: choice.best,
            n,
            at: choice.by.where_.clone(),
        }));
        settled.place.extend(values);
        settled.tried.push(Tried { split: choice.by.split.clone(), nodes });
    }
    Some(settled)
}

/// The nodes that a cell needs as far as is known: those that decide, and its own where nothing is left to be chosen.
pub(super) fn needed(outcome: &Outcome, spec: &TableSpec, row: &Place, column: &Column) -> Vec<NodeIndex> {
    let mut place = [row.as_slice(), &column.where_].concat();
    let mut needed = vec![];
    for choice in &column.chosen {
        let tried = combinations(spec, &choice.axes);
        needed.extend(tried.iter().flat_map(|values| deciding(outcome, &place, values, choice)));
        match pick(outcome, spec, &place, choice, &mut Gaps::default()) {
            Ok(picked) => place.extend(picked.values),
            Err(_) => return needed,
        }
    }
    needed.extend(of_cell(outcome, &place, column));
    needed
}

/// What decides about some values at a place: along the axes that the choice itself holds, what lies there and not at the place.
fn deciding(outcome: &Outcome, place: &Place, values: &Place, choice: &Choice) -> Vec<NodeIndex> {
    let is_held = |axis: &String| choice.by.where_.iter().any(|(held, _)| held == axis);
    let place: Place = place.iter().filter(|(axis, _)| !is_held(axis)).chain(values).cloned().collect();
    of_cell(outcome, &place, &choice.by)
}

struct Picked {
    values: Place,
    tried: Vec<Place>,
    /// Which measure what decides, where there is something to choose.
    nodes: Vec<NodeIndex>,
    is_one_computation: bool,
    n: usize,
}

/// The best values along a choice's axes at a place; of several that are equally good the first. Of a measurement that is missing `gaps`
/// are told.
fn pick(
    outcome: &Outcome,
    spec: &TableSpec,
    place: &Place,
    choice: &Choice,
    gaps: &mut Gaps,
) -> Result<Picked, Undecided> {
    let nodes = |values: &Place| deciding(outcome, place, values, choice);
    // For how many runs it is chosen, at whatever place one of them decides.
    let everywhere = Column { where_: vec![], ..choice.by.clone() };
    let runs = |values: &Place| of_cell(outcome, &[&place[..], values].concat(), &everywhere).len();
    let mut tried = combinations(spec, &choice.axes);
    // What is excluded is not part of the recipe.
    tried.retain(|values| !nodes(values).is_empty());
    let cells: Vec<Cell> = tried.iter().map(|values| cell(outcome, place, &choice.by, &nodes(values), gaps)).collect();
    let is_whole = |cell: &Cell| cell.expected > 0 && cell.measured == cell.expected;
    let decide: Vec<usize> = cells.iter().map(|cell| cell.expected).collect();
    for counts in [decide, tried.iter().map(runs).collect()] {
        if counts.iter().any(|count| *count != counts[0]) {
            let label =
                |values: &Place| values.iter().map(|(_, label)| label.as_str()).collect::<Vec<_>>().join(" and ");
            return Err(Undecided::Unequal(tried.iter().map(label).zip(counts).collect()));
        }
    }
    if !cells.iter().all(is_whole) {
        return Err(Undecided::Missing);
    }
    let means = cells.iter().filter_map(|cell| Some(cell.summary?.mean)).enumerate();
    // Means of the same values in another order differ by less.
    let differ = |mean: f64, best: f64| (mean - best).abs() > 1e-12 * mean.abs().max(best.abs());
    let better = |mean: f64, best: f64| differ(mean, best) && (mean > best) == (choice.best == Best::Highest);
    let best = means.reduce(|best, next| if better(next.1, best.1) { next } else { best });
    let (best, _) = best.ok_or_else(|| Undecided::NoValue(at(&choice.by.where_)))?;
    let computations: BTreeSet<_> = tried.iter().map(|values| cells::keys(outcome, &nodes(values))).collect();
    // What is the same in another row may make a difference in this one.
    let is_of_another = place.iter().any(|(axis, _)| choice.by.where_.iter().any(|(held, _)| held == axis));
    let is_one_computation = tried.len() > 1 && computations.len() == 1 && !is_of_another;
    let is_search = tried.len() > 1 && !is_one_computation;
    Ok(Picked {
        values: tried[best].clone(),
        nodes: tried.iter().filter(|_| is_search).flat_map(nodes).collect(),
        is_one_computation,
        n: cells[best].expected,
        tried,
    })
}

/// ` at seed 0`; nothing where a choice holds no axis.
fn at(held: &[(String, String)]) -> String {
    let held: Vec<String> = held.iter().map(|(axis, label)| format!("{axis} {label}")).collect();
    if held.is_empty() { String::new() } else { format!(" at {}", held.join(" and ")) }
}

fn labels_along(axis: &str, places: &[Place]) -> Vec<String> {
    let along = places.iter().flatten().filter(|(own, _)| own == axis);
    each_once(along.map(|(_, label)| label.as_str())).into_iter().map(String::from).collect()
}

/// What was chosen along each axis, as a further thing by which rows are compared. `open`: the rows in which something could not be
/// chosen.
pub(super) fn compared(chosen: &[Chosen], rows: &[Row], open: &[bool]) -> Vec<Compared> {
    let of_row = |axis: &str, row: &Row, is_open: bool| {
        let own = chosen.iter().filter(|chosen| chosen.axis == axis && chosen.row == row.labels);
        let own = own.filter_map(|chosen| chosen.value.clone());
        compared::joined(own.chain(is_open.then(|| "not chosen".to_owned())))
    };
    let of_axis = |axis: &str| Compared {
        name: axis.to_owned(),
        values: rows.iter().zip(open).map(|(row, is_open)| of_row(axis, row, *is_open)).collect(),
    };
    axes(chosen).into_iter().map(of_axis).collect()
}

fn axes(chosen: &[Chosen]) -> Vec<&str> {
    each_once(chosen.iter().map(|chosen| chosen.axis.as_str()))
}

/// What a reader must know of it: what was chosen from what, and where beyond it there may be a better one.
pub(super) fn notes(chosen: &[Chosen], over: &[String]) -> Vec<String> {
    let notes = axes(chosen).into_iter().flat_map(|axis| {
        let own: Vec<&Chosen> = chosen.iter().filter(|chosen| chosen.axis == axis).collect();
        accounts(axis, &own, over).into_iter().chain(edges(axis, &own))
    });
    notes.collect()
}

/// A line for the cells that had the same to choose from, and from as many runs.
fn accounts(axis: &str, chosen: &[&Chosen], over: &[String]) -> Vec<String> {
    let mut groups: Vec<Vec<&Chosen>> = vec![];
    for &cell in chosen {
        match groups.iter_mut().find(|group| (&group[0].from, group[0].n) == (&cell.from, cell.n)) {
            Some(group) => group.push(cell),
            None => groups.push(vec![cell]),
        }
    }
    groups.iter().map(|group| account(axis, group, over, groups.len() == 1)).collect()
}

/// lr was chosen from 0.01, 0.1, 1 by probe.accuracy on the validation split (the highest mean of 3 seeds). What was chosen is told by
/// [`compared`] beside each row; here only where columns of a row differ in it, or where others had something else to choose from (not
/// `is_all`).
fn account(axis: &str, chosen: &[&Chosen], over: &[String], is_all: bool) -> String {
    let first = chosen[0];
    let from = first.from.join(", ");
    if first.from.len() == 1 {
        let rows: Vec<String> = chosen.iter().map(|chosen| wording::row_name(&chosen.row)).collect();
        let rows = each_once(rows.iter().map(String::as_str)).join(", ");
        return format!("{axis} was not chosen for {rows}: the recipe has {from} only{}", at(&first.at));
    }
    let best = match first.best {
        Best::Highest => "highest",
        Best::Lowest => "lowest",
    };
    let averaged: Vec<String> =
        over.iter().filter(|axis| !first.at.iter().any(|(held, _)| held == *axis)).cloned().collect();
    let how = match wording::runs(&averaged, first.n) {
        Some(counted) if first.n > 1 => format!("the {best} mean of {counted}{}", at(&first.at)),
        _ => format!("the {best}{}", at(&first.at)),
    };
    let value = |chosen: &Chosen| chosen.value.clone().unwrap_or_else(|| "any, which makes no difference".to_owned());
    let is_by_column =
        chosen.iter().any(|one| chosen.iter().any(|other| one.row == other.row && one.value != other.value));
    let of_cell = |chosen: &&Chosen| {
        let row = wording::row_name(&chosen.row);
        let column = if is_by_column { format!(" ({})", chosen.column) } else { String::new() };
        format!("{row}{column} {}", value(chosen))
    };
    let account = format!("{axis} was chosen from {from} by {} on the validation split ({how})", first.by);
    if is_all && !is_by_column {
        return account;
    }
    let mut values: Vec<String> = chosen.iter().map(of_cell).collect();
    values.dedup();
    format!("{account}: {}", values.join(", "))
}

/// The smallest or the largest number of those that were tried.
fn edges(axis: &str, chosen: &[&Chosen]) -> Vec<String> {
    let mut told: Vec<String> = vec![];
    for Chosen { value, from, .. } in chosen {
        let tried: Option<Vec<f64>> = from.iter().map(|label| label.parse().ok()).collect();
        let number = value.as_ref().and_then(|value| value.parse().ok());
        let (Some(tried), Some(number)) = (tried, number) else { continue };
        let note = settings::edge(&tried, number).map(|edge| settings::at_an_edge(axis, number, edge));
        told.extend(note.filter(|note| !told.contains(note)));
    }
    told
}
