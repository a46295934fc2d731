//! What is written down of a run, and of what became of each node in it.

use crate::ids::{Digest, Key, NodeId};
use crate::plan::Canonical;
use pretext_protocol::{Measurement, Progress};
use serde::{Deserialize, Serialize};

/// One run of a recipe: `run.json`, written when it begins and again when it ends.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RunRecord {
    /// The name of its folder: `2026-11-24T12-57-03Z-small-labels`.
    pub id: String,
    pub recipe: String,
    /// The recipe's file.
    pub path: String,
    pub recipe_digest: Digest,
    pub process: u32,
    pub host: String,
    /// Seconds since 1970.
    pub started: u64,
    /// None while it goes on, and where it was killed.
    pub finished: Option<u64>,
    pub summary: Option<Summary>,
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
    /// Their turn did not come: the run was interrupted, or ended after a failure, or was told to leave them out.
    pub not_run: usize,
    /// Not computed, since what `choose` picked needs others.
    #[serde(default)]
    pub spared: usize,
    pub interrupted: bool,
    /// By which signal.
    #[serde(default)]
    pub signal: Option<i32>,
    pub seconds: f64,
    /// The share of time in which the processor had work, ours or others', of all cores together.
    #[serde(default)]
    pub busy: Option<f64>,
    /// What the reused results took when they were computed.
    pub saved_seconds: f64,
}

/// A line of `nodes.jsonl`: a node began, or came to something.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct NodeLine {
    pub node: NodeId,
    pub event: NodeEvent,
    pub key: Option<Key>,
    /// What was computed, where it was in this run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub canonical: Option<Canonical>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NodeEvent {
    Started,
    Computed,
    Reused,
    Failed,
    Skipped,
}

impl std::fmt::Display for NodeEvent {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Started => "started",
            Self::Computed => "computed",
            Self::Reused => "reused",
            Self::Failed => "failed",
            Self::Skipped => "skipped",
        })
    }
}

/// What became of a node in a run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RunNode {
    pub node: NodeId,
    pub key: Option<Key>,
    /// `computed`, `reused`, `failed`, `skipped`, or `started` where the run ended before it did.
    pub outcome: NodeEvent,
    pub seconds: Option<f64>,
    pub measurements: Vec<Measurement>,
    pub canonical: Option<Canonical>,
    pub error: Option<String>,
}

/// Where a node last led, whatever came of it.
#[derive(Debug, Clone, PartialEq)]
pub struct LatestNode {
    pub recipe: String,
    pub run: String,
    pub node: NodeId,
    /// The key that was computed or looked up.
    pub key: Key,
}

/// How far a run is that goes on: `status.json`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct RunStatus {
    /// Seconds since 1970.
    pub at: u64,
    pub recipe: String,
    pub reused: usize,
    pub to_run: usize,
    pub ended: usize,
    pub remaining_seconds: Option<f64>,
    pub running: Vec<RunningStage>,
    pub failed: Vec<(NodeId, String)>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RunningStage {
    pub node: NodeId,
    /// Seconds since 1970.
    pub since: u64,
    pub progress: Option<Progress>,
}
