//! What must run, and why. `BLESS=1` writes the expected plans anew.

use pretext::ids::{Digest, Key, NodeId};
use pretext::plan::{
    Canonical, Earlier, Edge, Graph, History, Known, Lookup, Question, Reason, Status, canonical, canonical_at,
    evaluate, text, write_json,
};
use pretext::recipe::parse;
use pretext::store::{LastRun, StageResult};
use pretext_protocol::Catalogue;
use serde_json::json;
use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::{Duration, UNIX_EPOCH};

const RECIPE: &str = "
name: small
axes: { method: [random, simclr], seed: [0, 1] }
stages:
  photos: { use: data/cifar10, with: { train: 100 } }
  views: { use: augment/simclr }
  pretrain: { use: pretrain/$(method), needs: { data: photos, views: views }, with: { epochs: 5, seed: $(seed) } }
  features: { use: features, needs: { data: photos, encoder: pretrain } }
";

fn folder() -> PathBuf {
    PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/recipes"))
}

fn catalogue() -> Catalogue {
    serde_json::from_slice(&fs::read(folder().join("catalogue.json")).unwrap()).unwrap()
}

fn graph(recipe: &str) -> Graph {
    graph_of(recipe, &catalogue())
}

fn graph_of(recipe: &str, catalogue: &Catalogue) -> Graph {
    parse("recipe.yaml", recipe, catalogue).unwrap_or_else(|errors| panic!("{errors}")).graph
}

/// Results by key, and what last ran under each name.
#[derive(Default)]
struct Memory {
    results: Mutex<BTreeMap<Key, Arc<StageResult>>>,
    last: Mutex<BTreeMap<NodeId, LastRun>>,
    /// What each node computed in the run that all last ran in.
    first: Mutex<BTreeMap<NodeId, Canonical>>,
    /// Of these the bytes were dropped.
    dropped: Mutex<Vec<Key>>,
    /// Of these the artifact is broken.
    damaged: Mutex<Vec<Key>>,
}

impl Known for Memory {
    fn result(&self, key: &Key) -> Lookup {
        if self.damaged.lock().unwrap().contains(key) {
            return Lookup::Damaged(format!("artifact {} is missing", key.0.short()));
        }
        match self.results.lock().unwrap().get(key) {
            Some(result) if self.dropped.lock().unwrap().contains(key) => Lookup::Dropped(result.clone()),
            Some(result) => Lookup::Found(result.clone()),
            None => Lookup::Missing,
        }
    }
    fn last(&self, _: &str, node: &NodeId) -> Option<LastRun> {
        self.last.lock().unwrap().get(node).cloned()
    }
}

/// The run that all last ran in.
const RUN: &str = "1970-01-12T13-46-40Z";
/// When everything last ran, in seconds since 1970.
const THEN: u64 = 1_000_000;

impl Memory {
    /// Runs all that must run, one after the other; `yields` is the digest of each node's output.
    fn run(&self, graph: &Graph, yields: impl Fn(&str) -> Digest) -> Vec<String> {
        let mut ran = vec![];
        loop {
            let statuses = evaluate(graph, self, "small");
            let next = graph.node_indices().find(|index| matches!(statuses[index.index()], Status::Run { .. }));
            let Some(index) = next else { return ran };
            let node = &graph[index];
            let mut inputs = BTreeMap::new();
            let mut edges = graph.neighbors_directed(index, petgraph::Direction::Incoming).detach();
            while let Some((edge, source)) = edges.next(graph) {
                if graph[edge].used {
                    inputs.insert(graph[edge].port.clone(), yields(&graph[source].id.0));
                }
            }
            let canonical = canonical(node, inputs);
            let key = canonical.key();
            let artifacts = node.kind.gives.iter().map(|output| (output.name.clone(), yields(&node.id.0))).collect();
            self.last
                .lock()
                .unwrap()
                .insert(node.id.clone(), LastRun { key, canonical: canonical.clone(), at: THEN, run: RUN.into() });
            let result = StageResult { key, artifacts, measurements: vec![] };
            self.results.lock().unwrap().insert(key, Arc::new(result));
            ran.push(node.id.0.clone());
        }
    }

    /// Has another recipe compute what a node that must run would.
    fn yields(&self, graph: &Graph, name: &str, digest: Digest) {
        let index = graph.node_indices().find(|&index| graph[index].id.0 == name).unwrap();
        let Status::Run { key, .. } = self.status(graph, name) else { panic!("{name} need not run") };
        let artifacts = graph[index].kind.gives.iter().map(|output| (output.name.clone(), digest)).collect();
        self.results.lock().unwrap().insert(key, Arc::new(StageResult { key, artifacts, measurements: vec![] }));
    }

    /// One that knows everything of the recipe.
    fn full() -> Self {
        let memory = Self::default();
        memory.run(&graph(RECIPE), by_name);
        memory
    }

    fn status(&self, graph: &Graph, name: &str) -> Status {
        let index = graph.node_indices().find(|&index| graph[index].id.0 == name).unwrap();
        evaluate(graph, self, "small").swap_remove(index.index())
    }

    fn reasons(&self, graph: &Graph, name: &str) -> Vec<Reason> {
        match self.status(graph, name) {
            Status::Run { reasons, .. } => reasons,
            other => panic!("{name} need not run: {other:?}"),
        }
    }
}

fn by_name(name: &str) -> Digest {
    Digest::of(name.as_bytes())
}

const SIMCLR: &str = "pretrain[method=simclr,seed=0]";
const FEATURES: &str = "features[method=simclr,seed=0]";

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
    let statuses = evaluate(&smaller, &memory, "small");
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
    let statuses = evaluate(&graph, memory, "small");
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

/// What the runs of a [`Memory`] have computed, as if all was one run.
impl History for Memory {
    fn computed_in(&self, run: &str, node: &NodeId) -> Option<Canonical> {
        assert_eq!(run, RUN);
        self.first.lock().unwrap().get(node).cloned()
    }
}

/// Why a node would run, as `explain` says it.
fn answer(memory: &Memory, graph: &Graph, name: &str) -> String {
    let statuses = evaluate(graph, memory, "small");
    let now = UNIX_EPOCH + Duration::from_secs(THEN + 7200);
    let question = Question { graph, statuses: &statuses, known: memory, history: memory, recipe: "small", now };
    question.answer(graph.node_indices().find(|&index| graph[index].id.0 == name).unwrap())
}

#[test]
fn an_explanation_follows_the_chain_of_causes() {
    let memory = Memory::full();
    *memory.first.lock().unwrap() =
        memory.last.lock().unwrap().iter().map(|(node, last)| (node.clone(), last.canonical.clone())).collect();
    assert_eq!(answer(&memory, &graph(RECIPE), FEATURES), "hit");
    assert_eq!(answer(&Memory::default(), &graph(RECIPE), "photos"), "would run: never ran");

    let longer = graph(&RECIPE.replace("epochs: 5", "epochs: 6"));
    let ran = "(last run 2 h 00 min ago, in 1970-01-12T13-46-40Z)";
    assert_eq!(answer(&memory, &longer, SIMCLR), format!("would run: epochs 5 -> 6 {ran}"));
    let open = format!(
        "open: it is not known yet whether it would run\n  `encoder` waits for {SIMCLR}, which would run: epochs 5 -> 6 \
         {ran}\n  where that yields the same bytes as before, its result is reused"
    );
    assert_eq!(answer(&memory, &longer, FEATURES), open);

    // Of another recipe, say: the training is there already, and the features are not.
    let other = |name: &str| by_name(&format!("{name} of six epochs"));
    memory.yields(&longer, SIMCLR, other(SIMCLR));
    let short = |digest: Digest| digest.short();
    assert_eq!(
        answer(&memory, &longer, FEATURES),
        format!(
            "would run: input `encoder` changed ({} -> {}) because {SIMCLR} ran again: epochs 5 -> 6 {ran}",
            short(by_name(SIMCLR)),
            short(other(SIMCLR))
        )
    );

    let fewer = graph(&RECIPE.replace("train: 100", "train: 90"));
    let waits = answer(&memory, &fewer, FEATURES);
    let photos = format!("photos, which would run: train 100 -> 90 {ran}");
    assert!(waits.contains(&format!("\n  `data` waits for {photos}")), "{waits}");
    assert!(waits.contains(&format!("\n  `encoder` waits for {SIMCLR}, which waits for {photos}")), "{waits}");
    memory.yields(&fewer, "photos", other("photos"));
    memory.yields(&fewer, SIMCLR, other(SIMCLR));
    let chain = answer(&memory, &fewer, FEATURES);
    assert!(chain.contains(&format!("because {SIMCLR} ran again: input `data` changed (")), "{chain}");
    assert!(chain.contains("because photos ran again: train 100 -> 90"), "{chain}");
}

#[test]
fn dropped_bytes_are_computed_again_only_where_they_are_needed() {
    let (memory, first) = (Memory::full(), graph(RECIPE));
    let keys = |of: fn(&NodeId) -> bool| {
        memory.last.lock().unwrap().iter().filter(|(node, _)| of(node)).map(|(_, last)| last.key).collect::<Vec<_>>()
    };
    *memory.dropped.lock().unwrap() = keys(|node| !node.0.starts_with("features"));
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
        code: BTreeMap::new(),
    };
    assert_eq!(canonical.key().to_string(), "92a767006a3f10389ff89359f834a2a153f78cc3c37dc7925cfd235a829d0295");
    let (memory, graph) = (Memory::full(), graph(RECIPE));
    let statuses = evaluate(&graph, &memory, "small");
    for (index, status) in graph.node_indices().zip(&statuses) {
        let Status::Hit { key, .. } = status else { panic!("{} is no hit", graph[index].id) };
        let canonical = canonical_at(&graph, index, &statuses).unwrap();
        assert_eq!(canonical.key(), *key, "both ways lead to the same key");
    }
}

#[test]
fn the_plan_as_json_has_every_node_and_both_values() {
    let memory = Memory::full();
    let plan = |recipe: &str| {
        let (graph, mut bytes) = (graph(recipe), vec![]);
        write_json(&mut bytes, "small", &graph, &evaluate(&graph, &memory, "small")).unwrap();
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
            node.params.insert("seed".into(), json!(chain));
            node.keyed_params.insert("seed".into(), json!(chain * 10 + place));
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
    fn last(&self, _: &str, _: &NodeId) -> Option<LastRun> {
        None
    }
}

/// It is 0.1 s on a quiet core; what grows with the square of the number takes minutes.
#[test]
fn a_plan_of_many_nodes_takes_no_time() {
    let graph = chains(3000);
    let began = std::time::Instant::now();
    for known in [&Everything as &dyn Known, &Memory::default()] {
        let statuses = evaluate(&graph, known, "chains");
        let (mut json, now) = (vec![], UNIX_EPOCH);
        write_json(&mut json, "chains", &graph, &statuses).unwrap();
        assert!(text("chains", &graph, &statuses, now).lines().count() < 25);
        assert_eq!(
            serde_json::from_slice::<serde_json::Value>(&json).unwrap()["nodes"].as_array().unwrap().len(),
            30_000
        );
    }
    assert!(began.elapsed() < Duration::from_secs(10), "{:?}", began.elapsed());
}

#[test]
#[ignore]
fn timing() {
    for number in [1000, 10000] {
        let graph = chains(number);
        for (what, known) in [("all", &Everything as &dyn Known), ("none", &Memory::default())] {
            let t = std::time::Instant::now();
            let statuses = evaluate(&graph, known, "chains");
            let e = t.elapsed();
            let t = std::time::Instant::now();
            let mut json = vec![];
            write_json(&mut json, "chains", &graph, &statuses).unwrap();
            let j = t.elapsed();
            let t = std::time::Instant::now();
            text("chains", &graph, &statuses, UNIX_EPOCH);
            eprintln!("{number} {what}: evaluate {e:?} json {j:?} text {:?}", t.elapsed());
        }
    }
}
