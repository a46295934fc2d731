//! `include`: combinations beside the crossed ones.

use super::axes::Axis;
use super::combinations::Place;
use super::problem::{Problem, nearest};
use super::tree::{Content, Name, Tree};

/// Reads the section. A value that an axis does not have becomes one of it, but only here.
pub fn read(tree: Option<&Tree>, zips: &[Vec<usize>], axes: &mut [Axis], problems: &mut Vec<Problem>) -> Vec<Place> {
    let Some(tree) = tree else { return vec![] };
    let Content::List(items) = &tree.content else {
        let expected = "a list of maps: [{ method: byol, seed: 7 }]";
        problems.push(Problem::wrong_value("`include`", tree, expected));
        return vec![];
    };
    items.iter().filter_map(|item| inclusion(item, zips, axes, problems)).collect()
}

fn inclusion(tree: &Tree, zips: &[Vec<usize>], axes: &mut [Axis], problems: &mut Vec<Problem>) -> Option<Place> {
    let Some(entries) = tree.entries().filter(|entries| !entries.is_empty()) else {
        problems.push(Problem::wrong_value(
            "an inclusion",
            tree,
            "a map of axes and values: { method: byol, seed: 7 }",
        ));
        return None;
    };
    let before = problems.len();
    let mut place = vec![];
    for (name, value) in entries {
        let Some(number) = axes.iter().position(|axis| axis.name.text == name.text) else {
            let label = nearest(&name.text, axes.iter().map(|axis| axis.name.text.as_str()));
            problems.push(Problem::new(name.span.clone(), format!("there is no axis `{}`", name.text), label));
            continue;
        };
        place.extend(value_number(&mut axes[number], value, problems).map(|value| (number, value)));
    }
    place.sort_unstable();
    if problems.len() == before {
        entries.iter().for_each(|(name, _)| check_coupled(name, &place, zips, axes, problems));
    }
    (problems.len() == before).then_some(place)
}

fn value_number(axis: &mut Axis, tree: &Tree, problems: &mut Vec<Problem>) -> Option<usize> {
    if let Content::List(_) = tree.content {
        let title = format!("an inclusion has a list of values of axis `{}`", axis.name.text);
        problems.push(Problem::new(tree.span.clone(), title, "one value; each combination is an entry of its own"));
        return None;
    }
    let meant = axis.meant(tree);
    if meant.len() > 1 {
        problems.push(axis.ambiguous(tree, &meant));
        return None;
    }
    let known = meant.first().copied();
    if let (Some(number), Content::Map(_)) = (known, &tree.content) {
        let existing = &axis.values[number];
        if !existing.tree.says_the_same(tree) {
            let title = format!("axis `{}` has another value called `{}`", axis.name.text, existing.label);
            let text = format!("write {} alone for that one, or give this one a name of its own", existing.label);
            problems.push(Problem::new(tree.span.clone(), title, text));
        }
    }
    if known.is_none() {
        axis.add(tree, problems);
    }
    known.or_else(|| axis.meant(tree).first().copied())
}

/// What would be the partner of a value that the list beside it does not have?
fn check_coupled(name: &Name, place: &Place, zips: &[Vec<usize>], axes: &[Axis], problems: &mut Vec<Problem>) {
    let names = |axis: usize| place.iter().any(|(named, _)| *named == axis);
    let is_own = |&axis: &usize| axes[axis].name.text == name.text;
    let partners = zips.iter().find(|group| group.iter().any(is_own)).into_iter().flatten();
    if let Some(&lacking) = partners.into_iter().find(|&&axis| !names(axis)) {
        let lacking = &axes[lacking].name.text;
        let title = format!("an inclusion has `{}` and not `{lacking}`, which is coupled with it", name.text);
        problems.push(Problem::new(name.span.clone(), title, format!("add `{lacking}: VALUE`")));
    }
}
