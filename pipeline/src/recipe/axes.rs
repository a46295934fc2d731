//! What is varied, and which combinations there are.

use super::problem::{Problem, nearest};
use super::tree::{Content, Name, Tree};
use serde_json::Value;

/// Something that is varied.
#[derive(Debug, Clone)]
pub struct Axis {
    pub name: Name,
    pub values: Vec<AxisValue>,
}

#[derive(Debug, Clone)]
pub struct AxisValue {
    /// The value itself, or a map's `name`: how it is written in a node's name and in tables.
    pub label: String,
    pub tree: Tree,
}

impl Axis {
    pub fn labels(&self) -> Vec<&str> {
        self.values.iter().map(|value| value.label.as_str()).collect()
    }
}

pub fn read(tree: Option<&Tree>, problems: &mut Vec<Problem>) -> Vec<Axis> {
    let Some(tree) = tree else { return vec![] };
    let Some(entries) = tree.entries() else {
        problems.push(Problem::new(
            tree.span.clone(),
            format!("`axes` is {}", tree.describe()),
            "a map: `seed: [0, 1, 2]`",
        ));
        return vec![];
    };
    let axes = entries.iter().map(|(name, values)| {
        if name.text == "env" {
            problems.push(Problem::new(
                name.span.clone(),
                "an axis cannot be called `env`",
                "$(env.NAME) has another meaning",
            ));
        }
        let Content::List(items) = &values.content else {
            problems.push(Problem::new(
                values.span.clone(),
                format!("axis `{}` is {}", name.text, values.describe()),
                "a list of values: [0, 1, 2]",
            ));
            return Axis { name: name.clone(), values: vec![] };
        };
        if items.is_empty() {
            problems.push(Problem::new(
                values.span.clone(),
                format!("axis `{}` has no values", name.text),
                "give it at least one",
            ));
        }
        let mut taken: Vec<AxisValue> = vec![];
        for item in items {
            match label(item) {
                Some(label) if taken.iter().any(|other| other.label == label) => {
                    problems.push(Problem::new(
                        item.span.clone(),
                        format!("axis `{}` has `{label}` twice", name.text),
                        "keep one of them",
                    ));
                }
                Some(label) => taken.push(AxisValue { label, tree: item.clone() }),
                None => problems.push(Problem::new(
                    item.span.clone(),
                    format!("{} is a value of axis `{}`", item.describe(), name.text),
                    "a number, a text, or a map with a `name`: { name: simclr, with: { ... } }",
                )),
            }
        }
        Axis { name: name.clone(), values: taken }
    });
    axes.collect()
}

fn label(tree: &Tree) -> Option<String> {
    match &tree.content {
        Content::Scalar(Value::Null) | Content::List(_) | Content::Broken => None,
        Content::Scalar(Value::String(text)) => Some(text.clone()),
        Content::Scalar(value) => Some(value.to_string()),
        Content::Map(_) => match &tree.get("name")?.content {
            Content::Scalar(_) => label(tree.get("name")?),
            _ => None,
        },
    }
}

/// Combinations that are left out: axis and the labels, each entry a conjunction.
#[derive(Debug, Default)]
pub struct Exclusions(Vec<Vec<(usize, Vec<String>)>>);

impl Exclusions {
    pub fn read(tree: Option<&Tree>, axes: &[Axis], problems: &mut Vec<Problem>) -> Self {
        let Some(tree) = tree else { return Self::default() };
        let Content::List(items) = &tree.content else {
            problems.push(Problem::new(
                tree.span.clone(),
                format!("`exclude` is {}", tree.describe()),
                "a list of maps: [{ method: random, labels: 0.01 }]",
            ));
            return Self::default();
        };
        Self(items.iter().filter_map(|item| exclusion(item, axes, problems)).collect())
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether a combination, given as axis and value numbers, is left out: where an entry's axes are all among it.
    pub fn cover(&self, axes: &[Axis], combination: &[(usize, usize)]) -> bool {
        self.0.iter().any(|entry| {
            entry.iter().all(|(axis, labels)| {
                let place = combination.iter().find(|(number, _)| number == axis);
                place.is_some_and(|&(axis, value)| labels.contains(&axes[axis].values[value].label))
            })
        })
    }
}

fn exclusion(tree: &Tree, axes: &[Axis], problems: &mut Vec<Problem>) -> Option<Vec<(usize, Vec<String>)>> {
    let Some(entries) = tree.entries().filter(|entries| !entries.is_empty()) else {
        problems.push(Problem::new(
            tree.span.clone(),
            format!("an exclusion is {}", tree.describe()),
            "a map of axes and values: { method: random }",
        ));
        return None;
    };
    let mut conjunction = vec![];
    for (name, value) in entries {
        let Some(axis) = axes.iter().position(|axis| axis.name.text == name.text) else {
            let names = axes.iter().map(|axis| axis.name.text.as_str());
            problems.push(Problem::new(
                name.span.clone(),
                format!("there is no axis `{}`", name.text),
                nearest(&name.text, names),
            ));
            continue;
        };
        let wanted = match &value.content {
            Content::List(items) => items.iter().collect(),
            _ => vec![value],
        };
        let labels = wanted.into_iter().filter_map(|item| {
            let label = label(item);
            let known = label.as_deref().is_some_and(|label| axes[axis].labels().contains(&label));
            if !known {
                let title = format!("axis `{}` has no value {}", name.text, item.describe());
                problems.push(Problem::new(
                    item.span.clone(),
                    title,
                    nearest(label.as_deref().unwrap_or_default(), axes[axis].labels()),
                ));
            }
            label.filter(|_| known)
        });
        conjunction.push((axis, labels.collect()));
    }
    Some(conjunction)
}
