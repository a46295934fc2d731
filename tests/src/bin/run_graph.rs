//! `run-graph STORE WORKER GRAPH.json [SILENCE]`: a `pretext run` of a graph that a test has written by hand. Prints what became
//! of each node.

use anyhow::{Context, Result};
use pretext::ids::Digest;
use pretext::plan::WorkerName;
use pretext::run::{LocalSettings, NodeOutcome, Wishes, Work, WorkerSpec, execute};
use pretext::store::{Store, View};
use pretext_tests::GraphSpec;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

fn main() -> Result<ExitCode> {
    let arguments: Vec<PathBuf> = std::env::args_os().skip(1).map(PathBuf::from).collect();
    let [store, worker, graph, silence @ ..] = arguments.as_slice() else {
        anyhow::bail!("usage: run-graph STORE WORKER GRAPH [SILENCE]")
    };
    let silence = silence.first().map_or(Ok(60), |seconds| seconds.to_string_lossy().parse())?;
    run(store, worker, graph, Duration::from_secs(silence))
}

fn run(store: &Path, worker: &Path, graph: &Path, silence: Duration) -> Result<ExitCode> {
    let store = Store::open(store)?;
    let text = std::fs::read_to_string(graph).with_context(|| format!("cannot read {}", graph.display()))?;
    let graph = serde_json::from_str::<GraphSpec>(&text)?.graph();
    let mut worker = WorkerSpec::new(worker.to_owned());
    worker.silence = silence;
    let settings = LocalSettings {
        workers: [(WorkerName::Stages, worker)].into(),
        threads: 2,
        gpus: vec![],
        gpu_locks: "/tmp".into(),
    };
    let (path, digest, wishes) = ("test.yaml", Digest::of(b""), &Wishes::default());
    let outcome = execute(
        &Work { graph: &graph, recipe: "test", path, digest, wishes, choosing: None },
        &View::new(&store, "test"),
        settings,
    )?;
    for (node, outcome) in graph.node_weights().zip(&outcome.nodes) {
        let became = match outcome {
            NodeOutcome::Reused(_) => "reused",
            NodeOutcome::Computed(_) => "computed",
            NodeOutcome::Failed { .. } => "failed",
            NodeOutcome::Skipped { .. } => "skipped",
            NodeOutcome::Spared => "spared",
            NodeOutcome::NotRun => "not run",
        };
        println!("{}: {became}", node.id);
    }
    Ok(ExitCode::from(outcome.summary.exit_code()))
}
