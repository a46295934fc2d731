use crate::ids::{Digest, Key};
use crate::plan::{Canonical, Node};
use crate::store::{Provenance, StageResult, StoreError};
use crossbeam_channel::{Receiver, Sender};
use petgraph::graph::NodeIndex;
use pretext_protocol::Progress;
use std::collections::BTreeMap;
use std::sync::Arc;

/// A node that is to be computed, with all that takes.
#[derive(Debug, Clone)]
pub struct Job {
    /// Its place in the graph, by which events name it.
    pub index: NodeIndex,
    pub node: Node,
    pub recipe: String,
    pub key: Key,
    pub canonical: Canonical,
    /// The artifact on each used port.
    pub inputs: BTreeMap<String, Digest>,
    /// Which try of this run it is, from 1: memory and time may grow with it.
    pub try_number: u32,
    /// Whether it is computed though there may be a whole result: the user wants it.
    pub replaces: bool,
}

/// What an executor answers to a job.
#[derive(Debug)]
pub enum Start {
    /// An [`Event::Ended`] will follow.
    Running {
        /// From 1, over all runs.
        attempt: u32,
        /// Whether it goes on from an earlier attempt's checkpoint.
        resumed: bool,
    },
    /// Not now: ask again when something has ended.
    NoRoom,
    /// Another run has a GPU that it wants: ask again soon.
    GpuHeld { gpu: String, holder: String },
    /// Someone else computes this key: ask again soon.
    HeldElsewhere { holder: String },
    /// Someone else has computed it meanwhile.
    AlreadyThere(Arc<StageResult>),
    /// The bytes of one of its inputs are gone.
    InputsGone,
    /// Never: what it wants and there is not.
    Impossible(String),
}

/// What the scheduler hears.
#[derive(Debug)]
pub enum Event {
    Progress(NodeIndex, Progress),
    Ended(NodeIndex, End),
    /// Somebody wants it to stop, by this signal.
    Interrupt(i32),
}

/// How a job ended.
#[derive(Debug)]
pub enum End {
    /// The result is published.
    Done {
        result: Arc<StageResult>,
        provenance: Box<Provenance>,
    },
    /// Ended because it was asked to; `saved` says whether it has written a checkpoint before.
    Stopped {
        saved: bool,
    },
    Failed {
        error: String,
    },
}

/// Where jobs are computed. It gets the channel for its events when it is made.
pub trait Executor {
    /// Takes a job, or says why not.
    fn start(&mut self, job: &Job) -> Result<Start, StoreError>;
    /// How many jobs of a kind it computes side by side, for estimates of time.
    fn width(&self, threads: usize) -> usize;
    /// Ends a job that takes too long. It saves its state if it can, and counts as failed.
    fn time_out(&mut self, job: NodeIndex);
    /// Asks all that runs to save its state and end.
    fn stop(&mut self);
    /// Ends all that runs.
    fn kill(&mut self);
}

/// The channel for events. It is bounded, so that a worker that reports without pause slows down and not fills memory.
pub fn channel() -> (Sender<Event>, Receiver<Event>) {
    crossbeam_channel::bounded(1024)
}
