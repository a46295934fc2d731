use super::*;
use crate::commands::assert_is_expected;
use crate::ids::{Digest, NodeId};
use crate::store::{RunStatus, RunningStage, Summary};
use pretext_protocol::Progress;
use std::time::UNIX_EPOCH;

const NOW: u64 = 1_000_000;

fn ended(id: &str, ago: u64, summary: Option<Summary>) -> Seen {
    let finished = summary.is_some().then_some(NOW - ago);
    let record = RunRecord {
        id: id.into(),
        recipe: "small-labels".into(),
        path: "recipes/small-labels.yaml".into(),
        recipe_digest: Digest::of(b""),
        process: 4711,
        host: "trainbox".into(),
        started: NOW - ago - 221,
        finished,
        summary,
    };
    Seen { record, alive: false, status: None }
}

fn going_on() -> Seen {
    let running = |name: &str, done| {
        let (phase, unit, values) = ("train".into(), "images".into(), [("loss".to_owned(), 4.81)].into());
        let progress = Progress { id: 0, phase, done, total: 1000, unit, rate: Some(1142.0), values };
        RunningStage { node: NodeId(name.into()), since: NOW - 200, progress: Some(progress) }
    };
    let live = RunStatus {
        at: NOW - 1,
        recipe: "small-labels".into(),
        reused: 3,
        to_run: 1000,
        ended: 51,
        remaining_seconds: Some(1400.0),
        running: (0..12).map(|seed| running(&format!("pretrain[method=simclr,seed={seed}]"), 520)).collect(),
        failed: vec![(NodeId("pretrain[method=moco,seed=2]".into()), "loss became NaN\nmore".into())],
    };
    Seen { alive: true, status: Some(live), ..ended("2026-11-24T13-10-11Z", 0, None) }
}

#[test]
fn what_runs_is_shown_above_what_ran() {
    let failed = vec![(NodeId("probe".into()), "the worker hangs".to_owned())];
    let whole = Summary { computed: 12, reused: 1003, failed, skipped: 2, ..Summary::default() };
    let stopped = Summary { computed: 1, stopped: 1, cut_short: 1, interrupted: true, ..Summary::default() };
    let one = |summary: &Summary| ended("2026-11-24T12-57-03Z", 720, Some(summary.clone()));
    let runs = [going_on(), one(&whole), one(&stopped), ended("2026-11-23T09-00-00Z", 90_000, None)];
    let now = UNIX_EPOCH + Duration::from_secs(NOW);
    assert_is_expected("status.txt", &text::text(&runs, false, now));
    assert_is_expected("status_of_one.txt", &text::text(&[one(&whole)], false, now));
    assert_eq!(text::text(&[], false, now), "nothing has run in this store\n");
    let failed = (0..12).map(|seed| (NodeId(format!("probe[seed={seed}]")), "the worker hangs".to_owned())).collect();
    let many = [one(&Summary { failed, ..whole })];
    assert!(text::text(&many, false, now).ends_with("    2 more failed\n"));
    assert_eq!(text::text(&many, true, now).lines().count(), 13, "whoever asks for a run sees all of it");
}

#[test]
fn a_run_is_alive_while_its_process_holds_the_lock() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(&folder.path().join("store")).unwrap();
    let (going_on, cut_off) = (going_on(), ended("2026-11-23T09-00-00Z", 90_000, None));
    for run in [&going_on, &cut_off] {
        let folder = store.run_folder(&run.record.id);
        std::fs::create_dir_all(&folder).unwrap();
        std::fs::write(folder.join("run.json"), serde_json::to_vec(&run.record).unwrap()).unwrap();
        std::fs::write(folder.join("status.json"), serde_json::to_vec(&run.status).unwrap()).unwrap();
    }
    let lock = std::fs::File::create(store.run_folder(&going_on.record.id).join("alive")).unwrap();
    lock.try_lock().unwrap();
    #[derive(clap::Parser)]
    struct Line {
        #[command(flatten)]
        args: StatusArgs,
    }
    let look = |words: &[&str]| {
        let line = <Line as clap::Parser>::parse_from(["status"].iter().chain(words));
        look(&store, &line.args).unwrap()
    };
    let seen = look(&["--last", "1"]);
    assert_eq!(seen.iter().map(|run| run.alive).collect::<Vec<_>>(), [true]);
    assert_eq!(seen[0].status, going_on.status);
    assert_eq!(look(&[]).iter().map(|run| run.alive).collect::<Vec<_>>(), [true, false]);
    assert_eq!(look(&["2026-11-23"]).len(), 1);
    drop(lock);
    assert!(!look(&["last"])[0].alive, "its process is gone");
}
