//! What a committed table is a table of. What differs from run to run is kept apart.

use super::{Chosen, Outcome, Table};
use crate::ids::{Digest, Key};
use crate::store::Provenance;
use serde::Serialize;
use serde_json::{Map, Value};
use std::collections::{BTreeMap, BTreeSet};

/// `about.json`: the same bytes whenever and wherever the recipe is run.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct About {
    recipe: Recipe,
    /// Version of the program that made the tables.
    pretext: &'static str,
    numerics: String,
    /// Version of every kind of stage in the recipe.
    kinds: BTreeMap<String, u32>,
    /// Every axis with its labels, seeds among them.
    axes: Map<String, Value>,
    stages: usize,
    /// How many threads the recipe gives its stages.
    threads: BTreeSet<usize>,
    tables: Vec<String>,
    /// What was chosen along axes, by the tables that it was chosen for.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    chosen: BTreeMap<String, Vec<Chosen>>,
}

#[derive(Debug, Clone, PartialEq, Serialize)]
struct Recipe {
    name: String,
    path: String,
    digest: Digest,
}

impl About {
    pub(super) fn of(outcome: &Outcome, tables: &[Table]) -> Self {
        let nodes = || outcome.graph.node_weights();
        Self {
            recipe: Recipe {
                name: outcome.recipe.name.to_owned(),
                path: outcome.recipe.path.to_owned(),
                digest: outcome.recipe.digest,
            },
            pretext: env!("CARGO_PKG_VERSION"),
            numerics: outcome.recipe.numerics.to_owned(),
            kinds: nodes().map(|node| (node.kind.name.clone(), node.kind.version)).collect(),
            axes: outcome.axes.iter().map(|(axis, labels)| (axis.clone(), labels.clone().into())).collect(),
            stages: nodes().count(),
            threads: nodes().map(|node| node.resources.threads).collect(),
            tables: outcome.tables.iter().map(|table| table.name.clone()).collect(),
            chosen: tables
                .iter()
                .filter(|table| !table.chosen.is_empty())
                .map(|table| (table.name.clone(), table.chosen.clone()))
                .collect(),
        }
    }
}

/// `computed.json`: how the results came about.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Computed {
    /// When the last result was finished (RFC 3339, UTC).
    finished: Option<String>,
    /// Of all results together, each counted once.
    seconds: f64,
    pretext_versions: BTreeSet<String>,
    worker_versions: BTreeSet<String>,
    machines: Vec<Computer>,
}

/// One machine and how it was used.
#[derive(Debug, Clone, PartialEq, Serialize)]
struct Computer {
    host: String,
    processor: String,
    cores: usize,
    device: String,
    threads: BTreeSet<usize>,
    results: usize,
}

impl Computed {
    pub(super) fn of(outcome: &Outcome) -> Self {
        let finished = outcome.finished.values();
        let results: BTreeMap<Key, &Provenance> =
            finished.filter_map(|finished| Some((finished.result.key, finished.provenance?))).collect();
        let results = || results.values();
        let mut computed = Self {
            finished: results().map(|result| result.finished.clone()).max(),
            seconds: (results().map(|result| result.seconds).sum::<f64>() * 10.0).round() / 10.0,
            pretext_versions: results().map(|result| result.pretext_version.clone()).collect(),
            worker_versions: results().map(|result| result.worker_version.clone()).collect(),
            machines: vec![],
        };
        results().for_each(|result| computed.count(result));
        computed.machines.sort_by(|a, b| (&a.host, &a.device).cmp(&(&b.host, &b.device)));
        computed
    }

    fn count(&mut self, Provenance { machine, device, threads, .. }: &Provenance) {
        let same = |known: &&mut Computer| known.host == machine.host && known.device == *device;
        match self.machines.iter_mut().find(same) {
            Some(known) => {
                known.threads.insert(*threads);
                known.results += 1;
            }
            None => self.machines.push(Computer {
                host: machine.host.clone(),
                processor: machine.processor.clone(),
                cores: machine.cores,
                device: device.clone(),
                threads: BTreeSet::from([*threads]),
                results: 1,
            }),
        }
    }
}
