//! Results by key.

use super::error::{IoContext, Result};
use super::files::{self, Renamed};
use super::{Attempt, LastRun, Provenance, StageResult, Store};
use crate::ids::{Key, NodeId};
use crate::plan::{Known, Lookup};
use std::fs;
use std::path::PathBuf;
use std::sync::Arc;

impl Store {
    /// Publishes what an attempt came to: result, provenance, side files and log appear in one step. A whole
    /// result that is there already stays; one that has lost an artifact is replaced.
    pub fn publish_result(&self, attempt: &Attempt, result: &StageResult, provenance: &Provenance) -> Result<()> {
        let place = self.result_folder(&result.key);
        let staging = attempt.folder().join("result");
        files::write_json(&staging.join("result.json"), result)?;
        files::write_json(&staging.join("provenance.json"), provenance)?;
        fs::rename(attempt.side(), staging.join("side")).doing("rename", &attempt.side())?;
        if attempt.log().exists() {
            fs::rename(attempt.log(), staging.join("log")).doing("rename", &attempt.log())?;
        }
        files::sync_folder(&staging)?;
        while files::rename_folder(&staging, &place)? == Renamed::Occupied {
            if let Lookup::Found(_) = self.result(&result.key) {
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

    fn check(&self, key: &Key, result: &StageResult) -> Option<String> {
        if result.key != *key || result.canonical.key() != *key {
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
        match files::read_json::<StageResult>(&self.result_folder(key).join("result.json")) {
            Ok(None) => Lookup::Missing,
            Err(error) => Lookup::Damaged(error.to_string()),
            Ok(Some(result)) => match self.check(key, &result) {
                Some(damage) => Lookup::Damaged(damage),
                None => Lookup::Found(Arc::new(result)),
            },
        }
    }

    fn last(&self, recipe: &str, node: &NodeId) -> Option<LastRun> {
        self.node_record(recipe, node).and_then(|record| record.last)
    }
}
