//! `zip`: axes that are walked together.

use super::axes::Axis;
use super::problem::{Problem, nearest};
use super::tree::{Content, Tree};

/// The axes of each group, by number.
pub fn read(tree: Option<&Tree>, axes: &[Axis], problems: &mut Vec<Problem>) -> Vec<Vec<usize>> {
    let Some(tree) = tree else { return vec![] };
    const EXPECTED: &str = "a list of lists of axes: [[method, epochs]]";
    let Content::List(items) = &tree.content else {
        problems.push(Problem::wrong_value("`zip`", tree, EXPECTED));
        return vec![];
    };
    let mut groups: Vec<Vec<usize>> = vec![];
    for item in items {
        let Content::List(names) = &item.content else {
            problems.push(Problem::new(item.span.clone(), format!("`zip` has {}", item.describe()), EXPECTED));
            continue;
        };
        let mut group = vec![];
        for name in names {
            let Some(number) = axes.iter().position(|axis| Some(axis.name.text.as_str()) == name.text()) else {
                let label = nearest(name.text().unwrap_or_default(), axes.iter().map(|axis| axis.name.text.as_str()));
                problems.push(Problem::new(name.span.clone(), format!("there is no axis {}", name.describe()), label));
                continue;
            };
            if groups.iter().chain([&group]).any(|group| group.contains(&number)) {
                let title = format!("axis {} is coupled twice", name.describe());
                problems.push(Problem::new(
                    name.span.clone(),
                    title,
                    "axes that are walked together stand in one list",
                ));
            } else {
                group.push(number);
            }
        }
        // Axes of unequal lengths cannot be walked together: they are crossed for what else there is to check.
        if fits(item, names.len(), &group, axes, problems) {
            group.sort_unstable();
            groups.push(group);
        }
    }
    groups
}

fn fits(item: &Tree, named: usize, group: &[usize], axes: &[Axis], problems: &mut Vec<Problem>) -> bool {
    if named < 2 {
        let title = "`zip` couples axes, and here are fewer than two";
        problems.push(Problem::new(item.span.clone(), title, "name two or more: [method, epochs]"));
        return false;
    }
    let differ = group.iter().any(|&axis| axes[axis].crossed != axes[group[0]].crossed);
    if differ {
        let counts = group.iter().map(|&axis| format!("`{}` has {}", axes[axis].name.text, axes[axis].crossed));
        let title = format!("coupled axes have unequal numbers of values: {}", counts.collect::<Vec<_>>().join(", "));
        let label = "axes that are walked together have equally many";
        problems.push(Problem::new(item.span.clone(), title, label));
    }
    !differ && !group.is_empty()
}
