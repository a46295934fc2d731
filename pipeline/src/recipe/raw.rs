//! The recipe as it is written: its sections and stages, names checked, nothing resolved.

use super::axes::{self, Axis};
use super::combinations::Place;
use super::exclusions::Exclusions;
use super::problem::{Problem, nearest};
use super::references::declared;
use super::scalar::Scalar;
use super::stages::{self, Otherwise, RawStage};
use super::tree::{Content, LONGEST_NAME, Name, Tree};
use super::{inclusions, policy, resources, zips};
use crate::plan::{NodeResources, Policy};
use std::collections::{BTreeMap, HashMap};
use std::env::VarError;

#[derive(Default)]
pub struct Raw {
    pub name: String,
    pub axes: Vec<Axis>,
    /// Groups of axes that are walked together.
    pub zips: Vec<Vec<usize>>,
    pub exclusions: Exclusions,
    pub inclusions: Vec<Place>,
    pub env: BTreeMap<String, Tree>,
    pub stages: Vec<RawStage>,
    /// Each stage's place among them.
    numbers: HashMap<String, usize>,
    pub choose: Option<Tree>,
    pub tables: Vec<(Name, Tree)>,
    pub keep_going: bool,
    /// Whether the recipe extends another one, or something is set.
    pub is_changed: bool,
}

/// What a recipe can have.
pub const SECTIONS: [&str; 15] = [
    "name",
    "extends",
    "axes",
    "zip",
    "exclude",
    "include",
    "env",
    "workers",
    "stages",
    "choose",
    "tables",
    "resources",
    "retries",
    "timeout",
    "keep_going",
];

impl Raw {
    /// The number of the stage that a value names.
    pub fn stage_named(&self, tree: &Tree) -> Option<usize> {
        self.stage_numbered(tree.text()?)
    }

    pub fn stage_numbered(&self, name: &str) -> Option<usize> {
        self.numbers.get(name).copied()
    }

    pub fn stage_names(&self) -> impl Iterator<Item = &str> {
        self.stages.iter().map(|stage| stage.name.text.as_str())
    }

    pub fn axis_names(&self) -> impl Iterator<Item = &str> {
        self.axes.iter().map(|axis| axis.name.text.as_str())
    }
}

/// `is_changed`: whether the tree is of several texts.
pub fn read(tree: &Tree, is_changed: bool, problems: &mut Vec<Problem>) -> Raw {
    if tree.entries().is_none() {
        problems.push(Problem::wrong_value("the recipe", tree, "a map with name, axes, stages, tables"));
        return Raw::default();
    }
    known_names(tree, &SECTIONS, "section", problems);
    let mut axes = axes::read(tree.get("axes"), problems);
    let exclusions = Exclusions::read(tree.get("exclude"), &axes, problems);
    let zips = zips::read(tree.get("zip"), &axes, problems);
    let inclusions = inclusions::read(tree.get("include"), &zips, &mut axes, problems);
    let otherwise = Otherwise {
        policy: policy::read(tree, &Policy::default(), problems),
        resources: resources::read(tree.get("resources"), &NodeResources::default(), problems),
    };
    let stages = stages::read(tree, &otherwise, is_changed, problems);
    Raw {
        name: recipe_name(tree, problems),
        axes,
        zips,
        exclusions,
        inclusions,
        keep_going: tree
            .get("keep_going")
            .and_then(|found| policy::truth(found, "keep_going", problems))
            .unwrap_or(true),
        is_changed,
        env: environment(tree.get("env"), problems),
        numbers: stages.iter().enumerate().map(|(number, stage)| (stage.name.text.clone(), number)).collect(),
        stages,
        choose: tree.get("choose").cloned(),
        tables: tables(tree.get("tables"), problems),
    }
}

/// Complains of every name of a map that is not among `names`.
pub fn known_names(tree: &Tree, names: &[&str], what: &str, problems: &mut Vec<Problem>) {
    for (name, _) in tree.entries().unwrap_or_default() {
        if !names.contains(&name.text.as_str()) {
            let label = nearest(&name.text, names.iter().copied());
            problems.push(Problem::new(name.span.clone(), format!("unknown {what} `{}`", name.text), label));
        }
    }
}

/// Complains of a name that expressions, node names or file names cannot hold.
pub fn plain_name(name: &Name, what: &str, problems: &mut Vec<Problem>) {
    not_too_long(name, what, problems);
    if !name.is_plain() {
        let title = format!("`{}` is not a name for {what}", name.text);
        problems.push(Problem::new(name.span.clone(), title, "a name has letters, digits, - and _"));
    }
}

/// Complains of a name that is longer than a file's may be.
pub fn not_too_long(name: &Name, what: &str, problems: &mut Vec<Problem>) {
    if name.text.len() > LONGEST_NAME {
        let title = format!("the name of {what} has {} bytes", name.text.len());
        let label = format!("at most {LONGEST_NAME}: files are called by it");
        problems.push(Problem::new(name.span.clone(), title, label));
    }
}

fn recipe_name(tree: &Tree, problems: &mut Vec<Problem>) -> String {
    let start = tree.span.start;
    let Some(found) = tree.get("name") else {
        problems.push(Problem::new(start..start, "the recipe has no name", "add `name: NAME` at the top"));
        return String::new();
    };
    let name = Name { text: found.text().unwrap_or_default().to_owned(), span: found.span.clone() };
    not_too_long(&name, "the recipe", problems);
    if !name.is_plain() {
        let label = "a text of letters, digits, - and _: its tables go to a folder of this name";
        problems.push(Problem::wrong_value("the recipe's name", found, label));
    }
    name.text
}

/// Declared defaults, or what the environment says in their place.
fn environment(tree: Option<&Tree>, problems: &mut Vec<Problem>) -> BTreeMap<String, Tree> {
    let entries = map(tree, "`env`", "a map of names and defaults: { IMAGES: 5000 }", problems);
    let mut values = BTreeMap::new();
    for (name, default) in entries {
        plain_name(&name, "a variable", problems);
        let default = declared(&default, problems);
        let value = match std::env::var(&name.text) {
            Ok(text) => Tree { span: default.span, content: Content::Scalar(Scalar::Environment(text)) },
            Err(VarError::NotPresent) => default,
            Err(VarError::NotUnicode(_)) => {
                let title = format!("the variable `{}` of the environment is not text in UTF-8", name.text);
                problems.push(Problem::new(name.span.clone(), title, "set it otherwise, or unset it"));
                default
            }
        };
        values.insert(name.text, value);
    }
    values
}

/// The entries of what should be a map; none where it is not there.
pub fn map(tree: Option<&Tree>, what: &str, expected: &str, problems: &mut Vec<Problem>) -> Vec<(Name, Tree)> {
    let Some(tree) = tree else { return vec![] };
    if tree.entries().is_none() {
        problems.push(Problem::wrong_value(what, tree, expected));
    }
    tree.entries().unwrap_or_default().to_vec()
}

fn tables(tree: Option<&Tree>, problems: &mut Vec<Problem>) -> Vec<(Name, Tree)> {
    let mut tables = map(tree, "`tables`", "a map of tables by their names", problems);
    tables.retain(|(name, table)| {
        plain_name(name, "a table", problems);
        if table.entries().is_none() {
            let expected = "a map: { from: STAGE, rows: AXIS, value: MEASUREMENT }";
            problems.push(Problem::wrong_value(&format!("table `{}`", name.text), table, expected));
        }
        table.entries().is_some()
    });
    tables
}
