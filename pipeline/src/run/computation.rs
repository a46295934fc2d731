//! One job on a worker, from an empty folder to a published result.

use super::dialogue::Conclusion;
use super::pool::{Pool, Terms};
use super::process::Process;
use super::publish;
use super::watch::Watch;
use super::worker::{Failure, Worker};
use super::{End, Event, Job};
use crate::store::{
    Attempt, Durability, FREE_SPACE, Finished, Hold, Lease, Leavings, Machine, Provenance, StageResult, Store,
    StoreError,
};
use crate::text;
use anyhow::Result;
use crossbeam_channel::Sender;
use pretext_protocol::{CHECKPOINT, Measurement, Request, Resources, Run};
use std::fs::File;
use std::io::{Read, Seek, SeekFrom, Write};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant, SystemTime};

/// How long a stage may take to save its state when its time is over.
const GRACE: Duration = Duration::from_secs(10);

/// All that it takes to compute one job.
pub(super) struct Computation {
    pub(super) job: Job,
    pub(super) store: Store,
    pub(super) pool: Arc<Pool>,
    pub(super) events: Sender<Event>,
    pub(super) control: Arc<Control>,
    pub(super) terms: Terms,
    pub(super) leavings: Arc<AllLeavings>,
}

/// What quick stages have left, to be removed at the end of the run, or when it has become much.
#[derive(Debug, Default)]
pub(super) struct AllLeavings(Mutex<Vec<Leavings>>);

const MUCH: usize = 10_000;

impl AllLeavings {
    fn add(&self, leavings: Result<Leavings, StoreError>) {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.extend(leavings);
        let removed = if all.len() >= MUCH { std::mem::take(&mut *all) } else { vec![] };
        drop(all);
        drop(removed);
    }

    /// Removes what there is.
    pub(super) fn remove(&self) {
        let all = std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner));
        drop(all);
    }
}

/// What a computation came to before it is told to anyone.
#[allow(clippy::large_enum_variant, reason = "one is made for each stage that ends")]
enum Computed {
    Done(StageResult, Provenance),
    Stopped,
}

impl Computation {
    /// Computes, publishes, and gives the key back. A failed attempt keeps its folder: log and checkpoints.
    pub(super) fn run(&self, lease: Lease, attempt: &Attempt) -> End {
        let outcome = self.compute(attempt);
        match outcome {
            Ok(Computed::Done(result, provenance)) => {
                self.clear(lease, provenance.seconds);
                End::Done { result: Arc::new(result), provenance: Box::new(provenance) }
            }
            // That it was ended for the time it took comes before how it ended.
            _ if self.control.is_timed_out() => self.timed_out(attempt),
            Ok(Computed::Stopped) => End::Stopped { saved: attempt.scratch().join(CHECKPOINT).is_dir() },
            // A stage that was told to stop and ended in another way will show next time whether it is at fault.
            Err(_) if self.control.is_stopping() => End::Stopped { saved: false },
            Err(error) => {
                let is_reported = matches!(error.downcast_ref(), Some(Failure::Reported(_)));
                let error = with_advice(format!("{error:#}"));
                // The last words of a worker that is gone are in the log already.
                note_in_log(attempt, if is_reported { &error } else { text::first_line(&error) });
                End::Failed { error }
            }
        }
    }

    /// The result stands; that its attempts are still there costs space and nothing else. Where stages are quick there is
    /// little of it, and it is removed when the run ends: some file systems slow down where files come and go.
    fn clear(&self, lease: Lease, seconds: f64) {
        match Durability::worth(seconds) {
            Durability::Synced => drop(lease.clear()),
            Durability::Quick => self.leavings.add(lease.set_aside()),
        }
    }

    fn timed_out(&self, attempt: &Attempt) -> End {
        let limit = text::duration(self.job.node.policy.timeout.unwrap_or_default().as_secs_f64());
        let saved = if attempt.scratch().join(CHECKPOINT).is_dir() {
            "; it saved its state, from which the next attempt goes on"
        } else {
            ""
        };
        let error = format!("it took longer than its `timeout` of {limit} and was ended{saved}");
        note_in_log(attempt, &error);
        End::Failed { error }
    }

    fn compute(&self, attempt: &Attempt) -> Result<Computed> {
        let watch = Watch::begin(&self.job, &self.store)?;
        let finished = match attempt.finished() {
            // An earlier attempt did all but publish, and nothing else is wanted.
            Some(finished) if !self.job.replaces && publish::outputs(&self.job.node.kind, attempt).is_ok() => finished,
            _ => match self.work(attempt)? {
                Some(finished) => finished,
                None => return Ok(Computed::Stopped),
            },
        };
        watch.end(&self.store)?;
        self.keep_unless_publishable(attempt, &finished)?;
        self.publish(attempt, finished)
    }

    /// What keeps outputs from being published may be something that a person can mend: before any of them is moved, they are
    /// looked at, and kept where they are with what the worker said.
    fn keep_unless_publishable(&self, attempt: &Attempt, finished: &Finished) -> Result<()> {
        let outputs = publish::outputs(&self.job.node.kind, attempt)?;
        let check = outputs.iter().try_for_each(|(_, folder)| self.store.check_publishable(folder));
        let Err(error) = check else { return Ok(()) };
        attempt.keep_finished(finished)?;
        let (out, node) = (attempt.out(), &self.job.node.id);
        Err(anyhow::Error::from(error).context(format!(
            "it is done and cannot be published; its outputs are kept in {}: mend what is said here and run the same command \
             again, which publishes them (`--force '{node}'` computes them anew)",
            out.display()
        )))
    }

    /// Has a worker compute the stage. None where it was stopped.
    fn work(&self, attempt: &Attempt) -> Result<Option<Finished>> {
        let started = Instant::now();
        attempt.discard_finished()?;
        let log = attempt.create_log()?;
        let request = self.request(attempt)?;
        let mut worker = self.pool.take(&self.terms, &self.job.node)?;
        if !self.control.attach(worker.process()) {
            return Ok(None);
        }
        let index = self.job.index;
        // Nobody listens any more only when the process is ending.
        let report = |progress| drop(self.events.send(Event::Progress(index, progress)));
        let conclusion = worker.run(request, log, report);
        let worker_version = worker.version().to_owned();
        self.put_back(worker, &conclusion);
        match conclusion? {
            Conclusion::Stopped => Ok(None),
            Conclusion::Done { measurements, notes, cost } => {
                let seconds = started.elapsed().as_secs_f64() + cost.seconds_before_resume;
                Ok(Some(Finished { measurements, notes, cost, seconds, worker_version }))
            }
        }
    }

    fn publish(&self, attempt: &Attempt, finished: Finished) -> Result<Computed> {
        let durability = Durability::worth(finished.seconds);
        let (result, _held) = self.publishable(attempt, finished.measurements.clone(), durability)?;
        let provenance = self.provenance(attempt, finished);
        self.store.publish_result(attempt, &self.job.canonical, &result, &provenance, self.job.replaces)?;
        Ok(Computed::Done(result, provenance))
    }

    /// A worker that has failed in any way but an orderly one is ended, and so is one that was told to stop.
    fn put_back(&self, worker: Worker, conclusion: &Result<Conclusion, Failure>) {
        let fit = matches!(conclusion, Ok(Conclusion::Done { .. }) | Err(Failure::Reported(_)));
        if self.control.detach() && fit {
            self.pool.put_back(self.terms.clone(), worker);
        }
    }

    fn request(&self, attempt: &Attempt) -> Result<Run> {
        Ok(Run {
            id: self.job.index.index() as u64,
            kind: self.job.node.kind.name.clone(),
            params: self.job.node.params.to_map(),
            inputs: self.job.inputs.iter().map(|(port, digest)| (port.clone(), self.store.artifact(digest))).collect(),
            out: attempt.out(),
            side: attempt.side(),
            scratch: attempt.scratch(),
            resume: attempt.resume(),
            cache: self.store.cache()?,
            resources: Resources { threads: self.terms.threads, device: self.terms.device_of_worker().to_owned() },
        })
    }

    fn publishable(
        &self,
        attempt: &Attempt,
        measurements: Vec<Measurement>,
        durability: Durability,
    ) -> Result<(StageResult, Vec<Hold>)> {
        let kind = &self.job.node.kind;
        let outputs = publish::outputs(kind, attempt)?;
        let measurements = publish::checked_measurements(kind, measurements)?;
        let (artifacts, holds) = publish::artifacts(&self.store, outputs, durability)?;
        Ok((StageResult { key: self.job.key, artifacts, measurements }, holds))
    }

    fn provenance(&self, attempt: &Attempt, finished: Finished) -> Provenance {
        let Finished { notes, cost, seconds, worker_version, .. } = finished;
        Provenance {
            node: self.job.node.id.clone(),
            recipe: self.job.recipe.clone(),
            pretext_version: crate::BUILD.to_owned(),
            worker_version,
            finished: text::rfc3339(SystemTime::now()),
            seconds,
            attempts: attempt.number,
            images_per_second: cost.images_per_second,
            data_wait_share: cost.data_wait_share,
            peak_bytes: cost.peak_bytes,
            peak_rss_bytes: cost.peak_rss_bytes,
            threads: self.terms.threads,
            device: self.terms.device.clone(),
            machine: Machine::this().clone(),
            notes,
        }
    }
}

/// A worker that finds the disk full says so in its own words, and not what to do.
fn with_advice(error: String) -> String {
    let is_told = !tells_of_full_disk(&error) || error.contains(FREE_SPACE);
    if is_told { error } else { format!("{error}\n{FREE_SPACE}") }
}

pub(super) fn tells_of_full_disk(error: &str) -> bool {
    error.contains("No space left on device")
}

/// So that `pretext logs` tells the whole story. That it cannot be written is not worth a second error.
fn note_in_log(attempt: &Attempt, error: &str) {
    if let Ok(mut log) = File::options().append(true).read(true).open(attempt.log()) {
        let mut last = [0];
        let is_in_line = log.seek(SeekFrom::End(-1)).and_then(|_| log.read_exact(&mut last)).is_ok() && last != *b"\n";
        let start = if is_in_line { "\n" } else { "" };
        let _ = writeln!(log, "{start}pretext: {error}");
    }
}

/// The scheduler's hold on a running computation.
#[derive(Debug, Default)]
pub(super) struct Control {
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    stopping: bool,
    timed_out: bool,
    process: Option<Arc<Process>>,
}

impl Control {
    /// Asks the stage to save its state and end.
    pub(super) fn stop(&self) {
        let mut state = self.lock();
        state.stopping = true;
        if let Some(process) = &state.process {
            // A worker that is gone already needs no request.
            let _ = process.send(&Request::Stop);
        }
    }

    /// Asks the stage to save its state, and ends its worker a little later if it is still there then.
    pub(super) fn time_out(self: &Arc<Self>) {
        self.lock().timed_out = true;
        self.stop();
        let control = self.clone();
        let end_it = move || {
            std::thread::sleep(GRACE);
            control.kill();
        };
        // Without a thread to wait it is ended at once.
        if std::thread::Builder::new().name("time-out".into()).spawn(end_it).is_err() {
            self.kill();
        }
    }

    /// Ends the stage's worker.
    pub(super) fn kill(&self) {
        let mut state = self.lock();
        state.stopping = true;
        if let Some(process) = &state.process {
            process.kill();
        }
    }

    fn is_timed_out(&self) -> bool {
        self.lock().timed_out
    }

    fn is_stopping(&self) -> bool {
        self.lock().stopping
    }

    /// False when the stage was asked to stop before it had a worker.
    fn attach(&self, process: &Arc<Process>) -> bool {
        let mut state = self.lock();
        state.process = Some(process.clone());
        !state.stopping
    }

    /// False when the worker was told to stop meanwhile.
    fn detach(&self) -> bool {
        let mut state = self.lock();
        state.process = None;
        !state.stopping
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
