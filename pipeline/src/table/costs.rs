//! What a row cost. Taken from provenance, so it differs from run to run.

use super::Outcome;
use super::nodes::{combinations, stands_for, with_upstream};
use crate::ids::Key;
use crate::plan::{Graph, Node};
use crate::recipe::TableSpec;
use crate::store::{Machine, Provenance};
use crate::text;
use petgraph::graph::NodeIndex;
use std::collections::{BTreeMap, BTreeSet};

/// Families whose stages prepare what all rows share: no row is charged for them.
const SHARED: [&str; 2] = ["data", "augment"];
pub(super) const PRETRAINING: &str = "pretrain";

/// What pretraining and evaluating one row took, each time it is for one combination of the axes that the table
/// averages over (one seed), as a mean of those that are complete. What was tried so as to choose is part of the price.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct RowCost {
    /// `None` when no combination is complete.
    pub seconds: Option<f64>,
    /// The part of it that was spent in pretraining.
    pub pretrain_seconds: Option<f64>,
    /// Mean over the pretraining stages that told it.
    pub images_per_second: Option<f64>,
    /// Mean over the pretraining stages that told which share of their time they waited for data.
    pub data_wait_share: Option<f64>,
    /// The largest of any stage, of the stage's own memory and of its worker's.
    pub peak_bytes: Option<u64>,
    pub peak_rss_bytes: Option<u64>,
    /// Each once, sorted: `cpu`, `cuda`. Which of several alike it was makes no difference.
    pub devices: Vec<String>,
    pub threads: Vec<usize>,
    /// host: processor, 2 cores
    pub machines: Vec<String>,
    /// Whether it is the price of a search as well.
    pub search: Search,
}

/// What of a search, of which something was chosen, is in the price of a run.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Search {
    #[default]
    None,
    /// All of its own.
    Own,
    /// Its share: what was tried in some runs is taken for all.
    Share,
}

impl Search {
    /// What stands behind the price.
    pub(super) fn words(self) -> Option<&'static str> {
        match self {
            Self::None => None,
            Self::Own => Some("of all values that were tried"),
            Self::Share => Some("with its share of the values that were tried"),
        }
    }
}

/// A stage that was computed, and how.
type Paid<'a> = (&'a Node, &'a Provenance);

/// The cost of a row whose cells are made of `cells`, for which `tried` were computed so as to choose.
pub(super) fn row_cost(outcome: &Outcome, spec: &TableSpec, cells: &[NodeIndex], tried: &[NodeIndex]) -> RowCost {
    let graph = outcome.graph;
    let searched: Vec<NodeIndex> = tried.iter().filter(|node| !cells.contains(node)).copied().collect();
    let runs = combinations(spec, &spec.over).into_iter().filter_map(|place| {
        let of_run = |nodes: &[NodeIndex]| -> Vec<NodeIndex> {
            nodes.iter().copied().filter(|&node| stands_for(&graph[node], &place)).collect()
        };
        let (cells, searched) = (of_run(cells), of_run(&searched));
        let has_searched = !searched.is_empty();
        (!cells.is_empty()).then(|| (charged(graph, cells.into_iter().chain(searched)), has_searched))
    });
    let (runs, has_searched): (Vec<BTreeSet<NodeIndex>>, Vec<bool>) = runs.filter(|(run, _)| !run.is_empty()).unzip();
    let search = match (has_searched.contains(&true), has_searched.contains(&false)) {
        (false, _) => Search::None,
        (true, false) => Search::Own,
        (true, true) => Search::Share,
    };
    // What several nodes share was computed once.
    let all_paid = |run: &BTreeSet<NodeIndex>| run.iter().map(|&node| paid(outcome, node)).collect();
    let complete: Vec<BTreeMap<Key, Paid>> = runs.iter().filter_map(all_paid).collect();
    let computed: BTreeSet<NodeIndex> = runs.into_iter().flatten().collect();
    let computed: BTreeMap<Key, Paid> = computed.into_iter().filter_map(|node| paid(outcome, node)).collect();
    let computed: Vec<Paid> = computed.into_values().collect();
    let trained = || computed.iter().filter(|(node, _)| pretrains(node)).map(|(_, provenance)| *provenance);
    let provenance = || computed.iter().map(|(_, provenance)| *provenance);
    RowCost {
        seconds: mean(complete.iter().map(|run| seconds(run, |_| true))),
        pretrain_seconds: mean(complete.iter().map(|run| seconds(run, pretrains))),
        images_per_second: mean(trained().filter_map(|p| p.images_per_second)),
        data_wait_share: mean(trained().filter_map(|p| p.data_wait_share)),
        peak_bytes: provenance().filter_map(|p| p.peak_bytes).max(),
        peak_rss_bytes: provenance().filter_map(|p| p.peak_rss_bytes).max(),
        devices: distinct(provenance().map(|p| device(&p.device))),
        threads: distinct(provenance().map(|p| p.threads)),
        machines: distinct(provenance().map(|p| machine(&p.machine))),
        search,
    }
}

/// The distinct nodes that `cells` stand on and that a row is charged for.
fn charged(graph: &Graph, cells: impl Iterator<Item = NodeIndex>) -> BTreeSet<NodeIndex> {
    let all = cells.flat_map(|cell| with_upstream(graph, cell));
    all.filter(|&node| !SHARED.contains(&graph[node].kind.family())).collect()
}

fn paid<'a>(outcome: &Outcome<'a>, node: NodeIndex) -> Option<(Key, Paid<'a>)> {
    let finished = outcome.finished.get(&outcome.graph[node].id)?;
    Some((finished.result.key, (finished.node, finished.provenance?)))
}

fn pretrains(node: &Node) -> bool {
    node.kind.family() == PRETRAINING
}

fn seconds(run: &BTreeMap<Key, Paid>, counts: fn(&Node) -> bool) -> f64 {
    run.values().filter(|(node, _)| counts(node)).map(|(_, provenance)| provenance.seconds).sum()
}

fn mean(values: impl Iterator<Item = f64>) -> Option<f64> {
    let values: Vec<f64> = values.collect();
    (!values.is_empty()).then(|| values.iter().sum::<f64>() / values.len() as f64)
}

fn distinct<T: Ord>(values: impl Iterator<Item = T>) -> Vec<T> {
    values.collect::<BTreeSet<T>>().into_iter().collect()
}

fn device(name: &str) -> String {
    name.split(':').next().unwrap_or(name).to_owned()
}

fn machine(Machine { host, processor, cores }: &Machine) -> String {
    format!("{host}: {processor}, {}", text::counted(*cores, "core"))
}
