use super::INTERRUPTED;
use crate::ids::{Key, NodeId};
use crate::plan::Node;
use pretext_protocol::{Measurement, Progress};
use serde::{Deserialize, Serialize};

/// What happens in a run, as it is shown and written down.
#[derive(Debug, Clone, Serialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum Update<'a> {
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
    /// There is a result already. Told after [`Update::Planned`] only for what could not be known then.
    Reused {
        node: &'a NodeId,
        key: Key,
    },
    /// Another process computes it.
    HeldElsewhere {
        node: &'a NodeId,
        holder: &'a str,
    },
    Started {
        node: &'a NodeId,
        key: Key,
        attempt: u32,
        resumed: bool,
        /// What is wrong with the result that is there.
        damage: Option<&'a str>,
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
    },
    /// It was asked to stop and has.
    Stopped {
        node: &'a NodeId,
        saved: bool,
    },
    Failed {
        node: &'a NodeId,
        seconds: f64,
        error: &'a str,
    },
    /// It cannot run, since what it needs has failed.
    Skipped {
        node: &'a NodeId,
        needs: &'a NodeId,
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

/// What a run came to.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Summary {
    pub computed: usize,
    pub reused: usize,
    /// Each with its error.
    pub failed: Vec<(NodeId, String)>,
    pub skipped: usize,
    /// Stopped with their state saved.
    pub stopped: usize,
    /// Ended without saving it: they go on from the last checkpoint that they wrote.
    pub cut_short: usize,
    pub interrupted: bool,
    pub seconds: f64,
    /// What the reused results took when they were computed.
    pub saved_seconds: f64,
}

impl Summary {
    /// What the process ends with: 0 when every node has a result.
    pub fn exit_code(&self) -> u8 {
        match self {
            Self { interrupted: true, .. } => INTERRUPTED,
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
