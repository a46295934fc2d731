//! Recipes in, messages or graphs out. `BLESS=1` writes the messages anew.

use pretext::ids::{Digest, Key, NodeId};
use pretext::plan::{Graph, Known, Lookup, Reason, Status, canonical, evaluate};
use pretext::recipe::{Recipe, RecipeErrors, parse};
use pretext::store::{LastRun, StageResult};
use pretext_protocol::Catalogue;
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;
use std::sync::Arc;

fn folder() -> PathBuf {
    PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/recipes"))
}

/// That of the real worker, with the kinds of the design's recipe that are still to come.
fn catalogue() -> Catalogue {
    serde_json::from_slice(&fs::read(folder().join("catalogue.json")).unwrap()).unwrap()
}

fn read(text: &str) -> Result<Recipe, RecipeErrors> {
    parse("recipe.yaml", text, &catalogue())
}

#[test]
fn every_faulty_recipe_gives_exactly_its_message() {
    let files = fs::read_dir(folder().join("invalid")).unwrap().map(|entry| entry.unwrap().path());
    let mut recipes: Vec<PathBuf> = files.filter(|path| path.extension().is_some_and(|e| e == "yaml")).collect();
    recipes.sort();
    assert!(recipes.len() >= 25, "{} faulty recipes", recipes.len());
    let mut wrong = vec![];
    for path in recipes {
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        let message = match parse(&name, &fs::read_to_string(&path).unwrap(), &catalogue()) {
            Err(errors) => format!("{errors}\n"),
            Ok(_) => "it was accepted\n".to_owned(),
        };
        let expected = path.with_extension("txt");
        if std::env::var_os("BLESS").is_some() {
            fs::write(&expected, &message).unwrap();
        }
        if fs::read_to_string(&expected).unwrap_or_default() != message || message.contains("it was accepted") {
            wrong.push(format!("{name}:\n{message}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn a_file_that_is_no_recipe_is_refused_at_once() {
    let errors = read(&"photos: 1\n".repeat(1 << 20)).unwrap_err().to_string();
    assert!(errors.starts_with("error: the file is larger than 1 MB"), "{}", &errors[..200]);
}

fn count(recipe: &Recipe, stage: &str) -> usize {
    recipe.graph.node_weights().filter(|node| node.stage == stage).count()
}

fn design() -> Recipe {
    read(&fs::read_to_string(folder().join("design.yaml")).unwrap()).unwrap_or_else(|errors| panic!("{errors}"))
}

#[test]
fn axes_propagate_along_edges() {
    let recipe = design();
    let counts = ["photos", "views", "pretrain", "features", "probe", "finetune"].map(|stage| count(&recipe, stage));
    assert_eq!(counts, [1, 1, 18, 18, 18, 54]);
    let node = recipe.graph.node_weights().find(|node| node.id.0 == "finetune[method=byol,seed=2,labels=0.1]").unwrap();
    assert_eq!(node.params["fraction"], 0.1);
    assert_eq!(node.resources.threads, 1);
    let pretrain = recipe.graph.node_weights().find(|node| node.id.0 == "pretrain[method=simclr,seed=1]").unwrap();
    assert_eq!((pretrain.resources.threads, pretrain.resources.memory_bytes), (2, 4 << 30));
    assert_eq!(pretrain.params["encoder"]["stem"], "small", "defaults are filled in");
    let keyed = serde_json::to_string(&pretrain.keyed_params).unwrap();
    assert_eq!(keyed, r#"{"encoder":{"kind":"resnet18","width":32},"seed":1}"#, "epochs 100 is the default");
}

#[test]
fn a_node_of_the_first_stages_feeds_all_and_edges_join_equal_places() {
    let recipe = design();
    let graph = &recipe.graph;
    for edge in graph.edge_indices() {
        let (from, to) = graph.edge_endpoints(edge).unwrap();
        assert!(from < to, "a node comes after what it needs");
        for place in &graph[from].axes {
            assert!(graph[to].axes.contains(place), "{} feeds {}", graph[from].id, graph[to].id);
        }
    }
    let unused = graph.edge_indices().filter(|&edge| !graph[edge].used).count();
    assert_eq!(unused, 6, "the views of three random and three autoencoder nodes");
}

#[test]
fn tables_are_resolved() {
    let tables = design().tables;
    let titles = |table: usize| tables[table].columns.iter().map(|column| column.title.as_str()).collect::<Vec<_>>();
    assert_eq!(titles(1), ["labels 0.01", "labels 0.1", "labels 1.0"]);
    assert_eq!(titles(2), ["linear probe", "fine-tune 1%"]);
    assert_eq!(tables[0].columns[0].references[0].value, 90.7);
    assert_eq!(tables[2].columns[1].where_, [("labels".to_owned(), "0.01".to_owned())]);
}

const SMALL: &str = "
name: small
axes: { method: [random, simclr], seed: [0, 1] }
stages:
  photos: { use: data/cifar10, with: { train: 100 } }
  views: { use: augment/simclr }
  pretrain: { use: pretrain/$(method), needs: { data: photos, views: views }, with: { epochs: 5, seed: $(seed) } }
  features: { use: features, needs: { data: photos, encoder: pretrain } }
";

#[test]
fn exclusions_take_away_what_follows_and_what_nothing_needs_then() {
    let with = |exclude: &str| read(&SMALL.replace("stages:", &format!("exclude: {exclude}\nstages:"))).unwrap();
    let one = with("[{ method: simclr, seed: 1 }]");
    assert_eq!([count(&one, "pretrain"), count(&one, "features")], [3, 3]);
    let list = with("[{ method: simclr, seed: [0, 1] }]");
    assert_eq!([count(&list, "photos"), count(&list, "views"), count(&list, "pretrain")], [1, 1, 2]);
    let text = SMALL
        .replace("data: photos, views: views", "data: photos, views: $(method.views)")
        .replace("[random, simclr]", "[{ name: random, views: plain }, { name: simclr, views: views }]")
        .replace("$(method),", "$(method.name),")
        .replace("  views:", "  plain: { use: augment/standard }\n  views:");
    let by_axis = read(&text.replace("stages:", "exclude: [{ method: simclr }]\nstages:")).unwrap();
    assert_eq!([count(&by_axis, "views"), count(&by_axis, "plain")], [0, 1], "nothing needs the views any more");
}

#[test]
fn with_may_be_a_list_and_a_map_on_an_axis() {
    let text = SMALL
        .replace("[random, simclr]", "[{ name: random, with: {} }, { name: simclr, with: { temperature: 0.2, epochs: 9 } }]")
        .replace("$(method),", "$(method.name),")
        .replace("with: { epochs: 5, seed: $(seed) }", "with: [{ epochs: 5, optimiser: { lr: 1 } }, $(method.with), { optimiser: { momentum: 0.5 }, seed: $(seed) }]");
    let recipe = read(&text).unwrap();
    let node = recipe.graph.node_weights().find(|node| node.id.0 == "pretrain[method=simclr,seed=0]").unwrap();
    let keyed = serde_json::to_string(&node.keyed_params).unwrap();
    assert_eq!(keyed, r#"{"epochs":9,"optimiser":{"lr":1.0,"momentum":0.5},"temperature":0.2}"#);
}

/// Keys of all nodes, as if each stage yielded its own key's digest.
fn keys(graph: &Graph) -> BTreeMap<NodeId, Key> {
    let mut keys: Vec<Key> = vec![];
    for index in graph.node_indices() {
        let mut inputs = BTreeMap::new();
        let mut edges = graph.neighbors_directed(index, petgraph::Direction::Incoming).detach();
        while let Some((edge, source)) = edges.next(graph) {
            if graph[edge].used {
                inputs.insert(graph[edge].port.clone(), keys[source.index()].0);
            }
        }
        keys.push(canonical(&graph[index], "float32", inputs).key());
    }
    graph.node_weights().map(|node| node.id.clone()).zip(keys).collect()
}

#[test]
fn keys_follow_what_counts_and_nothing_else() {
    let of = |text: &str| keys(&read(text).unwrap_or_else(|errors| panic!("{errors}")).graph);
    let base = of(SMALL);
    let same = |text: String| assert_eq!(of(&text), base, "{text}");
    same(format!("# a comment\n{SMALL}"));
    same(SMALL.replace("{ epochs: 5, seed: $(seed) }", "{ seed: $(seed), epochs: 5.0, batch: 128 }"));
    same(SMALL.replace("with: { epochs: 5", "resources: { threads: 2, memory: 2GiB }, with: { epochs: 5"));
    same(SMALL.replace("{ epochs: 5,", "{ encoder: { kind: conv4, width: 0 }, epochs: 5,"));
    let changed = |text: String| {
        let other = of(&text);
        base.iter()
            .filter(|(node, key)| other.get(node) != Some(key))
            .map(|(node, _)| node.0.clone())
            .collect::<Vec<_>>()
    };
    let simclr = [
        "features[method=simclr,seed=0]",
        "features[method=simclr,seed=1]",
        "pretrain[method=simclr,seed=0]",
        "pretrain[method=simclr,seed=1]",
    ];
    assert_eq!(changed(SMALL.replace("epochs: 5", "epochs: 6")), simclr, "random ignores epochs");
    assert_eq!(
        changed(SMALL.replace("use: augment/simclr", "use: augment/simclr, with: { blur: 0.5 }")),
        [&simclr[..], &["views"]].concat()
    );
    assert_eq!(changed(SMALL.replace("train: 100", "train: 110")).len(), 9, "all but the views");
}

/// Results by key, and what last ran under each name.
#[derive(Default)]
struct Memory {
    results: RefCell<BTreeMap<Key, Arc<StageResult>>>,
    last: RefCell<BTreeMap<NodeId, LastRun>>,
}

impl Known for Memory {
    fn result(&self, key: &Key) -> Lookup {
        self.results.borrow().get(key).map_or(Lookup::Missing, |result| Lookup::Found(result.clone()))
    }
    fn last(&self, _: &str, node: &NodeId) -> Option<LastRun> {
        self.last.borrow().get(node).cloned()
    }
}

impl Memory {
    /// Runs all that must run, one after the other; `yields` is the digest of each node's output.
    fn run(&self, graph: &Graph, yields: impl Fn(&str) -> Digest) -> Vec<String> {
        let mut ran = vec![];
        loop {
            let statuses = evaluate(graph, self, "small", "float32");
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
            let canonical = canonical(node, "float32", inputs);
            let key = canonical.key();
            let artifacts = node.kind.gives.iter().map(|output| (output.name.clone(), yields(&node.id.0))).collect();
            self.last.borrow_mut().insert(node.id.clone(), LastRun { key, canonical: canonical.clone(), at: 0 });
            self.results
                .borrow_mut()
                .insert(key, Arc::new(StageResult { key, canonical, artifacts, measurements: vec![] }));
            ran.push(node.id.0.clone());
        }
    }
}

#[test]
fn the_plan_says_what_must_run_and_why_and_equal_outputs_stop_the_wave() {
    let (memory, graph) = (Memory::default(), read(SMALL).unwrap().graph);
    let status = |graph: &Graph, name: &str| {
        let index = graph.node_indices().find(|&index| graph[index].id.0 == name).unwrap();
        evaluate(graph, &memory, "small", "float32").swap_remove(index.index())
    };
    let by_name = |name: &str| Digest::of(name.as_bytes());
    assert!(matches!(status(&graph, "photos"), Status::Run { reasons, .. } if reasons == [Reason::NeverRan]));
    assert!(matches!(status(&graph, "features[method=simclr,seed=0]"), Status::Open { .. }));
    assert_eq!(memory.run(&graph, by_name).len(), 10);
    assert!(matches!(status(&graph, "features[method=simclr,seed=0]"), Status::Hit { .. }));

    let longer = read(&SMALL.replace("epochs: 5", "epochs: 6")).unwrap().graph;
    let Status::Run { reasons, .. } = status(&longer, "pretrain[method=simclr,seed=0]") else { panic!("it must run") };
    assert_eq!(reasons, [Reason::Parameter { name: "epochs".into(), from: Some(5.into()), to: Some(6.into()) }]);
    let again = memory.run(&longer, by_name);
    assert_eq!(
        again,
        ["pretrain[method=simclr,seed=0]", "pretrain[method=simclr,seed=1]"],
        "the features' inputs are the same bytes"
    );

    let wider = read(&SMALL.replace("epochs: 5", "epochs: 7")).unwrap().graph;
    let other = |name: &str| {
        let bytes = if name.starts_with("pretrain[method=simclr") { format!("other {name}") } else { name.to_owned() };
        Digest::of(bytes.as_bytes())
    };
    assert_eq!(memory.run(&wider, other).len(), 4, "and now they are not");
}
