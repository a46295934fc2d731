//! `tables:` against the graph.

use super::axes::Axis;
use super::problem::{Problem, nearest};
use super::raw::{Raw, known_names};
use super::tables::{Column, Reference, TableSpec};
use super::tree::{Content, Name, Tree};
use crate::plan::{Graph, Node};
use serde_json::Value;
use std::collections::BTreeSet;

const WORDS: [&str; 9] = ["title", "from", "rows", "columns", "value", "split", "where", "over", "reference"];
const COLUMN_WORDS: [&str; 6] = ["from", "value", "split", "where", "title", "reference"];
const RESERVED: [&str; 2] = ["measurements", "costs"];

pub fn read(raw: &Raw, graph: &Graph, problems: &mut Vec<Problem>) -> Vec<TableSpec> {
    raw.tables.iter().filter_map(|(name, tree)| Reader { raw, graph, name, problems }.table(tree)).collect()
}

struct Reader<'a> {
    raw: &'a Raw,
    graph: &'a Graph,
    name: &'a Name,
    problems: &'a mut Vec<Problem>,
}

impl Reader<'_> {
    fn wrong(&mut self, tree: &Tree, title: impl Into<String>, label: impl Into<String>) {
        self.problems.push(Problem::new(tree.span.clone(), title, label));
    }

    fn table(&mut self, tree: &Tree) -> Option<TableSpec> {
        known_names(tree, &WORDS, "word", self.problems);
        if RESERVED.contains(&self.name.text.as_str()) {
            self.problems.push(Problem::new(
                self.name.span.clone(),
                format!("a table cannot be called `{}`", self.name.text),
                "a file of this name is written beside the tables",
            ));
        }
        let before = self.problems.len();
        let rows = self.axes(tree, "rows", true);
        let over = self.axes(tree, "over", false);
        let (columns, spread) = self.columns(tree);
        if self.problems.len() == before {
            columns.iter().for_each(|column| self.check_open_axes(tree, column, &rows, &over));
        }
        if self.problems.len() > before {
            return None;
        }
        let used: BTreeSet<&str> = rows.iter().chain(&over).chain(&spread).map(String::as_str).collect();
        let axes = self.raw.axes.iter().filter(|axis| used.contains(axis.name.text.as_str()));
        let labels =
            axes.map(|axis| (axis.name.text.clone(), axis.labels().into_iter().map(String::from).collect())).collect();
        let title = tree.get("title").and_then(Tree::text).map(String::from);
        Some(TableSpec { name: self.name.text.clone(), title, rows, over, columns, labels })
    }

    /// One axis or a list of them.
    fn axes(&mut self, table: &Tree, word: &str, required: bool) -> Vec<String> {
        let Some(tree) = table.get(word) else {
            if required {
                self.problems.push(Problem::new(
                    self.name.span.clone(),
                    format!("table `{}` has no `{word}`", self.name.text),
                    format!("add `{word}: AXIS`"),
                ));
            }
            return vec![];
        };
        let items = match &tree.content {
            Content::List(items) => items.iter().collect(),
            _ => vec![tree],
        };
        items.into_iter().filter_map(|item| self.axis(item).map(|axis| axis.name.text.clone())).collect()
    }

    fn axis(&mut self, tree: &Tree) -> Option<&Axis> {
        let found = self.raw.axes.iter().find(|axis| Some(axis.name.text.as_str()) == tree.text());
        if found.is_none() {
            let names = self.raw.axes.iter().map(|axis| axis.name.text.as_str());
            let label = nearest(tree.text().unwrap_or_default(), names);
            self.wrong(tree, format!("there is no axis {}", tree.describe()), label);
        }
        found
    }

    /// The columns, and the axis that they are spread over, if they are.
    fn columns(&mut self, table: &Tree) -> (Vec<Column>, Option<String>) {
        match table.get("columns") {
            Some(Tree { content: Content::List(items), .. }) => {
                (items.iter().filter_map(|item| self.column(item, &COLUMN_WORDS)).collect(), None)
            }
            None => (self.column(table, &WORDS).into_iter().collect(), None),
            Some(name) => {
                let (Some(axis), Some(column)) = (self.axis(name).cloned(), self.column(table, &WORDS)) else {
                    return (vec![], None);
                };
                let at = |label: &str| Column {
                    title: format!("{} {label}", axis.name.text),
                    where_: column.where_.iter().cloned().chain([(axis.name.text.clone(), label.to_owned())]).collect(),
                    ..column.clone()
                };
                (axis.labels().into_iter().map(at).collect(), Some(axis.name.text.clone()))
            }
        }
    }

    fn column(&mut self, tree: &Tree, words: &[&str]) -> Option<Column> {
        known_names(tree, words, "word", self.problems);
        let from = self.named_stage(tree)?;
        let node = self.graph.node_weights().find(|node| node.stage == from)?;
        let value = self.text(tree, "value")?;
        let split = tree.get("split").map_or(Some("test".to_owned()), |_| self.text(tree, "split"))?;
        self.check_measure(tree, node, &value, &split);
        let where_ = self.conditions(tree.get("where"));
        let references = self.references(tree.get("reference"));
        let title = tree
            .get("title")
            .filter(|_| words.len() == COLUMN_WORDS.len())
            .and_then(Tree::text)
            .map_or_else(|| from.clone(), String::from);
        Some(Column { title, from, value, split, where_, references })
    }

    fn named_stage(&mut self, tree: &Tree) -> Option<String> {
        let from = self.text(tree, "from")?;
        if self.raw.stages.iter().any(|stage| stage.name.text == from) {
            return Some(from);
        }
        let names: Vec<&str> = self.raw.stages.iter().map(|stage| stage.name.text.as_str()).collect();
        let place = tree.get("from").unwrap_or(tree).clone();
        self.wrong(&place, format!("there is no stage `{from}`"), nearest(&from, names));
        None
    }

    fn text(&mut self, tree: &Tree, word: &str) -> Option<String> {
        match tree.get(word) {
            Some(value) if value.text().is_some() => value.text().map(String::from),
            Some(value) => {
                let value = value.clone();
                self.wrong(&value, format!("`{word}` is {}", value.describe()), "a name");
                None
            }
            None => {
                self.problems.push(Problem::new(
                    self.name.span.clone(),
                    format!("table `{}` has no `{word}`", self.name.text),
                    format!("add `{word}: NAME`"),
                ));
                None
            }
        }
    }

    fn check_measure(&mut self, tree: &Tree, node: &Node, value: &str, split: &str) {
        let Some(measure) = node.kind.measures.iter().find(|measure| measure.name == value) else {
            let names: Vec<&str> = node.kind.measures.iter().map(|measure| measure.name.as_str()).collect();
            let place = tree.get("value").unwrap_or(tree).clone();
            return self.wrong(&place, format!("{} measures no `{value}`", node.kind.name), nearest(value, names));
        };
        if !measure.splits.iter().any(|known| known == split) && !measure.splits.is_empty() {
            let place = tree.get("split").unwrap_or(tree).clone();
            let names: Vec<&str> = measure.splits.iter().map(String::as_str).collect();
            self.wrong(
                &place,
                format!("{} gives no `{value}` of split `{split}`", node.kind.name),
                nearest(split, names),
            );
        }
    }

    fn conditions(&mut self, tree: Option<&Tree>) -> Vec<(String, String)> {
        let mut conditions = vec![];
        for (name, value) in tree.and_then(Tree::entries).unwrap_or_default() {
            let Some(axis) = self.raw.axes.iter().find(|axis| axis.name.text == name.text) else {
                let names = self.raw.axes.iter().map(|axis| axis.name.text.as_str());
                self.problems.push(Problem::new(
                    name.span.clone(),
                    format!("there is no axis `{}`", name.text),
                    nearest(&name.text, names),
                ));
                continue;
            };
            let label = match &value.content {
                Content::Scalar(Value::String(text)) => text.clone(),
                Content::Scalar(value) => value.to_string(),
                _ => String::new(),
            };
            if axis.labels().contains(&label.as_str()) {
                conditions.push((name.text.clone(), label));
            } else {
                let hint = nearest(&label, axis.labels());
                self.wrong(value, format!("axis `{}` has no value {}", name.text, value.describe()), hint);
            }
        }
        conditions
    }

    /// `{ simclr: { value: 90.7, source: "..." } }`
    fn references(&mut self, tree: Option<&Tree>) -> Vec<Reference> {
        let entries = tree.and_then(Tree::entries).unwrap_or_default().to_vec();
        let read = |(name, tree): &(Name, Tree)| {
            let value = match tree.get("value").map(|value| &value.content) {
                Some(Content::Scalar(value)) => value.as_f64(),
                _ => None,
            };
            let source = tree.get("source").and_then(Tree::text);
            match (value, source) {
                (Some(value), Some(source)) => {
                    Some(Reference { row: name.text.clone(), value, source: source.to_owned() })
                }
                _ => {
                    self.problems.push(Problem::new(
                        tree.span.clone(),
                        format!("the reference of `{}` is not whole", name.text),
                        "write { value: NUMBER, source: \"where it was published\" }",
                    ));
                    None
                }
            }
        };
        entries.iter().filter_map(read).collect()
    }

    /// An axis that stands nowhere would silently be averaged over.
    fn check_open_axes(&mut self, table: &Tree, column: &Column, rows: &[String], over: &[String]) {
        let Some(node) = self.graph.node_weights().find(|node| node.stage == column.from) else { return };
        for (axis, _) in &node.axes {
            let fixed = column.where_.iter().any(|(name, _)| name == axis);
            if !fixed && !rows.contains(axis) && !over.contains(axis) {
                let title = format!("table `{}` leaves axis `{axis}` of `{}` open", self.name.text, column.from);
                let place = table.get("from").map_or(self.name.span.clone(), |from| from.span.clone());
                self.problems.push(Problem::new(
                    place,
                    title,
                    format!("put it into `rows`, `columns` or `over`, or fix it: where: {{ {axis}: VALUE }}"),
                ));
            }
        }
    }
}
