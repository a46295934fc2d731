//! What a running stage sees: where to read and write, and to whom to report.

use anyhow::{Context as _, Result, anyhow};
use burn::tensor::Device;
use pretext_protocol::{
    CHECKPOINT, CHECKPOINT_BEFORE, Cost, Measurement, Progress, Reply, Run, exchange, remove_folder,
};
use std::collections::BTreeMap;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Where replies go, one line each, from any thread.
pub trait Outbox: Sync {
    fn send(&self, reply: &Reply);
}

impl<W: Write + Send> Outbox for Mutex<W> {
    fn send(&self, reply: &Reply) {
        let mut line = serde_json::to_string(reply).expect("replies serialise");
        line.push('\n');
        let mut out = self.lock().unwrap_or_else(PoisonError::into_inner);
        // When `pretext` is gone there is nobody to tell; the read end of the worker ends it.
        let _ = out.write_all(line.as_bytes()).and_then(|()| out.flush());
    }
}

/// A stage ended because it was asked to, after saving a checkpoint.
#[derive(Debug)]
pub struct Stopped;

impl std::fmt::Display for Stopped {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("stopped on request; its state is saved")
    }
}

impl std::error::Error for Stopped {}

/// The request of a step that is kept, beside its checkpoint.
pub const REQUEST: &str = "request.json";

pub struct Context<'a> {
    request: &'a Run,
    outbox: &'a dyn Outbox,
    /// Whether `pretext` asked to stop.
    stopping: &'a (dyn Fn() -> bool + Sync),
    cost: Mutex<Cost>,
    pub device: Device,
    /// Whether a training shall run the step after its checkpoint, show it, and end with [`crate::train::Replayed`].
    pub replays: bool,
    /// Whether the stage is only to begin: it ends as if it had been asked to stop at the first moment at which that is looked at, and a
    /// training is over before its first step.
    pub rehearses: bool,
}

impl<'a> Context<'a> {
    pub fn new(request: &'a Run, outbox: &'a dyn Outbox, stopping: &'a (dyn Fn() -> bool + Sync)) -> Result<Self> {
        let device = crate::nn::device(&request.resources.device)?;
        Ok(Self { request, outbox, stopping, cost: Mutex::default(), device, replays: false, rehearses: false })
    }

    /// `cpu`, `cuda:0`
    pub fn device_name(&self) -> &str {
        &self.request.resources.device
    }

    /// The artifact on a port.
    pub fn input(&self, port: &str) -> Result<&Path> {
        self.optional_input(port).ok_or_else(|| anyhow!("port `{port}` of {} is not connected", self.request.kind))
    }

    pub fn optional_input(&self, port: &str) -> Option<&Path> {
        self.request.inputs.get(port).map(PathBuf::as_path)
    }

    /// The folder of an output, made here.
    pub fn output(&self, name: &str) -> Result<PathBuf> {
        let folder = self.request.out.join(name);
        std::fs::create_dir_all(&folder).with_context(|| format!("cannot create {}", folder.display()))?;
        Ok(folder)
    }

    /// Side files: pictures and curves, which count in no digest.
    pub fn side(&self) -> &Path {
        &self.request.side
    }

    pub fn cache(&self) -> &Path {
        &self.request.cache
    }

    /// The last whole checkpoint of an earlier attempt.
    pub fn saved_checkpoint(&self) -> Option<PathBuf> {
        self.request.resume.as_ref().map(|folder| folder.join(CHECKPOINT)).filter(|folder| folder.is_dir())
    }

    /// The newest whole checkpoint: this attempt's, or else the one that it went on from.
    pub fn last_checkpoint(&self) -> Option<PathBuf> {
        Some(self.request.scratch.join(CHECKPOINT)).filter(|folder| folder.is_dir()).or_else(|| self.saved_checkpoint())
    }

    /// A folder with all that it takes to run a step again: the checkpoint before it, which `write` puts into an empty
    /// folder, and this request. [`crate::worker::replay`] does it.
    pub fn keep_failed_step(&self, write: impl FnOnce(&Path) -> Result<()>) -> Result<PathBuf> {
        let folder = std::path::absolute(self.request.scratch.join("failed-step"))?;
        let checkpoint = folder.join(CHECKPOINT);
        std::fs::create_dir_all(&checkpoint).with_context(|| format!("cannot create {}", checkpoint.display()))?;
        write(&checkpoint)?;
        let mut request = self.request.clone();
        for input in request.inputs.values_mut() {
            *input = std::path::absolute(&*input)?;
        }
        crate::json::write(&folder.join(REQUEST), &request)?;
        Ok(folder)
    }

    /// Replaces this attempt's checkpoint by what `write` puts into an empty folder. There is a whole one at every
    /// moment: the new one and the old one change places in one step.
    pub fn save_checkpoint(&self, write: impl FnOnce(&Path) -> Result<()>) -> Result<()> {
        let (partial, whole) = (self.request.scratch.join("partial"), self.request.scratch.join(CHECKPOINT));
        let failed = || format!("cannot save a checkpoint in {}", self.request.scratch.display());
        remove_folder(&partial).with_context(failed)?;
        std::fs::create_dir_all(&partial).with_context(failed)?;
        write(&partial)?;
        if whole.exists() {
            let before = self.request.scratch.join(CHECKPOINT_BEFORE);
            exchange(&partial, &whole, &before, |from, to| std::fs::rename(from, to)).with_context(failed)?;
            remove_folder(&partial).with_context(failed)
        } else {
            std::fs::rename(&partial, &whole).with_context(failed)
        }
    }

    /// Whether `pretext` asked to stop. A stage that sees it saves a checkpoint and returns [`Stopped`].
    pub fn stopping(&self) -> bool {
        self.rehearses || (self.stopping)()
    }

    /// [`Stopped`] when asked to stop: for stages without a checkpoint, between two steps.
    pub fn check_stop(&self) -> Result<()> {
        if self.stopping() { Err(Stopped.into()) } else { Ok(()) }
    }

    /// A measurement of the result.
    pub fn measure(&self, name: &str, split: &str, value: f64) {
        let measurement = Measurement { name: name.into(), split: split.into(), value };
        self.outbox.send(&Reply::Measure { id: self.request.id, measurement });
    }

    /// What a person should know of the result: shown when the stage is done, and kept beside it. Counts nowhere.
    pub fn note(&self, text: &str) {
        self.outbox.send(&Reply::Note { id: self.request.id, text: text.into() });
    }

    pub fn cost(&self, change: impl FnOnce(&mut Cost)) {
        change(&mut self.cost.lock().unwrap_or_else(PoisonError::into_inner));
    }

    pub fn into_cost(self) -> Cost {
        self.cost.into_inner().unwrap_or_else(PoisonError::into_inner)
    }

    /// Reports how far a phase is, a few times a second at most.
    pub fn meter(&self, phase: &str, total: u64, unit: &str) -> Meter<'_> {
        Meter {
            context: self,
            progress: Progress {
                id: self.request.id,
                phase: phase.into(),
                total,
                unit: unit.into(),
                ..Progress::default()
            },
            window: (Instant::now(), 0),
            last_sent: None,
        }
    }
}

const REPORT_EVERY: Duration = Duration::from_millis(400);
const RATE_WINDOW: Duration = Duration::from_secs(5);

pub struct Meter<'a> {
    context: &'a Context<'a>,
    progress: Progress,
    /// Where the rate is measured from.
    window: (Instant, u64),
    last_sent: Option<Instant>,
}

impl Meter<'_> {
    /// Sets where a resumed phase starts, so that its rate does not count what was done before.
    pub fn start_at(mut self, done: u64) -> Self {
        self.window = (Instant::now(), done);
        self.progress.done = done;
        self
    }

    /// Whether the next [`Meter::at`] will be sent: figures that cost something to read are read only then.
    pub fn due(&self) -> bool {
        self.last_sent.is_none_or(|at| at.elapsed() >= REPORT_EVERY)
    }

    pub fn at(&mut self, done: u64, values: &[(&str, f64)]) {
        self.progress.done = done;
        if !self.due() {
            return;
        }
        let (since, from) = self.window;
        let seconds = since.elapsed().as_secs_f64();
        if seconds > 0.2 {
            self.progress.rate = Some((done.saturating_sub(from)) as f64 / seconds);
        }
        if since.elapsed() > RATE_WINDOW {
            self.window = (Instant::now(), done);
        }
        self.progress.values = values.iter().map(|&(name, value)| (name.to_owned(), value)).collect::<BTreeMap<_, _>>();
        self.last_sent = Some(Instant::now());
        self.context.outbox.send(&Reply::Progress(self.progress.clone()));
    }
}
