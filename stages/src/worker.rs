//! The worker's side of the protocol: a thread reads requests, the main thread runs stages.

use crate::catalog::{self, Entry};
use crate::context::{Context, Outbox, REQUEST, Stopped};
use crate::doctor;
use crate::json;
use crate::memory;
use crate::nn;
use crate::train::Replayed;
use anyhow::{Result, anyhow, bail};
use pretext_protocol::{Cost, HEARTBEAT_SECONDS, PROTOCOL, Reply, Request, Resources, Run, requests};
use std::panic::AssertUnwindSafe;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// Serves requests from standard input until it ends or [`Request::Stop`] comes.
pub fn serve() -> Result<()> {
    let stopping = Arc::new(AtomicBool::new(false));
    let outbox = Mutex::new(std::io::stdout());
    for request in requests(stopping.clone(), || std::process::exit(0)) {
        match request {
            Request::Hello { .. } => outbox.send(&Reply::Hello {
                protocol: PROTOCOL,
                worker: "pretext-worker".into(),
                version: crate::BUILD.into(),
            }),
            Request::Describe => outbox.send(&Reply::Catalogue(catalog::catalogue())),
            Request::Doctor { offline } => outbox.send(&Reply::Doctor { findings: doctor::findings(offline) }),
            Request::Run(run) => outbox.send(&execute(&run, false, &outbox, &stopping)),
            Request::Rehearse(run) => outbox.send(&execute(&run, true, &outbox, &stopping)),
            Request::Stop => break,
        }
        if stopping.load(Ordering::Relaxed) {
            break;
        }
    }
    Ok(())
}

/// Runs or rehearses one stage and says how it ended.
fn execute(run: &Run, rehearses: bool, outbox: &Mutex<std::io::Stdout>, stopping: &AtomicBool) -> Reply {
    set_threads(&run.resources);
    let alive = AtomicBool::new(true);
    let outcome = std::thread::scope(|scope| {
        let heart = scope.spawn(|| {
            while alive.load(Ordering::Relaxed) {
                outbox.send(&Reply::Heartbeat { id: run.id });
                std::thread::park_timeout(Duration::from_secs(HEARTBEAT_SECONDS));
            }
        });
        let stopping = || stopping.load(Ordering::Relaxed);
        let outcome = std::panic::catch_unwind(AssertUnwindSafe(|| run_stage(run, rehearses, outbox, &stopping)));
        alive.store(false, Ordering::Relaxed);
        heart.thread().unpark();
        outcome
    });
    match outcome.unwrap_or_else(|panic| Err(anyhow!("it panicked: {}", panic_text(&*panic)))) {
        Ok(cost) => Reply::Done { id: run.id, cost },
        Err(error) if error.is::<Stopped>() => Reply::Stopped { id: run.id },
        Err(error) => Reply::Failed { id: run.id, error: format!("{error:#}") },
    }
}

fn run_stage(run: &Run, rehearses: bool, outbox: &dyn Outbox, stopping: &(dyn Fn() -> bool + Sync)) -> Result<Cost> {
    let stage = find(run)?;
    forget_peak_rss();
    let mut context = Context::new(run, outbox, stopping)?;
    context.rehearses = rehearses;
    let (outcome, peak) = memory::peak_during(|| (stage.run)(&run.params, &context));
    match outcome {
        Err(error) if rehearses && error.is::<Stopped>() => {}
        outcome => outcome?,
    }
    let mut cost = context.into_cost();
    cost.peak_bytes = Some(peak);
    cost.peak_rss_bytes = peak_rss_bytes();
    Ok(cost)
}

fn find(run: &Run) -> Result<Entry> {
    catalog::find(&run.kind).ok_or_else(|| anyhow!("this worker has no kind `{}`", run.kind))
}

/// Runs the step that a training has kept in `folder` because something in it was not finite. Returns what each of its
/// tensors holds, as text.
pub fn replay(folder: &Path) -> Result<String> {
    let mut run: Run = json::read(&folder.join(REQUEST))?;
    run.resume = Some(folder.to_owned());
    set_threads(&run.resources);
    let (stage, outbox) = (find(&run)?, Mutex::new(std::io::sink()));
    let mut context = Context::new(&run, &outbox, &|| false)?;
    context.replays = true;
    match (stage.run)(&run.params, &context) {
        Ok(()) => bail!("{} does not train: there is no step to run again", run.kind),
        Err(error) => Ok(error.downcast::<Replayed>()?.to_string()),
    }
}

fn panic_text(panic: &(dyn std::any::Any + Send)) -> &str {
    panic.downcast_ref::<String>().map(String::as_str).or(panic.downcast_ref::<&str>().copied()).unwrap_or("no message")
}

/// Libtorch's number of threads is part of what makes a run repeatable bit for bit: it comes with the request. That of the threads which
/// make views changes nothing but the time.
fn set_threads(resources: &Resources) {
    tch::set_num_threads(resources.threads as i32);
    // The global pool can be made once; workers are kept by device and number of threads, so later calls ask for the same.
    let _ = rayon::ThreadPoolBuilder::new().num_threads(loader_threads(resources)).build_global();
}

/// As many as `PRETEXT_LOADER_THREADS` says, or else libtorch's number, and beside a GPU this one's share of the processor: it would
/// wait for views.
fn loader_threads(resources: &Resources) -> usize {
    let said = std::env::var("PRETEXT_LOADER_THREADS").ok().and_then(|said| said.parse().ok()).filter(|&said| said > 0);
    let share = || match resources.device.starts_with("cuda") {
        true => std::thread::available_parallelism().map_or(1, |cores| cores.get() / (nn::devices().len() - 1).max(1)),
        false => 1,
    };
    said.unwrap_or_else(|| resources.threads.max(share()))
}

/// Starts a new peak, so that a stage's figure is not that of the stages before it. Memory that the allocator keeps from
/// them still counts.
fn forget_peak_rss() {
    // Where it may not be written, the peak is the worker's and not the stage's: no reason to fail.
    let _ = std::fs::write("/proc/self/clear_refs", "5");
}

fn peak_rss_bytes() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    Some(line.trim().trim_end_matches("kB").trim().parse::<u64>().ok()? * 1024)
}
