//! Workers that wait for their next stage.

use super::worker::{Failure, Worker, WorkerSpec};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Keeps workers by what they were started with, which they cannot change: libtorch's threads are set once.
#[derive(Debug)]
pub(super) struct Pool {
    spec: WorkerSpec,
    /// As many as may wait: each holds memory that nobody counts.
    limit: usize,
    /// The longest idle first.
    idle: Mutex<Vec<(Terms, Worker)>>,
}

/// What a worker is started with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Terms {
    pub(super) device: String,
    pub(super) threads: usize,
}

/// Why there is no worker.
#[derive(Debug, thiserror::Error)]
pub(super) enum NoWorker {
    #[error(transparent)]
    Failure(#[from] Failure),
    #[error(
        "the worker {path} computes with {found}, and this run was planned for {planned}: run `touch {path}`, so that it \
         is asked anew, and the same command again"
    )]
    OtherNumerics { path: String, found: String, planned: String },
}

impl Pool {
    pub(super) fn new(spec: WorkerSpec, limit: usize) -> Self {
        Self { spec, limit, idle: Mutex::default() }
    }

    /// One that waits, or a new one. `planned`: the numerics that stand in the keys.
    pub(super) fn take(&self, terms: &Terms, planned: &str) -> Result<Worker, NoWorker> {
        while let Some(worker) = self.pop(terms) {
            if worker.process().is_alive() {
                return Ok(worker);
            }
        }
        let mut worker = Worker::start(&self.spec, terms.threads)?;
        // The plan may stand on a kept catalogue, and libtorch may have been replaced beneath the worker's file.
        let found = worker.describe()?.numerics;
        if found == planned {
            return Ok(worker);
        }
        let path = self.spec.path.display().to_string();
        Err(NoWorker::OtherNumerics { path, found, planned: planned.to_owned() })
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
