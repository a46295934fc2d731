//! What is varied.

use super::problem::Problem;
use super::raw::plain_name;
use super::references::declared;
use super::scalar::{Scalar, spelling_of_number};
use super::tree::{Content, Name, Tree};
use std::collections::HashMap;

/// Something that is varied.
#[derive(Debug, Clone)]
pub struct Axis {
    pub name: Name,
    /// Those that the axis is declared with, then those that only an `include` has.
    pub values: Vec<AxisValue>,
    /// How many it is declared with.
    pub crossed: usize,
    /// Each label's place among the values.
    numbers: HashMap<String, usize>,
    /// Those of numbers that could be written more simply, by that spelling: `1e-3` by `0.001`.
    respelt: HashMap<String, Vec<usize>>,
}

#[derive(Debug, Clone)]
pub struct AxisValue {
    /// The value itself, or a map's `name`: how it is written in a node's name and in tables.
    pub label: String,
    pub tree: Tree,
}

impl Axis {
    pub fn labels(&self) -> impl Iterator<Item = &str> {
        self.values.iter().map(|value| value.label.as_str())
    }

    /// The value that is written like a label, or else those that are the same number.
    pub fn called(&self, label: &str) -> Vec<usize> {
        if let Some(number) = self.numbers.get(label) {
            return vec![*number];
        }
        let Some(spelling) = spelling_of_number(label) else { return vec![] };
        let simple = self.numbers.get(&spelling).filter(|number| is_number(&self.values[**number].tree));
        let respelt = self.respelt.get(&spelling).into_iter().flatten();
        simple.into_iter().chain(respelt).copied().collect()
    }

    /// The values that a tree may mean which stands elsewhere in the recipe. What is in quotes is no number.
    pub fn meant(&self, tree: &Tree) -> Vec<usize> {
        match label(tree) {
            Some(label) if is_number(tree) => self.called(&label),
            Some(label) => self.numbers.get(&label).copied().into_iter().collect(),
            None => vec![],
        }
    }

    /// What is wrong where a tree means several values.
    pub fn ambiguous(&self, tree: &Tree, meant: &[usize]) -> Problem {
        let title = format!("{} is several values of axis `{}`", tree.describe(), self.name.text);
        let labels: Vec<&str> = meant.iter().map(|&number| self.values[number].label.as_str()).collect();
        Problem::new(tree.span.clone(), title, format!("write it as the axis does: {}", labels.join(" or ")))
    }

    fn read(name: &Name, tree: &Tree, problems: &mut Vec<Problem>) -> Self {
        plain_name(name, "an axis", problems);
        if name.text == "env" {
            let label = "$(env.NAME) has another meaning";
            problems.push(Problem::new(name.span.clone(), "an axis cannot be called `env`", label));
        }
        let mut axis =
            Self { name: name.clone(), values: vec![], crossed: 0, numbers: HashMap::new(), respelt: HashMap::new() };
        let what = format!("axis `{}`", name.text);
        match &tree.content {
            Content::List(items) if items.is_empty() => {
                let title = format!("{what} has no values");
                problems.push(Problem::new(tree.span.clone(), title, "give it at least one"));
            }
            Content::List(items) => items.iter().for_each(|item| axis.add(item, problems)),
            _ => problems.push(Problem::wrong_value(&what, tree, "a list of values: [0, 1, 2]")),
        }
        axis.crossed = axis.values.len();
        axis
    }

    pub(super) fn add(&mut self, item: &Tree, problems: &mut Vec<Problem>) {
        let plain = declared(item, problems);
        let mut wrong = |title: String, label: &str| problems.push(Problem::new(item.span.clone(), title, label));
        let axis = &self.name.text;
        // A value that has an expression, which was told, has its name all the same.
        let label = label(&plain).or_else(|| label(item));
        match label {
            None => wrong(
                format!("{} is a value of axis `{axis}`", item.describe()),
                "a number, a text, or a map with a `name`: { name: simclr, with: { ... } }",
            ),
            Some(label) if !fits_node_names(&label) => wrong(
                format!("axis `{axis}` has the value `{label}`, which the names of nodes cannot hold"),
                "without commas, brackets and line breaks; or give it a name: { name: NAME, value: ... }",
            ),
            Some(label) if self.numbers.contains_key(&label) => {
                wrong(format!("axis `{axis}` has `{label}` twice"), "keep one of them");
            }
            Some(label) => {
                self.numbers.insert(label.clone(), self.values.len());
                let spelling = spelling_of_number(&label).filter(|spelling| *spelling != label && is_number(item));
                if let Some(spelling) = spelling {
                    self.respelt.entry(spelling).or_default().push(self.values.len());
                }
                self.values.push(AxisValue { label, tree: plain });
            }
        }
    }
}

pub fn read(tree: Option<&Tree>, problems: &mut Vec<Problem>) -> Vec<Axis> {
    let Some(tree) = tree else { return vec![] };
    if tree.entries().is_none() {
        problems.push(Problem::wrong_value("`axes`", tree, "a map: `seed: [0, 1, 2]`"));
    }
    tree.entries().unwrap_or_default().iter().map(|(name, values)| Axis::read(name, values, problems)).collect()
}

/// How a value is written in names: itself, or a map's `name`.
pub fn label(tree: &Tree) -> Option<String> {
    named_by(tree).and_then(Scalar::text).map(String::from)
}

fn named_by(tree: &Tree) -> Option<&Scalar> {
    match &tree.content {
        Content::Scalar(scalar) => Some(scalar),
        Content::Map(_) => tree.get("name").filter(|name| name.entries().is_none()).and_then(named_by),
        Content::List(_) | Content::Broken => None,
    }
}

/// Whether its label is a number's.
fn is_number(tree: &Tree) -> bool {
    named_by(tree).is_some_and(|scalar| scalar.value().is_number())
}

/// Whether `probe[method=LABEL,seed=0]` reads one way only.
fn fits_node_names(label: &str) -> bool {
    !label.is_empty() && label.trim() == label && !label.contains(|c: char| ",[]".contains(c) || c.is_control())
}
