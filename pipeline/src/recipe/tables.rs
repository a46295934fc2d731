//! The resolved form of a recipe's `tables:`.

use serde::Serialize;

/// A table: one row for each combination of labels on the axes in `rows`, one cell for each of `columns`,
/// each cell the mean and standard deviation over the axes in `over`.
#[derive(Debug, Clone, PartialEq)]
pub struct TableSpec {
    pub name: String,
    pub title: Option<String>,
    /// Axes, outermost first.
    pub rows: Vec<String>,
    /// Axes that are averaged over.
    pub over: Vec<String>,
    /// Axis and label of the row that the others are held against: of axes of `rows`.
    pub against: Vec<(String, String)>,
    /// `columns: AXIS` has become one column for each of the axis' labels.
    pub columns: Vec<Column>,
    /// The order of the labels on each axis that occurs, as the recipe declares it.
    pub labels: Vec<(String, Vec<String>)>,
}

#[derive(Debug, Clone, PartialEq)]
pub struct Column {
    pub title: String,
    /// The stage whose measurement it shows.
    pub from: String,
    /// The measurement's name.
    pub value: String,
    /// `test` unless the recipe says otherwise.
    pub split: String,
    /// Only nodes with these labels count: axis, label.
    pub where_: Vec<(String, String)>,
    /// Published values to stand beside ours: row label, value, source.
    pub references: Vec<Reference>,
    /// What settles the axes that neither the table nor the column does, in the order in which it is chosen.
    pub chosen: Vec<Choice>,
}

/// The values along some axes that are best, together, by a measurement on validation.
#[derive(Debug, Clone, PartialEq)]
pub struct Choice {
    pub axes: Vec<String>,
    /// The measurement that decides, of the nodes that its own conditions leave: a seed, say, whatever others a row has.
    pub by: Column,
    pub best: Best,
}

#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Best {
    Highest,
    Lowest,
}

#[derive(Debug, Clone, PartialEq)]
pub struct Reference {
    pub row: String,
    pub value: f64,
    pub source: String,
}
