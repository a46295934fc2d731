//! Results by key.

use super::error::{IoContext, Result};
use super::files::{self, Durability, Renamed};
use super::{ArtifactState, Attempt, Lease, Provenance, StageResult, Store};
use crate::ids::Key;
use crate::plan::{Canonical, Lookup};
use pretext_protocol::Measurement;
use serde::{Deserialize, Serialize};
use std::path::PathBuf;
use std::sync::Arc;

/// What `result.json` holds. Two runs of the same key write the same bytes.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct ResultRecord {
    #[serde(flatten)]
    pub result: StageResult,
    /// What was computed, whose digest is the key.
    canonical: Canonical,
}

impl ResultRecord {
    /// Whether it stands under its own key.
    pub fn belongs_to(&self, key: &Key) -> bool {
        self.result.key == *key && self.canonical.key() == *key
    }
}

impl Store {
    /// Publishes what an attempt came to: result, provenance, side files and log appear in one step. A whole
    /// result that is there already stays, unless it is to be `replaced`; one that has lost an artifact does not.
    pub fn publish_result(
        &self,
        attempt: &Attempt,
        canonical: &Canonical,
        result: &StageResult,
        provenance: &Provenance,
        replaced: bool,
    ) -> Result<()> {
        let durability = Durability::worth(provenance.seconds);
        let place = self.result_folder(&result.key);
        let staging = attempt.result();
        let (canonical, result) = (canonical.clone(), result.clone());
        let (key, record) = (result.key, ResultRecord { result, canonical });
        files::write_json(&staging.join("result.json"), &record, durability)?;
        files::write_json(&staging.join("provenance.json"), provenance, durability)?;
        files::rename(&attempt.side(), &staging.join("side")).doing("rename", &attempt.side())?;
        if attempt.log().exists() {
            files::rename(&attempt.log(), &staging.join("log")).doing("rename", &attempt.log())?;
        }
        files::sync(&staging, durability).doing("save", &staging)?;
        if files::rename_folder(&staging, &place, durability)? == Renamed::Occupied {
            if !replaced && matches!(self.look_up(&key), Lookup::Found(_)) {
                return Ok(());
            }
            files::exchange(&staging, &place).doing("replace", &place)?;
            // The old one; it goes with the attempt if it cannot be removed now.
            let _ = files::remove_folder(&staging);
        }
        Ok(())
    }

    /// Removes a result, all at once. Its artifacts stay. The lease keeps others from publishing it meanwhile.
    pub(super) fn remove_result(&self, key: &Key, _lease: &Lease) -> Result<()> {
        files::remove_at_once(&self.result_folder(key))
    }

    /// What there is under a key, read from its files.
    pub fn look_up(&self, key: &Key) -> Lookup {
        match self.look_once(key) {
            // `gc` removes a result and then its artifacts: who read the one before sees the others missing.
            Lookup::Damaged(_) => self.look_once(key),
            found => found,
        }
    }

    fn look_once(&self, key: &Key) -> Lookup {
        match files::read_json::<ResultRecord>(&self.result_place(key)) {
            Ok(None) => Lookup::Missing,
            Err(error) => Lookup::Damaged(error.to_string()),
            Ok(Some(record)) => self.checked(key, record),
        }
    }

    /// What was computed under a key, if its result is there.
    pub fn canonical(&self, key: &Key) -> Option<Canonical> {
        let record = files::read_json::<ResultRecord>(&self.result_place(key)).ok()??;
        Some(record.canonical)
    }

    /// What was measured under a key, whether its artifacts are still there or not.
    pub(super) fn measurements(&self, key: &Key) -> Option<Vec<Measurement>> {
        let record = files::read_json::<ResultRecord>(&self.result_place(key)).ok()??;
        Some(record.result.measurements)
    }

    /// The folder with a result's `side/` and `log`.
    pub fn result_folder(&self, key: &Key) -> PathBuf {
        self.sharded("results", key)
    }

    /// How a result came about. None when it is not there or cannot be read: nothing depends on it.
    pub fn provenance(&self, key: &Key) -> Option<Provenance> {
        files::read_json(&self.provenance_place(key)).ok().flatten()
    }

    pub(super) fn provenance_place(&self, key: &Key) -> PathBuf {
        self.result_folder(key).join("provenance.json")
    }

    pub(super) fn result_place(&self, key: &Key) -> PathBuf {
        let mut place = self.result_folder(key);
        place.push("result.json");
        place
    }

    fn checked(&self, key: &Key, record: ResultRecord) -> Lookup {
        if !record.belongs_to(key) {
            return Lookup::Damaged(format!("the result's contents do not belong to the key {}", key.0.short()));
        }
        let result = record.result;
        let mut is_dropped = false;
        for (output, digest) in &result.artifacts {
            match self.artifact_state(digest) {
                ArtifactState::Whole => {}
                ArtifactState::Dropped => is_dropped = true,
                ArtifactState::Damaged(damage) => {
                    return Lookup::Damaged(format!("artifact `{output}` ({}) {damage}", digest.short()));
                }
            }
        }
        if is_dropped { Lookup::Dropped(Arc::new(result)) } else { Lookup::Found(Arc::new(result)) }
    }
}
