//! All that there is in a store, for those who look after it.

use super::error::Result;
use super::{StageResult, Store, files};
use crate::ids::{Digest, Key};
use rayon::prelude::*;
use std::collections::{HashMap, HashSet};
use std::fs::{self, Metadata};
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::time::UNIX_EPOCH;

/// Which artifacts the results mention.
#[derive(Debug, Default)]
pub(super) struct Mentions {
    results: HashMap<Key, Mention>,
}

/// A result's folder, and the artifacts that it mentions.
type Mention = (Seen, Vec<Digest>);
/// By what a folder is known again: another one of its name differs in it.
type Seen = (u64, i64, i64);

impl Store {
    /// The keys under which there is a result, in order.
    pub(super) fn all_results(&self) -> Result<Vec<Key>> {
        Ok(self.names_in("results")?.into_iter().map(Key).collect())
    }

    /// The artifacts that are there in some way, in order.
    pub(super) fn all_artifacts(&self) -> Result<Vec<Digest>> {
        self.names_in("artifacts")
    }

    fn names_in(&self, area: &str) -> Result<Vec<Digest>> {
        let shards = files::entries(&self.root.join(area))?;
        let listed: Result<Vec<_>> = shards.par_iter().map(|shard| files::entries_of_folder(shard)).collect();
        let name = |path: &Path| path.file_name()?.to_str()?.parse().ok();
        let mut names: Vec<Digest> = listed?.iter().flatten().filter_map(|path| name(path)).collect();
        names.sort();
        Ok(names)
    }
}

impl Mentions {
    /// Those of all results that are there now.
    pub fn of(store: &Store) -> Result<Self> {
        let mut mentions = Self::default();
        mentions.refresh(store)?;
        Ok(mentions)
    }

    /// Reads the results that have come or changed, and forgets those that are gone.
    pub fn refresh(&mut self, store: &Store) -> Result<()> {
        let look = |key: Key| -> Result<Option<(Key, Mention)>> {
            let Some(seen) = seen(&store.result_folder(&key)) else { return Ok(None) };
            match self.results.get(&key) {
                Some(known) if known.0 == seen => Ok(Some((key, known.clone()))),
                _ => Ok(Some((key, (seen, mentioned(store, &key)?)))),
            }
        };
        let keys = store.all_results()?;
        let results: Result<Vec<_>> = keys.into_par_iter().map(look).collect();
        self.results = results?.into_iter().flatten().collect();
        Ok(())
    }

    pub fn iter(&self) -> impl Iterator<Item = (&Key, &[Digest])> {
        self.results.iter().map(|(key, (_, artifacts))| (key, artifacts.as_slice()))
    }

    pub fn all(&self) -> HashSet<Digest> {
        self.iter().flat_map(|(_, artifacts)| artifacts).copied().collect()
    }
}

/// What a result mentions: nothing, where it cannot be understood, since it is then computed again. That it cannot be read
/// for another reason is an error: what it mentions must not go.
fn mentioned(store: &Store, key: &Key) -> Result<Vec<Digest>> {
    match files::read_json::<StageResult>(&store.result_place(key)) {
        Ok(result) => Ok(result.map_or(vec![], |result| result.artifacts.into_values().collect())),
        Err(super::StoreError::Malformed { .. }) => Ok(vec![]),
        Err(error) => Err(error),
    }
}

fn seen(folder: &Path) -> Option<Seen> {
    let metadata = fs::symlink_metadata(folder).ok()?;
    Some((metadata.ino(), metadata.ctime(), metadata.ctime_nsec()))
}

/// How much there is at a place, and when any of it was last changed.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(super) struct Extent {
    pub bytes: u64,
    /// Seconds since 1970.
    pub changed: u64,
}

impl Extent {
    /// Of a file, or of all that is in a folder. What cannot be looked at counts for nothing: this only informs.
    pub fn of(place: &Path) -> Self {
        let Ok(metadata) = fs::symlink_metadata(place) else { return Self::default() };
        let own = Self { bytes: if metadata.is_dir() { 0 } else { metadata.len() }, changed: seconds(&metadata) };
        let inner = if metadata.is_dir() { files::entries(place).unwrap_or_default() } else { vec![] };
        inner.iter().map(|path| Self::of(path)).fold(own, Self::and)
    }

    fn and(self, other: Self) -> Self {
        Self { bytes: self.bytes + other.bytes, changed: self.changed.max(other.changed) }
    }
}

fn seconds(metadata: &Metadata) -> u64 {
    let since = metadata.modified().ok().and_then(|time| time.duration_since(UNIX_EPOCH).ok());
    since.map_or(0, |since| since.as_secs())
}
