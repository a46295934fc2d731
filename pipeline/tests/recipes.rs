//! Recipes in, messages or graphs out. `BLESS=1` writes the messages anew.

use pretext::ids::{Key, NodeId};
use pretext::plan::{Graph, canonical};
use pretext::recipe::{Recipe, RecipeErrors, parse};
use pretext_protocol::Catalogue;
use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;

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

/// Of each the time would be noticed: it grew with the square of the size once.
#[test]
fn large_files_are_answered_in_bounded_time() {
    let errors = read(&format!(
        "name: large\nstages:\n{}",
        (0..60_000).fold(String::new(), |text, i| text + &format!("  k{i}: 1\n"))
    ));
    let message = errors.unwrap_err().to_string();
    assert!(message.ends_with("60,000 errors, of which the first 100 are shown; nothing was run"));
    let chain = (1..12_000).fold(String::new(), |text, i| {
        text + &format!("  s{i}: {{ use: features, needs: {{ data: s0, encoder: s{} }} }}\n", (i + 1) % 12_000)
    });
    let message =
        read(&format!("name: chain\nstages:\n  s0: {{ use: data/cifar10 }}\n{chain}")).unwrap_err().to_string();
    assert!(
        message.contains("expected encoder; `s0` gives dataset") && message.ends_with("\n1 error; nothing was run")
    );
    let seeds = (0..20_000).map(|seed| seed.to_string()).collect::<Vec<_>>().join(", ");
    let exclude = "exclude: [{ method: random, seed: [3, 5] }]";
    let text =
        SMALL.replace("seed: [0, 1]", &format!("seed: [{seeds}]")).replace("stages:", &format!("{exclude}\nstages:"));
    assert_eq!(read(&text).unwrap().graph.node_count(), 2 + 2 * (40_000 - 2));
}

#[test]
fn the_way_a_file_is_saved_does_not_matter() {
    let nodes = |text: &str| read(text).unwrap_or_else(|errors| panic!("{errors}")).graph.node_count();
    assert_eq!(nodes(&SMALL.replace('\n', "\r\n")), nodes(SMALL));
    assert_eq!(nodes(&format!("\u{feff}{SMALL}")), nodes(SMALL));
    let umlauts = read(&SMALL.replace("seed: [0, 1]", "größe: [ä, ö], seed: [0, x]")).unwrap_err().to_string();
    assert!(umlauts.contains("recipe.yaml:3:60"), "columns count characters: {umlauts}");
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
    assert_eq!((pretrain.resources.threads, pretrain.resources.memory_at(1)), (2, 4 << 30));
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
    assert!(tables.iter().flat_map(|table| &table.columns).all(|column| column.split == "test"));
    let chosen = "tables: { chosen: { from: probe, rows: method, value: l2, over: seed } }\n";
    let probe = "  probe: { use: eval/linear_probe, needs: { features: features } }\n";
    let setting = read(&format!("{SMALL}{probe}{chosen}")).unwrap().tables;
    assert_eq!(setting[0].columns[0].split, "", "what is chosen is of no split");
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
        keys.push(canonical(&graph[index], inputs).key());
    }
    graph.node_weights().map(|node| node.id.clone()).zip(keys).collect()
}

#[test]
fn a_number_counts_the_same_however_it_is_written() {
    let keyed = |scale: &str| {
        let text = format!("name: numbers\nstages: {{ photos: {{ use: data/folder, with: {{ path: x{scale} }} }} }}");
        serde_json::to_string(&read(&text).unwrap().graph.node_weights().next().unwrap().keyed_params).unwrap()
    };
    let default = r#"{"path":"x"}"#;
    for written in ["", ", scale: 1", ", scale: 1.0", ", scale: 1e0, limit: null, colours: 3, layout: classes"] {
        assert_eq!(keyed(written), default, "{written}");
    }
    assert_eq!(keyed(", scale: 2, limit: 10.0"), r#"{"limit":10,"path":"x","scale":2.0}"#);
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
