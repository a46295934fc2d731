//! What happens when `pretext` itself is killed, is interrupted, or runs twice at once.

use pretext_tests::{GraphSpec, Lab, is_running, parent_of, signal, wait_until};
use serde_json::json;
use std::fs;
use std::process::{Child, Command, Output, Stdio};
use std::time::Duration;

struct Bench {
    lab: Lab,
    spec: GraphSpec,
}

impl Bench {
    fn new(spec: GraphSpec) -> Self {
        let lab = Lab::new(env!("CARGO_BIN_EXE_fake-worker"));
        fs::write(lab.folder().join("graph.json"), serde_json::to_vec(&spec).unwrap()).unwrap();
        Self { lab, spec }
    }

    fn start(&self) -> Child {
        self.start_with_silence(60)
    }

    /// Takes a worker to hang that gives no sign of life for so many seconds.
    fn start_with_silence(&self, seconds: u64) -> Child {
        Command::new(env!("CARGO_BIN_EXE_run-graph"))
            .args([
                self.lab.store_folder(),
                env!("CARGO_BIN_EXE_fake-worker").into(),
                self.lab.folder().join("graph.json"),
                seconds.to_string().into(),
            ])
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap()
    }

    /// Waits until a stage computes and has saved something.
    fn wait_for_a_checkpoint(&self) -> i32 {
        let attempts = self.lab.store_folder().join("attempts");
        let saved = || {
            let keys = fs::read_dir(&attempts).into_iter().flatten().flatten();
            let attempts = keys.flat_map(|key| fs::read_dir(key.path()).into_iter().flatten().flatten());
            attempts.map(|attempt| attempt.path().join("scratch/checkpoint/state")).any(|state| state.exists())
        };
        wait_until("a checkpoint", saved);
        self.lab.latest_worker().unwrap()
    }

    /// The bytes that a run comes to that nobody disturbs.
    fn undisturbed(&self) -> pretext::ids::Digest {
        Lab::new(env!("CARGO_BIN_EXE_fake-worker")).run(&self.spec).digest("sum")
    }
}

fn slow_sum() -> GraphSpec {
    GraphSpec::default().node("slow", "slow", json!({ "steps": 60, "milliseconds": 10 }), &[]).node(
        "sum",
        "add",
        json!({ "plus": 1 }),
        &[("a", "slow")],
    )
}

fn text(output: &Output) -> (String, String) {
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_owned()).unwrap();
    (text(&output.stdout), text(&output.stderr))
}

#[test]
fn killed_in_mid_stage_it_leaves_no_process_and_the_next_run_ends_with_the_same_bytes() {
    let bench = Bench::new(slow_sum());
    let mut killed = bench.start();
    let worker = bench.wait_for_a_checkpoint();
    assert!(is_running(worker));
    signal(killed.id(), libc::SIGKILL);
    killed.wait().unwrap();
    wait_until("the worker's end", || !is_running(worker));

    let again = bench.start().wait_with_output().unwrap();
    let (out, err) = text(&again);
    assert_eq!(out, "slow: computed\nsum: computed\n", "{err}");
    assert!(err.contains("started (attempt 2, from a checkpoint)"), "{err}");
    assert_eq!(again.status.code(), Some(0));
    let trace = bench.lab.trace();
    assert_eq!(trace.len(), 3, "{trace:?}");
    assert_ne!(trace[1], "fake/slow 0", "it went on where it was");
    assert_eq!(bench.lab.run(&bench.spec).digest("sum"), bench.undisturbed());
}

#[test]
fn interrupted_it_saves_its_state_says_so_and_goes_on() {
    let bench = Bench::new(slow_sum());
    let interrupted = bench.start();
    let worker = bench.wait_for_a_checkpoint();
    signal(interrupted.id(), libc::SIGINT);
    let interrupted = interrupted.wait_with_output().unwrap();
    let (out, err) = text(&interrupted);
    assert_eq!(interrupted.status.code(), Some(130), "{err}");
    assert_eq!(out, "slow: not run\nsum: not run\n");
    assert!(
        err.ends_with("stopped: 1 running stage saved its state; nothing is lost. Run the same command to go on.\n"),
        "{err}"
    );
    assert!(!is_running(worker));

    let again = bench.start().wait_with_output().unwrap();
    assert_eq!(text(&again).0, "slow: computed\nsum: computed\n");
    assert_eq!(bench.lab.run(&bench.spec).digest("sum"), bench.undisturbed());
}

/// By `pkill pretext`, or by Slurm at the end of a job: the guard is told as `pretext` is.
#[test]
fn where_all_are_told_to_stop_the_stage_saves() {
    let bench = Bench::new(slow_sum());
    let interrupted = bench.start();
    let worker = bench.wait_for_a_checkpoint();
    let guard = parent_of(worker as u32).unwrap();
    assert_ne!(guard, interrupted.id(), "a guard stands between them");
    signal(guard, libc::SIGTERM);
    signal(interrupted.id(), libc::SIGTERM);
    let interrupted = interrupted.wait_with_output().unwrap();
    let (_, err) = text(&interrupted);
    assert_eq!(interrupted.status.code(), Some(143), "{err}");
    assert!(err.contains("stopped: 1 running stage saved its state; nothing is lost."), "{err}");
    wait_until("the worker's end", || !is_running(worker));
    bench.start().wait_with_output().unwrap();
    assert_eq!(bench.lab.run(&bench.spec).digest("sum"), bench.undisturbed());
}

#[test]
fn a_second_interruption_ends_it_at_once() {
    let spec = GraphSpec::default().node("hang", "hang", json!({}), &[]);
    let bench = Bench::new(spec);
    let mut hanging = bench.start();
    wait_until("the stage's begin", || bench.lab.latest_worker().is_some());
    let worker = bench.lab.latest_worker().unwrap();
    signal(hanging.id(), libc::SIGTERM);
    std::thread::sleep(std::time::Duration::from_millis(300));
    signal(hanging.id(), libc::SIGTERM);
    assert_eq!(hanging.wait().unwrap().code(), Some(143));
    wait_until("the worker's end", || !is_running(worker));
}

#[test]
fn two_on_one_store_compute_everything_once() {
    let bench = Bench::new(slow_sum());
    let both = [bench.start(), bench.start()].map(|child| child.wait_with_output().unwrap());
    let outputs = both.each_ref().map(text);
    assert!(both.iter().all(|output| output.status.code() == Some(0)), "{outputs:?}");
    let mut trace = bench.lab.trace();
    trace.sort();
    assert_eq!(trace, ["fake/add 0", "fake/slow 0"], "{outputs:?}");
    let waited = outputs.iter().filter(|(_, err)| err.contains("waits for ")).count();
    assert_eq!(waited, 1, "{outputs:?}");
    let slow_computed = outputs.iter().filter(|(out, _)| out.contains("slow: computed")).count();
    assert_eq!(slow_computed, 1, "{outputs:?}");
}

#[test]
fn when_the_one_that_computes_is_killed_the_one_that_waits_takes_over() {
    let bench = Bench::new(slow_sum());
    let mut first = bench.start();
    bench.wait_for_a_checkpoint();
    let second = bench.start();
    std::thread::sleep(std::time::Duration::from_millis(100));
    signal(first.id(), libc::SIGKILL);
    first.wait().unwrap();
    let second = second.wait_with_output().unwrap();
    assert_eq!(text(&second).0, "slow: computed\nsum: computed\n", "{}", text(&second).1);
    assert_eq!(bench.lab.run(&bench.spec).digest("sum"), bench.undisturbed());
}

/// As by Ctrl-Z and `fg`: for longer than a worker may be silent, the run alone (Ctrl-Z does not reach what is in a group of its own)
/// or all of it.
#[test]
fn after_a_stop_and_going_on_no_worker_is_ended_for_its_silence() {
    const SILENCE: u64 = 2;
    let pause = |milliseconds| std::thread::sleep(Duration::from_millis(milliseconds));
    for stops_worker in [false, true] {
        let bench =
            Bench::new(GraphSpec::default().node("slow", "slow", json!({ "steps": 200, "milliseconds": 20 }), &[]));
        let run = bench.start_with_silence(SILENCE);
        let worker = bench.wait_for_a_checkpoint() as u32;
        signal(run.id(), libc::SIGSTOP);
        if stops_worker {
            signal(worker, libc::SIGSTOP);
        }
        pause(SILENCE * 1000 + 500);
        signal(run.id(), libc::SIGCONT);
        if stops_worker {
            // It is the last to go on.
            pause(300);
            signal(worker, libc::SIGCONT);
        }
        let output = run.wait_with_output().unwrap();
        let (out, err) = text(&output);
        assert_eq!((out.as_str(), output.status.code()), ("slow: computed\n", Some(0)), "{err}");
        assert_eq!(bench.lab.trace(), ["fake/slow 0"], "it was begun once");
    }
}

/// A stop is no excuse for one that hangs.
#[test]
fn after_a_stop_a_silent_worker_is_still_ended() {
    let bench = Bench::new(GraphSpec::default().node("hang", "hang", json!({}), &[]));
    let run = bench.start_with_silence(2);
    wait_until("the stage's begin", || bench.lab.latest_worker().is_some());
    let worker = bench.lab.latest_worker().unwrap();
    signal(run.id(), libc::SIGSTOP);
    std::thread::sleep(Duration::from_millis(500));
    signal(run.id(), libc::SIGCONT);
    let (out, err) = text(&run.wait_with_output().unwrap());
    assert_eq!(out, "hang: failed\n");
    assert!(err.contains("the worker gave no sign of life for 2.0 s"), "{err}");
    assert!(!is_running(worker));
}
