use super::computation::{AllLeavings, Computation, Control};
use super::gpus::Gpu;
use super::pool::{Pool, Terms};
use super::slots::{self, Grant, Slots};
use super::worker::WorkerSpec;
use super::{End, Event, Executor, Job, Start};
use crate::plan::{Lookup, WorkerName};
use crate::store::{Attempt, Hold, Lease, Store, StoreError};
use crate::text;
use crossbeam_channel::Sender;
use petgraph::graph::NodeIndex;
use std::collections::{BTreeMap, HashMap};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;

/// How to compute on this machine.
#[derive(Debug, Clone)]
pub struct LocalSettings {
    pub workers: BTreeMap<WorkerName, WorkerSpec>,
    /// How many threads all stages together may use.
    pub threads: usize,
    /// The GPUs that stages may be given.
    pub gpus: Vec<Gpu>,
    /// Where the locks are by which all runs of the machine share its GPUs ([`GPU_LOCKS`]).
    pub gpu_locks: PathBuf,
}

/// The folder of the machine's locks of GPUs: one that all of its users have.
pub const GPU_LOCKS: &str = "/tmp";

/// Computes on this machine: each job has a thread here that talks to a worker.
pub struct Local {
    store: Store,
    events: Sender<Event>,
    slots: Arc<Slots>,
    pool: Arc<Pool>,
    running: Arc<Mutex<Running>>,
    leavings: Arc<AllLeavings>,
}

type Running = HashMap<NodeIndex, Arc<Control>>;

/// What a job has while it is computed.
struct Rights {
    lease: Lease,
    reservation: slots::Reservation,
    /// Its inputs stay where they are meanwhile.
    inputs: Hold,
}

impl Local {
    /// Its events go to `events`.
    pub fn new(settings: LocalSettings, store: Store, events: Sender<Event>) -> Self {
        let LocalSettings { workers, threads, gpus, gpu_locks } = settings;
        let slots = Slots::new(threads.max(1), slots::usable_memory(), gpus, gpu_locks);
        let pool = Arc::new(Pool::new(workers, slots.threads()));
        Self { store, events, slots, pool, running: Arc::default(), leavings: Arc::default() }
    }

    fn begin(&self, job: &Job, attempt: Attempt, rights: Rights) -> Result<(), StoreError> {
        let control = Arc::new(Control::default());
        lock(&self.running).insert(job.index, control.clone());
        let gpu = rights.reservation.gpus().first();
        let device = gpu.map_or("cpu".to_owned(), |gpu| format!("cuda:{}", gpu.number));
        let part = gpu.and_then(Gpu::part).map(str::to_owned);
        let terms = Terms { worker: job.node.worker.clone(), device, part, threads: job.node.resources.threads };
        let (store, pool, events) = (self.store.clone(), self.pool.clone(), self.events.clone());
        let leavings = self.leavings.clone();
        let computation = Computation { job: job.clone(), store, pool, events, control, terms, leavings };
        let (events, running, index, log) = (self.events.clone(), self.running.clone(), job.index, attempt.log());
        let compute = move || {
            let Rights { lease, reservation, inputs } = rights;
            let end = catch_unwind(AssertUnwindSafe(|| computation.run(lease, &attempt)));
            let end =
                end.unwrap_or_else(|_| End::Failed { error: "pretext itself has a defect: see above".to_owned() });
            lock(&running).remove(&index);
            drop((reservation, inputs));
            // Nobody listens any more only when the process is ending.
            let _ = events.send(Event::Ended(index, end));
        };
        match std::thread::Builder::new().name(job.node.id.to_string()).spawn(compute) {
            Ok(_) => Ok(()),
            Err(cause) => Err(StoreError::Io { doing: "start a thread for", path: log, cause }),
        }
    }
}

impl Drop for Local {
    /// Every job has ended, and the last one's thread may still hold this when the process does.
    fn drop(&mut self) {
        self.leavings.remove();
    }
}

impl Executor for Local {
    fn start(&mut self, job: &Job) -> Result<Start, StoreError> {
        let (node, recipe, since) = (&job.node.id, &job.recipe, text::rfc3339(SystemTime::now()));
        let holder = format!("process {} (for {node} of {recipe}, since {since})", std::process::id());
        let reservation = match self.slots.reserve(&job.node.resources, job.try_number, &holder) {
            Grant::Given(reservation) => reservation,
            Grant::NotNow => return Ok(Start::NoRoom),
            Grant::GpuHeld { gpu, holder } => return Ok(Start::GpuHeld { gpu, holder }),
            Grant::Never(why) => return Ok(Start::Impossible(why)),
        };
        let Some(lease) = self.store.lease(&job.key)? else {
            return Ok(Start::HeldElsewhere { holder: self.store.lease_holder(&job.key) });
        };
        // Between the scheduler's look and the lease another process may have finished.
        if !job.replaces
            && let Lookup::Found(result) = self.store.look_up(&job.key)
        {
            lease.clear()?;
            return Ok(Start::AlreadyThere(result));
        }
        let Some(inputs) = self.store.hold(job.inputs.values())? else { return Ok(Start::InputsGone) };
        let attempt = lease.begin()?;
        let started = Start::Running { attempt: attempt.number, resumed: attempt.resume().is_some() };
        self.begin(job, attempt, Rights { lease, reservation, inputs })?;
        Ok(started)
    }

    fn width(&self, threads: usize) -> usize {
        (self.slots.threads() / threads.max(1)).max(1)
    }

    fn time_out(&mut self, job: NodeIndex) {
        if let Some(control) = lock(&self.running).get(&job).cloned() {
            control.time_out();
        }
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
