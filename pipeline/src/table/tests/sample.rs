//! A recipe that ran: 3 methods, 3 seeds, 2 fractions of labels; a probe and a fine-tuning on each encoder.

use crate::ids::{Digest, Key, NodeId};
use crate::plan::{Edge, Graph, Node, NodeResources};
use crate::recipe::{Column, Reference, TableSpec};
use crate::store::{Machine, Provenance, StageResult};
use crate::table::{Finished, Outcome, RecipeInfo, TableError, Tables, tabulate};
use petgraph::graph::NodeIndex;
use pretext_protocol::{Measure, Measurement, StageKind};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::Arc;

const METHODS: [&str; 3] = ["random", "simclr", "supervised"];
const SEEDS: [&str; 3] = ["0", "1", "2"];
const LABELS: [&str; 2] = ["0.01", "1.0"];

pub struct Sample {
    pub graph: Graph,
    pub axes: Vec<(String, Vec<String>)>,
    pub tables: Vec<TableSpec>,
    /// In the order of finishing.
    pub done: Vec<Done>,
    pub failed: BTreeMap<NodeId, String>,
}

pub struct Done {
    pub node: NodeId,
    pub result: StageResult,
    pub provenance: Provenance,
}

impl Sample {
    /// Everything finished.
    pub fn whole() -> Self {
        let mut sample = Self {
            graph: Graph::new(),
            axes: vec![axis("method", &METHODS), axis("seed", &SEEDS), axis("labels", &LABELS)],
            tables: vec![both(), few()],
            done: vec![],
            failed: BTreeMap::new(),
        };
        let photos = sample.node("photos", "data/cifar10", &[], &[], 310.0, vec![]);
        let views = sample.node("views", "augment/simclr", &[], &[], 0.2, vec![]);
        for (quality, method) in METHODS.iter().enumerate() {
            for seed in 0..SEEDS.len() {
                sample.pretrained(photos, views, quality, method, seed);
            }
        }
        sample
    }

    /// One encoder and what is measured of it.
    fn pretrained(&mut self, photos: NodeIndex, views: NodeIndex, quality: usize, method: &str, seed: usize) {
        let axes = [("method", method), ("seed", SEEDS[seed])];
        let linear = [0.381, 0.419, 0.585][quality] + [-0.003, -0.007, 0.006][quality] * (seed as f64 - 1.0);
        let loss = [2.3004, 1.9104, 1.3204][quality] - 0.01 * (seed as f64 - 1.0);
        let trained = quality as f64 * (600.0 + 10.0 * seed as f64);
        let needs = [(photos, true), (views, method == "simclr")];
        let encoder = self.node("pretrain", &format!("pretrain/{method}"), &axes, &needs, trained, vec![]);
        let measured = vec![
            measurement("accuracy", "validation", linear + 0.01),
            measurement("accuracy", "test", linear),
            measurement("loss", "test", loss),
            measurement("l2", "", [0.001, 0.01, 0.1][quality]),
        ];
        self.node("probe", "eval/linear_probe", &axes, &[(encoder, true)], 2.5, measured);
        for (more, labels) in LABELS.iter().enumerate() {
            let accuracy = linear - 0.1 + 0.4 * more as f64 + 0.001 * seed as f64;
            let axes = [&axes[..], &[("labels", labels)]].concat();
            let measured = vec![measurement("accuracy", "test", accuracy)];
            self.node("finetune", "eval/finetune", &axes, &[(photos, true), (encoder, true)], 41.0, measured);
        }
    }

    fn node(
        &mut self,
        stage: &str,
        kind: &str,
        axes: &[(&str, &str)],
        needs: &[(NodeIndex, bool)],
        seconds: f64,
        measurements: Vec<Measurement>,
    ) -> NodeIndex {
        let place = axes.iter().map(|(axis, label)| format!("{axis}={label}")).collect::<Vec<_>>().join(",");
        let id = NodeId(if place.is_empty() { stage.to_owned() } else { format!("{stage}[{place}]") });
        let node = Node {
            id: id.clone(),
            stage: stage.to_owned(),
            axes: axes.iter().map(|(axis, label)| ((*axis).to_owned(), (*label).to_owned())).collect(),
            kind: Arc::new(stage_kind(kind)),
            params: params(kind, axes).into_iter().collect(),
            keyed_params: Default::default(),
            resources: NodeResources { threads: 2, memory_bytes: vec![1 << 30], ..NodeResources::default() },
            policy: Default::default(),
            worker: Default::default(),
            program: Default::default(),
            is_checked: true,
            numerics: Default::default(),
        };
        let index = self.graph.add_node(node);
        for (at, (from, used)) in needs.iter().enumerate() {
            self.graph.add_edge(*from, index, Edge { port: format!("port{at}"), output: "out".into(), used: *used });
        }
        let result = result(&id, measurements);
        self.done.push(Done { provenance: provenance(&id, kind, seconds), result, node: id });
        index
    }

    pub fn done(&mut self, node: &str) -> &mut Done {
        self.done.iter_mut().find(|done| done.node.0 == node).unwrap()
    }

    pub fn forget(&mut self, node: &str) {
        self.done.retain(|done| done.node.0 != node);
    }

    pub fn forget_measurements(&mut self, node: &str, name: &str) {
        self.done(node).result.measurements.retain(|measurement| measurement.name != name);
    }

    /// The node failed, and nothing that stands on it was computed.
    pub fn fail(&mut self, node: &str, error: &str) {
        self.failed.insert(NodeId(node.to_owned()), error.to_owned());
        let index = self.graph.node_indices().find(|&index| self.graph[index].id.0 == node).unwrap();
        let above: Vec<_> = self.graph.neighbors(index).map(|above| self.graph[above].id.0.clone()).collect();
        [node.to_owned()].iter().chain(&above).for_each(|node| self.forget(node));
    }

    /// Takes nodes out of the recipe.
    pub fn exclude(&mut self, which: impl Fn(&Node) -> bool) {
        self.graph.retain_nodes(|graph, index| !which(&graph[index]));
        let left: Vec<&NodeId> = self.graph.node_weights().map(|node| &node.id).collect();
        self.done.retain(|done| left.contains(&&done.node));
    }

    pub fn tabulate(&self) -> Tables {
        self.try_tabulate().unwrap()
    }

    pub fn try_tabulate(&self) -> Result<Tables, TableError> {
        let node = |id: &NodeId| self.graph.node_weights().find(|node| node.id == *id).unwrap();
        let finished = self.done.iter().map(|done| {
            let finished =
                Finished { node: node(&done.node), result: &done.result, provenance: Some(&done.provenance) };
            (done.node.clone(), finished)
        });
        tabulate(&Outcome {
            recipe: RecipeInfo {
                name: "small-labels",
                path: "recipes/small-labels.yaml",
                digest: Digest::of(b"small-labels"),
                numerics: "libtorch 2.9.0, float32",
            },
            axes: &self.axes,
            tables: &self.tables,
            graph: &self.graph,
            finished: &finished.collect(),
            failed: &self.failed,
        })
    }
}

fn axis(name: &str, labels: &[&str]) -> (String, Vec<String>) {
    (name.to_owned(), labels.iter().map(|label| (*label).to_owned()).collect())
}

fn measurement(name: &str, split: &str, value: f64) -> Measurement {
    Measurement { name: name.to_owned(), split: split.to_owned(), value }
}

fn stage_kind(name: &str) -> StageKind {
    let measure = |name: &str, unit: &str, setting| Measure {
        name: name.to_owned(),
        splits: vec![],
        unit: unit.to_owned(),
        setting,
        doc: String::new(),
    };
    let accuracy =
        Measure { doc: "share of images whose class is told".to_owned(), ..measure("accuracy", "fraction", false) };
    StageKind {
        name: name.to_owned(),
        version: 1,
        params: json!({ "properties": {
            "epochs": {}, "batch": { "x-unit": "images" }, "l2": {}, "rate": { "x-unused": true }, "watched": { "x-unkeyed": true },
            "head": {}, "clip": {}, "seed": {}
        } }),
        measures: vec![accuracy, measure("loss", "", false), measure("l2", "", true)],
        ..StageKind::default()
    }
}

fn params(kind: &str, axes: &[(&str, &str)]) -> serde_json::Map<String, Value> {
    let seed = axes.iter().find(|(axis, _)| *axis == "seed").map(|(_, label)| label.parse::<u64>().unwrap());
    let params = match kind {
        "eval/linear_probe" => {
            json!({ "epochs": 100, "batch": 256, "l2": [0.001, 0.01, 0.1], "rate": 3, "seed": seed })
        }
        "eval/finetune" => json!({ "epochs": 20, "head": { "layers": 1, "bias": true }, "clip": null, "seed": seed }),
        _ => json!({ "seed": seed }),
    };
    params.as_object().unwrap().clone()
}

fn result(id: &NodeId, measurements: Vec<Measurement>) -> StageResult {
    StageResult { key: Key(Digest::of(id.0.as_bytes())), artifacts: BTreeMap::new(), measurements }
}

fn provenance(id: &NodeId, kind: &str, seconds: f64) -> Provenance {
    Provenance {
        node: id.clone(),
        recipe: "small-labels".to_owned(),
        pretext_version: "0.1.0".to_owned(),
        worker_version: "0.1.0".to_owned(),
        finished: "2026-11-24T12:00:00Z".to_owned(),
        seconds,
        attempts: 1,
        images_per_second: (kind == "pretrain/simclr").then_some(1142.25),
        data_wait_share: (kind == "pretrain/simclr").then_some(0.125),
        peak_bytes: Some(700_000_000),
        peak_rss_bytes: Some(900_000_000),
        threads: 2,
        device: "cpu".to_owned(),
        notes: vec![],
        machine: Machine { host: "box".to_owned(), processor: "Xeon".to_owned(), cores: 2 },
    }
}

pub fn column(title: &str, from: &str, where_: &[(&str, &str)], references: Vec<Reference>) -> Column {
    Column {
        title: title.to_owned(),
        from: from.to_owned(),
        value: "accuracy".to_owned(),
        split: "test".to_owned(),
        where_: where_.iter().map(|(axis, label)| ((*axis).to_owned(), (*label).to_owned())).collect(),
        references,
        chosen: vec![],
    }
}

fn both() -> TableSpec {
    let source = "solo-learn, ResNet-18, 1000 epochs".to_owned();
    let reference = Reference { row: "simclr".to_owned(), value: 90.74, source };
    TableSpec {
        name: "both".to_owned(),
        title: Some("Frozen and fine-tuned".to_owned()),
        rows: vec!["method".to_owned()],
        over: vec!["seed".to_owned()],
        against: vec![],
        columns: vec![
            column("linear probe", "probe", &[], vec![reference]),
            column("fine-tune 1%", "finetune", &[("labels", "0.01")], vec![]),
        ],
        labels: vec![axis("method", &METHODS), axis("seed", &SEEDS), axis("labels", &LABELS)],
    }
}

/// What `columns: labels` resolves to.
fn few() -> TableSpec {
    let columns = LABELS.map(|label| column(label, "finetune", &[("labels", label)], vec![]));
    TableSpec { name: "few".to_owned(), title: None, columns: columns.to_vec(), ..both() }
}
