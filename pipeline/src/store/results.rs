//! Results by key.

use super::error::{IoContext, Result};
use super::files::{self, Renamed};
use super::{Attempt, LastRun, Provenance, StageResult, Store};
use crate::ids::{Key, NodeId};
use crate::plan::{Canonical, Known, Lookup};
use serde::{Deserialize, Serialize};
use std::fs;
use std::path::PathBuf;
use std::sync::Arc;

/// What `result.json` holds. Two runs of the same key write the same bytes.
#[derive(Debug, Serialize, Deserialize)]
struct ResultRecord {
    #[serde(flatten)]
    result: StageResult,
    /// What was computed, whose digest is the key.
    canonical: Canonical,
}

impl Store {
    /// Publishes what an attempt came to: result, provenance, side files and log appear in one step. A whole
    /// result that is there already stays; one that has lost an artifact is replaced.
    pub fn publish_result(
        &self,
        attempt: &Attempt,
        canonical: &Canonical,
        result: &StageResult,
        provenance: &Provenance,
    ) -> Result<()> {
        let place = self.result_folder(&result.key);
        let staging = attempt.folder().join("result");
        let (canonical, result) = (canonical.clone(), result.clone());
        let (key, record) = (result.key, ResultRecord { result, canonical });
        files::write_json(&staging.join("result.json"), &record)?;
        files::write_json(&staging.join("provenance.json"), provenance)?;
        fs::rename(attempt.side(), staging.join("side")).doing("rename", &attempt.side())?;
        if attempt.log().exists() {
            fs::rename(attempt.log(), staging.join("log")).doing("rename", &attempt.log())?;
        }
        files::sync_folder(&staging)?;
        while files::rename_folder(&staging, &place)? == Renamed::Occupied {
            if let Lookup::Found(_) = self.result(&key) {
                return Ok(());
            }
            let replaced = attempt.folder().join("replaced");
            files::remove_folder(&replaced)?;
            fs::rename(&place, &replaced).doing("rename", &place)?;
        }
        Ok(())
    }

    /// The folder with a result's `side/` and `log`.
    pub fn result_folder(&self, key: &Key) -> PathBuf {
        self.sharded("results", &key.to_string())
    }

    /// How a result came about. None when it is not there or cannot be read: nothing depends on it.
    pub fn provenance(&self, key: &Key) -> Option<Provenance> {
        files::read_json(&self.result_folder(key).join("provenance.json")).ok().flatten()
    }

    fn check(&self, key: &Key, ResultRecord { result, canonical }: &ResultRecord) -> Option<String> {
        if result.key != *key || canonical.key() != *key {
            return Some(format!("the result's contents do not belong to the key {}", key.0.short()));
        }
        result.artifacts.iter().find_map(|(output, digest)| {
            let damage = self.artifact_damage(digest)?;
            Some(format!("artifact `{output}` ({}) {damage}", digest.short()))
        })
    }
}

impl Known for Store {
    fn result(&self, key: &Key) -> Lookup {
        match files::read_json::<ResultRecord>(&self.result_folder(key).join("result.json")) {
            Ok(None) => Lookup::Missing,
            Err(error) => Lookup::Damaged(error.to_string()),
            Ok(Some(record)) => match self.check(key, &record) {
                Some(damage) => Lookup::Damaged(damage),
                None => Lookup::Found(Arc::new(record.result)),
            },
        }
    }

    fn last(&self, recipe: &str, node: &NodeId) -> Option<LastRun> {
        self.node_record(recipe, node).and_then(|record| record.last)
    }
}
