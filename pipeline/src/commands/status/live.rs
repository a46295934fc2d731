use crate::ids::NodeId;
use crate::store::Store;
use pretext_protocol::Progress;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fs;

/// `runs/TIME/status.json`: how far a run is, as its own process last wrote it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Live {
    /// Seconds since 1970.
    pub at: f64,
    pub recipe: String,
    pub to_run: usize,
    pub ended: usize,
    pub remaining_seconds: Option<f64>,
    #[serde(default)]
    pub running: Vec<Running>,
    #[serde(default)]
    pub failed: Vec<Failed>,
}

/// A stage that runs.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default)]
#[derive(Default)]
pub(super) struct Running {
    pub node: String,
    /// Seconds since 1970.
    pub since: f64,
    pub phase: String,
    pub done: u64,
    pub total: u64,
    pub unit: String,
    pub rate: Option<f64>,
    pub values: BTreeMap<String, f64>,
}

/// A stage that has failed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Failed {
    pub node: NodeId,
    pub error: String,
}

impl Live {
    /// None where nothing was written yet.
    pub fn read(store: &Store, run: &str) -> Option<Self> {
        serde_json::from_slice(&fs::read(store.run_folder(run).join("status.json")).ok()?).ok()
    }
}

impl Running {
    pub fn progress(&self) -> Progress {
        let Self { phase, done, total, unit, rate, values, .. } = self.clone();
        Progress { id: 0, phase, done, total, unit, rate, values }
    }
}
