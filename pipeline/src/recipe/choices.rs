//! `choose:`: along which axes the best value is picked, and by which measurement. Tables are filled with what was picked.

use super::problem::{Problem, nearest};
use super::raw::known_names;
use super::table_specs::Reader;
use super::tables::{Best, Choice, Column, TableSpec};
use super::tree::{Content, Name, Tree};
use std::collections::BTreeSet;

pub const WORDS: [&str; 5] = ["axis", "by", "split", "where", "best"];
/// What is chosen is chosen on this split: a test split that had a say would no longer test.
pub const SPLIT: &str = "validation";
pub const BEST: [&str; 2] = ["highest", "lowest"];
const EXPECTED: &str = "a map or a list of maps: { axis: lr, by: probe.accuracy, split: validation }";

impl Reader<'_> {
    /// The choices in the order in which they are made.
    pub(super) fn choices(&mut self, tree: &Tree) -> Vec<Choice> {
        let items = match &tree.content {
            Content::List(items) => items.as_slice(),
            _ => std::slice::from_ref(tree),
        };
        let mut chosen = BTreeSet::new();
        items.iter().filter_map(|item| self.choice(item, &mut chosen)).collect()
    }

    /// `chosen`: the axes of the choices before it.
    fn choice(&mut self, tree: &Tree, chosen: &mut BTreeSet<String>) -> Option<Choice> {
        if tree.entries().is_none() {
            self.problems.push(Problem::wrong_value("`choose`", tree, EXPECTED));
            return None;
        }
        known_names(tree, &WORDS, "word", self.problems);
        let axes = self.axes(tree.get("axis"));
        if tree.get("axis").is_none() {
            self.wrong(tree, "a choice has no `axis`", "add `axis: NAME`");
        }
        for axis in axes.iter().filter(|axis| !chosen.insert((*axis).clone())) {
            self.wrong(tree.get("axis").unwrap_or(tree), format!("axis `{axis}` is chosen twice"), "keep one of them");
        }
        let is_on_validation = self.is_on_validation(tree.get("split"));
        let by = self.decisive(tree)?;
        for axis in &axes {
            let span = tree.get("axis").unwrap_or(tree).span.clone();
            self.check_varies(&Name { text: axis.clone(), span }, Some(&by.from));
        }
        self.check_held(tree.get("where").unwrap_or(tree), &axes, &by);
        let best = self.best(tree, &by)?;
        (is_on_validation && !axes.is_empty()).then_some(Choice { axes, by, best })
    }

    /// What a choice holds is neither what it chooses nor coupled with what it leaves open.
    fn check_held(&mut self, place: &Tree, axes: &[String], by: &Column) {
        let is_held = |axis: &str| by.where_.iter().any(|(held, _)| held == axis);
        for (axis, label) in by.where_.iter().filter(|(axis, _)| axes.contains(axis)) {
            let title = format!("`{axis}` is chosen along, and `where` holds it at {label}");
            self.wrong(place, title, "hold other axes there, such as the seed");
        }
        let name = |axis: &usize| self.raw.axes[*axis].name.text.as_str();
        let coupled = self.raw.zips.iter().map(|zip| zip.iter().map(name).collect::<Vec<_>>());
        let half = coupled.filter_map(|zip| {
            let varies = |axis: &&str| self.axes_of(&by.from).any(|own| own == axis);
            let open = zip.iter().copied().filter(varies).find(|axis| !is_held(axis))?;
            Some((zip.iter().copied().find(|axis| is_held(axis))?.to_owned(), open.to_owned()))
        });
        for (held, open) in half.collect::<Vec<_>>() {
            let title = format!("`where` holds `{held}`, which `zip` couples with `{open}`");
            self.wrong(place, title, format!("hold `{open}` too"));
        }
    }

    fn is_on_validation(&mut self, split: Option<&Tree>) -> bool {
        let Some(split) = split.filter(|split| split.text() != Some(SPLIT)) else { return true };
        let title = match split.text() {
            Some("test") => "nothing is chosen on the test split: it would no longer test".to_owned(),
            _ => format!("`split` of a choice is {}", split.describe()),
        };
        self.wrong(split, title, "write `split: validation`, or leave it out");
        false
    }

    /// The measurement that decides: `probe.accuracy`.
    fn decisive(&mut self, choice: &Tree) -> Option<Column> {
        let Some(place) = choice.get("by") else {
            self.wrong(choice, "a choice has no `by`", "add `by: STAGE.MEASUREMENT`, as in `by: probe.accuracy`");
            return None;
        };
        let Some((from, value)) = place.text().and_then(|text| text.split_once('.')) else {
            let expected = "a stage and what it measures: probe.accuracy";
            self.problems.push(Problem::wrong_value("`by`", place, expected));
            return None;
        };
        self.check_stage(place, from)?;
        let kinds = self.nodes_of(from).iter().map(|node| &node.kind);
        let without_split = kinds.flat_map(|kind| kind.measures.iter().map(move |measure| (kind, measure)));
        let without_split = without_split.filter(|(_, measure)| measure.name == value && measure.splits.is_empty());
        if let Some(kind) = without_split.map(|(kind, _)| kind.name.clone()).next() {
            let title = format!("`{value}` of {kind} is not measured on the validation split");
            let of_validation = self.nodes_of(from)[0].kind.measures.iter();
            let of_validation = of_validation.filter(|measure| measure.splits.iter().any(|split| split == SPLIT));
            let label = nearest(value, of_validation.map(|measure| measure.name.as_str()));
            self.wrong(place, title, label);
            return None;
        }
        let split = self.measured(place, from, value, Some(SPLIT))?;
        let title = format!("{from}.{value}");
        let where_ = self.conditions(choice.get("where"), Some(from));
        let (from, value) = (from.to_owned(), value.to_owned());
        Some(Column { title, from, value, split, where_, references: vec![], chosen: vec![] })
    }

    /// Of a fraction the highest, unless the recipe says otherwise; of other measurements nobody but the recipe knows.
    fn best(&mut self, choice: &Tree, by: &Column) -> Option<Best> {
        let Some(said) = choice.get("best") else {
            let kinds = self.nodes_of(&by.from).iter().map(|node| &node.kind);
            let mut measures =
                kinds.flat_map(|kind| &kind.measures).filter(|measure| measure.name == by.value).peekable();
            if measures.peek().is_some() && measures.all(|measure| measure.unit == "fraction") {
                return Some(Best::Highest);
            }
            let label = "add `best: highest` or `best: lowest`";
            self.wrong(choice.get("by").unwrap_or(choice), format!("is more or less of `{}` better?", by.value), label);
            return None;
        };
        match said.text() {
            Some("highest") => Some(Best::Highest),
            Some("lowest") => Some(Best::Lowest),
            _ => {
                let label = nearest(said.text().unwrap_or_default(), BEST);
                self.problems.push(Problem::wrong_value("`best`", said, label));
                None
            }
        }
    }

    /// The choices that settle what a column leaves open, in the order in which they are made, each with those of its axes that
    /// are open.
    pub(super) fn settling(&self, column: &Column, over: &[String]) -> Vec<Choice> {
        let is_open = |axis: &&String| {
            let is_fixed = column.where_.iter().any(|(name, _)| name == *axis);
            !is_fixed && !self.rows.contains(axis) && !over.contains(axis)
        };
        let mut wanted: BTreeSet<&String> = self.axes_of(&column.from).filter(is_open).collect();
        let mut settling = vec![];
        // One that is made later may need one that is made before it.
        for choice in self.choices.iter().rev() {
            let axes: Vec<String> = choice.axes.iter().filter(is_open).cloned().collect();
            if axes.iter().any(|axis| wanted.contains(axis)) {
                let is_held = |axis: &&String| choice.by.where_.iter().any(|(name, _)| name == *axis);
                wanted.extend(self.axes_of(&choice.by.from).filter(|axis| is_open(axis) && !is_held(axis)));
                settling.push(Choice { axes, ..choice.clone() });
            }
        }
        settling.reverse();
        settling
    }

    /// What the measurement that decides would silently be averaged over.
    pub(super) fn check_open_choices(&mut self, table: &Tree, column: &Column, over: &[String]) {
        for (number, choice) in column.chosen.iter().enumerate() {
            let settled = |axis: &String| column.chosen[..=number].iter().any(|choice| choice.axes.contains(axis));
            let is_fixed = |axis: &String| column.where_.iter().chain(&choice.by.where_).any(|(name, _)| name == axis);
            let is_closed =
                |axis: &String| self.rows.contains(axis) || over.contains(axis) || is_fixed(axis) || settled(axis);
            let Some(open) = self.axes_of(&choice.by.from).find(|axis| !is_closed(axis)).cloned() else { continue };
            let (by, axes) = (&choice.by.title, choice.axes.join("` and `"));
            let title = format!("table `{}` leaves axis `{open}` open, along which `{by}` varies", self.name.text);
            let is_later = column.chosen[number..].iter().any(|choice| choice.axes.contains(&open));
            let label = match is_later {
                true => format!(
                    "`{axes}` is chosen by it: choose `{open}` before, or both at once: axis: [{open}, {}]",
                    choice.axes.join(", ")
                ),
                false => format!(
                    "`{axes}` is chosen by it: put `{open}` into `rows`, `columns` or `over`, or choose at one of its values: where: {{ {open}: \
                     VALUE }}"
                ),
            };
            self.wrong(table.get("from").unwrap_or(table), title, label);
        }
    }
}

/// Choices that no table shows.
pub fn check_used(tree: &Tree, choices: &[Choice], tables: &[TableSpec], problems: &mut Vec<Problem>) {
    let columns = tables.iter().flat_map(|table| &table.columns);
    let used: BTreeSet<&String> = columns.flat_map(|column| &column.chosen).flat_map(|choice| &choice.axes).collect();
    for axis in choices.iter().flat_map(|choice| &choice.axes).filter(|axis| !used.contains(axis)) {
        let title = format!("no table shows what is chosen along `{axis}`");
        let label =
            format!("a table shows it that has `{axis}` neither in `rows` nor in `columns`, `over` and `where`");
        problems.push(Problem::new(tree.span.clone(), title, label));
    }
}
