//! The real programs on real photographs: from a recipe to a table, undisturbed and not. The first test to run fetches
//! CIFAR-10; each run of the recipe takes about half a minute on one core.

use pretext::store::Store;
use pretext_tests::{is_running, signal, wait_at_most, wait_until};
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::OnceLock;
use std::time::Duration;
use tempfile::TempDir;

/// How long it may take until a stage trains, the download included.
const PATIENCE: Duration = Duration::from_secs(240);

/// A folder to run in, with a store and tables of its own.
struct Place(TempDir);

impl Place {
    /// Empty but for the photographs, if another place has fetched them.
    fn new() -> Self {
        let place = Self(TempDir::new_in(env!("CARGO_TARGET_TMPDIR")).unwrap());
        if let Some(fetched) = PHOTOGRAPHS.get() {
            let folder = Store::open(&place.path().join("store")).unwrap().cache().unwrap().join("cifar10");
            fs::create_dir_all(&folder).unwrap();
            fs::hard_link(fetched, folder.join("cifar10.bin")).unwrap();
        }
        place
    }

    fn path(&self) -> &Path {
        self.0.path()
    }

    fn command(&self, words: &[&str]) -> Command {
        let mut command = self.anywhere(words);
        command.arg(concat!(env!("CARGO_MANIFEST_DIR"), "/recipes/tiny.yaml"));
        command
    }

    /// About no recipe, or one that the words name.
    fn anywhere(&self, words: &[&str]) -> Command {
        let programs = std::env::current_exe().unwrap();
        let programs = programs.parent().unwrap().parent().unwrap();
        let mut command = Command::new(programs.join("pretext"));
        command
            .args(words)
            .args(["--store", "store"])
            .current_dir(self.path())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        command
    }

    fn finished(&self, words: &[&str]) -> Output {
        self.command(words).output().unwrap()
    }

    fn run(&self) -> Output {
        self.finished(&["run", "--threads", "1"])
    }

    /// Starts a run and waits until a stage trains, for some steps.
    fn run_until_it_trains(&self, node: &str) -> Child {
        let child = self.command(&["run", "--threads", "1"]).spawn().unwrap();
        let sign = format!(r#""event":"started","node":"{node}""#);
        wait_at_most(PATIENCE, node, || self.events().contains(&sign));
        std::thread::sleep(Duration::from_millis(500));
        child
    }

    fn events(&self) -> String {
        let runs = fs::read_dir(self.path().join("store/runs")).into_iter().flatten().flatten();
        runs.map(|run| fs::read_to_string(run.path().join("events.jsonl")).unwrap_or_default()).collect()
    }

    /// Every file of the tables but the costs, which differ from run to run, and the note of where the recipe lies.
    fn tables(&self) -> BTreeMap<String, Vec<u8>> {
        let files = fs::read_dir(self.path().join("out/tiny")).unwrap().map(|file| file.unwrap().path());
        let named =
            files.map(|path| (path.file_name().unwrap().to_string_lossy().into_owned(), fs::read(path).unwrap()));
        named.filter(|(name, _)| name != "costs.csv" && !name.starts_with('.')).collect()
    }
}

static PHOTOGRAPHS: OnceLock<PathBuf> = OnceLock::new();

/// An undisturbed run, computed once for all tests.
fn undisturbed() -> &'static Place {
    static PLACE: OnceLock<Place> = OnceLock::new();
    PLACE.get_or_init(|| {
        let place = Place::new();
        let output = place.run();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        PHOTOGRAPHS.set(place.path().join("store/cache/cifar10/cifar10.bin")).unwrap();
        place
    })
}

/// The workers that a process has started.
fn workers_of(parent: u32) -> Vec<i32> {
    let processes = fs::read_dir("/proc").unwrap().flatten();
    let ids = processes.filter_map(|entry| entry.file_name().to_string_lossy().parse::<i32>().ok());
    ids.filter(|id| {
        let stat = fs::read_to_string(format!("/proc/{id}/stat")).unwrap_or_default();
        let fields: Vec<&str> = stat.rsplit_once(") ").map_or(vec![], |(_, rest)| rest.split(' ').collect());
        fields.get(1).is_some_and(|ppid| *ppid == parent.to_string()) && fields[0] != "Z"
    })
    .collect()
}

#[test]
fn a_recipe_ends_in_a_table_and_a_second_run_computes_nothing() {
    let place = undisturbed();
    let table = String::from_utf8(place.tables()["frozen.csv"].clone()).unwrap();
    let rows: Vec<Vec<&str>> = table.lines().skip(1).map(|line| line.split(',').collect()).collect();
    let methods: Vec<&str> = rows.iter().map(|row| row[0]).collect();
    assert_eq!(methods, ["pixels", "random", "autoencoder", "rotation", "simclr", "supervised"]);
    for row in &rows {
        // Ten classes: 0.1 by chance, whose standard error over 10,000 images is 0.003.
        let accuracy: f64 = row[1].parse().unwrap();
        assert!((0.12..0.6).contains(&accuracy), "{row:?}");
    }
    let before = place.tables();
    let output = place.run();
    assert!(output.status.success());
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(said.contains("20 reused, 0 to run") || said.contains("0 computed"), "{said}");
    assert_eq!(place.tables(), before);
}

/// The stage's own recipe is found by the store.
#[test]
fn what_was_trained_is_used_and_data_is_shown() {
    let place = undisturbed();
    let pretext = |words: &[&str]| {
        let output = place.anywhere(words).output().unwrap();
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        (output.status.success(), text(&output.stdout), text(&output.stderr))
    };
    let pictures = concat!(env!("CARGO_MANIFEST_DIR"), "/../stages/tests/pictures/turned");
    let (done, out, err) = pretext(&["embed", "pretrain[method=simclr]", pictures]);
    let out_folder = "out/embed/turned/pretrain[method=simclr]";
    assert!(done && out == format!("{out_folder}/features.csv\n{out_folder}/features.npy\n"), "{out}{err}");
    let (_, artifact, _) = pretext(&["path", "pretrain[method=simclr]"]);
    let artifact = artifact.lines().next().unwrap();
    let digest = artifact.trim_end_matches("/files").rsplit('/').next().unwrap();
    let (done, out, err) = pretext(&["embed", artifact, pictures]);
    assert!(done && out.starts_with(&format!("out/embed/turned/{digest}/features.csv\n")), "{out}{err}");
    let rows = fs::read_to_string(place.path().join(out_folder).join("features.csv")).unwrap().lines().count();
    let files = fs::read_dir(pictures).unwrap().map(|file| file.unwrap().path());
    let pictures = files.filter(|file| file.extension().is_some_and(|ending| ending != "rgb")).count();
    assert_eq!(rows, 1 + pictures);
    assert_eq!(fs::read_dir(place.path().join(out_folder)).unwrap().count(), 2, "nothing else is left");

    let error = |words: &[&str]| pretext(words).2;
    assert!(error(&["embed", "pretrain", "store"]).contains("`pretrain` means 6 stages; name one of them: pretrain["));
    assert!(error(&["embed", "store", "store"]).contains("store is not the folder of an encoder"));
    assert!(error(&["predict", "features[method=simclr]", "store"]).contains("(features) gives no encoder"));
    fs::create_dir(place.path().join("nothing")).unwrap();
    assert!(error(&["predict", "pretrain[method=simclr]", "nothing"]).contains("nothing has no pictures"));
    assert!(error(&["embed", "pretrain[method=simclr]", "gone"]).contains("no folder of pictures at gone"));

    let (done, out, err) = pretext(&["data", "photos"]);
    assert!(done && out.starts_with("photos (data/cifar10)\n"), "{out}{err}");
    assert!(out.contains("images   32 x 32 pixels, 3 channels, 10 classes\n") && out.contains("airplane"), "{out}");
    let samples = out.lines().find_map(|line| line.strip_prefix("samples  ")).unwrap();
    assert!(fs::read(place.path().join(samples)).unwrap().starts_with(b"\x89PNG"), "{samples}");
    assert!(error(&["data", "probe"]).contains("(eval/linear_probe) yields no data set"));
    // Of another seed there is none yet.
    let (done, out, err) = pretext(&["data", "photos", "--set", "stages.photos.with.seed=1"]);
    assert!(done && err.contains("photos") && out.starts_with("photos (data/cifar10)\n"), "{out}{err}");
}

#[test]
fn killed_in_mid_stage_it_leaves_no_worker_and_ends_with_the_same_table() {
    let expected = undisturbed().tables();
    let place = Place::new();
    let mut child = place.run_until_it_trains("pretrain[method=rotation]");
    let workers = workers_of(child.id());
    assert!(!workers.is_empty());
    child.kill().unwrap();
    child.wait().unwrap();
    wait_until("the workers' end", || workers.iter().all(|id| !is_running(*id)));
    assert!(!place.path().join("out").exists(), "no table before it is whole");
    assert!(place.run().status.success());
    assert_eq!(place.tables(), expected);
}

#[test]
fn a_killed_worker_takes_down_its_stage_alone_and_the_next_run_completes_the_table() {
    let expected = undisturbed().tables();
    let place = Place::new();
    let child = place.run_until_it_trains("pretrain[method=rotation]");
    workers_of(child.id()).into_iter().for_each(|id| signal(id as u32, libc::SIGKILL));
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(said.contains("pretrain[method=rotation]") && said.contains("SIGKILL"), "{said}");
    let page = String::from_utf8(place.tables()["frozen.md"].clone()).unwrap();
    let row = |method: &str| page.lines().find(|line| line.starts_with(&format!("| {method}"))).unwrap().to_owned();
    assert!(row("rotation").contains(" - "), "a gap, and no guess: {}", row("rotation"));
    assert_eq!(row("simclr"), {
        let whole = String::from_utf8(expected["frozen.md"].clone()).unwrap();
        whole.lines().find(|line| line.starts_with("| simclr")).unwrap().to_owned()
    });
    assert!(place.run().status.success());
    assert_eq!(place.tables(), expected);
}

#[test]
fn interrupted_it_saves_its_state_and_goes_on_from_there() {
    let expected = undisturbed().tables();
    let place = Place::new();
    let child = place.run_until_it_trains("pretrain[method=rotation]");
    signal(child.id(), libc::SIGINT);
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(130));
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(said.contains("1 running stage saved its state; nothing is lost"), "{said}");
    assert!(place.run().status.success());
    assert!(place.events().contains(r#""resumed":true"#), "it went on from the checkpoint");
    assert_eq!(place.tables(), expected);
}
