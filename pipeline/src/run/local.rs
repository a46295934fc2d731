use super::computation::{Computation, Control};
use super::pool::{Pool, Terms};
use super::slots::{self, Slots};
use super::worker::WorkerSpec;
use super::{End, Event, Executor, Job, Start};
use crate::plan::{Known, Lookup};
use crate::store::{Attempt, Lease, Store, StoreError};
use crossbeam_channel::Sender;
use std::collections::HashMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// How to compute on this machine.
#[derive(Debug, Clone)]
pub struct LocalSettings {
    pub worker: WorkerSpec,
    /// How many threads all stages together may use.
    pub threads: usize,
}

/// Computes on this machine: each job has a thread here that talks to a worker.
pub struct Local {
    store: Store,
    events: Sender<Event>,
    slots: Arc<Slots>,
    pool: Arc<Pool>,
    running: Arc<Mutex<Running>>,
}

type Running = HashMap<petgraph::graph::NodeIndex, Arc<Control>>;

impl Local {
    /// Its events go to `events`.
    pub fn new(settings: LocalSettings, store: Store, events: Sender<Event>) -> Self {
        let LocalSettings { worker, threads } = settings;
        let slots = Slots::new(threads.max(1), slots::usable_memory());
        let pool = Arc::new(Pool::new(worker, slots.threads()));
        Self { store, events, slots, pool, running: Arc::default() }
    }

    fn begin(
        &self,
        job: &Job,
        lease: Lease,
        attempt: Attempt,
        reservation: slots::Reservation,
    ) -> Result<(), StoreError> {
        let control = Arc::new(Control::default());
        lock(&self.running).insert(job.index, control.clone());
        let terms = Terms { device: "cpu".to_owned(), threads: job.node.resources.threads };
        let (store, pool, events) = (self.store.clone(), self.pool.clone(), self.events.clone());
        let computation = Computation { job: job.clone(), store, pool, events, control, terms };
        let (events, running, index, log) = (self.events.clone(), self.running.clone(), job.index, attempt.log());
        let compute = move || {
            let end = catch_unwind(AssertUnwindSafe(|| computation.run(lease, &attempt)));
            let end =
                end.unwrap_or_else(|_| End::Failed { error: "pretext itself has a defect: see above".to_owned() });
            lock(&running).remove(&index);
            drop(reservation);
            // Nobody listens any more only when the process is ending.
            let _ = events.send(Event::Ended(index, end));
        };
        match std::thread::Builder::new().name(job.node.id.to_string()).spawn(compute) {
            Ok(_) => Ok(()),
            Err(source) => Err(StoreError::Io { doing: "start a thread for", path: log, source }),
        }
    }
}

impl Executor for Local {
    fn start(&mut self, job: &Job) -> Result<Start, StoreError> {
        let Some(reservation) = self.slots.reserve(&job.node.resources) else { return Ok(Start::NoRoom) };
        let Some(lease) = self.store.lease(&job.key)? else {
            return Ok(Start::HeldElsewhere { holder: self.store.lease_holder(&job.key) });
        };
        // Between the scheduler's look and the lease another process may have finished.
        if let Lookup::Found(result) = self.store.result(&job.key) {
            lease.clear()?;
            return Ok(Start::AlreadyThere(result));
        }
        self.store.note_try(&job.recipe, &job.node.id, job.key)?;
        let attempt = lease.begin()?;
        let started = Start::Running { attempt: attempt.number, resumed: attempt.resume.is_some() };
        self.begin(job, lease, attempt, reservation)?;
        Ok(started)
    }

    fn width(&self, threads: usize) -> usize {
        (self.slots.threads() / threads.max(1)).max(1)
    }

    fn stop(&mut self) {
        lock(&self.running).values().for_each(|control| control.stop());
    }

    fn kill(&mut self) {
        lock(&self.running).values().for_each(|control| control.kill());
    }
}

fn lock(running: &Mutex<Running>) -> MutexGuard<'_, Running> {
    running.lock().unwrap_or_else(PoisonError::into_inner)
}
