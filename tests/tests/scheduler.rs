//! In which order things happen: hits, misses, cut-offs, failures. The stages are those of the fake worker.

use pretext::run::Event;
use pretext_tests::{GraphSpec, Lab};
use serde_json::json;
use std::cell::Cell;
use std::fs;
use std::time::Duration;

fn lab() -> Lab {
    Lab::new(env!("CARGO_BIN_EXE_fake-worker"))
}

/// `sum` adds `one` and `two`; `twice` adds `sum` to itself.
fn sums(noise: u32, two: u32) -> GraphSpec {
    GraphSpec::default()
        .node("one", "source", json!({ "value": 1, "noise": noise }), &[])
        .node("two", "source", json!({ "value": two }), &[])
        .node("sum", "add", json!({}), &[("a", "one"), ("b", "two")])
        .node("twice", "add", json!({}), &[("a", "sum"), ("b", "sum")])
}

#[test]
fn what_was_not_computed_yet_is_in_the_order_of_the_graph() {
    let lab = lab();
    let ran = lab.run(&sums(0, 2));
    let expected =
        ["planned: 0 reused, 4 to run", "start one", "done one", "start two", "done two", "start sum", "done sum"];
    assert_eq!(ran.story[..7], expected);
    assert_eq!(ran.story[7..], ["start twice", "done twice"]);
    assert_eq!(lab.value(&ran.digest("twice")), "6\n");
    assert_eq!(ran.outcome.summary.exit_code(), 0);
    let provenance = ran.provenance(&lab, "sum");
    assert_eq!((provenance.recipe.as_str(), provenance.attempts, provenance.threads), ("test", 1, 1));
    assert_eq!(provenance.worker_version, format!("fake-worker {}", env!("CARGO_PKG_VERSION")));
}

#[test]
fn what_was_computed_is_reused_and_no_worker_is_started() {
    let lab = lab();
    lab.run(&sums(0, 2));
    let again = lab.run(&sums(0, 2));
    assert_eq!(again.story, ["planned: 4 reused, 0 to run"]);
    assert_eq!(lab.trace().len(), 4);
}

#[test]
fn a_change_reaches_what_depends_on_it_and_nothing_else() {
    let lab = lab();
    lab.run(&sums(0, 2));
    let changed = lab.run(&sums(0, 3));
    let story =
        ["planned: 1 reused, 3 to run", "start two", "done two", "start sum", "done sum", "start twice", "done twice"];
    assert_eq!(changed.story, story);
    assert_eq!(lab.value(&changed.digest("twice")), "8\n");
}

#[test]
fn a_stage_that_yields_the_same_bytes_stops_the_wave() {
    let lab = lab();
    lab.run(&sums(0, 2));
    let changed = lab.run(&sums(1, 2));
    let story = ["planned: 1 reused, 3 to run", "start one", "done one", "reuse sum", "reuse twice"];
    assert_eq!(changed.story, story);
    assert_eq!(changed.outcome.summary.reused, 3);
}

#[test]
fn what_another_recipe_computed_is_found() {
    let lab = lab();
    lab.run(&sums(0, 2));
    let other = GraphSpec::default().node("elsewhere", "source", json!({ "value": 2 }), &[]);
    assert_eq!(lab.run(&other).story, ["planned: 1 reused, 0 to run"]);
}

#[test]
fn an_artifact_that_was_lost_is_computed_again() {
    let lab = lab();
    let before = lab.run(&sums(0, 2));
    let lost = lab.store().artifact(&before.digest("sum"));
    std::fs::remove_dir_all(lost.parent().unwrap()).unwrap();
    let after = lab.run(&sums(0, 2));
    let story = ["planned: 2 reused, 2 to run", "start sum", "done sum", "reuse twice"];
    assert_eq!(after.story, story);
    assert_eq!(after.digest("sum"), before.digest("sum"));
}

#[test]
fn nothing_waits_for_what_is_ignored() {
    let lab = lab();
    let spec = GraphSpec::default()
        .node("views", "fail", json!({}), &[])
        .node("random", "add", json!({ "plus": 4 }), &[("a", "views")])
        .ignoring("a");
    let ran = lab.run(&spec);
    assert_eq!(ran.story[1..], ["start views", "fail views", "start random", "done random"]);
}

#[test]
fn a_failure_takes_down_what_needs_it_and_nothing_else() {
    let lab = lab();
    let spec = GraphSpec::default()
        .node("bad", "fail", json!({}), &[])
        .node("good", "source", json!({ "value": 1 }), &[])
        .node("needs-both", "add", json!({}), &[("a", "bad"), ("b", "good")])
        .node("needs-that", "add", json!({}), &[("a", "needs-both")])
        .node("fine", "add", json!({ "plus": 1 }), &[("a", "good")]);
    let ran = lab.run(&spec);
    let story = [
        "planned: 0 reused, 5 to run",
        "start bad",
        "fail bad",
        "skip needs-both, which needs bad",
        "skip needs-that, which needs bad",
        "start good",
        "done good",
        "start fine",
        "done fine",
    ];
    assert_eq!(ran.story, story);
    assert_eq!(ran.error("bad"), "loss became NaN at step 310");
    assert_eq!(ran.outcome.summary.exit_code(), 1);
    let again = lab.run(&spec);
    assert_eq!(again.story[..3], ["planned: 2 reused, 3 to run", "start bad", "fail bad"], "a failure is tried again");
}

#[test]
fn nodes_with_one_key_are_computed_once() {
    let lab = lab().with_threads(2);
    let slow = || json!({ "steps": 3, "milliseconds": 20 });
    let spec =
        GraphSpec::default().node("random[seed=0]", "slow", slow(), &[]).node("random[seed=1]", "slow", slow(), &[]);
    let ran = lab.run(&spec);
    assert_eq!(lab.trace(), ["fake/slow 0"]);
    let (computed, reused) = (ran.outcome.summary.computed, ran.outcome.summary.reused);
    assert_eq!((computed, reused), (1, 1), "{:?}", ran.story);
}

#[test]
fn stages_run_side_by_side_as_threads_allow() {
    let spec = |threads| {
        let slow = |n: u32| json!({ "steps": 4, "milliseconds": 30, "noise": n });
        GraphSpec::default()
            .node("one", "slow", slow(1), &[])
            .threads(threads)
            .node("two", "slow", slow(2), &[])
            .threads(threads)
    };
    let together = lab().with_threads(2).run(&spec(1));
    assert_eq!(together.story[1..3], ["start one", "start two"]);
    let in_turn = lab().with_threads(2).run(&spec(2));
    assert_eq!(in_turn.story[1..], ["start one", "done one", "start two", "done two"]);
    let wants_too_much = lab().with_threads(2).run(&spec(64));
    assert_eq!(wants_too_much.story[1..], ["start one", "done one", "start two", "done two"]);
}

/// Runs a stage that goes wrong beside one that does not, and returns the error.
/// What an end makes ready begins while the rest still runs: no thread is idle while a stage could have it.
#[test]
fn a_thread_that_becomes_free_is_given_to_what_has_become_ready() {
    let slow = |steps: u32| json!({ "steps": steps, "milliseconds": 40 });
    let spec = GraphSpec::default()
        .node("long", "slow", slow(20), &[])
        .node("short", "slow", slow(1), &[])
        .node("next", "add", json!({ "plus": 1 }), &[("a", "short")])
        .node("last", "add", json!({ "plus": 2 }), &[("a", "next")]);
    let story = lab().with_threads(2).run(&spec).story;
    let at = |line: &str| story.iter().position(|told| told == line).unwrap_or_else(|| panic!("{line}: {story:?}"));
    assert!(at("done short") < at("start next") && at("done last") < at("done long"), "{story:?}");
}

fn error_of(kind: &str, params: serde_json::Value) -> String {
    let lab = lab().with_silence(Duration::from_secs(2));
    let spec = GraphSpec::default().node("bad", kind, params, &[]).node("good", "source", json!({ "value": 1 }), &[]);
    let ran = lab.run(&spec);
    assert_eq!(
        ran.story[1..],
        ["start bad", "fail bad", "start good", "done good"],
        "a fresh worker computes the next"
    );
    ran.error("bad").to_owned()
}

#[test]
fn a_worker_that_panics_leaves_its_last_words() {
    let error = error_of("panic", json!({}));
    assert!(
        error.starts_with("the worker panicked (exit code 101)\nits last words:\n    fake/panic begins\n"),
        "{error}"
    );
    assert!(error.contains("index out of bounds"), "{error}");
}

#[test]
fn a_worker_that_ends_or_is_killed_says_how() {
    let words = |kind: &str| format!("\nits last words:\n    {kind} begins");
    assert_eq!(
        error_of("exit", json!({ "code": 3 })),
        format!("the worker ended with exit code 3{}", words("fake/exit"))
    );
    let killed = "the worker was killed by SIGKILL: probably out of memory (`dmesg` knows), or someone killed it";
    assert_eq!(error_of("die", json!({ "signal": 9 })), format!("{killed}{}", words("fake/die")));
    let crashed = "the worker was killed by SIGABRT";
    assert_eq!(error_of("die", json!({ "signal": 6 })), format!("{crashed}{}", words("fake/die")));
}

#[test]
fn a_worker_that_breaks_the_protocol_is_told_what_it_wrote() {
    assert_eq!(
        error_of("garbage", json!({})),
        "the worker wrote `Epoch 1/10: loss 0.3` where a reply was expected; its standard output belongs to the \
         protocol, everything else goes to standard error\nits last words:\n    fake/garbage begins"
    );
    let error = error_of("stray", json!({}));
    assert_eq!(error, "fake/stray sent the measurement `beauty`, which it does not declare");
    assert_eq!(error_of("forgetful", json!({})), "fake/forgetful is done and has not written its output `out/value`");
}

#[test]
fn a_worker_that_hangs_is_ended() {
    assert_eq!(
        error_of("hang", json!({})),
        "the worker gave no sign of life for 2.0 s, one is due every 2 s: it hangs, and was ended\nits last words:\n    \
         fake/hang begins"
    );
}

#[test]
fn a_worker_of_another_version_is_refused() {
    let folder = tempfile::TempDir::new().unwrap();
    let path = folder.path().join("fake-worker-of-tomorrow");
    std::os::unix::fs::symlink(env!("CARGO_BIN_EXE_fake-worker"), &path).unwrap();
    let ran = Lab::new(path.to_str().unwrap()).run(&GraphSpec::default().node("one", "source", json!({}), &[]));
    let expected =
        format!("the worker {} speaks protocol 2, this pretext 1: build both from the same version", path.display());
    assert_eq!(ran.error("one"), expected);
}

#[test]
fn a_worker_that_computes_otherwise_than_planned_is_refused() {
    let worker = env!("CARGO_BIN_EXE_fake-worker");
    let spec = GraphSpec::default().node("one", "source", json!({}), &[]);
    let ran = lab().with_numerics("old numbers").run(&spec);
    let expected = format!(
        "the worker {worker} computes with fake numbers, and this run was planned for old numbers: run `touch {worker}`, \
         so that it is asked anew, and the same command again"
    );
    assert_eq!(ran.error("one"), expected);
}

#[test]
fn a_failed_attempt_keeps_its_log_and_its_checkpoint() {
    let lab = lab();
    let slow = GraphSpec::default().node("slow", "slow", json!({ "steps": 50, "milliseconds": 10 }), &[]);
    let worker_dies = lab.folder().join("store/cache/trace");
    let kill_worker = move |line: &str, _: &dyn Fn(Event)| {
        if line == "progress slow 5" {
            let trace = std::fs::read_to_string(&worker_dies).unwrap();
            let pid: i32 = trace.trim_end().rsplit(' ').next().unwrap().parse().unwrap();
            // SAFETY: kill touches no memory.
            unsafe { libc::kill(pid, libc::SIGKILL) };
        }
    };
    let killed = lab.run_with(&slow, kill_worker);
    assert_eq!(killed.story[1..], ["start slow", "fail slow"]);
    let latest = &lab.store().latest_nodes().unwrap()[0];
    let log = std::fs::read_to_string(lab.store().attempt_log(&latest.key).unwrap().unwrap()).unwrap();
    assert!(log.starts_with("fake/slow begins\npretext: the worker was killed by SIGKILL"), "{log}");

    let resumed = lab.run(&slow);
    assert_eq!(resumed.story[1..], ["resume slow", "done slow"]);
    assert!(lab.trace()[1].rsplit(' ').next().unwrap().parse::<u32>().unwrap() >= 5, "{:?}", lab.trace());
    assert_eq!(resumed.provenance(&lab, "slow").attempts, 2);
    let undisturbed = Lab::new(env!("CARGO_BIN_EXE_fake-worker"));
    assert_eq!(resumed.digest("slow"), undisturbed.run(&slow).digest("slow"));
}

#[test]
fn a_stop_saves_what_runs_and_starts_nothing_more() {
    let lab = lab();
    let spec = GraphSpec::default().node("slow", "slow", json!({ "steps": 50, "milliseconds": 10 }), &[]).node(
        "next",
        "source",
        json!({ "value": 1 }),
        &[],
    );
    let stopped = lab.run_with(&spec, |line, send| {
        if line == "progress slow 3" {
            send(Event::Interrupt(libc::SIGINT));
        }
    });
    assert_eq!(stopped.story[1..], ["start slow", "stopping 1", "stop slow, saved"]);
    assert_eq!(stopped.outcome.summary.exit_code(), 130);
    let resumed = lab.run(&spec);
    assert_eq!(resumed.story[1..], ["resume slow", "done slow", "start next", "done next"]);
}

#[test]
fn what_fails_is_tried_again_as_often_as_the_recipe_says() {
    let flaky =
        |retries| {
            GraphSpec::default()
                .node("flaky", "flaky", json!({ "failures": 2, "value": 7 }), &[])
                .retries(retries)
                .node("sum", "add", json!({}), &[("a", "flaky")])
        };
    let ran = lab().run(&flaky(2));
    let twice = ["start flaky", "retry flaky", "start flaky", "retry flaky", "start flaky", "done flaky"];
    assert_eq!(ran.story[1..7], twice);
    assert_eq!(ran.story[7..], ["start sum", "done sum"]);
    let ran = lab().run(&flaky(1));
    let once = ["start flaky", "retry flaky", "start flaky", "fail flaky", "skip sum, which needs flaky"];
    assert_eq!(ran.story[1..], once);
    assert_eq!(ran.error("flaky"), "not this time");
}

#[test]
fn what_takes_too_long_is_ended_and_its_next_attempt_goes_on() {
    let lab = lab();
    let spec = GraphSpec::default()
        .node("slow", "slow", json!({ "steps": 40, "milliseconds": 10 }), &[])
        .timeout_ms(300)
        .retries(9);
    let ran = lab.run(&spec);
    assert_eq!(ran.story[1..4], ["start slow", "retry slow", "resume slow"]);
    assert_eq!(ran.story.last().unwrap(), "done slow");
    let undisturbed = Lab::new(env!("CARGO_BIN_EXE_fake-worker"));
    assert_eq!(ran.digest("slow"), undisturbed.run(&spec.clone().timeout_ms(60_000)).digest("slow"));

    let hopeless = GraphSpec::default().node("hang", "hang", json!({}), &[]).timeout_ms(100);
    let ran = Lab::new(env!("CARGO_BIN_EXE_fake-worker")).run(&hopeless);
    assert_eq!(ran.error("hang"), "it took longer than its `timeout` of 0.1 s and was ended");
}

#[test]
fn after_a_failure_nothing_more_is_started_where_the_user_wants_it_so() {
    let spec =
        GraphSpec::default().node("bad", "fail", json!({}), &[]).node("good", "source", json!({ "value": 1 }), &[]);
    let ran = lab().stopping_at_failures().run(&spec);
    assert_eq!(ran.story[1..], ["start bad", "fail bad"]);
    let summary = &ran.outcome.summary;
    assert_eq!((summary.not_run, summary.exit_code()), (1, 1));
}

#[test]
fn only_what_is_wanted_runs_and_of_the_rest_what_is_there_is_used() {
    let mut lab = lab();
    lab.with_wishes(Some(&[1]), &[]);
    let ran = lab.run(&sums(0, 2));
    assert_eq!(ran.story, ["planned: 0 reused, 1 to run", "start two", "done two"]);
    assert_eq!(ran.outcome.summary.exit_code(), 0);
    lab.with_wishes(Some(&[0]), &[]);
    let ran = lab.run(&sums(0, 2));
    assert_eq!(ran.story, ["planned: 1 reused, 1 to run", "start one", "done one"]);
}

#[test]
fn what_is_forced_runs_again_and_the_same_bytes_stop_the_wave() {
    let mut lab = lab();
    lab.run(&sums(0, 2));
    lab.with_wishes(None, &[0]);
    let ran = lab.run(&sums(0, 2));
    assert_eq!(ran.story, ["planned: 1 reused, 3 to run", "start one", "done one", "reuse sum", "reuse twice"]);
    assert_eq!(lab.trace().len(), 5);
}

/// `middle` is not kept.
fn chain(plus: u32) -> GraphSpec {
    GraphSpec::default()
        .node("first", "source", json!({ "value": 1 }), &[])
        .dropped()
        .node("middle", "add", json!({ "plus": 10 }), &[("a", "first")])
        .dropped()
        .node("last", "add", json!({ "plus": plus }), &[("a", "middle")])
}

#[test]
fn bytes_that_nobody_keeps_are_dropped_and_come_back_when_something_needs_them() {
    let lab = lab();
    let ran = lab.run(&chain(1));
    let story = ["start first", "done first", "start middle", "done middle", "drop first", "start last", "done last"];
    assert_eq!(ran.story[1..8], story);
    assert_eq!(ran.story[8..], ["drop middle"]);
    assert_eq!(lab.run(&chain(1)).story, ["planned: 3 reused, 0 to run"], "what is dropped is as good as there");

    let changed = lab.run(&chain(5));
    let story = [
        "planned: 2 reused, 1 to run",
        "start first",
        "done first",
        "start middle",
        "done middle",
        "drop first",
        "start last",
        "done last",
        "drop middle",
    ];
    assert_eq!(changed.story, story);
    assert_eq!(lab.value(&changed.digest("last")), "16\n");
}

#[test]
fn bytes_that_are_those_of_a_stage_that_is_kept_stay() {
    let lab = lab();
    let ran = lab.run(&chain(0));
    assert!(!ran.story.contains(&"drop middle".to_owned()), "{:?}", ran.story);
    assert_eq!(lab.value(&ran.digest("last")), "11\n");
}

#[test]
fn bytes_that_a_failed_stage_needs_stay_for_the_next_run() {
    let lab = lab();
    let spec = GraphSpec::default().node("first", "source", json!({ "value": 1 }), &[]).dropped().node(
        "bad",
        "fail",
        json!({}),
        &[("a", "first")],
    );
    let ran = lab.run(&spec);
    assert_eq!(ran.story[1..], ["start first", "done first", "start bad", "fail bad"]);
    assert_eq!(lab.value(&ran.digest("first")), "1\n");
}

#[test]
fn stages_with_a_gpu_are_given_one_each() {
    let slow = |n: u32| json!({ "steps": 4, "milliseconds": 30, "noise": n });
    let spec = GraphSpec::default().node("one", "slow", slow(1), &[]).gpus(1).node("two", "slow", slow(2), &[]).gpus(1);
    let lab = lab().with_threads(4).with_gpus(1);
    let in_turn = lab.run(&spec);
    assert_eq!(in_turn.story[1..], ["start one", "done one", "start two", "done two"]);
    assert_eq!(in_turn.provenance(&lab, "two").device, "cuda:0");
    let auto = GraphSpec::default().node("any", "slow", slow(3), &[]).device("auto");
    assert_eq!(lab.run(&auto).provenance(&lab, "any").device, "cuda:0");
    let none = Lab::new(env!("CARGO_BIN_EXE_fake-worker"));
    assert_eq!(none.run(&auto).provenance(&none, "any").device, "cpu");
    let none = none.run(&spec);
    assert_eq!(
        none.error("one"),
        "it wants 1 GPU and this machine has 0 GPUs: change `resources`, or name them by --gpus"
    );
}

#[test]
fn a_stage_that_waits_for_another_runs_gpu_says_so_and_goes_on_when_it_is_free() {
    let lab = lab().with_gpus(1);
    let place = lab.folder().join("pretext-0.lock");
    fs::write(&place, "process 4711 (for train of other)").unwrap();
    let other = fs::File::open(place).unwrap();
    other.lock().unwrap();
    let other = Cell::new(Some(other));
    let spec = GraphSpec::default().node("one", "slow", json!({ "steps": 1 }), &[]).gpus(1);
    let ran = lab.run_with(&spec, move |line, _| {
        if line.contains("waits") {
            drop(other.take());
        }
    });
    let expected = ["one waits for cuda:0 of process 4711 (for train of other)", "start one", "done one"];
    assert_eq!(ran.story[1..], expected);
}

#[test]
fn a_part_of_a_gpu_is_all_that_its_worker_sees() {
    let names = ["MIG-4f2b", "MIG-GPU-aa/1/0"];
    let slow = |n: u32| json!({ "steps": 2, "milliseconds": 50, "noise": n });
    let spec = GraphSpec::default().node("one", "slow", slow(1), &[]).gpus(1).node("two", "slow", slow(2), &[]).gpus(1);
    let lab = lab().with_threads(2).with_gpus_called(&names);
    let ran = lab.run(&spec);
    for ((node, name), device) in ["one", "two"].into_iter().zip(names).zip(["cuda:0", "cuda:1"]) {
        assert_eq!(ran.provenance(&lab, node).device, device);
        assert_eq!(ran.side(&lab, node, "visible.txt"), format!("cuda:0 of {name}"), "as it was written, and alone");
    }
}

/// It was started for another kind, of which it has the version that was planned for.
#[test]
fn an_idle_worker_is_looked_at_again_before_it_has_another_stage() {
    let lab = lab().with_version("sum", 7);
    let spec = GraphSpec::default().node("one", "source", json!({ "value": 1 }), &[]).node(
        "sum",
        "add",
        json!({}),
        &[("a", "one")],
    );
    let ran = lab.run(&spec);
    assert_eq!(ran.story[1..], ["start one", "done one", "start sum", "fail sum"]);
    let expected = "has version 1 of fake/add, and this run was planned for version 7: run the same command again";
    assert!(ran.error("sum").contains(expected), "{}", ran.error("sum"));
    assert_eq!(lab.trace(), ["fake/source 0"], "nothing was computed");
}
