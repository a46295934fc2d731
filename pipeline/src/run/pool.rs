//! Workers that wait for their next stage.

use super::worker::{Failure, Worker, WorkerSpec};
use crate::plan::{Node, WorkerName};
use pretext_protocol::Catalogue;
use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Keeps workers by what they were started with, which they cannot change: libtorch's threads are set once.
#[derive(Debug)]
pub(super) struct Pool {
    specs: BTreeMap<WorkerName, WorkerSpec>,
    /// As many as may wait: each holds memory that nobody counts.
    limit: usize,
    /// The longest idle first.
    idle: Mutex<Vec<(Terms, Worker)>>,
}

/// What a worker is started with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Terms {
    pub(super) worker: WorkerName,
    pub(super) device: String,
    /// The part of a GPU that is all the worker sees of any, so that to it that is `cuda:0`.
    pub(super) part: Option<String>,
    pub(super) threads: usize,
}

impl Terms {
    /// What the worker calls its device.
    pub(super) fn device_of_worker(&self) -> &str {
        if self.part.is_some() { "cuda:0" } else { &self.device }
    }
}

/// Why there is no worker.
#[derive(Debug, thiserror::Error)]
pub(super) enum NoWorker {
    #[error(transparent)]
    Failure(#[from] Failure),
    #[error(
        "the worker {name} computes with {found}, and this run was planned for {planned}: run `touch {name}`, so that it \
         is asked anew, and the same command again"
    )]
    OtherNumerics { name: String, found: String, planned: String },
    #[error(
        "the worker {name} has {found} of {kind}, and this run was planned for version {planned}: run the same command again"
    )]
    OtherVersion { name: String, kind: String, found: String, planned: u32 },
    #[error("the worker {0} was replaced since this run was planned: run the same command again")]
    Replaced(String),
    #[error("nobody said how to start {0:?}")]
    Unknown(WorkerName),
}

impl Pool {
    pub(super) fn new(specs: BTreeMap<WorkerName, WorkerSpec>, limit: usize) -> Self {
        Self { specs, limit, idle: Mutex::default() }
    }

    /// One that waits, or a new one, that computes a node as its key says.
    pub(super) fn take(&self, terms: &Terms, node: &Node) -> Result<Worker, NoWorker> {
        let spec = self.specs.get(&terms.worker).ok_or_else(|| NoWorker::Unknown(terms.worker.clone()))?;
        while let Some(worker) = self.pop(terms) {
            if worker.process().is_alive() {
                // It was started for another kind.
                return check(spec, worker.catalogue(), node).map(|()| worker);
            }
        }
        let mut worker = Worker::start(spec, terms.threads, terms.part.as_deref())?;
        worker.describe()?;
        // A process computes by the file that it was started from, whatever becomes of that later.
        if spec.is_replaced() {
            return Err(NoWorker::Replaced(spec.name()));
        }
        check(spec, worker.catalogue(), node).map(|()| worker)
    }

    /// Takes back a worker that can compute another stage.
    pub(super) fn put_back(&self, terms: Terms, worker: Worker) {
        let mut idle = self.lock();
        idle.push((terms, worker));
        let surplus = idle.len().saturating_sub(self.limit);
        let dismissed: Vec<_> = idle.drain(..surplus).collect();
        drop(idle);
        dismissed.into_iter().for_each(|(_, worker)| worker.dismiss());
    }

    fn pop(&self, terms: &Terms) -> Option<Worker> {
        let mut idle = self.lock();
        let place = idle.iter().rposition(|(its, _)| its == terms)?;
        Some(idle.remove(place).1)
    }

    fn lock(&self) -> MutexGuard<'_, Vec<(Terms, Worker)>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The plan may stand on a kept catalogue, and libtorch may have been replaced beneath the worker's file.
fn check(spec: &WorkerSpec, catalogue: &Catalogue, node: &Node) -> Result<(), NoWorker> {
    // What a command is, the recipe says.
    if node.worker == WorkerName::Command {
        return Ok(());
    }
    let (name, planned) = (spec.name(), &node.kind);
    let found = catalogue.kind(&planned.name);
    if found.is_none_or(|found| found.version != planned.version) {
        let found = found.map_or("nothing".to_owned(), |found| format!("version {}", found.version));
        return Err(NoWorker::OtherVersion { name, kind: planned.name.clone(), found, planned: planned.version });
    }
    let found = found.and_then(|kind| kind.numerics.as_ref()).unwrap_or(&catalogue.numerics);
    match **found == *node.numerics {
        true => Ok(()),
        false => Err(NoWorker::OtherNumerics { name, found: found.clone(), planned: node.numerics.to_string() }),
    }
}
