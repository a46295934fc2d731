//! Recipes in, messages or graphs out. `BLESS=1` writes the messages anew.

mod common;

use common::{SMALL, catalogue, folder, keys};
use pretext::plan::{Policy, WorkerName};
use pretext::recipe::{Best, Contents, ForeignWorker, Recipe, RecipeErrors, Surroundings, load, parse};
use pretext_protocol::{Catalogue, Gpu, StageKind};
use serde_json::json;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

fn read(text: &str) -> Result<Recipe, RecipeErrors> {
    parse("recipe.yaml", text, &catalogue())
}

/// Where faulty recipes are, as seen from where tests run.
const INVALID: &str = "../tests/recipes/invalid/";

/// The message that a recipe gives. Lines `# --set PATH=VALUE` at its top are given on the command line.
fn message(path: &Path) -> String {
    let text = fs::read(path).unwrap();
    let settings = String::from_utf8_lossy(&text);
    let settings: Vec<String> =
        settings.lines().map_while(|line| line.strip_prefix("# --set ")).map(String::from).collect();
    match load_against(path, &settings) {
        Err(errors) => format!("{errors:#}\n").replace(INVALID, ""),
        Ok(_) => "it was accepted\n".to_owned(),
    }
}

/// Reads a file against the catalogue of the real worker and that of [`worker`].
fn load_against(path: &Path, sets: &[String]) -> anyhow::Result<Recipe> {
    let digest_at = |path: &Path| Ok(Contents::read(path, None)?.digest());
    load(path, sets, Surroundings { catalogue: &catalogue(), foreign: &worker, digest_at: &digest_at })
}

/// What a recipe's workers can do: `mine` is allowed and has two kinds, `mute` does not answer, others are not allowed.
fn worker(worker: &ForeignWorker) -> anyhow::Result<Option<Catalogue>> {
    let kind = |name: &str| {
        let simclr = catalogue().kind("pretrain/simclr").unwrap().clone();
        StageKind { name: name.to_owned(), ..simclr }
    };
    match &*worker.name {
        "mine" => {
            let kinds = vec![kind("pretrain/mine"), kind("pretrain/other")];
            Ok(Some(Catalogue { numerics: "numpy".to_owned(), rehearses: false, kinds }))
        }
        "mute" => Err(anyhow::anyhow!("it ended before it said anything").context("cannot talk to `python3`")),
        _ => Ok(None),
    }
}

#[test]
fn every_faulty_recipe_gives_exactly_its_message() {
    let files = fs::read_dir(INVALID).unwrap().map(|entry| entry.unwrap().path());
    let mut recipes: Vec<PathBuf> = files.filter(|path| path.extension().is_some_and(|e| e == "yaml")).collect();
    recipes.sort();
    assert!(recipes.len() >= 120, "{} faulty recipes", recipes.len());
    let mut wrong = vec![];
    for path in recipes {
        let message = message(&path);
        let expected = path.with_extension("txt");
        if std::env::var_os("BLESS").is_some() {
            fs::write(&expected, &message).unwrap();
        }
        if fs::read_to_string(&expected).unwrap_or_default() != message || message.contains("it was accepted") {
            wrong.push(format!("{}:\n{message}", path.display()));
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
    let keyed = serde_json::to_string(&pretrain.keyed_params.to_map()).unwrap();
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
    let keyed = serde_json::to_string(&node.keyed_params.to_map()).unwrap();
    assert_eq!(keyed, r#"{"epochs":9,"optimiser":{"lr":1.0,"momentum":0.5},"temperature":0.2}"#);
}

#[test]
fn a_number_counts_the_same_however_it_is_written() {
    let keyed = |scale: &str| {
        let text = format!("name: numbers\nstages: {{ photos: {{ use: data/folder, with: {{ path: x{scale} }} }} }}");
        serde_json::to_string(&read(&text).unwrap().graph.node_weights().next().unwrap().keyed_params.to_map()).unwrap()
    };
    let default = r#"{"path":"x"}"#;
    for written in ["", ", scale: 1", ", scale: 1.0", ", scale: 1e0, limit: null, colours: 3, layout: classes"] {
        assert_eq!(keyed(written), default, "{written}");
    }
    assert_eq!(keyed(", scale: 2, limit: 10.0"), r#"{"limit":10,"path":"x","scale":2.0}"#);
}

#[test]
fn what_follows_from_another_parameter_counts_as_if_it_were_written() {
    let mut catalogue = catalogue();
    let simclr = catalogue.kinds.iter_mut().find(|kind| kind.name == "pretrain/simclr").unwrap();
    let by_kind = json!({ "kind": { "sgd": 0.06, "adamw": 1e-3 } });
    simclr.params["properties"]["optimiser"]["properties"]["lr"] =
        json!({ "type": ["number", "null"], "minimum": 0, "default": null, "x-default-by": by_kind });
    let text =
        SMALL.replace("[random, simclr]", "[{ name: simclr, kind: adamw }]").replace("$(method),", "$(method.name),");
    let node = |optimiser: &str| {
        let text = text.replace("epochs: 5", &format!("optimiser: {optimiser}"));
        let graph = parse("recipe.yaml", &text, &catalogue).unwrap_or_else(|errors| panic!("{errors}")).graph;
        graph.node_weights().find(|node| node.id.0 == "pretrain[method=simclr,seed=0]").unwrap().clone()
    };
    let (sgd, adamw) = (node("{}"), node("{ kind: adamw }"));
    assert_eq!([&sgd.params["optimiser"]["lr"], &adamw.params["optimiser"]["lr"]], [0.06, 0.001]);
    for written in ["{ lr: 0.06 }", "{ lr: null, kind: sgd }"] {
        assert_eq!(node(written).keyed_params, sgd.keyed_params, "{written}");
    }
    for written in ["{ kind: adamw, lr: 1e-3 }", "{ lr: 0.001, kind: $(method.kind) }", "{ kind: $(method.kind) }"] {
        assert_eq!(node(written).keyed_params, adamw.keyed_params, "{written}");
    }
    assert_ne!(node("{ kind: adamw, lr: 0.06 }").keyed_params, adamw.keyed_params);
    let error = parse("recipe.yaml", &text.replace("epochs: 5", "optimiser: 3"), &catalogue).unwrap_err().to_string();
    assert!(error.contains("`optimiser` has a map"), "{error}");
}

#[test]
fn parameters_that_contradict_each_other_are_told() {
    let mut catalogue = catalogue();
    for kind in catalogue.kinds.iter_mut().filter(|kind| kind.family() == "pretrain") {
        let is_unused = kind.params["properties"]["epochs"]["x-unused"].clone();
        let steps = json!({ "type": ["integer", "null"], "default": null, "x-contradicts": [{ "epochs": "given" }] });
        kind.params["properties"]["steps"] = steps;
        kind.params["properties"]["steps"]["x-unused"] = is_unused;
        let ahead = json!([{ "momentum": [0.0], "kind": ["sgd", "lars"] }]);
        kind.params["properties"]["optimiser"]["properties"]["nesterov"] =
            json!({ "type": "boolean", "default": false, "x-contradicts": ahead });
    }
    let error = |with: &str| {
        let text = SMALL.replace("{ epochs: 5, seed: $(seed) }", with).replace("axes: {", "axes: { n: [5, 6],");
        match parse("recipe.yaml", &text, &catalogue) {
            Ok(_) => String::new(),
            Err(errors) => errors.to_string(),
        }
    };
    let both = error("{ epochs: 5, steps: $(n), seed: $(seed) }");
    assert!(both.contains("`steps: 5` of pretrain/simclr contradicts `epochs: 5`"), "{both}");
    assert!(both.contains("recipe.yaml:7:98") && !both.contains("pretrain/random"), "it ignores both: {both}");
    assert_eq!(both.matches("error:").count(), 1, "{both}");
    let fixed = error("{ epochs: 5, steps: 7, seed: $(seed), batch: $(n) }");
    assert!(fixed.contains("`steps: 7` of pretrain/simclr contradicts `epochs: 5`"), "{fixed}");
    assert_eq!(error("{ steps: $(n), seed: $(seed) }"), "");
    let ahead = |optimiser: &str| error(&format!("{{ optimiser: {optimiser}, epochs: $(n), seed: $(seed) }}"));
    let nesterov = ahead("{ nesterov: true, momentum: 0 }");
    let title = "`nesterov: true` of `optimiser` contradicts `momentum: 0` with `kind: sgd`";
    assert!(nesterov.contains(title), "{nesterov}");
    assert_eq!(ahead("{ nesterov: true, momentum: 0, kind: adamw }") + &ahead("{ nesterov: true }"), "");
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

fn load_with(path: &str, sets: &[&str]) -> Recipe {
    let sets: Vec<String> = sets.iter().map(|set| set.to_string()).collect();
    load_against(Path::new(path), &sets).unwrap_or_else(|errors| panic!("{errors:#}"))
}

fn ids(recipe: &Recipe, stage: &str) -> Vec<String> {
    recipe.graph.node_weights().filter(|node| node.stage == stage).map(|node| node.id.0.clone()).collect()
}

#[test]
fn zipped_axes_are_walked_together_and_included_combinations_stand_beside() {
    let text = SMALL.replace("stages:", "zip: [[method, epochs]]\nstages:").replace("epochs: 5", "epochs: $(epochs)");
    let zipped = read(&text.replace("seed: [0, 1]", "seed: [0, 1], epochs: [1, 9]")).unwrap();
    let expected =
        ["random,seed=0,epochs=1", "simclr,seed=0,epochs=9", "random,seed=1,epochs=1", "simclr,seed=1,epochs=9"];
    let mut expected = expected.map(|place| format!("pretrain[method={place}]"));
    let mut found = ids(&zipped, "pretrain");
    expected.sort();
    found.sort();
    assert_eq!(found, expected);

    let include = "include: [{ method: byol, seed: 7 }, { method: simclr }]\nstages:";
    let exclude = "exclude: [{ method: simclr }]\n";
    let text =
        SMALL.replace("stages:", &format!("{exclude}{include}")).replace("train: 100", "train: 100, seed: $(seed)");
    let included = read(&text).unwrap();
    let places = ["random,seed=0", "random,seed=1", "byol,seed=7", "simclr,seed=0", "simclr,seed=1"];
    assert_eq!(ids(&included, "features"), places.map(|place| format!("features[method={place}]")));
    assert_eq!(ids(&included, "photos"), ["photos[seed=0]", "photos[seed=1]", "photos[seed=7]"]);
    assert_eq!(included.axes[0].1, ["random", "simclr", "byol"]);
}

const BASE: &str = "../tests/recipes/invalid/bases/base.yaml";

#[test]
fn settings_and_overlays_change_a_recipe_without_copying_it() {
    let base = load_with(BASE, &[]);
    let set = load_with(BASE, &["stages.pretrain.with.encoder.width=8", "axes.seed=[4]", "name=other"]);
    assert_eq!(ids(&set, "pretrain"), ["pretrain[method=random,seed=4]", "pretrain[method=simclr,seed=4]"]);
    let node = set.graph.node_weights().last().unwrap();
    assert_eq!((&node.params["encoder"]["width"], &node.params["epochs"]), (&8.into(), &10.into()));
    assert_eq!(set.name, "other");
    assert!(base.has_digest(&pretext::ids::Digest::of(&fs::read(BASE).unwrap()).to_string()), "as it once was");
    assert_ne!(base.digest, set.digest);

    let folder = tempfile::tempdir().unwrap();
    fs::create_dir(folder.path().join("far")).unwrap();
    fs::write(folder.path().join("base.yaml"), SMALL).unwrap();
    let middle =
        "name: middle\nextends: ../base.yaml\naxes: { seed: [5] }\nstages: { photos: { with: { train: 70 } } }\n";
    fs::write(folder.path().join("far/middle.yaml"), middle).unwrap();
    let top = "name: top\nextends: far/middle.yaml\nstages: { pretrain: { with: [{ batch: 64 }, { epochs: 3 }] } }\n";
    fs::write(folder.path().join("top.yaml"), top).unwrap();
    let path = folder.path().join("top.yaml").to_string_lossy().into_owned();
    let recipe = load_with(&path, &["stages.pretrain.with.epochs=4"]);
    let find = |stage: &str| recipe.graph.node_weights().filter(|node| node.stage == stage).last().unwrap();
    assert_eq!((recipe.name.as_str(), &find("photos").params["train"]), ("top", &70.into()));
    let keyed = serde_json::to_string(&find("pretrain").keyed_params.to_map()).unwrap();
    assert_eq!(keyed, r#"{"batch":64,"epochs":4,"seed":5}"#);
    let before = recipe.digest;
    let with_base = |text: String| {
        fs::write(folder.path().join("base.yaml"), text).unwrap();
        load_with(&path, &["stages.pretrain.with.epochs=4"]).digest
    };
    assert_eq!(with_base(format!("{}# a comment\n", SMALL.replace("train: 100", "train:  100 "))), before);
    assert_ne!(
        with_base(SMALL.replace("method: [random, simclr]", "method: [simclr, random]")),
        before,
        "every text counts"
    );
    assert_ne!(with_base(SMALL.replace("use: augment/simclr", "use: augment/simclr, with: {}")), before);
}

#[test]
fn resources_and_policies_are_read() {
    let text = SMALL.replace("with: { epochs: 5", "resources: { memory: [1GiB, 1.5GiB], gpus: 1, time: [90s, 2h] }, timeout: 30min, keep: false, with: { epochs: 5");
    let recipe = read(&text.replace("stages:", "retries: 2\ntimeout: 1d\nkeep_going: false\nstages:")).unwrap();
    let (photos, pretrain) = (recipe.graph.node_weights().next().unwrap(), recipe.graph.node_weights().nth(2).unwrap());
    assert_eq!(photos.policy, Policy { retries: 2, timeout: Some(Duration::from_secs(86_400)), keep: true });
    assert_eq!(pretrain.policy, Policy { retries: 2, timeout: Some(Duration::from_secs(1800)), keep: false });
    assert_eq!([1, 2, 9].map(|attempt| pretrain.resources.memory_at(attempt)), [1 << 30, 3 << 29, 3 << 29]);
    assert_eq!((pretrain.resources.gpus, pretrain.resources.seconds_at(2)), (1, Some(7200)));
    assert!(!recipe.keep_going);
    assert_eq!(keys(&recipe.graph), keys(&read(SMALL).unwrap().graph), "none of it counts in a key");
}

#[test]
fn where_a_stage_is_computed_counts_in_no_key() {
    let mut catalogue = catalogue();
    let simclr = catalogue.kinds.iter_mut().find(|kind| kind.name == "pretrain/simclr").unwrap();
    simclr.gpu = Gpu::Used;
    let devices = |text: &str| {
        let graph = parse("recipe.yaml", text, &catalogue).unwrap_or_else(|errors| panic!("{errors}")).graph;
        assert_eq!(keys(&graph), keys(&read(SMALL).unwrap().graph));
        let device = |id: &str| graph.node_weights().find(|node| node.id.0 == id).unwrap().resources.device.to_string();
        ["photos", "pretrain[method=random,seed=0]", "pretrain[method=simclr,seed=0]"].map(device)
    };
    assert_eq!(devices(SMALL), ["cpu", "cpu", "auto"], "where nothing is said");
    let all = SMALL.replace("stages:", "resources: { device: cuda:1 }\nstages:");
    assert_eq!(devices(&all), ["cpu", "cpu", "cuda:1"], "a recipe's is for kinds that have use for it");
    let own = all.replace("with: { epochs: 5", "resources: { device: cuda:0 }, with: { epochs: 5");
    assert_eq!(devices(&own), ["cpu", "cuda:0", "cuda:0"], "a stage's own holds");
    let own = all.replace("with: { epochs: 5", "resources: { threads: 2, device: cpu }, with: { epochs: 5");
    assert_eq!(devices(&own), ["cpu", "cpu", "cpu"]);
}

#[test]
fn every_word_is_understood() {
    let recipe = load_with("../tests/recipes/every_word.yaml", &[]);
    let places = [
        "byol,seed=7,width=widest",
        "moco,seed=0,width=wide",
        "moco,seed=1,width=wide",
        "random,seed=0,width=narrow",
        "simclr,seed=0,width=middle",
        "simclr,seed=1,width=middle",
    ];
    let mut pretrain = ids(&recipe, "pretrain");
    pretrain.sort();
    assert_eq!(pretrain, places.map(|place| format!("pretrain[method={place}]")));
    assert_eq!(ids(&recipe, "mine"), ["mine[seed=0]", "mine[seed=1]", "mine[seed=7]"]);
    let chosen = recipe.tables.iter().flat_map(|table| &table.columns).flat_map(|column| &column.chosen);
    let chosen: Vec<_> = chosen.map(|choice| (choice.axes.join(" "), choice.by.title.as_str(), choice.best)).collect();
    assert_eq!(chosen, [("weight".to_owned(), "tuned.accuracy", Best::Highest)]);
}

const COMMAND: &str = "
name: command
axes: { seed: [0, 1] }
workers:
  mine: { command: [python3, my.py], kinds: [pretrain/mine], code: [count.py] }
  yours: { command: [python3, your.py], kinds: [pretrain/yours] }
stages:
  photos: { use: data/cifar10, with: { train: 100 } }
  fewer:
    use: tool/command
    needs: { data: photos }
    with: { run: python3 count.py $IN_data $OUT_few $(seed), outputs: { few: dataset }, measures: [images], code: [count.py] }
  mine: { use: pretrain/mine, needs: { data: fewer }, with: { epochs: 3, seed: $(seed) } }
  yours: { use: pretrain/yours, needs: { anything: fewer }, with: { what: [$(seed), x] } }
  features: { use: features, needs: { data: photos, encoder: yours } }
  more: { use: tool/command, needs: { encoder: mine }, with: { run: ls $IN_encoder, measures: { size: [test], files: [] } } }
tables:
  few: { from: fewer, value: images, rows: seed }
  more: { from: more, value: size, rows: seed }
  unchecked: { from: yours, value: whatever, rows: seed }
";

#[test]
fn commands_and_workers_of_others_are_stages_too() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("recipe.yaml").to_string_lossy().into_owned();
    fs::write(&path, COMMAND).unwrap();
    fs::write(folder.path().join("count.py"), "print(1)").unwrap();
    let recipe = load_with(&path, &[]);
    let node = |stage: &str| recipe.graph.node_weights().find(|node| node.stage == stage).unwrap();
    let digest = pretext::ids::Digest::of(b"print(1)");

    let command = node("fewer");
    assert_eq!((&command.worker, &command.program.code["count.py"].digest), (&WorkerName::Command, &digest));
    let keyed = serde_json::to_string(&command.keyed_params.to_map()).unwrap();
    assert_eq!(
        keyed,
        r#"{"measures":{"images":[]},"outputs":{"few":"dataset"},"run":"python3 count.py $IN_data $OUT_few 0"}"#
    );
    let mut all = command.params.to_map();
    assert_eq!(all.shift_remove("shell"), Some("bash -euo pipefail".into()), "it counts where it is another");
    assert_eq!(all, command.keyed_params.to_map());

    let mine = node("mine");
    assert_eq!(
        (mine.worker.clone(), &*mine.numerics, mine.is_checked),
        (WorkerName::Foreign("mine".into()), "numpy", true)
    );
    assert_eq!((&mine.program.code["count.py"].digest, &mine.params["batch"]), (&digest, &128.into()));
    let yours = node("yours");
    assert_eq!((yours.is_checked, &*yours.numerics, yours.kind.gives.len()), (false, "", 0));
    assert_eq!(yours.params["what"], serde_json::json!([0, "x"]));
    assert_eq!(recipe.workers[0].folder, folder.path());

    let before = keys(&recipe.graph);
    fs::write(folder.path().join("count.py"), "print(2)").unwrap();
    let changed = keys(&load_with(&path, &[]).graph);
    assert!(before.iter().all(|(node, key)| (changed[node] == *key) == (node.0 == "photos")), "the code counts");
}
