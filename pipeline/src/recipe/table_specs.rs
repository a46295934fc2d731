//! `tables:` against the graph.

use super::axes::Axis;
use super::choices;
use super::exclusions::value_number;
use super::problem::{Problem, nearest, nearest_or};
use super::raw::{Raw, known_names};
use super::tables::{Choice, Column, TableSpec};
use super::tree::{Content, Name, Tree};
use crate::plan::{Graph, Node};
use std::collections::{BTreeMap, BTreeSet};

pub const WORDS: [&str; 10] =
    ["title", "from", "rows", "columns", "value", "split", "where", "over", "against", "reference"];
pub const COLUMN_WORDS: [&str; 6] = ["from", "value", "split", "where", "title", "reference"];
const RESERVED: [&str; 2] = ["measurements", "costs"];

/// Tables that are right. Where the graph is not whole because of other mistakes, less can be checked.
pub fn read(raw: &Raw, graph: &Graph, problems: &mut Vec<Problem>) -> Vec<TableSpec> {
    let mut nodes: BTreeMap<&str, Vec<&Node>> = BTreeMap::new();
    for node in graph.node_weights() {
        nodes.entry(&node.stage).or_default().push(node);
    }
    let graph_is_whole = problems.is_empty();
    let choose = raw.choose.as_ref();
    let span = choose.map(|tree| tree.span.clone()).unwrap_or_default();
    let name = Name { text: "choose".to_owned(), span };
    let mut reader = Reader {
        raw,
        nodes: &nodes,
        graph_is_whole,
        name: &name,
        choices: vec![],
        choices_are_whole: false,
        rows: vec![],
        problems,
    };
    let before = reader.problems.len();
    reader.choices = choose.map(|tree| reader.choices(tree)).unwrap_or_default();
    reader.choices_are_whole = reader.problems.len() == before;
    let mut tables = vec![];
    for (name, tree) in &raw.tables {
        reader.name = name;
        tables.extend(reader.table(tree));
    }
    let choices = reader.choices;
    if let (true, Some(tree)) = (problems.is_empty(), choose) {
        choices::check_used(tree, &choices, &tables, problems);
    }
    tables
}

pub(super) struct Reader<'a> {
    pub raw: &'a Raw,
    /// Those of each stage.
    pub nodes: &'a BTreeMap<&'a str, Vec<&'a Node>>,
    pub graph_is_whole: bool,
    /// The table's, or `choose`.
    pub name: &'a Name,
    pub choices: Vec<Choice>,
    /// Where they are not, nobody can tell which axes a table leaves open.
    pub choices_are_whole: bool,
    pub rows: Vec<String>,
    pub problems: &'a mut Vec<Problem>,
}

impl Reader<'_> {
    pub fn wrong(&mut self, place: &Tree, title: impl Into<String>, label: impl Into<String>) {
        self.problems.push(Problem::new(place.span.clone(), title, label));
    }

    pub fn lacks(&mut self, what: &str, label: impl Into<String>) {
        let title = format!("table `{}` has no {what}", self.name.text);
        self.problems.push(Problem::new(self.name.span.clone(), title, label));
    }

    fn table(&mut self, tree: &Tree) -> Option<TableSpec> {
        let before = self.problems.len();
        known_names(tree, &WORDS, "word", self.problems);
        if RESERVED.contains(&self.name.text.as_str()) {
            let title = format!("a table cannot be called `{}`", self.name.text);
            let label = "a file of this name is written beside the tables";
            self.problems.push(Problem::new(self.name.span.clone(), title, label));
        }
        if tree.get("rows").is_none() && !self.raw.axes.is_empty() {
            if self.is_unknown() {
                return None;
            }
            self.lacks("`rows`", "add `rows: AXIS`, or `rows: []` for a single row");
        }
        self.rows = self.axes(tree.get("rows"));
        let over = self.axes(tree.get("over"));
        let against = tree.get("against").map(|against| self.against(against, &over)).unwrap_or_default();
        let title = tree.get("title").and_then(|title| self.text(title, "title"));
        let (mut columns, spread) = self.columns(tree);
        self.check_places(tree, &over, spread.as_deref());
        if self.problems.len() == before && self.choices_are_whole {
            columns.iter_mut().for_each(|column| column.chosen = self.settling(column, &over));
            columns.iter().for_each(|column| self.check_open_axes(tree, column, &over));
        }
        if self.problems.len() > before {
            return None;
        }
        let chosen = columns.iter().flat_map(|column| &column.chosen).flat_map(|choice| &choice.axes);
        let used = self.rows.iter().chain(&over).chain(&spread).chain(chosen);
        let used: BTreeSet<&str> = used.map(String::as_str).collect();
        let axes = self.raw.axes.iter().filter(|axis| used.contains(axis.name.text.as_str()));
        let labels = axes.map(|axis| (axis.name.text.clone(), axis.labels().map(String::from).collect())).collect();
        let rows = std::mem::take(&mut self.rows);
        Some(TableSpec { name: self.name.text.clone(), title, rows, over, against, columns, labels })
    }

    /// Whether it is meant to change a table that there is not, which is told.
    fn is_unknown(&mut self) -> bool {
        let others = self.raw.tables.iter().filter(|(_, tree)| tree.get("rows").is_some());
        let others: Vec<&str> = others.map(|(name, _)| name.text.as_str()).collect();
        let is_unknown = self.raw.is_changed && !others.is_empty();
        if is_unknown {
            let label = nearest_or(&self.name.text, others, "a new one needs `rows`");
            let title = format!("unknown table `{}`", self.name.text);
            self.problems.push(Problem::new(self.name.span.clone(), title, label));
        }
        is_unknown
    }

    /// One axis or a list of them.
    pub(super) fn axes(&mut self, tree: Option<&Tree>) -> Vec<String> {
        let items = match tree {
            None => [].as_slice(),
            Some(Tree { content: Content::List(items), .. }) => items.as_slice(),
            Some(one) => std::slice::from_ref(one),
        };
        items.iter().filter_map(|item| self.axis(item).map(|axis| axis.name.text.clone())).collect()
    }

    /// The row that others are held against, by its label, or by those on some axes where there are several.
    fn against(&mut self, tree: &Tree, over: &[String]) -> Vec<(String, String)> {
        if tree.is_nothing() {
            return vec![];
        }
        let held = if tree.entries().is_some() { self.held_on_axes(tree) } else { self.held_by_label(tree) };
        if !held.is_empty() && over.len() > 1 {
            let title =
                format!("table `{}` averages over {}, and holds rows against one", self.name.text, over.join(" and "));
            self.wrong(tree, title, "runs along one axis can be paired, others are none of their own: put an axis into `rows`, or leave `against` out");
        }
        held
    }

    fn held_on_axes(&mut self, tree: &Tree) -> Vec<(String, String)> {
        let held = self.conditions(Some(tree), None);
        for (name, _) in tree.entries().unwrap_or_default() {
            if held.iter().any(|(axis, _)| *axis == name.text) && !self.rows.contains(&name.text) {
                let title = format!("axis `{}` is none of the rows of table `{}`", name.text, self.name.text);
                let label = nearest(&name.text, self.rows.iter().map(String::as_str));
                self.problems.push(Problem::new(name.span.clone(), title, label));
            }
        }
        held
    }

    fn held_by_label(&mut self, tree: &Tree) -> Vec<(String, String)> {
        let row = match &self.rows[..] {
            [row] => row.clone(),
            [] => {
                self.wrong(tree, format!("table `{}` has a single row", self.name.text), "leave `against` out");
                return vec![];
            }
            [example, ..] => {
                let label = tree.text().unwrap_or("VALUE");
                let expected = format!("a map, since rows are called by several axes: {{ {example}: {label} }}");
                self.problems.push(Problem::wrong_value("`against`", tree, expected));
                return vec![];
            }
        };
        let Some(axis) = self.raw.axes.iter().find(|axis| axis.name.text == row) else { return vec![] };
        let before = self.problems.len();
        let number = value_number(axis, tree, self.problems);
        // A recipe whose axis is changed for a call may have lost that row.
        let told = self.problems[before..].iter_mut();
        told.for_each(|problem| problem.label += "; `against: null` holds rows against none");
        number.map(|number| (row, axis.values[number].label.clone())).into_iter().collect()
    }

    fn axis(&mut self, tree: &Tree) -> Option<Axis> {
        let found = self.raw.axes.iter().find(|axis| Some(axis.name.text.as_str()) == tree.text()).cloned();
        if found.is_none() {
            let label = nearest(tree.text().unwrap_or_default(), self.raw.axis_names());
            self.wrong(tree, format!("there is no axis {}", tree.describe()), label);
        }
        found
    }

    /// The columns, and the axis that they are spread over, if they are.
    fn columns(&mut self, table: &Tree) -> (Vec<Column>, Option<String>) {
        match table.get("columns") {
            None => (self.column(table).into_iter().collect(), None),
            Some(tree @ Tree { content: Content::List(items), .. }) => {
                if items.is_empty() {
                    self.wrong(tree, format!("table `{}` has no columns", self.name.text), "name at least one");
                }
                (self.listed(items), None)
            }
            Some(name) => {
                let (axis, column) = (self.axis(name), self.column(table));
                let (Some(axis), Some(column)) = (axis, column) else { return (vec![], None) };
                let at = |label: &str| Column {
                    title: format!("{} {label}", axis.name.text),
                    where_: column.where_.iter().cloned().chain([(axis.name.text.clone(), label.to_owned())]).collect(),
                    ..column.clone()
                };
                (axis.labels().map(at).collect(), Some(axis.name.text.clone()))
            }
        }
    }

    /// Columns that are written one by one. Their titles head the columns of a file too, which must differ.
    fn listed(&mut self, items: &[Tree]) -> Vec<Column> {
        let mut columns: Vec<Column> = vec![];
        for item in items {
            if item.entries().is_none() {
                let expected = "a map: { from: STAGE, value: MEASUREMENT }";
                self.problems.push(Problem::wrong_value("a column", item, expected));
                continue;
            }
            known_names(item, &COLUMN_WORDS, "word", self.problems);
            let Some(mut column) = self.column(item) else { continue };
            // Of one stage several columns are told apart by what they show.
            let from = item.get("from").or(items[0].get("from")).and_then(Tree::text);
            let is_of_it =
                |other: &&Tree| other.get("title").is_none() && other.get("from").and_then(Tree::text) == from;
            if items.iter().filter(is_of_it).count() > 1 {
                column.title.clone_from(&column.value);
            }
            if let Some(title) = item.get("title").and_then(|title| self.text(title, "title")) {
                column.title = title;
            }
            if columns.iter().any(|other| other.title == column.title) {
                let title = format!("two columns of table `{}` are called `{}`", self.name.text, column.title);
                self.wrong(item.get("title").unwrap_or(item), title, "give each a `title` of its own");
            }
            columns.push(column);
        }
        columns
    }

    /// An axis can stand in one place.
    fn check_places(&mut self, table: &Tree, over: &[String], spread: Option<&str>) {
        let mut taken = BTreeSet::new();
        for axis in self.rows.iter().chain(over).map(String::as_str).chain(spread) {
            if !taken.insert(axis.to_owned()) {
                let title = format!("axis `{axis}` stands twice in table `{}`", self.name.text);
                let place = ["over", "columns", "rows"]
                    .into_iter()
                    .find_map(|word| table.get(word).filter(|tree| names(tree, axis)));
                let label = "an axis stands in `rows`, `columns` or `over`, once";
                self.problems.push(Problem::new(
                    place.map_or(self.name.span.clone(), |tree| tree.span.clone()),
                    title,
                    label,
                ));
            }
        }
    }

    /// An axis that stands nowhere would silently be averaged over.
    fn check_open_axes(&mut self, table: &Tree, column: &Column, over: &[String]) {
        let before = self.problems.len();
        let Some(node) = self.nodes.get(column.from.as_str()).and_then(|nodes| nodes.first()) else { return };
        for (axis, _) in &node.axes {
            let fixed = column.where_.iter().any(|(name, _)| name == axis);
            let chosen = column.chosen.iter().any(|choice| choice.axes.contains(axis));
            if !fixed && !chosen && !self.rows.contains(axis) && !over.contains(axis) {
                let title = format!("table `{}` leaves axis `{axis}` of `{}` open", self.name.text, column.from);
                let place = table.get("from").map_or(self.name.span.clone(), |from| from.span.clone());
                let label = format!(
                    "put it into `rows`, `columns` or `over`, fix it (where: {{ {axis}: VALUE }}), or have its best value picked (`choose`)"
                );
                self.problems.push(Problem::new(place, title, label));
            }
        }
        if self.problems.len() == before {
            self.check_open_choices(table, column, over);
        }
    }
}

fn names(tree: &Tree, axis: &str) -> bool {
    match &tree.content {
        Content::List(items) => items.iter().any(|item| item.text() == Some(axis)),
        _ => tree.text() == Some(axis),
    }
}
