//! How stages hang together and along which axes each varies.

use super::axes::Axis;
use super::expression::{Scope, axes_named};
use super::problem::{Problem, nearest};
use super::raw::{Raw, RawStage};
use std::collections::BTreeSet;

/// Stages in an order in which each comes after what it needs, and the axes of each.
pub struct Spread {
    pub order: Vec<usize>,
    /// For each stage, its axes in the order of the recipe.
    pub axes: Vec<Vec<usize>>,
    /// For each stage, the stages that it needs in one combination or another.
    pub sources: Vec<BTreeSet<usize>>,
}

pub fn spread(raw: &Raw, problems: &mut Vec<Problem>) -> Option<Spread> {
    let sources: Vec<BTreeSet<usize>> = raw.stages.iter().map(|stage| sources(stage, raw, problems)).collect();
    let own: Vec<BTreeSet<usize>> = raw.stages.iter().map(|stage| own_axes(stage, &raw.axes, problems)).collect();
    let order = order(raw, &sources, problems)?;
    let mut axes = own;
    for &stage in &order {
        for &source in &sources[stage] {
            let inherited = axes[source].clone();
            axes[stage].extend(inherited);
        }
    }
    Some(Spread { order, axes: axes.into_iter().map(|axes| axes.into_iter().collect()).collect(), sources })
}

/// Axes that multiply nothing. Asked for when all else is right: a mistyped use of an axis is a mistake of its own.
pub fn unused_axes(raw: &Raw, spread: &Spread, problems: &mut Vec<Problem>) {
    for (number, axis) in raw.axes.iter().enumerate() {
        if !spread.axes.iter().any(|axes| axes.contains(&number)) {
            let title = format!("axis `{}` is used by no stage", axis.name.text);
            problems.push(Problem::new(
                axis.name.span.clone(),
                title,
                format!("write $({}) in a stage, or remove the axis", axis.name.text),
            ));
        }
    }
}

fn own_axes(stage: &RawStage, axes: &[Axis], problems: &mut Vec<Problem>) -> BTreeSet<usize> {
    let mut named = vec![];
    axes_named(&stage.use_, &mut named);
    stage.needs.iter().for_each(|(_, tree)| axes_named(tree, &mut named));
    stage.with.iter().for_each(|tree| axes_named(tree, &mut named));
    let number = |(name, span): (String, std::ops::Range<usize>)| {
        let found = axes.iter().position(|axis| axis.name.text == name);
        if found.is_none() {
            let title = format!("axis `{name}` is used by `{}` and not declared", stage.name.text);
            problems.push(Problem::new(span, title, nearest(&name, axes.iter().map(|axis| axis.name.text.as_str()))));
        }
        found
    };
    named.into_iter().filter_map(number).collect()
}

/// The stages that can stand on the ports of `stage`. A name may depend on one axis: all its values are looked at.
fn sources(stage: &RawStage, raw: &Raw, problems: &mut Vec<Problem>) -> BTreeSet<usize> {
    let mut found = BTreeSet::new();
    for (_, tree) in &stage.needs {
        let mut named = vec![];
        axes_named(tree, &mut named);
        let axes: Vec<&Axis> =
            raw.axes.iter().filter(|axis| named.iter().any(|(name, _)| *name == axis.name.text)).collect();
        if axes.len() < named.iter().map(|(name, _)| name).collect::<BTreeSet<_>>().len() {
            continue; // an axis that is not declared: own_axes says so
        }
        for combination in combinations(&axes) {
            let values = axes.iter().zip(combination).map(|(&axis, value)| (axis, &axis.values[value].tree)).collect();
            let scope = Scope { axes: values, declared: &[], env: &raw.env, stage: &stage.name.text };
            let resolved = scope.resolve(tree, problems);
            match resolved.text().and_then(|name| raw.stages.iter().position(|other| other.name.text == name)) {
                Some(source) => {
                    found.insert(source);
                }
                None if resolved.is_broken() => {}
                None => {
                    let names = raw.stages.iter().map(|stage| stage.name.text.as_str());
                    let label = nearest(resolved.text().unwrap_or_default(), names);
                    problems.push(Problem::new(
                        resolved.span.clone(),
                        format!("there is no stage {}", resolved.describe()),
                        label,
                    ));
                }
            }
        }
    }
    found
}

/// All combinations of the values of some axes, as value numbers; the last axis changes fastest.
pub fn combinations(axes: &[&Axis]) -> Vec<Vec<usize>> {
    axes.iter().fold(vec![vec![]], |combinations, axis| {
        let extended = combinations.iter().flat_map(|combination| {
            (0..axis.values.len()).map(move |value| combination.iter().copied().chain([value]).collect())
        });
        extended.collect()
    })
}

/// Depth first. A stage that is met again while what it needs is still being looked at closes a cycle.
fn order(raw: &Raw, sources: &[BTreeSet<usize>], problems: &mut Vec<Problem>) -> Option<Vec<usize>> {
    let mut order = vec![];
    let mut path = vec![];
    for stage in 0..sources.len() {
        if let Some(cycle) = visit(stage, sources, &mut order, &mut path) {
            let names: Vec<&str> = cycle.iter().map(|&stage| raw.stages[stage].name.text.as_str()).collect();
            let title = format!("stages need each other in a circle: {}", names.join(" needs "));
            problems.push(Problem::new(raw.stages[cycle[0]].name.span.clone(), title, "one of them must do without"));
            return None;
        }
    }
    Some(order)
}

fn visit(
    stage: usize,
    sources: &[BTreeSet<usize>],
    order: &mut Vec<usize>,
    path: &mut Vec<usize>,
) -> Option<Vec<usize>> {
    if order.contains(&stage) {
        return None;
    }
    if let Some(start) = path.iter().position(|&before| before == stage) {
        return Some(path[start..].iter().copied().chain([stage]).collect());
    }
    path.push(stage);
    for &source in &sources[stage] {
        if let Some(cycle) = visit(source, sources, order, path) {
            return Some(cycle);
        }
    }
    path.pop();
    order.push(stage);
    None
}
