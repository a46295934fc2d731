//! Why values are missing, in the order in which the table meets the gaps.

use super::wording;
use crate::ids::NodeId;
use crate::plan::Node;
use crate::recipe::Column;
use crate::text;
use pretext_protocol::Measurement;

/// How many names are written out before the rest is only counted.
const NAMED: usize = 4;

/// Why values are missing: a line.
#[derive(Debug, Clone, PartialEq)]
pub struct Gap {
    pub line: String,
    /// The node whose failure it is, and the line where another table has told that already.
    pub again: Option<(NodeId, String)>,
}

#[derive(Default)]
pub(super) struct Gaps {
    failures: Vec<Failure>,
    not_computed: Vec<String>,
    not_measured: Vec<String>,
    /// By what was measured and what the kind says of it, the nodes.
    not_finite: Vec<((String, String), Vec<String>)>,
    not_in_recipe: Vec<String>,
    not_chosen: Vec<NotChosen>,
}

/// Why nothing could be chosen.
#[derive(Debug, PartialEq)]
pub(super) enum Undecided {
    /// The recipe has no value for the row, or none at what the choice holds: ` at seed 0`.
    NoValue(String),
    /// The values, and of how many runs the mean of each would be: one of fewer is more a matter of luck.
    Unequal(Vec<(String, usize)>),
    /// A measurement that decides, of which another line says why.
    Missing,
}

/// What could not be chosen, and in which rows.
struct NotChosen {
    axes: String,
    by: String,
    why: Undecided,
    rows: Vec<String>,
}

struct Failure {
    node: NodeId,
    error: String,
    /// What is missing because of it, itself excepted.
    missing: Vec<String>,
}

impl Gaps {
    /// `failure`: the node that failed and what it said, `node` itself or one upstream of it.
    pub fn not_computed(&mut self, node: &NodeId, failure: Option<(&NodeId, &String)>) {
        let Some((failed, error)) = failure else {
            return add(&mut self.not_computed, format!("`{node}`"));
        };
        let known = self.failures.iter().position(|failure| failure.node == *failed);
        let at = known.unwrap_or_else(|| {
            let error = text::first_line(error).to_owned();
            self.failures.push(Failure { node: failed.clone(), error, missing: vec![] });
            self.failures.len() - 1
        });
        if node != failed {
            add(&mut self.failures[at].missing, format!("`{node}`"));
        }
    }

    /// The node finished; `twice` says that it gave the measurement more than once, else it did not give it.
    pub fn not_measured(&mut self, node: &NodeId, column: &Column, given: &[Measurement], twice: bool) {
        let wanted = wording::measurement(&column.value, &column.split);
        let given = given.iter().map(|m| wording::measurement(&m.name, &m.split)).collect::<Vec<_>>();
        let line = match (twice, given.is_empty()) {
            (true, _) => format!("`{node}` gave {wanted} more than once: none of them counts"),
            (false, true) => format!("`{node}` gave no measurement, {wanted} was expected"),
            (false, false) => format!("`{node}` gave no {wanted}, only {}", given.join(", ")),
        };
        add(&mut self.not_measured, line);
    }

    /// The node finished, and what it measured is NaN or infinite.
    pub fn not_finite(&mut self, node: &Node, column: &Column) {
        let measured = wording::measurement(&column.value, &column.split);
        let measure = node.kind.measures.iter().find(|measure| measure.name == column.value);
        // It says where there is none.
        let doc = measure.filter(|measure| !measure.doc.is_empty()).map(|measure| format!(" ({})", measure.doc));
        let what = (measured, doc.unwrap_or_default());
        let at = self.not_finite.iter().position(|(known, _)| *known == what).unwrap_or_else(|| {
            self.not_finite.push((what, vec![]));
            self.not_finite.len() - 1
        });
        add(&mut self.not_finite[at].1, format!("`{}`", node.id));
    }

    /// The recipe has no node for the cell: it was excluded, or is a combination that no stage has.
    pub fn not_in_recipe(&mut self, cell: String) {
        add(&mut self.not_in_recipe, cell);
    }

    pub fn not_chosen(&mut self, axes: &[String], by: &str, why: Undecided, row: String) {
        let axes = axes.join(" and ");
        let is_it = |entry: &NotChosen| entry.axes == axes && entry.by == by && entry.why == why;
        let at = self.not_chosen.iter().position(is_it).unwrap_or_else(|| {
            self.not_chosen.push(NotChosen { axes, by: by.to_owned(), why, rows: vec![] });
            self.not_chosen.len() - 1
        });
        add(&mut self.not_chosen[at].rows, row);
    }

    /// One line for each reason.
    pub fn lines(&self) -> Vec<Gap> {
        let mut lines = vec![];
        if !self.not_computed.is_empty() {
            lines.push(format!("not computed: {}", listed(&self.not_computed)));
        }
        lines.extend(self.not_measured.iter().cloned());
        let not_finite = |((measured, doc), nodes): &((String, String), Vec<String>)| {
            format!("{} gave {measured}, which is not a finite number{doc}", listed(nodes))
        };
        lines.extend(self.not_finite.iter().map(not_finite));
        if !self.not_in_recipe.is_empty() {
            lines.push(format!("not part of the recipe: {}", listed(&self.not_in_recipe)));
        }
        lines.extend(self.not_chosen.iter().map(NotChosen::line));
        let others = lines.into_iter().map(|line| Gap { line, again: None });
        self.failures.iter().map(Failure::gap).chain(others).collect()
    }
}

impl NotChosen {
    fn line(&self) -> String {
        let Self { axes, by, why, rows } = self;
        let why = match why {
            Undecided::NoValue(at) => format!("the recipe has none of its values there{at}"),
            Undecided::Unequal(counts) => {
                let counts: Vec<String> = counts.iter().map(|(value, runs)| format!("{value}: {runs}")).collect();
                format!(
                    "the recipe has unequally many runs of its values ({}), and a mean of fewer is more a matter of luck; \
                     `exclude` takes away the same of each value, or a value altogether",
                    counts.join(", ")
                )
            }
            Undecided::Missing => format!(
                "{by} is missing for some of the values, and one of them may be the best; what cannot be computed `exclude` \
                 takes away"
            ),
        };
        format!("no {axes} was chosen for {}: {why}", listed(rows))
    }
}

impl Failure {
    fn gap(&self) -> Gap {
        let Self { node, error, missing } = self;
        let without =
            if missing.is_empty() { String::new() } else { format!("; without it there is no {}", listed(missing)) };
        let again = Some((node.clone(), format!("`{node}` failed, as said above{without}")));
        Gap { line: format!("`{node}` failed: {error}{without}"), again }
    }
}

/// Columns of one stage meet the same gap several times.
fn add(list: &mut Vec<String>, item: String) {
    if !list.contains(&item) {
        list.push(item);
    }
}

/// The first names, and how many more there are.
pub(super) fn listed(items: &[String]) -> String {
    let shown = items[..items.len().min(NAMED)].join(", ");
    match items.len().saturating_sub(NAMED) {
        0 => shown,
        more => format!("{shown} and {more} more"),
    }
}
