use crate::ids::{Key, NodeId};
use crate::plan::{Canonical, Node};
use crate::store::Summary;
use pretext_protocol::{Measurement, Progress};
use serde::Serialize;

/// What happens in a run, as it is shown and written down.
#[derive(Debug, Clone, Serialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum Update<'a> {
    /// There was a result when the run began. Told before [`Update::Planned`], of each.
    Found {
        node: &'a NodeId,
        key: Key,
    },
    /// All that can be known before anything runs.
    Planned {
        recipe: &'a str,
        stages: usize,
        /// Each axis with the number of its labels.
        axes: Vec<(String, usize)>,
        reused: usize,
        to_run: usize,
        /// How long it will take, where earlier runs tell.
        estimate_seconds: Option<f64>,
    },
    /// There is a result, which could not be known when the run began.
    Reused {
        node: &'a NodeId,
        key: Key,
    },
    /// Another process computes it, or another node of this run with the same key.
    HeldElsewhere {
        node: &'a NodeId,
        holder: &'a str,
    },
    /// Another run has the GPU that it wants, and says of itself who it is.
    WaitsForGpu {
        node: &'a NodeId,
        /// `cuda:1`
        gpu: &'a str,
        holder: &'a str,
    },
    Started {
        node: &'a NodeId,
        key: Key,
        attempt: u32,
        resumed: bool,
        /// Why the result that is there will not do.
        again: Option<&'a str>,
    },
    Progress {
        node: &'a NodeId,
        #[serde(flatten)]
        progress: &'a Progress,
    },
    Done {
        #[serde(serialize_with = "node_id")]
        node: &'a Node,
        key: Key,
        /// All attempts that contributed together.
        seconds: f64,
        measurements: &'a [Measurement],
        notes: &'a [String],
        #[serde(skip)]
        canonical: &'a Canonical,
    },
    /// It was asked to stop and has.
    Stopped {
        node: &'a NodeId,
        saved: bool,
    },
    /// It has failed and is tried again.
    Retried {
        node: &'a NodeId,
        seconds: f64,
        error: &'a str,
        /// How many tries are left, the next one included.
        left: u32,
    },
    Failed {
        node: &'a NodeId,
        key: Option<Key>,
        seconds: f64,
        error: &'a str,
    },
    /// It cannot run, since what it needs has failed.
    Skipped {
        node: &'a NodeId,
        needs: &'a NodeId,
    },
    /// Nothing needs its bytes any more, and the recipe does not keep them.
    Dropped {
        node: &'a NodeId,
        bytes: u64,
    },
    Overall {
        ended: usize,
        to_run: usize,
        remaining_seconds: Option<f64>,
    },
    /// The user wants to stop; so many stages are asked to save their state.
    Stopping {
        running: usize,
    },
    Finished(&'a Summary),
}

impl Summary {
    /// What the process ends with: 0 when every node that was wanted has a result.
    pub fn exit_code(&self) -> u8 {
        match self {
            // As shells have it.
            Self { interrupted: true, signal, .. } => 128 + signal.unwrap_or(libc::SIGINT) as u8,
            Self { failed, .. } if !failed.is_empty() => 1,
            _ => 0,
        }
    }
}

/// Someone who is told what happens.
pub trait Observer {
    fn on(&mut self, update: &Update);
}

fn node_id<S: serde::Serializer>(node: &&Node, serializer: S) -> Result<S::Ok, S::Error> {
    node.id.serialize(serializer)
}
