//! A key says what was true when the run was planned. What a person, or a stage, changes since then is noticed, and nothing is
//! kept under the old key: code, paths, the worker and inputs, before the stage starts, while it runs, and after its last write.

use pretext_tests::{Place, wait_until};
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Child, Output};

/// `gate` runs until somebody makes `open`; `train` waits where it is told to, and has written all when it has made `wrote`.
const RECIPE: &str = "
name: again
stages:
  gate:
    use: tool/command
    with: { run: 'touch gate-runs; until test -e open; do sleep 0.01; done; echo ready > $OUT_data/ready.txt', outputs: { data: dataset } }
  train:
    use: tool/command
    needs: { data: gate }
    with:
      run: |
        touch train-runs
        until test -e read; do sleep 0.01; done
        sh ./train.sh > $OUT_model/model.txt
        cat $IN_data/ready.txt >> $OUT_model/model.txt
        touch wrote
        until test -e end; do sleep 0.01; done
      outputs: { model: model }
      code: [train.sh]
";

#[derive(Debug, Clone, Copy, PartialEq)]
enum Moment {
    BeforeItStarts,
    WhileItRuns,
    AfterItsLastWrite,
}
use Moment::{AfterItsLastWrite, BeforeItStarts, WhileItRuns};

const MOMENTS: [Moment; 3] = [BeforeItStarts, WhileItRuns, AfterItsLastWrite];

fn place(recipe: &str) -> Place {
    let place = Place::new(env!("CARGO_BIN_EXE_fake-worker"));
    place.write("again.yaml", recipe);
    place.write("train.sh", "echo by version A");
    place
}

/// Runs the recipe and has `change` happen at a moment.
fn run_and_change(place: &Place, moment: Moment, change: impl Fn(&Child)) -> (Output, String) {
    for file in ["gate-runs", "open", "train-runs", "read", "wrote", "end"] {
        let _ = fs::remove_file(place.path().join(file));
    }
    let pretext = place.command(&["run", "again.yaml", "--allow-commands"]).spawn().unwrap();
    let steps = [
        ("gate-runs", BeforeItStarts, "open"),
        ("train-runs", WhileItRuns, "read"),
        ("wrote", AfterItsLastWrite, "end"),
    ];
    let mut pretext = pretext;
    for (begun, at, next) in steps {
        wait_until(begun, || place.has(begun) || pretext.try_wait().unwrap().is_some());
        if at == moment {
            change(&pretext);
        }
        place.write(next, "");
    }
    let output = pretext.wait_with_output().unwrap();
    let err = String::from_utf8(output.stderr.clone()).unwrap();
    (output, err)
}

fn plan(place: &Place) -> String {
    place.out(&["plan", "again.yaml", "--allow-commands"])
}

#[test]
fn code_that_changes_is_noticed_at_every_moment() {
    for moment in MOMENTS {
        let place = place(RECIPE);
        let (output, err) = run_and_change(&place, moment, |_| place.write("train.sh", "echo by version B"));
        assert_eq!(output.status.code(), Some(1), "{moment:?}: {err}");
        let what = match moment {
            BeforeItStarts => "train.sh changed since this run was planned (",
            _ => "train.sh changed while it ran (it was changed): its result is not kept",
        };
        assert!(err.contains(what) && err.contains("run the same command again"), "{moment:?}: {err}");
        assert!(!plan(&place).contains("hit   train"), "{moment:?}");
        place.write("train.sh", "echo by version A");
        assert!(!plan(&place).contains("hit   train"), "{moment:?}: nor under the old key");
        place.out(&["run", "again.yaml", "--allow-commands"]);
        assert_eq!(place.artifact("again.yaml", "train", "model.txt"), "by version A\nready\n", "{moment:?}");
    }
}

/// Who edits a program and takes it back may have had it read in between.
#[test]
fn code_that_was_changed_and_changed_back_is_in_doubt() {
    let place = place(RECIPE);
    let (output, err) = run_and_change(&place, WhileItRuns, |_| {
        place.write("train.sh", "echo by version B");
        place.write("train.sh", "echo by version A");
    });
    assert_eq!(output.status.code(), Some(1), "{err}");
    assert!(err.contains("it was changed and changed back"), "{err}");
}

#[test]
fn an_input_that_is_written_to_is_noticed_and_no_hit_any_more() {
    // How a stage, or somebody else, may change what a stage is given; the last keeps size and time.
    type Way = (&'static str, fn(&Path));
    let ways: [Way; 4] = [
        ("replaced", |file| {
            fs::remove_file(file).unwrap();
            fs::write(file, "other\n").unwrap();
        }),
        ("more", |file| {
            fs::set_permissions(file, fs::Permissions::from_mode(0o644)).unwrap();
            fs::write(file, "ready\nmore\n").unwrap();
        }),
        ("a file beside it", |file| fs::write(file.with_file_name("index"), "1").unwrap()),
        ("the same size and time", |file| {
            let modified = fs::metadata(file).unwrap().modified().unwrap();
            fs::set_permissions(file, fs::Permissions::from_mode(0o644)).unwrap();
            fs::write(file, "READY\n").unwrap();
            fs::File::options().append(true).open(file).unwrap().set_modified(modified).unwrap();
        }),
    ];
    for (how, change) in ways {
        for moment in [WhileItRuns, AfterItsLastWrite] {
            let place = place(RECIPE);
            let input = || Path::new(place.out(&["path", "again.yaml", "gate"]).trim_end()).join("ready.txt");
            let (output, err) = run_and_change(&place, moment, |_| change(&input()));
            assert_eq!(output.status.code(), Some(1), "{how}, {moment:?}: {err}");
            assert!(err.contains("its input `data` was written to while it ran"), "{how}, {moment:?}: {err}");
            let plan = plan(&place);
            assert!(plan.contains("run   gate") && plan.contains("its result is damaged"), "{how}, {moment:?}: {plan}");
            let (_, _, err) = place.ran(&["run", "again.yaml", "--allow-commands"]);
            assert!(err.contains("2 computed"), "{how}, {moment:?}: {err}");
            assert_eq!(place.artifact("again.yaml", "gate", "ready.txt"), "ready\n");
            assert_eq!(place.artifact("again.yaml", "train", "model.txt"), "by version A\nready\n");
        }
    }
}

/// What was damaged before a stage starts is computed again for it, in the same run.
#[test]
fn an_input_that_was_damaged_before_is_computed_again() {
    let recipe = RECIPE.to_owned()
        + "
  later:
    use: tool/command
    needs: { data: gate, model: train }
    with: { run: 'cat $IN_data/ready.txt > $OUT_seen/seen.txt', outputs: { seen: text } }
";
    let place = place(&recipe);
    let (output, err) = run_and_change(&place, BeforeItStarts, |_| {});
    assert!(output.status.success(), "{err}");
    let input = Path::new(place.out(&["path", "again.yaml", "gate"]).trim_end()).join("ready.txt");
    fs::remove_file(&input).unwrap();
    fs::write(&input, "other\n").unwrap();
    let (_, _, err) = place.ran(&["run", "again.yaml", "--allow-commands", "--force", "later"]);
    assert!(err.contains("2 computed, 1 reused"), "{err}");
    assert_eq!(place.artifact("again.yaml", "later", "seen.txt"), "ready\n");
}

#[test]
fn what_lies_at_a_path_is_looked_at_at_every_moment() {
    for moment in MOMENTS {
        let hold = if moment == AfterItsLastWrite { 2 } else { 1 };
        let recipe = format!(
            "
name: again
stages:
  gate: {{ use: tool/command, with: {{ run: 'touch gate-runs; until test -e open; do sleep 0.01; done', outputs: {{}} }} }}
  number: {{ use: fake/read, with: {{ path: data/number.txt, hold: {hold} }} }}
"
        );
        let place = place(&recipe);
        place.write("data/number.txt", "5");
        // Both wait for nothing: with one thread `gate` runs first.
        let mut pretext = place.command(&["run", "again.yaml", "--allow-commands", "--threads", "1"]).spawn().unwrap();
        wait_until("the gate", || place.has("gate-runs"));
        if moment == BeforeItStarts {
            place.write("data/number.txt", "6");
        }
        place.write("open", "");
        wait_until("the reader", || place.has("data/held") || pretext.try_wait().unwrap().is_some());
        if moment != BeforeItStarts {
            place.write("data/number.txt", "6");
        }
        place.write("data/go", "");
        let output = pretext.wait_with_output().unwrap();
        let err = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(1), "{moment:?}: {err}");
        assert!(err.contains("what lies at `path` changed"), "{moment:?}: {err}");
        place.write("data/number.txt", "5");
        assert!(plan(&place).contains("run   number"), "{moment:?}: nothing is kept under the old key");
        place.out(&["run", "again.yaml", "--allow-commands"]);
        assert_eq!(place.artifact("again.yaml", "number", "value.txt"), "5\n");
    }
}

/// A worker computes by the file that it was started from: one that is replaced later changes nothing for what runs already, and
/// a new one is not started for an old plan.
#[test]
fn a_worker_that_is_replaced_computes_nothing_under_the_old_plan() {
    const RECIPE: &str = "
name: again
workers: { mine: { command: [./square.py], kinds: [mine/square] } }
stages:
  number: { use: fake/source, with: { value: 3 } }
  gate:
    use: tool/command
    needs: { number: number }
    with: { run: 'touch gate-runs; until test -e open; do sleep 0.01; done; cp $IN_number/* $OUT_number/', outputs: { number: number } }
  square: { use: mine/square, needs: { number: gate }, with: { times: 3, seconds: 0.3 } }
";
    let program = format!("#!/usr/bin/env python3\n{}", include_str!("../foreign/square.py"));
    let cubes = program.replace("number * number", "number * number * number");
    for moment in [BeforeItStarts, WhileItRuns] {
        let place = place(RECIPE);
        let write = |text: &str| {
            let new = place.path().join("new.py");
            fs::write(&new, text).unwrap();
            fs::set_permissions(&new, fs::Permissions::from_mode(0o755)).unwrap();
            fs::rename(new, place.path().join("square.py")).unwrap();
        };
        write(&program);
        place.out(&["plan", "again.yaml", "--allow-commands"]);
        let pretext = place.command(&["run", "again.yaml", "--allow-commands"]).spawn().unwrap();
        wait_until("the gate", || place.has("gate-runs"));
        if moment == BeforeItStarts {
            write(&cubes);
        }
        place.write("open", "");
        if moment == WhileItRuns {
            let attempts = place.path().join(".pretext/attempts");
            let keys = || fs::read_dir(&attempts).into_iter().flatten().flatten();
            let folders = || keys().flat_map(|key| fs::read_dir(key.path()).into_iter().flatten().flatten());
            wait_until("a step", || folders().any(|folder| folder.path().join("scratch/checkpoint").exists()));
            write(&cubes);
        }
        let output = pretext.wait_with_output().unwrap();
        let err = String::from_utf8(output.stderr).unwrap();
        match moment {
            BeforeItStarts => {
                assert_eq!(output.status.code(), Some(1), "{err}");
                assert!(
                    err.contains("square.py was replaced since this run was planned: run the same command again"),
                    "{err}"
                );
            }
            _ => {
                assert!(output.status.success(), "{err}");
                assert_eq!(place.artifact("again.yaml", "square", "value.txt"), "6561\n", "by the program that ran");
            }
        }
        assert!(err.contains("worker `mine` names the file ./square.py, which is not under its `code:`"), "{err}");
    }
}

#[test]
fn the_command_of_a_worker_counts() {
    let recipe = |command: &str| {
        format!(
            "
name: again
workers: {{ mine: {{ command: {command}, kinds: [mine/square], code: [square.py] }} }}
stages:
  number: {{ use: fake/source, with: {{ value: 3 }} }}
  square: {{ use: mine/square, needs: {{ number: number }} }}
"
        )
    };
    let place = place(&recipe("[python3, square.py]"));
    place.write("square.py", include_str!("../foreign/square.py"));
    place.out(&["run", "again.yaml", "--allow-commands"]);
    place.write("again.yaml", &recipe("[python3, square.py, --fp16]"));
    let plan = plan(&place);
    assert!(
        plan.contains("run   square") && plan.contains("command [python3, square.py] -> [python3, square.py, --fp16]"),
        "{plan}"
    );
}
