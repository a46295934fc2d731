//! Every kind that trains gives the same bytes again at the same number of threads, and after it was stopped and resumed.
//! `killed_trainings.rs` does the latter by SIGKILL, at one thread.

use pretext_protocol::Run;
use pretext_tests::WorkerProcess;
use pretext_tests::trainings::{prepare, training, worker, yields};

/// Fifteen steps.
const EPOCHS: u32 = 3;

#[test]
fn trainings_give_the_same_bytes_again_at_one_thread_and_at_two() {
    let root = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let (inputs, kinds) = prepare(root.path());
    for threads in [1, 2] {
        let mut worker = worker();
        for kind in &kinds {
            let folder = root.path().join(format!("{}-{threads}", kind.name.replace('/', "-")));
            withstands(|name| training(kind, &inputs, &folder.join(name), EPOCHS), threads, &mut worker);
        }
        // Other operations compute this one.
        let simclr = kinds.iter().find(|kind| kind.name == "pretrain/simclr").unwrap();
        let in_bfloat16 = |name: &str| {
            let mut run =
                training(simclr, &inputs, &root.path().join(format!("bfloat16-{threads}")).join(name), EPOCHS);
            run.params["encoder"]["kind"] = "resnet20".into();
            run.params["precision"] = "bfloat16".into();
            run
        };
        withstands(in_bfloat16, threads, &mut worker);
    }
}

/// Trains undisturbed, again, and with a stop on the way. `training`: a request, in a folder of the given name.
fn withstands(training: impl Fn(&str) -> Run, threads: usize, worker: &mut WorkerProcess) {
    let ask = |name: &str| {
        let mut run = training(name);
        run.resources.threads = threads;
        run
    };
    let [once, again, stopped, mut resumed] = ["once", "again", "stopped", "resumed"].map(ask);
    worker.compute(&once);
    let expected = yields(&once);
    worker.compute(&again);
    assert!(yields(&again) == expected, "{} gives other bytes again at {threads} threads", once.kind);
    self::worker().stop_on_the_way(&stopped);
    resumed.resume = Some(stopped.scratch);
    worker.compute(&resumed);
    assert!(yields(&resumed) == expected, "{} gives other bytes when resumed at {threads} threads", once.kind);
}
