//! The commands that look at recipes and stores, as a person types them, over stages of the fake worker.

use std::path::Path;
use std::process::{Command, Output};
use tempfile::TempDir;

const RECIPE: &str = "
name: sums
stages:
  one: { use: fake/source }
  sum: { use: fake/add, needs: { a: one } }
  twice: { use: fake/add, needs: { a: sum, b: sum } }
";

/// A folder with a recipe.
struct Place(TempDir);

impl Place {
    fn new() -> Self {
        let place = Self(TempDir::new().unwrap());
        std::fs::write(place.0.path().join("sums.yaml"), RECIPE).unwrap();
        // The user's own, in which pretext keeps what workers said.
        std::fs::create_dir(place.0.path().join("cache")).unwrap();
        place
    }

    fn pretext(&self, words: &[&str]) -> Output {
        let programs = Path::new(env!("CARGO_BIN_EXE_fake-worker")).parent().unwrap();
        let mut command = Command::new(programs.join("pretext"));
        command.args(words).current_dir(self.0.path()).env("PRETEXT_WORKER", env!("CARGO_BIN_EXE_fake-worker"));
        command.env("XDG_CACHE_HOME", self.0.path().join("cache"));
        command.env_remove("PRETEXT_STORE").env_remove("PRETEXT_LOG").output().unwrap()
    }

    fn out(&self, words: &[&str]) -> String {
        let output = self.pretext(words);
        assert!(output.status.success(), "{words:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    }

    fn error(&self, words: &[&str]) -> String {
        let output = self.pretext(words);
        assert_eq!(output.status.code(), Some(1), "{words:?}");
        String::from_utf8(output.stderr).unwrap()
    }
}

#[test]
fn nodes_are_looked_at_before_they_run_and_after() {
    let place = Place::new();
    assert!(place.out(&["plan", "sums.yaml"]).starts_with("sums: 3 stages · 0 hit, 1 to run, 2 open\n"));
    assert_eq!(place.error(&["path", "sums.yaml", "one"]), "error: one has no result: never ran\n");
    let open = place.out(&["explain", "sums.yaml", "twice"]);
    let waits = "\n    `a` waits for sum, which waits for one, which would run: never ran\n";
    assert!(open.starts_with("twice\n  open: ") && open.contains(waits), "{open}");
    assert!(place.out(&["show", "sums.yaml", "sum"]).contains("\n  a  one (not known yet)\n"));

    place.out(&["run", "sums.yaml"]);
    let plan: serde_json::Value = serde_json::from_str(&place.out(&["plan", "sums.yaml", "--json"])).unwrap();
    assert_eq!(plan["counts"]["hit"], 3);
    let hit = place.out(&["explain", "sums.yaml", "sum"]);
    assert!(hit.starts_with("sum\n  hit: computed at ") && hit.contains("\n  needed by  twice\n"), "{hit}");
    assert!(hit.contains(&format!("\n  key        {}\n", plan["nodes"][1]["key"].as_str().unwrap())), "{hit}");
    let folder = place.out(&["path", "sums.yaml", "one", "value"]);
    assert_eq!(std::fs::read_to_string(Path::new(folder.trim_end()).join("value.txt")).unwrap(), "0\n");
    let page = place.out(&["show", "sums.yaml", "sum"]);
    for line in ["  a  one (", "  value (test)  0\n", "    value.txt  2 B\n", "  computed for  sum of sums\n"] {
        assert!(page.contains(line), "{line} is missing in {page}");
    }
    assert_eq!(place.out(&["logs", "sums.yaml", "sum"]), "fake/add begins\n");
    assert!(place.out(&["graph", "sums.yaml", "--status"]).contains("    twice   fake/add      hit   <- a, b: sum\n"));
}

#[test]
fn a_misspelt_name_gets_the_nearest_one() {
    let place = Place::new();
    let nearest = "error: sums.yaml has no stage `twyce`; did you mean `twice`?\n";
    for command in ["explain", "show", "path"] {
        assert_eq!(place.error(&[command, "sums.yaml", "twyce"]), nearest);
    }
    assert_eq!(
        place.error(&["explain", "sums.yaml", "twice[seed=0"]),
        "error: `twice[seed=0` is no name of a stage: expected probe, 'probe[method=pixels,seed=0]', or 'probe[method=sim*]' \
         for several\n"
    );
    assert_eq!(
        place.error(&["explain", "twice"]),
        "error: nothing has run in this store: name the recipe's file too: RECIPE.yaml 'twice'\n"
    );
    assert!(place.error(&["logs", "twice"]).starts_with("error: there is no store at "));
    place.out(&["run", "sums.yaml"]);
    let no_output = place.error(&["path", "sums.yaml", "one", "valu"]);
    assert_eq!(no_output, "error: one has no output `valu`; did you mean `value`?\n");
}

const SWEEP: &str = "
name: sweep
axes: { value: [1, 2], plus: [5, 10] }
stages:
  number: { use: fake/source, with: { value: $(value) }, keep: false }
  sum: { use: fake/add, needs: { a: number }, with: { plus: $(plus) }, retries: 1 }
";

impl Place {
    /// With a second recipe.
    fn with_sweep() -> Self {
        let place = Self::new();
        std::fs::write(place.0.path().join("sweep.yaml"), SWEEP).unwrap();
        place
    }

    /// What a run says at its end.
    fn closing(&self, words: &[&str]) -> String {
        let output = self.pretext(words);
        let said = String::from_utf8(output.stderr).unwrap();
        assert!(output.status.success(), "{said}");
        said.lines().last().unwrap_or_default().split(" · ").next().unwrap_or_default().to_owned()
    }
}

#[test]
fn a_run_can_be_of_a_part_and_again_and_with_other_parameters() {
    let place = Place::with_sweep();
    let only = ["run", "sweep.yaml", "--only", "sum[value=2,plus=5]"];
    assert_eq!(place.closing(&only), "2 computed, 0 reused");
    assert_eq!(place.closing(&["run", "sweep.yaml", "--threads", "1"]), "4 computed, 2 reused");
    assert_eq!(place.closing(&["run", "sweep.yaml"]), "0 computed, 6 reused");
    assert_eq!(place.closing(&["run", "sweep.yaml", "--force", "sum[value=1]"]), "3 computed, 3 reused");
    assert_eq!(place.closing(&["run", "sweep.yaml", "--force", "su*[plus=1*]"]), "4 computed, 2 reused");
    let fresh = Place::with_sweep();
    assert_eq!(fresh.closing(&["run", "sweep.yaml", "--only", "*[value=2]"]), "3 computed, 0 reused");
    assert_eq!(place.out(&["path", "sweep.yaml", "sum[value=0x2,plus=*]"]).lines().count(), 2);
    assert_eq!(place.out(&["logs", "s*[value=1,plus=1*]"]), "fake/add begins\n");
    for command in ["show", "explain"] {
        assert!(place.out(&[command, "*[value=1.0,plus=5]"]).starts_with("sum[value=1,plus=5]"));
    }
    let set = ["run", "sweep.yaml", "--set", "axes.plus=[10, 20]", "--set", "axes.value=[2]"];
    assert_eq!(place.closing(&set), "2 computed, 1 reused");
    let error = place.error(&["run", "sweep.yaml", "--set", "stages.sun.with.plus=3"]);
    assert!(
        error.starts_with("error: unknown stage `sun`\n")
            && error.contains(" --> --set:1:8\n")
            && error.contains("did you mean `sum`?"),
        "{error}"
    );
    let error = place.error(&["run", "sweep.yaml", "--only", "sum[value=3]"]);
    assert!(error.starts_with("error: sweep.yaml has no stage `sum[value=3]`; there is: sum[value=1,"), "{error}");
}

/// With `...` for what differs between machines.
#[test]
fn the_doctor_says_what_there_is_to_compute_with() {
    let place = Place::new();
    let shape = |text: &str| -> String {
        let of_worker = text.split_once("libtorch ").map_or("", |(_, rest)| rest);
        let machine =
            text.lines().take_while(|line| !line.starts_with("libtorch ")).filter(|line| !line.starts_with(' '));
        let names = machine.map(|line| format!("{:<16}...\n", line[..16].trim_end()));
        names.chain([format!("libtorch {of_worker}")]).collect()
    };
    let names = [
        "pretext",
        "processor",
        "instructions",
        "threads",
        "memory",
        "huge pages",
        "GPU",
        "store",
        "disk",
        "file system",
        "worker",
    ];
    let machine: String = names.iter().map(|name| format!("{name:<16}...\n")).collect();
    let online = format!("{machine}libtorch        fake numbers\n");
    assert_eq!(shape(&place.out(&["doctor"])), online);
    assert_eq!(shape(&place.out(&["doctor", "--offline"])), format!("{online}                asked nobody\n"));
    assert!(!place.0.path().join(".pretext").exists(), "it makes no store");

    let output = place.pretext(&["doctor", "--worker", "none"]);
    assert_eq!(output.status.code(), Some(1));
    let said = String::from_utf8(output.stdout).unwrap();
    assert!(said.contains("\nworker          there is no worker at none: "), "{said}");
    let output = place.pretext(&["doctor", "--worker", "/bin/true"]);
    let said = String::from_utf8(output.stdout).unwrap();
    assert!(said.contains("\n                the worker ended before its stage did\n"), "{said}");
}

#[test]
fn what_lies_at_a_path_counts_and_where_it_lies_does_not() {
    let place = Place::new();
    let folder = place.0.path().join("recipes");
    std::fs::create_dir(&folder).unwrap();
    let recipe = "name: paths\naxes: { which: [../one, ../two] }\nstages:\n  \
                  number: { use: fake/read, with: { path: $(which) } }\n";
    std::fs::write(folder.join("paths.yaml"), recipe).unwrap();
    let error = place.error(&["plan", "recipes/paths.yaml"]);
    let missing = "nothing is there; a path is relative to the folder of the file that it stands in";
    assert!(error.contains("cannot read what lies at `../two`") && error.contains(missing), "{error}");
    assert!(error.contains(" --> recipes/paths.yaml:2:25\n"), "{error}");

    let write = |name: &str, text: &str| std::fs::write(place.0.path().join(name), text).unwrap();
    write("one", "1\n");
    write("two", "2\n");
    assert_eq!(place.closing(&["run", "recipes/paths.yaml"]), "2 computed, 0 reused");
    write("two", "22\n");
    let told = place.out(&["explain", "recipes/paths.yaml", "number[which=../two]"]);
    assert!(
        told.contains("would run: what lies at `path` changed (") && told.contains("  paths      path: /"),
        "{told}"
    );
    assert!(place.out(&["plan", "recipes/paths.yaml"]).contains("what lies at `path` changed"));
    assert_eq!(place.closing(&["run", "recipes/paths.yaml"]), "1 computed, 1 reused");

    // As if it were another machine: the same files elsewhere.
    std::fs::create_dir(place.0.path().join("far")).unwrap();
    for name in ["recipes", "one", "two"] {
        std::fs::rename(place.0.path().join(name), place.0.path().join("far").join(name)).unwrap();
    }
    assert_eq!(place.closing(&["run", "far/recipes/paths.yaml"]), "0 computed, 2 reused");
}

/// The fake worker's `slow` has use for a GPU; which there are is pretended by --gpus.
#[test]
fn a_device_is_chosen_and_one_that_is_not_there_is_told_before_anything_runs() {
    let place = Place::new();
    let recipe = "name: devices\nresources: { device: auto }\nstages:\n  one: { use: fake/source }\n  \
                  slow: { use: fake/slow, needs: { a: one }, with: { steps: 1 } }\n";
    std::fs::write(place.0.path().join("devices.yaml"), recipe).unwrap();
    fn run<'a>(words: &[&'a str]) -> Vec<&'a str> {
        [&["run", "devices.yaml"], words].concat()
    }
    let device = |node: &str| {
        let page = place.out(&["show", "devices.yaml", node]);
        let line = page.lines().find(|line| line.trim_start().starts_with("device ")).unwrap_or_default();
        line.split_whitespace().nth(1).unwrap_or_default().trim_end_matches(',').to_owned()
    };
    let absent = "cannot run here: it wants cuda:3 and this machine has cuda:0, cuda:2: change `device`, or say \
                  --device auto or --device cpu. Nothing was run\n";
    assert_eq!(place.error(&run(&["--gpus", "0,2", "--device", "cuda:3"])), format!("error: slow {absent}"));
    assert!(!place.0.path().join("out").exists());
    place.closing(&run(&["--gpus", "0,2"]));
    assert_eq!([device("one"), device("slow")], ["cpu", "cuda:0"]);
    assert_eq!(place.closing(&run(&["--gpus", "0,2", "--device", "cuda:2"])), "0 computed, 2 reused");
    assert_eq!(place.closing(&run(&["--device", "cuda:9"])), "0 computed, 2 reused", "where nothing is to run");
    for (further, expected) in [("cuda:2", "cuda:2"), ("cpu", "cpu")] {
        place.closing(&run(&["--gpus", "0,2", "--device", further, "--force", "slow"]));
        assert_eq!(device("slow"), expected);
    }
    let error = place.error(&["run", "sums.yaml", "--device", "cuda:0"]);
    assert_eq!(error, "error: --device cuda:0: no stage of sums.yaml has use for a GPU\n");
}

#[test]
fn what_changed_is_told_with_both_values_and_the_run_that_made_the_old_one() {
    let place = Place::with_sweep();
    place.closing(&["run", "sweep.yaml"]);
    let run = &place.out(&["status", "--json"]);
    let runs: serde_json::Value = serde_json::from_str(run).unwrap();
    let id = runs[0]["id"].as_str().unwrap().to_owned();
    assert!(id.ends_with("Z-sweep"), "{id}");

    let set = ["--set", "stages.number.with.noise=7"];
    let explain = |node: &str| place.out(&[&["explain", "sweep.yaml", node], &set[..]].concat());
    let told = explain("number[value=1]");
    assert!(told.contains("would run: noise 0 -> 7 (last run ") && told.contains(&format!(", in {id})")), "{told}");
    let told = explain("sum[value=1,plus=5]");
    let waits = "`a` waits for number[value=1], which would run: noise 0 -> 7";
    assert!(told.contains(waits) && told.contains("where that yields the same bytes"), "{told}");

    assert_eq!(place.closing(&[&["run", "sweep.yaml"], &set[..]].concat()), "2 computed, 4 reused");
    let diff = place.out(&["diff", &id, "last"]);
    assert!(diff.contains("number x2") && diff.contains("noise default -> 7"), "{diff}");
    let status = place.out(&["status"]);
    assert_eq!(status.lines().count(), 2, "{status}");
    assert!(status.contains("2 computed, 4 reused") && status.contains("6 computed, 0 reused"), "{status}");
}

#[test]
fn a_stage_that_failed_is_not_said_never_to_have_run() {
    let place = Place::new();
    std::fs::write(place.0.path().join("bad.yaml"), "name: bad\nstages:\n  bad: { use: fake/fail }\n").unwrap();
    assert_eq!(place.pretext(&["run", "bad.yaml"]).status.code(), Some(1));
    let plan = place.out(&["plan", "bad.yaml"]);
    assert!(plan.lines().nth(1).is_some_and(|line| line.contains("  failed (last run ")), "{plan}");
    assert_eq!(place.error(&["path", "bad.yaml", "bad"]), "error: bad has no result: failed\n");
}

#[test]
fn a_node_that_is_the_same_computation_as_another_waits_for_that_one() {
    let place = Place::new();
    let slow = "{ use: fake/slow, with: { steps: 2, milliseconds: 100 } }";
    let recipe = format!("name: twins\nstages:\n  one: {slow}\n  two: {slow}\n");
    std::fs::write(place.0.path().join("twins.yaml"), recipe).unwrap();
    let said = String::from_utf8(place.pretext(&["run", "twins.yaml", "--threads", "2"]).stderr).unwrap();
    assert!(said.contains(" waits for one, which computes it\n"), "{said}");
}

#[test]
fn what_looks_into_a_store_makes_none() {
    let place = Place::new();
    std::fs::write(place.0.path().join("number"), "7").unwrap();
    let read = "name: read\nstages: { n: { use: fake/read, with: { path: number } } }";
    std::fs::write(place.0.path().join("read.yaml"), read).unwrap();
    let before = std::fs::read_dir(place.0.path()).unwrap().count();
    for words in [&["plan", "read.yaml"][..], &["graph", "read.yaml", "--status"], &["explain", "sums.yaml", "sum"]] {
        place.out(words);
    }
    for words in [&["show", "sums.yaml", "sum"][..], &["stages"], &["stages", "fake/read"], &["schema"]] {
        place.out(words);
    }
    assert_eq!(place.error(&["path", "read.yaml", "n"]), "error: n has no result: never ran\n");
    assert_eq!(
        std::fs::read_dir(place.0.path()).unwrap().count(),
        before,
        "nothing is written where there is no store"
    );
    for command in ["verify", "gc", "status"] {
        let error = place.error(&[command, "--store", "typo"]);
        assert!(error.starts_with("error: there is no store at ") && error.contains("/typo: "), "{error}");
    }
    assert!(!place.0.path().join("typo").exists());
    assert!(place.error(&["plan", "none.yaml"]).contains("`pretext init none.yaml` writes one"));
}
