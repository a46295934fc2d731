//! How stages hang together and along which axes each varies.
//!
//! A stage varies along an axis when its own text names it or a stage that it needs varies along it. That holds for the
//! stage as a whole: where only some kinds of a family use a port, all instances vary along what stands on it, so that
//! all have the same shape. What the others ignore counts in no key of theirs, and they are computed once.

use super::combinations::{Budget, combinations};
use super::command;
use super::cycles;
use super::exclusions::Exclusions;
use super::expression::Scope;
use super::problem::{Problem, nearest, nearest_and, nearest_name};
use super::raw::Raw;
use super::references::{Named, axes_named, part};
use super::stages::RawStage;
use super::tree::Tree;
use std::collections::BTreeSet;

/// Stages in an order in which each comes after what it needs, and the axes of each.
pub struct Spread {
    pub order: Vec<usize>,
    /// For each stage, its axes in the order of the recipe.
    pub axes: Vec<Vec<usize>>,
    /// For each stage, the stages that it needs in one combination or another.
    pub sources: Vec<BTreeSet<usize>>,
}

/// Cycles are told and left as they are: what is not part of one can still be checked.
pub fn spread(raw: &Raw, problems: &mut Vec<Problem>) -> Spread {
    let mut budget = Budget::default();
    let sources: Vec<_> = raw.stages.iter().map(|stage| sources(stage, raw, &mut budget, problems)).collect();
    let mut axes: Vec<_> = raw.stages.iter().map(|stage| own_axes(stage, raw, problems)).collect();
    let order = cycles::order(raw, &sources, problems);
    for &stage in &order {
        for &source in &sources[stage] {
            let inherited = axes[source].clone();
            axes[stage].extend(inherited);
        }
    }
    Spread { order, axes: axes.into_iter().map(|axes| axes.into_iter().collect()).collect(), sources }
}

/// Axes that multiply nothing. Asked for when all else is right: a mistyped use of an axis is a mistake of its own.
pub fn unused_axes(raw: &Raw, spread: &Spread, problems: &mut Vec<Problem>) {
    let used: BTreeSet<usize> = spread.axes.iter().flatten().copied().collect();
    for (_, axis) in raw.axes.iter().enumerate().filter(|(number, _)| !used.contains(number)) {
        let title = format!("axis `{}` is used by no stage", axis.name.text);
        let names: Vec<&str> = used.iter().map(|&used| raw.axes[used].name.text.as_str()).collect();
        let label = match nearest_name(&axis.name.text, &names) {
            // It may be meant to change that one, which another text declares.
            Some(near) if raw.is_changed => format!("did you mean `{near}`?"),
            _ => format!("write $({}) in a stage, or remove the axis", axis.name.text),
        };
        problems.push(Problem::new(axis.name.span.clone(), title, label));
    }
}

fn own_axes(stage: &RawStage, raw: &Raw, problems: &mut Vec<Problem>) -> BTreeSet<usize> {
    let mut named = vec![];
    axes_named(&stage.use_, &mut named);
    stage.needs.iter().for_each(|(_, tree)| axes_named(tree, &mut named));
    stage.with.iter().for_each(|tree| axes_named(tree, &mut named));
    let number = |Named { axis: name, tree, range }: Named| {
        let found = raw.axes.iter().position(|axis| axis.name.text == name);
        if found.is_none() {
            let title = format!("axis `{name}` is used by `{}` and not declared", stage.name.text);
            let label = match stage.use_.text() == Some(command::KIND) {
                true => nearest_and(name, raw.axis_names(), &format!("the shell's own is written $$({name})")),
                false => nearest(name, raw.axis_names()),
            };
            problems.push(Problem::new(tree.span.clone(), title, label).at(part(tree, &range)));
        }
        found
    };
    named.into_iter().filter_map(number).collect()
}

/// The stages that can stand on the ports of `stage`: a name may depend on axes, of which all values are looked at.
fn sources(stage: &RawStage, raw: &Raw, budget: &mut Budget, problems: &mut Vec<Problem>) -> BTreeSet<usize> {
    let mut found = BTreeSet::new();
    for (_, tree) in &stage.needs {
        let mut named = vec![];
        axes_named(tree, &mut named);
        let named: BTreeSet<&str> = named.iter().map(|named| named.axis).collect();
        let is_named = |axis: &usize| named.contains(raw.axes[*axis].name.text.as_str());
        let axes: Vec<usize> = (0..raw.axes.len()).filter(is_named).collect();
        let all_are_declared = axes.len() == named.len(); // if not, own_axes says so
        if all_are_declared && budget.allows(raw, &axes, &stage.name, problems) {
            // An excluded combination needs what it names too: that is then needed by nothing.
            for place in combinations(raw, &axes, &Exclusions::default()) {
                let scope = Scope::at(&place, raw, &stage.name.text);
                found.extend(source(&scope.resolve(tree, problems), raw, problems));
            }
        }
    }
    found
}

fn source(named: &Tree, raw: &Raw, problems: &mut Vec<Problem>) -> Option<usize> {
    let found = raw.stage_named(named);
    if found.is_none() && !named.is_broken() {
        let label = nearest(named.text().unwrap_or_default(), raw.stage_names());
        problems.push(Problem::new(named.span.clone(), format!("there is no stage {}", named.describe()), label));
    }
    found
}
