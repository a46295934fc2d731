//! Tables of what is there: partial ones say so and leave whole ones alone, `pretext table` makes them at any time, another recipe's
//! are not overwritten, and a store that can only be read is enough for them.

use pretext_tests::{Place, wait_until};
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

    place.write("sweep.yaml", &RECIPE.replace("value: 3", "value: 5"));
    let part = place.out(&["run", "sweep.yaml", "--only", "sum[plus=0]"]);
    assert!(part.contains("out/sweep keeps the last whole tables"), "{part}");
    assert_eq!(sums(&place, "out/sweep"), WHOLE);
    place.out(&["run", "sweep.yaml"]);
    assert_eq!(sums(&place, "out/sweep"), WHOLE.replace("3.0", "5.0").replace("4.0", "6.0"));
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
