//! The crash that makes DVC and Snakemake publish what a process of an earlier run has written (`peers.md`), tried here.

use pretext::store::Reading;
use pretext_tests::{GraphSpec, Lab, signal, wait_until};
use serde_json::json;
use std::fs;
use std::process::{Child, Command, Stdio};

fn spec() -> GraphSpec {
    GraphSpec::default().node("slow", "haunted", json!({ "steps": 60, "milliseconds": 20 }), &[]).node(
        "sum",
        "add",
        json!({ "plus": 1 }),
        &[("a", "slow")],
    )
}

fn start(lab: &Lab) -> Child {
    let graph = lab.folder().join("graph.json");
    fs::write(&graph, serde_json::to_vec(&spec()).unwrap()).unwrap();
    Command::new(env!("CARGO_BIN_EXE_run-graph"))
        .args([lab.store_folder(), env!("CARGO_BIN_EXE_fake-worker").into(), graph])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap()
}

fn parent_of(process: i32) -> u32 {
    let stat = fs::read_to_string(format!("/proc/{process}/stat")).expect("the worker runs");
    let fields = stat.rsplit_once(") ").expect("a name stands before").1;
    fields.split(' ').nth(1).and_then(|parent| parent.parse().ok()).expect("the second is the parent")
}

/// Kills a run when the attempt of this number has saved something; where it `is_unguarded`, the guard of its worker before it, so
/// that nobody ends what the worker has started.
fn kill_in_mid_stage(lab: &Lab, attempt: &str, is_unguarded: bool) {
    let mut run = start(lab);
    let keys = || fs::read_dir(lab.store_folder().join("attempts")).into_iter().flatten().flatten();
    let attempts = || keys().flat_map(|key| fs::read_dir(key.path()).into_iter().flatten().flatten());
    let has_saved = || {
        let mut ours = attempts().filter(|found| found.file_name().to_string_lossy().starts_with(attempt));
        ours.any(|found| found.path().join("scratch/checkpoint/state").exists())
    };
    wait_until("a checkpoint", has_saved);
    if is_unguarded {
        let worker = lab.latest_worker().expect("a stage was begun");
        signal(parent_of(worker), libc::SIGKILL);
    }
    signal(run.id(), libc::SIGKILL);
    run.wait().unwrap();
}

/// In a session of its own too.
#[test]
fn nothing_outlives_a_killed_run() {
    let lab = Lab::new(env!("CARGO_BIN_EXE_fake-worker"));
    kill_in_mid_stage(&lab, "1-", false);
    let ghosts = || {
        let processes = fs::read_dir("/proc").unwrap().flatten().map(|process| process.path());
        let of_this_lab = |words: &Vec<u8>| {
            let words = String::from_utf8_lossy(words);
            words.contains("\0haunt\0") && words.contains(lab.store_folder().to_str().unwrap())
        };
        processes.filter_map(|process| fs::read(process.join("cmdline")).ok()).filter(of_this_lab).count()
    };
    wait_until("the end of all that the worker had started", || ghosts() == 0);
    assert!(!lab.store_folder().join("cache/haunted").exists());
}

#[test]
fn what_outlives_a_killed_run_changes_nothing_that_the_next_ones_publish() {
    let lab = Lab::new(env!("CARGO_BIN_EXE_fake-worker"));
    kill_in_mid_stage(&lab, "1-", true);
    // The second run goes on at once; what outlived the first writes meanwhile. It is killed too.
    kill_in_mid_stage(&lab, "2-", true);
    let third = start(&lab).wait_with_output().unwrap();
    let told = String::from_utf8_lossy(&third.stderr).into_owned();
    assert_eq!(String::from_utf8_lossy(&third.stdout), "slow: computed\nsum: computed\n", "{told}");
    assert!(told.contains("started (attempt 3, from a checkpoint)"), "{told}");

    let haunted = lab.store_folder().join("cache/haunted");
    wait_until("the end of what outlived the first run", || haunted.exists());
    let writes: u32 = fs::read_to_string(haunted).unwrap().parse().unwrap();
    assert!(writes > 100, "it wrote {writes} times only");

    let undisturbed = Lab::new(env!("CARGO_BIN_EXE_fake-worker")).run(&spec());
    let disturbed = lab.run(&spec());
    assert_eq!(disturbed.story, ["planned: 2 reused, 0 to run"]);
    for node in ["slow", "sum"] {
        assert_eq!(disturbed.digest(node), undisturbed.digest(node));
    }
    let verified = lab.store().verify(&Reading::default()).unwrap();
    assert_eq!((verified.damages, verified.artifacts, verified.results), (vec![], 2, 2));
}
