//! `pretext verify` and `pretext gc`, as people see them.

use pretext::plan::Lookup;
use pretext::store::{GcWishes, Reading, Store};
use pretext_tests::{GraphSpec, Lab, canonical, fast_folder, publish_as};
use serde_json::json;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant, SystemTime};

fn lab() -> Lab {
    Lab::new(env!("CARGO_BIN_EXE_fake-worker"))
}

fn sums(two: u32) -> GraphSpec {
    GraphSpec::default()
        .node("data", "source", json!({ "value": 1 }), &[])
        .node("other", "source", json!({ "value": two }), &[])
        .node("sum[seed=0]", "add", json!({}), &[("a", "data"), ("b", "other")])
}

/// What a command prints, with the store's folder and digests left out, and its exit code.
fn pretext(lab: &Lab, words: &[&str]) -> (String, i32) {
    let programs = std::env::current_exe().unwrap();
    let pretext = programs.parent().unwrap().parent().unwrap().join("pretext");
    let output = Command::new(pretext).args(words).arg("--store").arg(lab.store_folder()).output().unwrap();
    let text = String::from_utf8([output.stdout, output.stderr].concat()).unwrap();
    (plain(&text, &lab.store_folder()), output.status.code().unwrap())
}

fn plain(text: &str, store: &Path) -> String {
    let text = text.replace(&store.display().to_string(), "STORE");
    let is_digest = |word: &str| word.len() == 6 && word.bytes().all(|byte| byte.is_ascii_hexdigit());
    let word = |word: &str| match word {
        place if place.starts_with("STORE/damaged/") => "STORE/damaged/...".to_owned(),
        digest if is_digest(digest.trim_end_matches(':')) => digest.replace(digest.trim_end_matches(':'), "DIGEST"),
        other => other.to_owned(),
    };
    let line = |line: &str| line.split(' ').map(word).collect::<Vec<_>>().join(" ") + "\n";
    text.lines().map(line).collect()
}

/// Changes a byte and nothing that a glance could tell.
fn flip(file: &Path) {
    let modified = fs::metadata(file).unwrap().modified().unwrap();
    let mut bytes = fs::read(file).unwrap();
    bytes[0] ^= 1;
    fs::set_permissions(file, fs::Permissions::from_mode(0o644)).unwrap();
    fs::write(file, bytes).unwrap();
    fs::File::options().write(true).open(file).unwrap().set_modified(modified).unwrap();
}

#[test]
fn a_flipped_bit_is_found_named_moved_aside_and_computed_again() {
    let lab = lab();
    let ran = lab.run(&sums(2));
    let clean = "read 3 artifacts (6 B) and 3 results: all whole\n".to_owned();
    assert_eq!(pretext(&lab, &["verify"]), (clean.clone(), 0));

    flip(&lab.store().artifact(&ran.digest("sum[seed=0]")).join("value.txt"));
    assert_eq!(lab.run(&sums(2)).story, ["planned: 3 reused, 0 to run"], "a glance does not tell");
    let found = "artifact DIGEST holds value.txt with other contents\n  of sum[seed=0] of test\n";
    let counted = "read 3 artifacts (6 B) and 3 results: 1 damaged\n";
    let again = "the next `pretext run` of test computes 1 result again\n";
    let advice = format!("`pretext verify --repair` moves what is damaged aside; then {again}");
    assert_eq!(pretext(&lab, &["verify"]), (format!("{found}{counted}{advice}"), 1));
    let moved = "  moved to STORE/damaged/...\n";
    assert_eq!(pretext(&lab, &["verify", "--repair"]), (format!("{found}{moved}{counted}{again}"), 1));

    assert_eq!(lab.run(&sums(2)).story[1..], ["start sum[seed=0]", "done sum[seed=0]"]);
    assert_eq!(pretext(&lab, &["verify"]).1, 0);
    assert_eq!(lab.value(&ran.digest("sum[seed=0]")), "3\n");
}

#[test]
fn every_kind_of_damage_is_found() {
    let lab = lab();
    let ran = lab.run(&sums(2));
    let store = lab.store();
    let file = |node: &str| store.artifact(&ran.digest(node)).join("value.txt");
    fs::write(file("data").with_file_name("further"), "").unwrap();
    fs::remove_file(file("other")).unwrap();
    fs::remove_dir_all(file("sum[seed=0]").parent().unwrap().parent().unwrap()).unwrap();
    let mut records = Vec::new();
    for node in ["data", "other"] {
        let latest = store.latest_nodes().unwrap().into_iter().find(|latest| latest.node.0 == node).unwrap();
        records.push(store.result_folder(&latest.key));
    }
    fs::write(records[0].join("result.json"), "{").unwrap();
    fs::write(records[1].join("provenance.json"), "").unwrap();

    let (text, code) = pretext(&lab, &["verify"]);
    for told in [
        "artifact DIGEST holds further, which does not belong to it\n  no result mentions it\n",
        "artifact DIGEST lacks value.txt\n  of other of test\n",
        "artifact DIGEST is missing\n  of sum[seed=0] of test\n",
        "/result.json cannot be read as what it should hold: EOF while parsing an object at line 1 column 1\n  of data of test\n",
        "/provenance.json cannot be read as what it should hold: EOF while parsing a value at line 1 column 0\n  of other of",
        "read 2 artifacts (0 B) and 3 results: 5 damaged\n",
    ] {
        assert!(text.contains(told), "{told} is not in {text}");
    }
    assert_eq!(code, 1);
    pretext(&lab, &["verify", "--repair"]);
    assert_eq!(lab.run(&sums(2)).outcome.summary.computed, 3);
    assert_eq!(pretext(&lab, &["verify"]).1, 0);
}

#[test]
fn gc_lists_first_and_removes_what_is_told_to_go() {
    let lab = lab();
    let ran = lab.run(&sums(2));
    let (text, code) = pretext(&lab, &["gc"]);
    assert!(text.starts_with("nothing can go; the store holds "), "{text}");
    assert_eq!(code, 0);

    let (listed, _) = pretext(&lab, &["gc", "--recipe", "test"]);
    let rows: Vec<&str> = listed.lines().map(|line| line.split("   ").next().unwrap_or_default()).collect();
    assert_eq!(listed.lines().filter(|line| line.starts_with("  test: ")).count(), 3, "{listed}");
    assert!(rows.last().unwrap().starts_with("nothing was removed: the same command with --delete"), "{listed}");
    assert_eq!(lab.run(&sums(2)).story, ["planned: 3 reused, 0 to run"], "a list removes nothing");
    assert!(pretext(&lab, &["gc", "--recipe", "elsewhere"]).0.starts_with("nothing can go"));
    assert!(pretext(&lab, &["gc", "--recipe", "test", "--keep-recipe", "test"]).0.starts_with("nothing can go"));
    assert!(pretext(&lab, &["gc", "--older", "1d"]).0.starts_with("nothing can go"));

    let (deleted, code) = pretext(&lab, &["gc", "--recipe", "test", "--delete"]);
    assert!(deleted.ends_with("removed 3 results, 3 artifacts, 0 leftovers and 0 records of runs\n"), "{deleted}");
    assert_eq!(code, 0);
    assert!(!lab.store().artifact(&ran.digest("data")).exists());
    assert_eq!(lab.run(&sums(2)).outcome.summary.computed, 3);
}

#[test]
fn what_was_used_least_recently_goes_first_and_only_as_much_as_must() {
    let lab = lab();
    lab.run(&sums(2));
    let old = SystemTime::now() - Duration::from_secs(10 * 86_400);
    make_older(&lab.store(), old);
    // Reuses `data` and computes the others.
    lab.run(&sums(3));
    let (listed, _) = pretext(&lab, &["gc", "--older", "5d"]);
    assert!(listed.contains("  test: other  "), "{listed}");
    assert!(listed.contains("  test: sum    "), "{listed}");
    assert!(!listed.contains("  test: data"), "{listed}");
    assert!(listed.contains("  records of runs  "), "{listed}");
    let size = tree_size(&lab.store_folder());
    let (_, code) = pretext(&lab, &["gc", "--to", &format!("{}B", size - 1), "--delete"]);
    assert_eq!(code, 0);
    let again = lab.run(&sums(3));
    assert_eq!(again.outcome.summary.reused, 3, "what was used last stays: {:?}", again.story);
    assert_eq!(lab.run(&sums(2)).outcome.summary.computed, 1, "and only one of the others has gone");
}

/// Makes all that is there as old as this.
fn make_older(store: &Store, time: SystemTime) {
    for run in store.runs().unwrap() {
        let folder = store.run_folder(&run.id);
        let seconds = time.duration_since(SystemTime::UNIX_EPOCH).unwrap().as_secs();
        let record = pretext::store::RunRecord { started: seconds, finished: Some(seconds), ..run };
        fs::write(folder.join("run.json"), serde_json::to_vec(&record).unwrap()).unwrap();
        set_times(&folder, time);
    }
    set_times(&store.root().join("results"), time);
}

fn set_times(place: &Path, time: SystemTime) {
    if place.is_dir() {
        fs::read_dir(place).unwrap().for_each(|entry| set_times(&entry.unwrap().path(), time));
    }
    fs::File::open(place).unwrap().set_modified(time).unwrap();
}

fn tree_size(place: &Path) -> u64 {
    match fs::symlink_metadata(place).unwrap() {
        folder if folder.is_dir() => fs::read_dir(place).unwrap().map(|entry| tree_size(&entry.unwrap().path())).sum(),
        file => file.len(),
    }
}

#[test]
fn what_dead_processes_left_goes_and_what_the_next_attempt_needs_stays() {
    let lab = lab();
    let slow = GraphSpec::default().node("slow", "slow", json!({ "steps": 30, "milliseconds": 5 }), &[]);
    let stopped = lab.run_with(&slow, |line, send| {
        if line == "progress slow 3" {
            send(pretext::run::Event::Interrupt(libc::SIGINT));
        }
    });
    assert_eq!(stopped.story[1..], ["start slow", "stopping 1", "stop slow, saved"]);
    let store = lab.store_folder();
    for dead in [".partial-abcdef-4194305-0-0", "cache/cifar10/fetch-4194305"] {
        fs::create_dir_all(store.join(dead)).unwrap();
        set_times(&store.join(dead), SystemTime::now() - Duration::from_secs(2 * 86_400));
    }
    let living = store.join(format!("cache/fetch-{}", std::process::id()));
    fs::create_dir_all(&living).unwrap();
    fs::create_dir_all(store.join("attempts").join("0".repeat(64)).join("1/scratch")).unwrap();
    let (told, code) = pretext(&lab, &["verify"]);
    assert!(told.ends_with("3 leftovers (0 B) of processes that were cut short: `pretext gc`\n"), "{told}");
    assert_eq!(code, 0, "a leftover is no damage");

    let (deleted, _) = pretext(&lab, &["gc", "--delete"]);
    assert!(deleted.ends_with("removed 0 results, 0 artifacts, 3 leftovers and 0 records of runs\n"), "{deleted}");
    assert!(living.exists());
    assert_eq!(lab.run(&slow).story[1..], ["resume slow", "done slow"]);
}

/// Publishing, removing, dropping and reading at once: nothing that is found lacks anything, and nobody is in another's way.
#[test]
fn threads_that_publish_read_drop_and_collect_do_not_disturb_each_other() {
    let folder = fast_folder();
    let store = Store::open(&folder.path().join("store")).unwrap();
    let (published, collected) = (AtomicU64::new(0), AtomicU64::new(0));
    // Until each has had its turns; a slow machine takes longer. Where one of them has panicked, not for ever.
    let has_had = || published.load(Ordering::Relaxed) >= 300 && collected.load(Ordering::Relaxed) >= 100;
    let started = Instant::now();
    let goes_on = || !has_had() && started.elapsed() < Duration::from_secs(120);
    std::thread::scope(|scope| {
        for thread in 0..3u64 {
            let (store, published, goes_on) = (&store, &published, &goes_on);
            scope.spawn(move || {
                for turn in (thread..).take_while(|_| goes_on()) {
                    let canonical = numbered(turn % 4);
                    let Some(lease) = store.lease(&canonical.key()).unwrap() else { continue };
                    // Two of the keys lead to the same bytes.
                    publish_as(store, lease, &canonical, &format!("text {}", turn % 4 / 2), turn % 5 == 0).unwrap();
                    published.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
        scope.spawn(|| {
            let everything = GcWishes { older: Some(0), ..GcWishes::default() };
            while goes_on() {
                let gone = store.collect(&store.plan_gc(&everything, u64::MAX).unwrap()).unwrap();
                collected.fetch_add(gone.results as u64, Ordering::Relaxed);
            }
        });
        scope.spawn(|| {
            for turn in (0..).take_while(|_| goes_on()) {
                match store.look_up(&numbered(turn % 4).key()) {
                    Lookup::Damaged(damage) => panic!("{damage}"),
                    Lookup::Found(result) => read_or_find_gone(&store, &result.artifacts["value"]),
                    Lookup::Dropped(_) | Lookup::Missing => {}
                }
            }
        });
        scope.spawn(|| {
            for turn in (0..).take_while(|_| goes_on()) {
                if let Lookup::Found(result) = store.look_up(&numbered(turn % 4).key()) {
                    store.drop_artifact(&result.artifacts["value"]).unwrap();
                }
                std::thread::sleep(Duration::from_millis(3));
            }
        });
    });
    let verified = store.verify(&Reading::default()).unwrap();
    assert_eq!(verified.damages, []);
    assert!(has_had());
}

fn numbered(number: u64) -> pretext::plan::Canonical {
    pretext::plan::Canonical { kind: format!("fake/{number}"), ..canonical() }
}

fn read_or_find_gone(store: &Store, digest: &pretext::ids::Digest) {
    let Some(_hold) = store.hold([digest]).unwrap() else { return };
    let text = fs::read_to_string(store.artifact(digest).join("value.txt")).unwrap();
    assert!(text == "text 0" || text == "text 1", "{text}");
}
