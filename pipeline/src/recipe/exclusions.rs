//! Combinations that are left out.

use super::axes::{Axis, label};
use super::problem::{Problem, nearest};
use super::tree::{Content, Span, Tree};
use std::collections::HashSet;

/// Axis numbers and, of each, value numbers.
type Conjunction = Vec<(usize, HashSet<usize>)>;

#[derive(Debug, Default)]
pub struct Exclusions {
    /// Of the whole section.
    pub span: Span,
    entries: Vec<Conjunction>,
}

impl Exclusions {
    pub fn read(tree: Option<&Tree>, axes: &[Axis], problems: &mut Vec<Problem>) -> Self {
        let Some(tree) = tree else { return Self::default() };
        let Content::List(items) = &tree.content else {
            let expected = "a list of maps: [{ method: random, labels: 0.01 }]";
            problems.push(Problem::wrong_value("`exclude`", tree, expected));
            return Self::default();
        };
        let entries = items.iter().filter_map(|item| conjunction(item, axes, problems)).collect();
        Self { span: tree.span.clone(), entries }
    }

    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Whether a combination, given as axis and value numbers, is left out: where an entry's axes are all among it.
    pub fn cover(&self, combination: &[(usize, usize)]) -> bool {
        let has = |axis: usize, values: &HashSet<usize>| {
            combination.iter().any(|(number, value)| *number == axis && values.contains(value))
        };
        self.entries.iter().any(|entry| entry.iter().all(|(axis, values)| has(*axis, values)))
    }
}

fn conjunction(tree: &Tree, axes: &[Axis], problems: &mut Vec<Problem>) -> Option<Conjunction> {
    let Some(entries) = tree.entries().filter(|entries| !entries.is_empty()) else {
        let expected = "a map of axes and values: { method: random }";
        problems.push(Problem::wrong_value("an exclusion", tree, expected));
        return None;
    };
    let mut conjunction = vec![];
    for (name, value) in entries {
        let Some(number) = axes.iter().position(|axis| axis.name.text == name.text) else {
            let names = axes.iter().map(|axis| axis.name.text.as_str());
            let title = format!("there is no axis `{}`", name.text);
            problems.push(Problem::new(name.span.clone(), title, nearest(&name.text, names)));
            continue;
        };
        let items = match &value.content {
            Content::List(items) => items.as_slice(),
            _ => std::slice::from_ref(value),
        };
        let values = items.iter().filter_map(|item| value_number(&axes[number], item, problems));
        conjunction.push((number, values.collect()));
    }
    Some(conjunction)
}

/// The number of the axis' value that a recipe names outside `axes`.
pub fn value_number(axis: &Axis, tree: &Tree, problems: &mut Vec<Problem>) -> Option<usize> {
    let meant = axis.meant(tree);
    match meant[..] {
        [one] => return Some(one),
        [] => {
            let title = format!("axis `{}` has no value {}", axis.name.text, tree.describe());
            let label = nearest(&label(tree).unwrap_or_default(), axis.labels());
            problems.push(Problem::new(tree.span.clone(), title, label));
        }
        _ => problems.push(axis.ambiguous(tree, &meant)),
    }
    None
}
