//! Plans as JSON, and of many nodes.

use super::memory::*;
use pretext::ids::{Key, NodeId};
use pretext::plan::{Edge, Graph, Known, Lookup, evaluate, text, write_json};
use pretext::store::{LastRun, StageResult};
use serde_json::json;
use std::sync::Arc;
use std::time::{Duration, UNIX_EPOCH};

#[test]
fn the_plan_as_json_has_every_node_and_both_values() {
    let memory = Memory::full();
    let plan = |recipe: &str| {
        let (graph, mut bytes) = (graph(recipe), vec![]);
        write_json(&mut bytes, "small", &graph, &evaluate(&graph, &memory), &[]).unwrap();
        serde_json::from_slice::<serde_json::Value>(&bytes).unwrap()
    };
    let plan = plan(&RECIPE.replace("epochs: 5,", ""));
    assert_eq!(plan["recipe"], "small");
    assert_eq!(plan["counts"], json!({ "hit": 6, "run": 2, "open": 2, "unchecked": 0 }));
    assert_eq!(plan["notes"], json!(["pretrain/random ignores port views"]));
    let node = |name: &str| plan["nodes"].as_array().unwrap().iter().find(|node| node["node"] == name).unwrap().clone();
    let mut simclr = node(SIMCLR);
    assert_eq!(simclr["key"].take().as_str().unwrap().len(), 64);
    let expected = json!({
        "node": SIMCLR,
        "stage": "pretrain",
        "axes": { "method": "simclr", "seed": "0" },
        "status": "run",
        "key": null,
        "reasons": [{ "kind": "parameter", "name": "epochs", "from": 5, "to": 100 }],
        "last_run": { "at": THEN, "run": RUN },
    });
    assert_eq!(simclr, expected);
    assert_eq!(node(FEATURES)["waits_for"], SIMCLR);
    assert_eq!(node("photos")["status"], "hit");
}

/// Chains of ten stages, side by side, as the recipe of a large sweep becomes them.
fn chains(number: usize) -> Graph {
    let recipe = "
name: chains
axes: { seed: [0] }
stages:
  s0: { use: data/cifar10, with: { seed: $(seed) } }
";
    let first = graph(recipe);
    let source = first.node_weights().next().unwrap();
    let mut graph = Graph::new();
    for chain in 0..number {
        let mut before = None;
        for place in 0..10 {
            let (stage, label) = (format!("s{place}"), chain.to_string());
            let mut node = source.clone();
            node.id = NodeId(format!("{stage}[seed={label}]"));
            node.params = [("seed".to_owned(), json!(chain))].into_iter().collect();
            node.keyed_params = [("seed".to_owned(), json!(chain * 10 + place))].into_iter().collect();
            (node.stage, node.axes) = (stage, vec![("seed".into(), label)]);
            let index = graph.add_node(node);
            let edge = Edge { port: "data".into(), output: "dataset".into(), used: true };
            if let Some(before) = before {
                graph.add_edge(before, index, edge);
            }
            before = Some(index);
        }
    }
    graph
}

/// Everything is there, without the cost of remembering it.
struct Everything;

impl Known for Everything {
    fn result(&self, key: &Key) -> Lookup {
        let artifacts = [("dataset".to_owned(), key.0)].into();
        Lookup::Found(Arc::new(StageResult { key: *key, artifacts, measurements: vec![] }))
    }
    fn last(&self, _: &NodeId) -> Option<LastRun> {
        None
    }
}

/// It is 0.1 s on a quiet core; what grows with the square of the number takes minutes.
#[test]
fn a_plan_of_many_nodes_takes_no_time() {
    let graph = chains(3000);
    let began = std::time::Instant::now();
    for known in [&Everything as &dyn Known, &Memory::default()] {
        let statuses = evaluate(&graph, known);
        let (mut json, now) = (vec![], UNIX_EPOCH);
        write_json(&mut json, "chains", &graph, &statuses, &[]).unwrap();
        assert!(text("chains", &graph, &statuses, now).lines().count() < 25);
        assert_eq!(
            serde_json::from_slice::<serde_json::Value>(&json).unwrap()["nodes"].as_array().unwrap().len(),
            30_000
        );
    }
    assert!(began.elapsed() < Duration::from_secs(10), "{:?}", began.elapsed());
}
