//! Tables of what is there: partial ones say so and leave whole ones alone, `pretext table` makes them at any time, another recipe's
//! are not overwritten, and a store that can only be read is enough for them.

use pretext::ids::Digest;
use pretext_tests::{Place, wait_until};
use serde_json::Value;
use std::fs;
use std::os::unix::fs::{PermissionsExt, chown};
use std::os::unix::process::CommandExt;
use std::path::Path;

const RECIPE: &str = "
name: sweep
axes: { plus: [0, 1] }
stages:
  number: { use: fake/source, with: { value: 3 } }
  sum: { use: fake/add, needs: { a: number }, with: { plus: $(plus) } }
tables: { sums: { from: sum, rows: plus, value: value } }
";

const WHOLE: &str = "plus,sum mean,sum sd,sum n\n0,3.0,,1\n1,4.0,,1\n";

fn place() -> Place {
    let place = Place::new(env!("CARGO_BIN_EXE_fake-worker"));
    place.write("sweep.yaml", RECIPE);
    place
}

fn sums(place: &Place, folder: &str) -> String {
    fs::read_to_string(place.path().join(folder).join("sums.csv")).unwrap()
}

#[test]
fn a_part_of_a_recipe_leaves_the_last_whole_tables() {
    let place = place();
    let first = place.out(&["run", "sweep.yaml", "--only", "sum[plus=0]"]);
    assert!(first.contains("partial: 2 of 3 stages have a result; nothing was written to out/sweep"), "{first}");
    assert!(!place.has("out"));
    place.out(&["run", "sweep.yaml"]);
    assert_eq!(sums(&place, "out/sweep"), WHOLE);
    let page = fs::read_to_string(place.path().join("out/sweep/sums.md")).unwrap();
    assert!(page.contains("differing: plus 0 / 1"), "{page}");

    place.write("sweep.yaml", &RECIPE.replace("value: 3", "value: 5"));
    let part = place.out(&["run", "sweep.yaml", "--only", "sum[plus=0]"]);
    assert!(part.contains("out/sweep keeps the last whole tables"), "{part}");
    assert_eq!(sums(&place, "out/sweep"), WHOLE);
    place.out(&["run", "sweep.yaml"]);
    assert_eq!(sums(&place, "out/sweep"), WHOLE.replace("3.0", "5.0").replace("4.0", "6.0"));
}

const CHOSEN: &str = "
name: chosen
axes: { method: [up, down], lr: [1, 2, 3], seed: [0, 1] }
stages:
  train:
    use: tool/command
    with:
      measures: { loss: [validation, test] }
      run: |
        case $(method) in up) loss=$$(($(lr) + $(seed))) ;; down) loss=$$((9 - $(lr))) ;; esac
        echo '{\"name\": \"loss\", \"split\": \"validation\", \"value\": '$loss'}' >> $MEASURES
        echo '{\"name\": \"loss\", \"split\": \"test\", \"value\": '$$((loss * 10))'}' >> $MEASURES
choose: { axis: lr, by: train.loss, split: validation, best: lowest }
tables:
  best: { from: train, rows: method, value: loss, over: seed }
  all: { from: train, rows: [method, lr], value: loss, over: seed }
";

#[test]
fn a_recipe_chooses_on_validation_and_says_what() {
    let place = place();
    place.write("chosen.yaml", CHOSEN);
    let shown = place.out(&["run", "chosen.yaml", "--allow-commands", "--publish"]);
    let note = "lr was chosen from 1, 2, 3 by train.loss on the validation split (the lowest mean of 2 seeds)";
    assert!(shown.contains(note), "{shown}");
    let read = |name: &str| fs::read_to_string(place.path().join("results/chosen").join(name)).unwrap();
    assert_eq!(
        read("best.csv").lines().collect::<Vec<_>>()[1..],
        ["up,15.0,7.0710678118654755,2,1", "down,60.0,0.0,2,3"]
    );
    assert!(read("best.md").contains(note) && !read("all.md").contains("was chosen"));
    assert_eq!(read("all.csv").lines().count(), 7, "a table that has the axis shows all of it");
    let about: serde_json::Value = serde_json::from_str(&read("about.json")).unwrap();
    assert_eq!(about["chosen"]["best"][1]["value"], "3");
    // A part of the sweep is there: nothing is chosen yet.
    let part = place.out(&["table", "chosen.yaml", "--set", "axes.lr=[1, 2, 3, 4]", "--allow-commands"]);
    assert!(part.contains("no lr was chosen for up, down: train.loss is missing for some of the values"), "{part}");
}

/// Figures of one stage are told apart by their names, a recipe without axes has one row, and what has no output has a folder all the same.
#[test]
fn a_recipe_of_one_row_has_its_table() {
    let place = place();
    place.write(
        "one.yaml",
        "
name: one
stages:
  test:
    use: tool/command
    with:
      measures: { score: [test], length: [test] }
      run: |
        echo '{\"name\": \"score\", \"split\": \"test\", \"value\": 1}' >> $MEASURES
        echo '{\"name\": \"length\", \"split\": \"test\", \"value\": 2}' >> $MEASURES
tables: { one: { columns: [{ from: test, value: score }, { from: test, value: length }] } }
",
    );
    place.out(&["run", "one.yaml", "--allow-commands"]);
    let table = fs::read_to_string(place.path().join("out/one/one.csv")).unwrap();
    let lines: Vec<&str> = table.lines().collect();
    assert!(lines[0].contains("score") && lines[0].contains("length") && lines[1].starts_with("1.0"), "{table}");
    let side = place.out(&["path", "one.yaml", "test", "--allow-commands"]);
    assert!(side.trim_end().ends_with("/side") && Path::new(side.trim_end()).is_dir(), "{side}");
}

/// What follows a choice is computed for what was chosen: two trainings of two seeds are evaluated, and not six.
#[test]
fn what_was_not_chosen_is_spared() {
    let place = place();
    let sweep = CHOSEN.replace("  all: { from: train, rows: [method, lr], value: loss, over: seed }\n", "").replace(
        "choose:",
        "  model: { use: tool/command, with: { outputs: { model: file }, run: \"echo $(method) $(lr) $(seed) > $OUT_model/model.txt\" } }
  test:
    use: tool/command
    needs: { model: model }
    with:
      measures: { score: [test] }
      run: |
        cat $IN_model/model.txt >> LOG_FILE
        echo '{\"name\": \"score\", \"split\": \"test\", \"value\": 1}' >> $MEASURES
choose:",
    );
    let log = place.path().join("evaluated");
    let sweep = sweep.replace("LOG_FILE", log.to_str().unwrap()).replace(
        "best: { from: train, rows: method, value: loss, over: seed }",
        "best: { rows: method, over: seed, columns: [{ from: train, value: loss }, { from: test, value: score }] }",
    );
    place.write("chosen.yaml", &sweep);
    let planned = place.out(&["plan", "chosen.yaml", "--allow-commands"]);
    assert!(planned.contains("36 stages · 0 hit, 12 to run, 0 open, 24 spared"), "{planned}");
    assert!(planned.contains("of these only what `choose` picks is computed"), "{planned}");
    let shown = place.out(&["run", "chosen.yaml", "--allow-commands", "--publish"]);
    let chosen = shown.contains("\n  up       15 ± 7   1.00 ± 0.00   1 ")
        && shown.contains("\n  down     60 ± 0   1.00 ± 0.00   3 ");
    assert!(chosen && !shown.contains("partial"), "{shown}");
    let evaluated = || {
        let text = fs::read_to_string(&log).unwrap();
        let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
        lines.sort();
        lines
    };
    assert_eq!(evaluated(), ["down 3 0", "down 3 1", "up 1 0", "up 1 1"]);
    let again = place.out(&["plan", "chosen.yaml", "--allow-commands"]);
    assert!(again.contains("20 hit, 0 to run, 0 open, 16 spared"), "{again}");
    let table = place.out(&["table", "chosen.yaml", "--allow-commands"]);
    assert!(!table.contains("partial"), "{table}");
    let why = place.out(&["explain", "chosen.yaml", "test[method=up,lr=2,seed=0]", "--allow-commands"]);
    assert!(why.contains("spared: of these only what `choose` picks is computed"), "{why}");
    // Who names a stage wants it.
    place.out(&["run", "chosen.yaml", "--allow-commands", "--only", "test[method=up,lr=2,seed=0]"]);
    assert_eq!(evaluated()[4], "up 2 0");
}

/// By one seed, and computed for the other one only where it was chosen.
#[test]
fn what_is_chosen_at_one_seed_is_taken_for_all() {
    let place = place();
    let at_one = CHOSEN
        .replace("best: lowest }", "best: lowest, where: { seed: 0 } }")
        .replace("  all: { from: train, rows: [method, lr], value: loss, over: seed }\n", "");
    place.write("chosen.yaml", &at_one);
    let planned = place.out(&["plan", "chosen.yaml", "--allow-commands"]);
    assert!(planned.contains("12 stages · 0 hit, 6 to run, 0 open, 6 spared"), "{planned}");
    let shown = place.out(&["run", "chosen.yaml", "--allow-commands", "--publish"]);
    let note = "lr was chosen from 1, 2, 3 by train.loss on the validation split (the lowest at seed 0)";
    assert!(shown.contains(note) && !shown.contains("partial"), "{shown}");
    let again = place.out(&["plan", "chosen.yaml", "--allow-commands"]);
    assert!(again.contains("8 hit, 0 to run, 0 open, 4 spared"), "{again}");
    let read = |name: &str| fs::read_to_string(place.path().join("results/chosen").join(name)).unwrap();
    assert_eq!(
        read("best.csv").lines().collect::<Vec<_>>()[1..],
        ["up,15.0,7.0710678118654755,2,1", "down,60.0,0.0,2,3"]
    );
    let about: serde_json::Value = serde_json::from_str(&read("about.json")).unwrap();
    assert_eq!(about["chosen"]["best"][0]["at"], serde_json::json!({ "seed": "0" }));
    // Where a table has a row for each seed, the one that decides is the same.
    place.write(
        "chosen.yaml",
        &at_one.replace("rows: method, value: loss, over: seed", "rows: [method, seed], value: loss"),
    );
    let by_seed = place.out(&["table", "chosen.yaml", "--allow-commands"]);
    for row in [
        "up       0       10.0   1 ",
        "up       1       20.0   1 ",
        "down     0       60.0   3 ",
        "down     1       60.0   3 ",
    ] {
        assert!(by_seed.contains(row), "{by_seed}");
    }
}

#[test]
fn what_set_changes_has_tables_of_its_own() {
    let place = place();
    place.out(&["run", "sweep.yaml"]);
    let changed = place.out(&["run", "sweep.yaml", "--set", "stages.number.with.value=7"]);
    assert_eq!(sums(&place, "out/sweep"), WHOLE);
    let folder = changed.split("full table: ").nth(1).unwrap().split("/sums").next().unwrap();
    assert!(folder.starts_with("out/sweep+"), "{folder}");
    assert_eq!(sums(&place, folder), WHOLE.replace("3.0", "7.0").replace("4.0", "8.0"));
    let (_, _, err) = place.ran(&["run", "sweep.yaml", "--set", "axes.plus=[1]", "--publish"]);
    assert!(err.contains("--publish is for recipes as they are committed"), "{err}");
}

#[test]
fn another_recipe_of_the_same_name_is_told_before_anything_runs() {
    let place = place();
    place.out(&["run", "sweep.yaml", "--publish"]);
    place.write("other/sweep.yaml", &RECIPE.replace("value: 3", "value: 5"));
    let (output, _, err) = place.ran(&["run", "other/sweep.yaml"]);
    assert_eq!(output.status.code(), Some(1));
    let of = fs::canonicalize(place.path().join("sweep.yaml")).unwrap();
    assert!(
        err.contains(&format!("out/sweep holds the tables of {}, which has the same `name`", of.display())),
        "{err}"
    );
    assert_eq!(sums(&place, "out/sweep"), WHOLE);
    place.out(&["run", "other/sweep.yaml", "--out", "elsewhere"]);
    let (_, _, err) = place.ran(&["run", "other/sweep.yaml", "--out", "elsewhere", "--publish"]);
    assert!(err.contains("results/sweep holds the tables of"), "{err}");
    // The recipe was given another place.
    fs::rename(place.path().join("sweep.yaml"), place.path().join("moved.yaml")).unwrap();
    place.out(&["run", "moved.yaml"]);
}

#[test]
fn tables_are_made_at_any_time() {
    let place = place();
    let slow = RECIPE.replace("[0, 1]", "[1, 5000]");
    place.write(
        "sweep.yaml",
        &slow.replace(
            "fake/add, needs: { a: number }, with: { plus: $(plus) }",
            "fake/slow, with: { steps: $(plus), milliseconds: 5 }",
        ),
    );
    let mut pretext = place.command(&["run", "sweep.yaml"]).spawn().unwrap();
    wait_until("the first stages", || {
        place.out(&["table", "sweep.yaml"]).contains("partial: 2 of 3 stages have a result")
    });
    let table = place.out(&["table", "sweep.yaml"]);
    assert!(table.contains("not computed: `sum[plus=5000]`") && !place.has("out"), "{table}");
    pretext_tests::signal(pretext.id(), libc::SIGINT);
    pretext.wait().unwrap();
    let text = "stages: { a: { use: fake/fail }, b: { use: fake/add, needs: { a: a } } }\ntables: { t: { from: b, value: value, rows: [] } }";
    place.write("fail.yaml", &format!("name: fail\n{text}\n"));
    place.ran(&["run", "fail.yaml"]);
    let table = place.out(&["table", "fail.yaml"]);
    assert!(!table.contains("partial") && table.contains("`a` failed: loss became NaN at step 310"), "{table}");
}

/// A colleague who may read a store and not write to it, with a worker of their own that the store has not seen.
#[test]
fn a_store_that_can_only_be_read_is_read() {
    let place = place();
    place.out(&["run", "sweep.yaml"]);
    let store = place.path().join(".pretext");
    let pretext = Path::new(env!("CARGO_BIN_EXE_fake-worker")).with_file_name("pretext");
    for (from, to) in [(pretext.as_path(), "pretext"), (Path::new(env!("CARGO_BIN_EXE_fake-worker")), "worker")] {
        fs::copy(from, place.path().join(to)).unwrap();
    }
    fs::set_permissions(place.path(), fs::Permissions::from_mode(0o755)).unwrap();
    fs::create_dir(place.path().join("colleague")).unwrap();
    fs::copy(place.path().join("sweep.yaml"), place.path().join("colleague/sweep.yaml")).unwrap();
    // Modes stop everyone but root.
    // SAFETY: it touches no memory.
    let is_root = unsafe { libc::geteuid() } == 0;
    let nobody = 65534;
    if is_root {
        chown(place.path().join("colleague"), Some(nobody), Some(nobody)).unwrap();
    }
    set_modes(&store, 0o555, 0o444);
    let ran = |words: &[&str]| {
        let mut command = std::process::Command::new(place.path().join("pretext"));
        command.args(words).args(["--store", store.to_str().unwrap(), "--worker", "../worker"]);
        command.current_dir(place.path().join("colleague")).env_remove("PRETEXT_STORE").env("HOME", "/nonexistent");
        if is_root {
            command.uid(nobody).gid(nobody);
        }
        let output = command.output().unwrap();
        let text = String::from_utf8([output.stdout, output.stderr].concat()).unwrap();
        assert!(output.status.success(), "{words:?}: {text}");
        text
    };
    assert!(ran(&["plan", "sweep.yaml"]).contains("3 hit, 0 to run"));
    for words in [&["show", "sweep.yaml", "sum[plus=1]"][..], &["path", "sweep.yaml", "sum"], &["graph", "sweep.yaml"]]
    {
        ran(words);
    }
    assert!(ran(&["run", "sweep.yaml"]).contains("0 computed, 3 reused"));
    assert_eq!(sums(&place, "colleague/out/sweep"), WHOLE);
    assert!(ran(&["table", "sweep.yaml", "--out", "again"]).contains("full table: again/sweep"));
    set_modes(&store, 0o755, 0o644);
}

fn set_modes(folder: &Path, of_folders: u32, of_files: u32) {
    fs::set_permissions(folder, fs::Permissions::from_mode(0o755)).unwrap();
    for entry in fs::read_dir(folder).unwrap().flatten() {
        match entry.file_type().unwrap().is_dir() {
            true => set_modes(&entry.path(), of_folders, of_files),
            false => fs::set_permissions(entry.path(), fs::Permissions::from_mode(of_files)).unwrap(),
        }
    }
    fs::set_permissions(folder, fs::Permissions::from_mode(of_folders)).unwrap();
}

/// What is published is whole.
#[test]
fn a_part_of_a_recipe_is_not_published() {
    let place = place();
    let part = ["run", "sweep.yaml", "--only", "sum[plus=0]", "--publish"];
    let (output, _, err) = place.ran(&part);
    assert!(!output.status.success() && !place.has("results"), "{err}");
    let expected = "partial: 2 of 3 stages have a result; nothing was written to out/sweep, and nothing was published to results/sweep";
    assert!(err.contains(expected), "{err}");
    place.out(&["run", "sweep.yaml", "--publish"]);
    place.write("sweep.yaml", &RECIPE.replace("value: 3", "value: 5"));
    let (output, _, err) = place.ran(&part);
    assert!(!output.status.success(), "{err}");
    assert_eq!(sums(&place, "results/sweep"), WHOLE);
}

#[test]
fn published_tables_whose_recipe_is_no_longer_valid_say_so() {
    let place = place();
    place.out(&["run", "sweep.yaml", "--publish"]);
    let is_of_today = || place.out(&["results"]).contains("as its recipe and kinds are today");
    assert!(is_of_today());
    place.write("sweep.yaml", &format!("# What for.\n{}", RECIPE.replace("value: 3", "value:   3")));
    assert!(is_of_today(), "comments and spaces change nothing");
    place.write("sweep.yaml", &RECIPE.replace("value: 3", "value: 4"));
    assert!(place.out(&["results"]).contains("the recipe has changed"));
    // As it was published when comments still counted.
    place.write("sweep.yaml", RECIPE);
    let about = place.path().join("results/sweep/about.json");
    let mut published: Value = serde_json::from_str(&fs::read_to_string(&about).unwrap()).unwrap();
    published["recipe"]["digest"] = Digest::of(RECIPE.as_bytes()).to_string().into();
    fs::write(&about, published.to_string()).unwrap();
    assert!(is_of_today());
    place.write("sweep.yaml", &RECIPE.replace("use: fake/add", "use: fake/ad"));
    let told = "its recipe is no longer valid: `pretext plan sweep.yaml` says why";
    let out = place.out(&["results"]);
    assert!(out.contains(&format!("results/sweep                 {told}")), "{out}");
    let page = fs::read_to_string(place.path().join("results/sweep/sums.md")).unwrap();
    assert!(page.contains(&format!("> Not of today's recipe and kinds: {told}")), "{page}");
}

/// Several tables of one recipe lack the same thing for the same reason.
#[test]
fn a_failure_is_told_in_full_by_the_first_table_that_lacks_something() {
    let place = place();
    let tables = "sums: { from: sum, rows: plus, value: value }, digits: { from: sum, rows: plus, value: digits }";
    let recipe = RECIPE.replace("fake/source, with: { value: 3 }", "fake/fail");
    place.write(
        "sweep.yaml",
        &recipe
            .replace("tables: { sums: { from: sum, rows: plus, value: value } }", &format!("tables: {{ {tables} }}")),
    );
    let (_, out, err) = place.ran(&["run", "sweep.yaml"]);
    let full = "`number` failed: loss became NaN at step 310; without it there is no `sum[plus=0]`, `sum[plus=1]`";
    assert_eq!(out.matches(full).count(), 1, "{out}{err}");
    let again = "`number` failed, as said above; without it there is no `sum[plus=0]`, `sum[plus=1]`";
    assert_eq!(out.matches(again).count(), 1, "{out}");
    for page in ["sums", "digits"] {
        let page = fs::read_to_string(place.path().join(format!("out/sweep/{page}.md"))).unwrap();
        assert!(page.contains(full), "a page stands for itself: {page}");
    }
}

#[test]
fn a_variable_that_no_text_uses_is_told() {
    let place = place();
    place.write("sweep.yaml", &format!("{}env: {{ VALUE: 3 }}\n", RECIPE.replace("value: 3", "value: $(env.VALUE)")));
    let note =
        |name: &str| format!("note: no text of the recipe uses $(env.{name}): what is set there changes nothing\n");
    for words in [["plan", "sweep.yaml", "--set", "env.VALUES=5"], ["run", "sweep.yaml", "--set", "env.VALUES=5"]] {
        let (output, out, err) = place.ran(&words);
        assert!(output.status.success() && (out + &err).contains(&note("VALUES")), "{err}");
    }
    let json = place.out(&["plan", "sweep.yaml", "--set", "env.VALUES=5", "--json"]);
    let json: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!(format!("note: {}\n", json["notes"][0].as_str().unwrap()), note("VALUES"));
    assert!(!place.out(&["plan", "sweep.yaml", "--set", "env.VALUE=5"]).contains("note:"));
}

/// Starting a worker takes a while where it has libtorch to load.
#[test]
fn without_a_store_a_worker_is_asked_once_what_it_can_do() {
    let place = place();
    let program = place.path().join("worker.sh");
    let write = |comment: &str| {
        let fake = env!("CARGO_BIN_EXE_fake-worker");
        place.write(
            "new.sh",
            &format!("#!/bin/sh\n# {comment}\necho >> {}/starts\nexec {fake}\n", place.path().display()),
        );
        fs::set_permissions(place.path().join("new.sh"), fs::Permissions::from_mode(0o755)).unwrap();
        fs::rename(place.path().join("new.sh"), &program).unwrap();
    };
    let plan = || {
        place.out(&["plan", "sweep.yaml", "--worker", "worker.sh"]);
        fs::read_to_string(place.path().join("starts")).unwrap().lines().count()
    };
    write("first");
    assert_eq!((plan(), plan()), (1, 1));
    write("second");
    assert_eq!((plan(), plan()), (2, 2), "another program is asked anew");
    assert!(!place.has(".pretext"), "a plan makes no store");
    fs::remove_dir_all(place.path().join("cache")).unwrap();
    assert_eq!(plan(), 3, "it is only a cache");
}

/// A column whose rows are of several kinds says how each of them was set.
#[test]
fn settings_are_told_of_each_kind() {
    let place = place();
    let text = "
name: kinds
axes:
  way:
    - { name: at once, kind: source, with: { value: 3 } }
    - { name: hardly, kind: flaky, with: { value: 4, failures: 0 } }
stages:
  number: { use: fake/$(way.kind), with: $(way.with) }
tables: { numbers: { from: number, rows: way, value: value } }
";
    place.write("kinds.yaml", text);
    place.out(&["run", "kinds.yaml"]);
    let page = fs::read_to_string(place.path().join("out/kinds/numbers.md")).unwrap();
    for (kind, settings) in [("source", "value 3, noise 0"), ("flaky", "failures 0, value 4")] {
        let found = page.lines().find(|line| line.starts_with(&format!("- `number` (fake/{kind}: ")));
        assert!(found.is_some_and(|line| line.ends_with(&format!("): {settings}"))), "{page}");
    }
}
