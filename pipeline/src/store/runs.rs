//! The record of every run: `runs/TIME/run.json`, `nodes.jsonl`, `alive`.

use super::error::{IoContext, Result, StoreError};
use super::{Store, files};
use crate::ids::{Digest, Key, NodeId};
use crate::plan::Canonical;
use crate::run::Summary;
use pretext_protocol::Measurement;
use serde::{Deserialize, Serialize};
use std::fs::{self, File, TryLockError};
use std::io::ErrorKind;
use std::path::PathBuf;

/// One run of a recipe, written when it starts and rewritten when it ends.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RunRecord {
    /// The folder's name: `2026-11-24T12-57-03Z`.
    pub id: String,
    pub recipe: String,
    /// The recipe's file, as it was given.
    pub path: String,
    pub recipe_digest: Digest,
    pub process: u32,
    pub host: String,
    /// Seconds since 1970.
    pub started: u64,
    pub finished: Option<u64>,
    pub summary: Option<Summary>,
}

/// What became of a node in a run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RunNode {
    pub node: NodeId,
    pub key: Option<Key>,
    /// `computed`, `reused`, `failed`, `skipped` or `not run`.
    pub outcome: String,
    pub seconds: Option<f64>,
    pub measurements: Vec<Measurement>,
    pub canonical: Option<Canonical>,
    pub error: Option<String>,
}

impl Store {
    /// Every run that has a record, oldest first.
    pub fn runs(&self) -> Result<Vec<RunRecord>> {
        let area = self.root().join("runs");
        let mut runs = Vec::new();
        let entries = match fs::read_dir(&area) {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(runs),
            entries => entries.doing("list", &area)?,
        };
        for entry in entries {
            let folder = entry.doing("list", &area)?.path();
            runs.extend(files::read_json::<RunRecord>(&folder.join("run.json"))?);
        }
        runs.sort_by(|one, other| (one.started, &one.id).cmp(&(other.started, &other.id)));
        Ok(runs)
    }

    /// The nodes of a run in the order of its graph; none of one that has not ended.
    pub fn run_nodes(&self, id: &str) -> Result<Vec<RunNode>> {
        let path = self.run_folder(id).join("nodes.jsonl");
        let bytes = files::read_if_there(&path)?.unwrap_or_default();
        let lines = bytes.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
        let node = |line| serde_json::from_slice(line).map_err(|source| (path.clone(), source));
        lines
            .map(node)
            .collect::<std::result::Result<_, _>>()
            .map_err(|(path, source)| StoreError::Malformed { path, source })
    }

    /// Whether the process of a run is still there.
    pub fn run_is_alive(&self, id: &str) -> bool {
        let file = File::open(self.run_folder(id).join("alive"));
        file.is_ok_and(|file| matches!(file.try_lock(), Err(TryLockError::WouldBlock)))
    }

    /// Where the record of a run is.
    pub fn run_folder(&self, id: &str) -> PathBuf {
        self.root().join("runs").join(id)
    }
}
