//! A recipe of 100,000 nodes: how long it takes to read, and what it needs of memory. Alone in a process of its own, whose
//! memory it can look at.

use pretext::recipe::parse;
use pretext_protocol::{Catalogue, StageKind};
use serde_json::json;
use std::fmt::Write;
use std::io::Write as _;
use std::time::{Duration, Instant};

/// A chain of ten stages of a kind with one parameter.
fn chain(seeds: usize) -> String {
    let link = |text: String, i: usize| {
        text + &format!("  s{i}: {{ use: link, needs: {{ data: s{} }}, with: {{ seed: $(seed) }} }}\n", i - 1)
    };
    (1..10).fold(head(seeds) + "  s0: { use: link, with: { seed: $(seed) } }\n", link)
}

/// Ten stages that train, with thirty parameters each.
fn trainings(seeds: usize) -> String {
    let training = |text: String, i: usize| {
        let with = "encoder: { kind: conv4, width: 8 }, epochs: 3, batch: 64, seed: $(seed)";
        text + &format!(
            "  p{i}: {{ use: pretrain/simclr, needs: {{ data: photos, views: views }}, with: {{ {with} }} }}\n"
        )
    };
    let sources = "  photos: { use: data/cifar10 }\n  views: { use: augment/simclr }\n";
    (0..10).fold(head(seeds) + sources, training)
}

fn head(seeds: usize) -> String {
    let seeds = (0..seeds).fold(String::new(), |mut text, seed| {
        let _ = write!(text, "{seed}, ");
        text
    });
    format!("name: large\naxes: {{ seed: [{seeds}] }}\nstages:\n")
}

fn catalogue() -> Catalogue {
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/recipes/catalogue.json");
    let mut catalogue: Catalogue = serde_json::from_slice(&std::fs::read(file).unwrap()).unwrap();
    let port = json!({ "name": "data", "type": "thing", "required": false, "used": true, "doc": "" });
    let seed = json!({ "type": "object", "properties": { "seed": { "type": "integer", "default": 0 } } });
    let link: StageKind = serde_json::from_value(json!({
        "name": "link", "version": 1, "summary": "", "needs": [port], "params": seed,
        "gives": [{ "name": "thing", "type": "thing", "doc": "" }]
    }))
    .unwrap();
    catalogue.kinds.push(link);
    catalogue
}

/// Bytes of this process that lie in memory.
fn resident() -> usize {
    let pages = std::fs::read_to_string("/proc/self/statm").unwrap();
    pages.split(' ').nth(1).unwrap().parse::<usize>().unwrap() * 4096
}

#[test]
fn a_hundred_thousand_nodes_are_read_fast_and_held_small() {
    let catalogue = catalogue();
    for (name, text) in [("chain", chain as fn(usize) -> String), ("trainings", trainings)] {
        for seeds in [1_000, 10_000] {
            let (text, before, begun) = (text(seeds), resident(), Instant::now());
            let recipe = parse("large.yaml", &text, &catalogue).unwrap();
            let (took, nodes) = (begun.elapsed(), recipe.graph.node_count());
            let bytes = resident().saturating_sub(before) / nodes;
            let milliseconds = took.as_millis();
            let _ = writeln!(std::io::stderr(), "{name}: {nodes} nodes in {milliseconds} ms, {bytes} bytes each");
            // On a machine with nothing else to do it takes a quarter of that.
            assert!(took < Duration::from_secs(2), "{name}: {took:?} for {nodes} nodes");
            assert!(bytes < 1500, "{name}: {bytes} bytes a node");
        }
    }
}
