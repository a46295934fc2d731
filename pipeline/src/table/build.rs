//! A recipe's table filled with what was measured.

use super::cells::{Cell, cell};
use super::chosen::{self, Chosen, Settled, Tried};
use super::compared::{self, Compared, compared};
use super::costs::{RowCost, row_cost};
use super::differences::{self, Difference};
use super::gaps::{Gap, Gaps};
use super::nodes::{self, Place};
use super::seen::{self, Measured};
use super::settings::{Settings, behind, edges, settings};
use super::{Outcome, wording};
use crate::recipe::{Column, TableSpec};
use petgraph::graph::NodeIndex;
use pretext_protocol::Measure;

/// A table as it is shown, whatever shows it.
#[derive(Debug, Clone, PartialEq)]
pub struct Table {
    pub name: String,
    pub title: Option<String>,
    /// The axes of the rows, outermost first.
    pub axes: Vec<String>,
    /// The axes that are averaged over.
    pub over: Vec<String>,
    /// Axis and label of the row that the others are held against; of several where there are more axes, each against that which differs
    /// from it in these alone.
    pub against: Vec<(String, String)>,
    /// How many values the recipe has for a cell. Cells with fewer say so.
    pub n: usize,
    pub columns: Vec<Head>,
    pub rows: Vec<Row>,
    /// Why values are missing, one line each.
    pub gaps: Vec<Gap>,
    /// What a reader must know to compare the rows, one line each.
    pub notes: Vec<String>,
    /// How each stage of the columns was set.
    pub settings: Vec<Settings>,
    /// What the rows stand on and how it was set, a kind of stages a line.
    pub behind: Vec<String>,
    /// How the encoders behind the rows were trained.
    pub compared: Vec<Compared>,
    /// What was chosen along axes for the cells.
    pub chosen: Vec<Chosen>,
}

/// What a column shows.
#[derive(Debug, Clone, PartialEq)]
pub struct Head {
    pub title: String,
    pub from: String,
    pub value: String,
    pub split: String,
    /// As the stage declares it (see [`pretext_protocol::Measure::unit`]).
    pub unit: String,
    /// What it is, as the stage declares it.
    pub doc: String,
}

#[derive(Debug, Clone, PartialEq)]
pub struct Row {
    /// Its label on each of the table's axes.
    pub labels: Vec<String>,
    pub cells: Vec<Cell>,
    pub cost: RowCost,
}

impl Table {
    /// What differs between the rows and their labels do not say.
    pub fn differing(&self) -> impl Iterator<Item = &Compared> {
        let is_label = |values: &[String]| {
            let says = |at: usize, row: &Row, value: &str| row.labels[at] == value || value == compared::NOTHING;
            (0..self.axes.len()).any(|at| self.rows.iter().zip(values).all(|(row, value)| says(at, row, value)))
        };
        self.compared.iter().filter(move |compared| compared.shared().is_none() && !is_label(&compared.values))
    }

    /// `encoder conv4, length 6 epochs`: what all rows share in which it counts, of how encoders were trained, and of what was chosen.
    pub fn shared(&self) -> Option<String> {
        let is_chosen = |compared: &&Compared| self.chosen.iter().any(|chosen| chosen.axis == compared.name);
        let (chosen, trained): (Vec<&Compared>, Vec<&Compared>) = self.compared.iter().partition(is_chosen);
        let told = |compared: &&Compared| Some(format!("{} {}", compared.name, compared.shared()?));
        let listed = |what: &str, all: Vec<&Compared>| {
            let shared: Vec<String> = all.iter().filter_map(told).collect();
            (!shared.is_empty()).then(|| format!("{what}, alike where it counts: {}", shared.join(", ")))
        };
        let lists = [listed("encoders behind the rows", trained), listed("chosen", chosen)];
        Some(lists.into_iter().flatten().collect::<Vec<_>>().join("; ")).filter(|shared| !shared.is_empty())
    }

    /// The rows that are held against others.
    pub fn held(&self) -> impl Iterator<Item = &Row> + Clone {
        let is_held = |row: &&Row| {
            let mut own = self.axes.iter().zip(&row.labels);
            own.any(|(axis, label)| self.against.iter().any(|(of, other)| of == axis && other != label))
        };
        self.rows.iter().filter(is_held)
    }

    /// Whether published values stand beside column `at`.
    pub fn has_references(&self, at: usize) -> bool {
        self.rows.iter().any(|row| row.cells[at].reference.is_some())
    }
}

/// A row that is still to be filled: its place, and the nodes of each of its cells.
struct Planned {
    place: Place,
    cells: Vec<PlannedCell>,
}

#[derive(Default)]
struct PlannedCell {
    nodes: Vec<NodeIndex>,
    chosen: Vec<Chosen>,
    tried: Vec<Tried>,
    /// Something of it had to be chosen and could not be.
    is_open: bool,
}

impl Planned {
    fn nodes(&self) -> Vec<NodeIndex> {
        self.cells.iter().flat_map(|cell| cell.nodes.iter().copied()).collect()
    }

    /// Those of all values that were tried.
    fn tried(&self) -> impl Iterator<Item = NodeIndex> {
        self.cells.iter().flat_map(|cell| &cell.tried).flat_map(|tried| tried.nodes.iter().copied())
    }

    fn measured<'a>(&'a self, columns: &'a [Column]) -> Vec<Measured<'a>> {
        let of_cell = |(column, cell): (&'a Column, &'a PlannedCell)| {
            let shown = Measured { split: &column.split, nodes: &cell.nodes, decides: false };
            let tried = cell.tried.iter();
            let tried = tried.map(|tried| Measured { split: &tried.split, nodes: &tried.nodes, decides: true });
            [shown].into_iter().chain(tried)
        };
        columns.iter().zip(&self.cells).flat_map(of_cell).collect()
    }
}

/// Fills in a table. A row for which the recipe has no node at all is left out.
pub(super) fn table(outcome: &Outcome, spec: &TableSpec) -> Table {
    let mut gaps = Gaps::default();
    let planned = planned(outcome, spec, &mut gaps);
    let differences = by_row(outcome, spec, &planned);
    let rows = planned.iter().zip(differences);
    let rows: Vec<Row> = rows.map(|(row, differences)| filled(outcome, spec, row, differences, &mut gaps)).collect();
    let columns: Vec<Head> = spec.columns.iter().map(|column| head(outcome, column)).collect();
    let of_column = |at: usize| planned.iter().flat_map(|row| row.cells[at].nodes.iter().copied()).collect();
    let stages = || spec.columns.iter().enumerate().map(|(at, column)| (column.from.as_str(), of_column(at)));
    let open: Vec<bool> = planned.iter().map(|row| row.cells.iter().any(|cell| cell.is_open)).collect();
    let measured: Vec<Vec<Measured>> = planned.iter().map(|row| row.measured(&spec.columns)).collect();
    let chosen: Vec<Chosen> = planned.iter().flat_map(|row| &row.cells).flat_map(|cell| cell.chosen.clone()).collect();
    Table {
        name: spec.name.clone(),
        title: spec.title.clone(),
        axes: spec.rows.clone(),
        over: spec.over.clone(),
        against: spec.against.clone(),
        n: rows.iter().flat_map(|row| &row.cells).map(|cell| cell.expected).max().unwrap_or(0),
        gaps: gaps.lines(),
        notes: [
            chosen::notes(&chosen, &spec.over),
            wording::notes(&rows, &spec.over),
            wording::note_of_differences(&rows).into_iter().collect(),
            edges(outcome, stages()),
            seen::notes(outcome, &rows, &measured),
        ]
        .concat(),
        settings: settings(outcome, stages()),
        behind: behind(outcome, &planned.iter().flat_map(Planned::nodes).collect::<Vec<_>>()),
        compared: [
            chosen::compared(&chosen, &rows, &open),
            compared(outcome, &planned.iter().map(Planned::nodes).collect::<Vec<_>>()),
        ]
        .concat(),
        columns,
        rows,
        chosen,
    }
}

fn planned(outcome: &Outcome, spec: &TableSpec, gaps: &mut Gaps) -> Vec<Planned> {
    let mut places = nodes::combinations(spec, &spec.rows);
    places.retain(|place| spec.columns.iter().any(|column| !nodes::of_cell(outcome, place, column).is_empty()));
    let mut planned = |place: Place| {
        let cells = spec.columns.iter().map(|column| planned_cell(outcome, spec, &place, column, gaps)).collect();
        Planned { cells, place }
    };
    places.into_iter().map(&mut planned).collect()
}

fn planned_cell(outcome: &Outcome, spec: &TableSpec, row: &Place, column: &Column, gaps: &mut Gaps) -> PlannedCell {
    match chosen::settled(outcome, spec, row, column, gaps) {
        Some(Settled { place, chosen, tried }) => {
            PlannedCell { nodes: nodes::of_cell(outcome, &place, column), chosen, tried, is_open: false }
        }
        None => PlannedCell { is_open: true, ..PlannedCell::default() },
    }
}

/// Of each row its cells' differences to the row that it is held against.
fn by_row(outcome: &Outcome, spec: &TableSpec, planned: &[Planned]) -> Vec<Vec<Option<Difference>>> {
    let against = |row: &Planned| {
        let place = differences::place_against(spec, &row.place)?;
        planned.iter().find(|other| other.place == place)
    };
    let of_column = |(at, column): (usize, &Column)| {
        let pairs = |row: &Planned| match against(row) {
            Some(other) => differences::pairs(outcome, spec, column, &row.cells[at].nodes, &other.cells[at].nodes),
            None => vec![],
        };
        differences::differences(&planned.iter().map(pairs).collect::<Vec<_>>())
    };
    let columns: Vec<Vec<Option<Difference>>> = spec.columns.iter().enumerate().map(of_column).collect();
    (0..planned.len()).map(|row| columns.iter().map(|column| column[row]).collect()).collect()
}

fn filled(
    outcome: &Outcome,
    spec: &TableSpec,
    row: &Planned,
    differences: Vec<Option<Difference>>,
    gaps: &mut Gaps,
) -> Row {
    let columns = spec.columns.iter().zip(&row.cells).zip(differences);
    Row {
        labels: row.place.iter().map(|(_, label)| label.clone()).collect(),
        cells: columns
            .map(|((column, planned), difference)| match planned.is_open {
                true => Cell::empty(),
                false => Cell { difference, ..cell(outcome, &row.place, column, &planned.nodes, gaps) },
            })
            .collect(),
        cost: row_cost(outcome, spec, &row.nodes(), &row.tried().collect::<Vec<_>>()),
    }
}

fn head(outcome: &Outcome, column: &Column) -> Head {
    let kinds = outcome.graph.node_weights().filter(|node| node.stage == column.from).map(|node| &node.kind);
    let measure = kinds.flat_map(|kind| &kind.measures).find(|measure| measure.name == column.value);
    let declared = |part: fn(&Measure) -> &String| measure.map(part).cloned().unwrap_or_default();
    Head {
        title: column.title.clone(),
        from: column.from.clone(),
        value: column.value.clone(),
        split: column.split.clone(),
        unit: declared(|measure| &measure.unit),
        doc: declared(|measure| &measure.doc),
    }
}
