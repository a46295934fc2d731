//! What must run, and why. `BLESS=1` writes the expected plans anew.

mod common;
#[path = "plan/explanations.rs"]
mod explanations;
#[path = "plan/large.rs"]
mod large;
#[path = "plan/memory.rs"]
mod memory;
#[path = "plan/rebuilt.rs"]
mod rebuilt;

use memory::*;
use pretext::ids::{Digest, NodeId};
use pretext::plan::{Canonical, Earlier, Reason, Status, canonical_at, evaluate, text};
use pretext_protocol::Catalogue;
use serde_json::json;
use std::collections::BTreeMap;
use std::fs;
use std::sync::Arc;
use std::time::{Duration, UNIX_EPOCH};

#[test]
fn equal_outputs_stop_the_wave() {
    let (memory, first) = (Memory::default(), graph(RECIPE));
    assert_eq!(memory.reasons(&first, "photos"), [Reason::NeverRan]);
    let open = Status::Open { waits_for: NodeId("photos".into()) };
    assert_eq!(memory.status(&first, SIMCLR), open);
    assert_eq!(memory.run(&first, by_name).len(), 10);
    assert!(matches!(memory.status(&first, FEATURES), Status::Hit { .. }));

    let longer = graph(&RECIPE.replace("epochs: 5", "epochs: 6"));
    assert_eq!(memory.status(&longer, FEATURES), Status::Open { waits_for: NodeId(SIMCLR.into()) });
    let ran = memory.run(&longer, by_name);
    assert_eq!(ran, [SIMCLR, "pretrain[method=simclr,seed=1]"], "the features' inputs are the same bytes");

    let other = |name: &str| match name.starts_with("pretrain[method=simclr") {
        true => by_name(&format!("other {name}")),
        false => by_name(name),
    };
    let longer = graph(&RECIPE.replace("epochs: 5", "epochs: 7"));
    assert_eq!(memory.run(&longer, other).len(), 4, "and now they are not");
    let back = graph(RECIPE);
    assert!(matches!(memory.status(&back, FEATURES), Status::Hit { .. }), "nothing was forgotten");
}

#[test]
fn an_ignored_port_is_not_waited_for() {
    let (memory, first) = (Memory::full(), graph(&RECIPE.replace("use: augment/simclr", "use: augment/standard")));
    assert!(matches!(memory.status(&first, "pretrain[method=random,seed=0]"), Status::Hit { .. }));
    assert_eq!(memory.status(&first, SIMCLR), Status::Open { waits_for: NodeId("views".into()) });
}

#[test]
fn parameters_are_told_by_their_paths() {
    let memory = Memory::full();
    let parameter = |name: &str, from: Option<serde_json::Value>, to: Option<serde_json::Value>| Reason::Parameter {
        name: name.into(),
        from,
        to,
    };
    let with = |with: &str| graph(&RECIPE.replace("epochs: 5,", with));
    assert_eq!(memory.reasons(&with("epochs: 6,"), SIMCLR), [parameter("epochs", Some(json!(5)), Some(json!(6)))]);
    assert_eq!(memory.reasons(&with(""), SIMCLR), [parameter("epochs", Some(json!(5)), None)]);
    let nested = with("epochs: 5, encoder: { width: 8 }, optimiser: { lr: 1 },");
    let expected =
        [parameter("encoder.width", None, Some(json!(8))), parameter("optimiser.lr", None, Some(json!(1.0)))];
    assert_eq!(memory.reasons(&nested, SIMCLR), expected);
}

#[test]
fn every_other_reason_is_told() {
    let memory = Memory::full();
    let simclr = |change: fn(&mut pretext_protocol::StageKind)| {
        let mut catalogue = catalogue();
        change(catalogue.kinds.iter_mut().find(|kind| kind.name == "pretrain/simclr").unwrap());
        graph_of(RECIPE, &catalogue)
    };
    let newer = simclr(|kind| kind.version = 3);
    assert_eq!(memory.reasons(&newer, SIMCLR), [Reason::Version { from: 1, to: 3 }]);

    let other_kind = graph(&RECIPE.replace("use: augment/simclr", "use: augment/standard"));
    let kinds = Reason::Kind { from: "augment/simclr".into(), to: "augment/standard".into() };
    assert_eq!(memory.reasons(&other_kind, "views"), [kinds]);

    let bfloat16 = graph_of(RECIPE, &Catalogue { numerics: "bfloat16".into(), ..catalogue() });
    let Status::Run { reasons, last, .. } = memory.status(&bfloat16, "photos") else {
        panic!("other numerics give other numbers")
    };
    assert_eq!(reasons, [Reason::Numerics { from: catalogue().numerics, to: "bfloat16".into() }]);
    assert_eq!(last, Some(Earlier { at: THEN, run: RUN.into() }));

    let smaller = graph(&RECIPE.replace("train: 100", "train: 90"));
    let yields_less = |name: &str| if name == "photos" { by_name("fewer photos") } else { by_name(name) };
    let statuses = evaluate(&smaller, &memory);
    let Status::Run { key, .. } = &statuses[0] else { panic!("photos must run") };
    let mut photos = (*memory.results.lock().unwrap().values().next().unwrap().clone()).clone();
    photos.artifacts = [("dataset".to_owned(), yields_less("photos"))].into();
    memory.results.lock().unwrap().insert(*key, Arc::new(photos));
    let input = Reason::Input { port: "data".into(), from: Some(by_name("photos")), to: Some(by_name("fewer photos")) };
    assert_eq!(memory.reasons(&smaller, SIMCLR), [input]);
}

#[test]
fn what_is_lost_or_damaged_runs_again() {
    let (memory, graph) = (Memory::full(), graph(RECIPE));
    let key = memory.last.lock().unwrap()[&NodeId(SIMCLR.into())].key;
    memory.damaged.lock().unwrap().push(key);
    let damage = format!("artifact {} is missing", key.0.short());
    assert_eq!(memory.reasons(&graph, SIMCLR), [Reason::Damaged { damage }]);
    memory.damaged.lock().unwrap().clear();
    memory.results.lock().unwrap().remove(&key);
    assert_eq!(memory.reasons(&graph, SIMCLR), [Reason::Gone]);
}

fn assert_plan(name: &str, recipe: &str, memory: &Memory) {
    let graph = graph(recipe);
    let statuses = evaluate(&graph, memory);
    let now = UNIX_EPOCH + Duration::from_secs(THEN + 7200);
    let plan = text("small", &graph, &statuses, now);
    let expected = folder().join("plans").join(name);
    if std::env::var_os("BLESS").is_some() {
        fs::create_dir_all(expected.parent().unwrap()).unwrap();
        fs::write(&expected, &plan).unwrap();
    }
    assert_eq!(plan, fs::read_to_string(&expected).unwrap(), "{name}");
}

#[test]
fn plans_read_as_expected() {
    assert_plan("nothing_known.txt", RECIPE, &Memory::default());
    assert_plan("all_known.txt", RECIPE, &Memory::full());
    assert_plan(
        "longer_training.txt",
        &RECIPE.replace("epochs: 5", "epochs: 6, encoder: { width: 8 }"),
        &Memory::full(),
    );
    assert_plan("back_to_the_default.txt", &RECIPE.replace("epochs: 5,", ""), &Memory::full());
    assert_plan("one_more_seed.txt", &RECIPE.replace("[0, 1]", "[0, 1, 2]"), &Memory::full());
    let damaged = Memory::full();
    let keys = damaged
        .last
        .lock()
        .unwrap()
        .values()
        .filter(|last| last.canonical.kind == "pretrain/simclr")
        .map(|l| l.key)
        .collect();
    *damaged.damaged.lock().unwrap() = keys;
    assert_plan("damaged.txt", RECIPE, &damaged);
}

#[test]
fn dropped_bytes_are_computed_again_only_where_they_are_needed() {
    let (memory, first) = (Memory::full(), graph(RECIPE));
    for (_, last) in memory.last.lock().unwrap().iter().filter(|(node, _)| !node.0.starts_with("features")) {
        memory.dropped.lock().unwrap().push(last.key);
    }
    for node in ["photos", "views", SIMCLR] {
        assert!(matches!(memory.status(&first, node), Status::Hit { .. }), "nothing needs the bytes of {node}");
    }

    let gone = memory.last.lock().unwrap()[&NodeId(FEATURES.into())].key;
    memory.results.lock().unwrap().remove(&gone);
    let needed = |by: &str| vec![Reason::BytesNeeded { by: NodeId(by.into()) }];
    assert_eq!(memory.reasons(&first, FEATURES), [Reason::Gone], "its key is known without the bytes");
    assert_eq!(memory.reasons(&first, SIMCLR), needed(FEATURES));
    assert_eq!(memory.reasons(&first, "photos"), needed(SIMCLR));
    assert_eq!(memory.reasons(&first, "views"), needed(SIMCLR));
    assert!(matches!(memory.status(&first, "pretrain[method=simclr,seed=1]"), Status::Hit { .. }));

    let open = graph(&RECIPE.replace("use: augment/simclr", "use: augment/simclr, with: { blur: 0.25 }"));
    assert!(matches!(memory.status(&open, SIMCLR), Status::Open { .. }));
    assert!(matches!(memory.status(&open, "photos"), Status::Hit { .. }), "what is open may turn out to be a hit");
}

/// Keys name results in stores that people have: their bytes must not change.
#[test]
fn a_key_is_what_it_always_was() {
    let inputs: BTreeMap<String, Digest> = [("data".into(), by_name("a")), ("encoder".into(), by_name("b"))].into();
    let canonical = Canonical {
        kind: "eval/probe".into(),
        version: 2,
        numerics: "libtorch 2.9.0, float32".into(),
        params: [("l2".into(), json!([0.1, 1e-7])), ("net".into(), json!({ "width": 8 }))].into(),
        inputs,
        command: vec![],
        code: BTreeMap::new(),
    };
    assert_eq!(canonical.key().to_string(), "92a767006a3f10389ff89359f834a2a153f78cc3c37dc7925cfd235a829d0295");
    let (memory, graph) = (Memory::full(), graph(RECIPE));
    let statuses = evaluate(&graph, &memory);
    for (index, status) in graph.node_indices().zip(&statuses) {
        let Status::Hit { key, .. } = status else { panic!("{} is no hit", graph[index].id) };
        let canonical = canonical_at(&graph, index, &statuses).unwrap();
        assert_eq!(canonical.key(), *key, "both ways lead to the same key");
    }
}

#[test]
fn what_nobody_has_allowed_is_unchecked_and_what_needs_it_open() {
    let (memory, mut graph) = (Memory::full(), graph(RECIPE));
    graph.node_weights_mut().filter(|node| node.id.0 == "views").for_each(|node| node.is_checked = false);
    assert_eq!(memory.status(&graph, "views"), Status::Unchecked);
    assert_eq!(memory.status(&graph, SIMCLR), Status::Open { waits_for: NodeId("views".into()) });
    assert!(matches!(memory.status(&graph, "pretrain[method=random,seed=0]"), Status::Hit { .. }));
    let plan = text("small", &graph, &evaluate(&graph, &memory), UNIX_EPOCH);
    assert!(plan.starts_with("small: 10 stages · 5 hit, 0 to run, 4 open, 1 unchecked\n"), "{plan}");
    assert!(plan.contains("unchecked views"), "{plan}");
}

#[test]
fn a_stage_whose_nodes_have_reasons_of_their_own_has_a_bounded_number_of_lines() {
    let seeds: Vec<String> = (0..50).map(|seed| seed.to_string()).collect();
    let first = graph(&RECIPE.replace("[0, 1]", &format!("[{}]", seeds.join(", "))));
    let memory = Memory::default();
    memory.run(&first, by_name);
    let other = |seed: &str| format!("{{ name: {seed}, value: 1{seed}00 }}");
    let seeds: Vec<String> = seeds.iter().map(|seed| other(seed)).collect();
    let second = RECIPE.replace("[0, 1]", &format!("[{}]", seeds.join(", "))).replace("$(seed)", "$(seed.value)");
    let second = graph(&second);
    let plan = text("small", &second, &evaluate(&second, &memory), UNIX_EPOCH);
    assert!(plan.contains("\nrun   pretrain[seed=3] x2                          seed 3 -> 1300\n"), "{plan}");
    assert!(plan.contains("\n...   pretrain x60, each for reasons of its own: `--json` has all\n"), "{plan}");
    assert!(plan.lines().count() < 30, "{plan}");
}
