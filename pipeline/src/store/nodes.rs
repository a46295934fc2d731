//! What the nodes of recipes last led to: for `explain`, and to find a log by the name that people know.

use super::error::{IoContext, Result};
use super::{LastRun, Store, files};
use crate::ids::{Digest, Key, NodeId};
use crate::plan::Canonical;
use serde::{Deserialize, Serialize};
use std::fs;
use std::path::PathBuf;
use std::time::{SystemTime, UNIX_EPOCH};

/// A node of a recipe and where it stands.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct NodeRecord {
    pub recipe: String,
    pub node: NodeId,
    /// The key that was last computed or looked up under this name, whatever came of it.
    pub tried: Key,
    /// Seconds since 1970.
    pub tried_at: u64,
    /// The last result.
    pub last: Option<LastRun>,
}

impl Store {
    /// Remembers that a node is about to be computed.
    pub fn note_try(&self, recipe: &str, node: &NodeId, key: Key) -> Result<()> {
        let last = self.node_record(recipe, node).and_then(|record| record.last);
        self.write_node(&NodeRecord {
            recipe: recipe.to_owned(),
            node: node.clone(),
            tried: key,
            tried_at: now(),
            last,
        })
    }

    /// Remembers what a node led to.
    pub fn note_result(&self, recipe: &str, node: &NodeId, key: Key, canonical: &Canonical) -> Result<()> {
        let before = self.node_record(recipe, node).and_then(|record| record.last);
        if before.is_some_and(|last| last.key == key) {
            return Ok(());
        }
        let last = LastRun { key, canonical: canonical.clone(), at: now(), run: String::new() };
        let (recipe, node, tried) = (recipe.to_owned(), node.clone(), key);
        self.write_node(&NodeRecord { recipe, node, tried, tried_at: last.at, last: Some(last) })
    }

    /// Every node that was ever tried, the latest first.
    pub fn node_records(&self) -> Result<Vec<NodeRecord>> {
        let area = self.root.join("nodes");
        let mut records = Vec::new();
        if !area.exists() {
            return Ok(records);
        }
        for shard in fs::read_dir(&area).doing("list", &area)? {
            let shard = shard.doing("list", &area)?.path();
            for file in fs::read_dir(&shard).doing("list", &shard)? {
                let file = file.doing("list", &shard)?.path();
                if file.extension().is_some_and(|extension| extension == "json") {
                    records.extend(files::read_json::<NodeRecord>(&file)?);
                }
            }
        }
        records.sort_by(|one, other| other.tried_at.cmp(&one.tried_at).then_with(|| one.node.cmp(&other.node)));
        Ok(records)
    }

    /// None also when it cannot be read: then nobody can say what changed, and nothing else is lost.
    pub(super) fn node_record(&self, recipe: &str, node: &NodeId) -> Option<NodeRecord> {
        files::read_json(&self.node_place(recipe, node)).ok().flatten()
    }

    fn write_node(&self, record: &NodeRecord) -> Result<()> {
        files::write_json(&self.node_place(&record.recipe, &record.node), record)
    }

    /// By digest, since labels of axes may hold anything, `/` included.
    fn node_place(&self, recipe: &str, node: &NodeId) -> PathBuf {
        let name = Digest::of(format!("{recipe}\0{node}").as_bytes()).to_string();
        self.sharded("nodes", &name).with_extension("json")
    }
}

fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}
