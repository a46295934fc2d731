//! One column of a table: which measurement of which nodes, and what to hold it against.

use super::axes::Axis;
use super::exclusions::value_number;
use super::problem::{Problem, nearest};
use super::table_specs::Reader;
use super::tables::{Column, Reference};
use super::tree::{Content, Name, Tree};
use crate::plan::Node;
use crate::terminal::harmless;
use pretext_protocol::{Measure, StageKind};

/// The split that a measurement is of when the recipe does not say.
const TEST: &str = "test";

impl Reader<'_> {
    /// `tree` is the column's map, or the table's if it has one column. `None` where a mistake was told.
    pub(super) fn column(&mut self, tree: &Tree) -> Option<Column> {
        let (from, value) = (self.stage(tree), self.named(tree, "value"));
        let where_ = self.conditions(tree.get("where"), from.as_deref());
        let references = self.references(tree.get("reference"));
        let split = tree.get("split").and_then(|split| self.text(split, "split"));
        let (from, value) = (from?, value?);
        let split = self.measured(tree, &from, &value, split.as_deref())?;
        Some(Column { title: from.clone(), from, value, split, where_, references, chosen: vec![] })
    }

    /// A text that must be there.
    fn named(&mut self, tree: &Tree, word: &str) -> Option<String> {
        match tree.get(word) {
            Some(value) => self.text(value, word),
            None => {
                let (what, label) = (format!("`{word}`"), format!("add `{word}: NAME`"));
                // A table's own map has one column.
                if self.raw.tables.iter().any(|(_, table)| table.span == tree.span) {
                    self.lacks(&what, label);
                } else {
                    self.wrong(tree, format!("a column of table `{}` has no {what}", self.name.text), label);
                }
                None
            }
        }
    }

    pub(super) fn text(&mut self, value: &Tree, word: &str) -> Option<String> {
        if value.text().is_none() {
            self.problems.push(Problem::wrong_value(&format!("`{word}`"), value, "a text"));
        }
        // A title stands in tables, which are read on terminals.
        value.text().map(|text| harmless(text).into_owned())
    }

    fn stage(&mut self, tree: &Tree) -> Option<String> {
        let from = self.named(tree, "from")?;
        self.check_stage(tree.get("from").unwrap_or(tree), &from)?;
        Some(from)
    }

    /// None where there is no such stage.
    pub(super) fn check_stage(&mut self, place: &Tree, from: &str) -> Option<()> {
        if self.raw.stage_numbered(from).is_none() {
            let label = nearest(from, self.raw.stage_names());
            self.wrong(place, format!("there is no stage `{from}`"), label);
            return None;
        }
        if self.nodes_of(from).is_empty() && self.graph_is_whole {
            self.wrong(place, format!("`exclude` leaves nothing of `{from}`"), "exclude less, or leave it out here");
        }
        Some(())
    }

    pub(super) fn nodes_of(&self, stage: &str) -> &[&'_ Node] {
        self.nodes.get(stage).map_or(&[], Vec::as_slice)
    }

    /// The axes along which a stage varies.
    pub(super) fn axes_of(&self, stage: &str) -> impl Iterator<Item = &String> {
        self.nodes_of(stage).first().into_iter().flat_map(|node| node.axes.iter().map(|(axis, _)| axis))
    }

    /// The split of the measurement, if every kind that the stage can be gives it.
    pub(super) fn measured(&mut self, tree: &Tree, from: &str, value: &str, split: Option<&str>) -> Option<String> {
        let mut kinds: Vec<&StageKind> = vec![];
        let all = self.nodes_of(from);
        if !all.is_empty() && all.iter().all(|node| !node.is_checked) {
            return Some(split.unwrap_or(TEST).to_owned());
        }
        for node in all.iter().filter(|node| node.is_checked) {
            if !kinds.iter().any(|kind| kind.name == node.kind.name) {
                kinds.push(&node.kind);
            }
        }
        let kinds: Vec<StageKind> = kinds.into_iter().cloned().collect();
        let splits: Option<Vec<String>> = kinds.iter().map(|kind| self.measured_by(kind, tree, value, split)).collect();
        splits?.into_iter().next()
    }

    fn measured_by(&mut self, kind: &StageKind, tree: &Tree, value: &str, split: Option<&str>) -> Option<String> {
        let place = |word: &str| tree.get(word).or(tree.get("value")).unwrap_or(tree);
        let Some(Measure { splits, .. }) = kind.measures.iter().find(|measure| measure.name == value) else {
            let names = kind.measures.iter().map(|measure| measure.name.as_str());
            self.wrong(place("value"), format!("{} measures no `{value}`", kind.name), nearest(value, names));
            return None;
        };
        match (splits.is_empty(), split) {
            (true, None) => Some(String::new()),
            (true, Some(split)) => {
                let title = format!("`{value}` of {} is not of a split, and not of `{split}`", kind.name);
                self.wrong(place("split"), title, "remove `split`");
                None
            }
            (false, split) => {
                let split = split.unwrap_or(TEST);
                let known = splits.iter().any(|known| known == split);
                if !known {
                    let label = nearest(split, splits.iter().map(String::as_str));
                    let title = format!("{} gives no `{value}` of split `{split}`", kind.name);
                    self.wrong(place("split"), title, label);
                }
                known.then(|| split.to_owned())
            }
        }
    }

    /// `where: { labels: 0.01 }`
    pub(super) fn conditions(&mut self, tree: Option<&Tree>, from: Option<&str>) -> Vec<(String, String)> {
        let Some(tree) = tree else { return vec![] };
        if tree.entries().is_none() {
            self.problems.push(Problem::wrong_value("`where`", tree, "a map of axes and values: { labels: 0.01 }"));
        }
        let mut conditions = vec![];
        for (name, value) in tree.entries().unwrap_or_default() {
            let Some(axis) = self.raw.axes.iter().find(|axis| axis.name.text == name.text) else {
                let label = nearest(&name.text, self.raw.axis_names());
                let title = format!("there is no axis `{}`", name.text);
                self.problems.push(Problem::new(name.span.clone(), title, label));
                continue;
            };
            self.check_varies(name, from);
            if let Some(number) = value_number(axis, value, self.problems) {
                conditions.push((name.text.clone(), axis.values[number].label.clone()));
            }
        }
        conditions
    }

    pub(super) fn check_varies(&mut self, axis: &Name, from: Option<&str>) {
        let Some((from, node)) = from.and_then(|from| Some((from, self.nodes_of(from).first()?))) else { return };
        if !node.axes.iter().any(|(name, _)| *name == axis.text) {
            let title = format!("`{from}` does not vary along axis `{}`", axis.text);
            let names = node.axes.iter().map(|(name, _)| name.as_str());
            let label = nearest(&axis.text, names);
            self.problems.push(Problem::new(axis.span.clone(), title, label));
        }
    }

    /// `{ simclr: { value: 90.7, source: "..." } }`
    fn references(&mut self, tree: Option<&Tree>) -> Vec<Reference> {
        let Some(tree) = tree else { return vec![] };
        if tree.entries().is_none() {
            let expected = "a map by rows: { simclr: { value: 90.7, source: \"...\" } }";
            self.problems.push(Problem::wrong_value("`reference`", tree, expected));
        }
        let entries = tree.entries().unwrap_or_default();
        entries.iter().filter_map(|(row, tree)| self.reference(row, tree)).collect()
    }

    fn reference(&mut self, row: &Name, tree: &Tree) -> Option<Reference> {
        let name = self.row(row);
        let value = match tree.get("value").map(|value| &value.content) {
            Some(Content::Scalar(value)) => value.value().as_f64(),
            _ => None,
        };
        let (Some(value), Some(source)) = (value, tree.get("source").and_then(Tree::text)) else {
            let label = "write { value: NUMBER, source: \"where it was published\" }";
            self.wrong(tree, format!("the reference of `{}` is not whole", row.text), label);
            return None;
        };
        Some(Reference { row: name?, value, source: source.to_owned() })
    }

    /// The name of a row, which is called by its labels, one for each axis: `simclr, 0.01`.
    fn row(&mut self, row: &Name) -> Option<String> {
        let axes: Vec<_> =
            self.rows.iter().filter_map(|row| self.raw.axes.iter().find(|a| a.name.text == *row)).collect();
        let labels: Vec<&str> = row.text.split(", ").collect();
        let label = |(axis, label): (&&Axis, &&str)| match axis.called(label)[..] {
            [one] => Some(axis.values[one].label.clone()),
            _ => None,
        };
        let known: Option<Vec<String>> = axes.iter().zip(&labels).map(label).collect();
        let known = known.filter(|_| labels.len() == axes.len());
        if known.is_none() && !axes.is_empty() {
            let label = match axes[..] {
                [axis] => nearest(&row.text, axis.labels()),
                _ => format!("a row is called by its labels on {}, with commas between", self.rows.join(", ")),
            };
            let title = format!("table `{}` has no row `{}`", self.name.text, row.text);
            self.problems.push(Problem::new(row.span.clone(), title, label));
        }
        known.map(|labels| labels.join(", "))
    }
}
