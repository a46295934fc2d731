//! What the plain files of a recipe's results said when they were last read, so that a plan of 100,000 stages opens none of
//! them: a glance at sizes and times tells that they are still the same. Only a cache: whoever removes it loses a moment.

use super::error::Result;
use super::files::{self, Durability};
use super::manifest::modified_ns;
use super::{StageResult, Store};
use crate::ids::{Digest, Key};
use crate::plan::Lookup;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::collections::HashMap;
use std::fs::{self, Metadata};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Raised when the layout of the file changes. An index of another version is not read.
const VERSION: u32 = 2;
/// More than this is only kept for what was looked up last.
const MOST_UNSEEN: usize = 200_000;

#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Entry {
    #[serde(serialize_with = "write_shared", deserialize_with = "read_shared")]
    result: Arc<StageResult>,
    /// What it took to compute.
    seconds: f64,
    /// Of the result's own file. One that takes its place has another inode, though it may be as old and as large.
    stamp: Stamp,
    inode: u64,
    artifacts: Vec<(Digest, Contents)>,
}

/// An artifact's manifest, its folder of files, and all that is in it, by their paths from the artifact's place.
type Contents = Vec<(String, Stamp)>;

/// What a file or a folder looks like from outside. A folder's time changes when something comes into it or leaves it.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
struct Stamp {
    /// 0 for a folder, whose size means nothing.
    size: u64,
    modified_ns: u64,
}

#[derive(Debug, Default)]
pub(super) struct Index {
    entries: HashMap<Key, Entry>,
    /// What was read from plain files since the index was.
    fresh: Mutex<Vec<Entry>>,
}

impl Index {
    pub fn read(store: &Store, recipe: &str) -> Self {
        let bytes = fs::read(place(store, recipe)).unwrap_or_default();
        let entries = match rmp_serde::from_slice::<(u32, Vec<Entry>)>(&bytes) {
            Ok((VERSION, entries)) => entries,
            _ => vec![],
        };
        let entries = entries.into_iter().map(|entry| (entry.result.key, entry)).collect();
        Self { entries, fresh: Mutex::default() }
    }

    /// What there is under a key, with the seconds that it took.
    pub fn look_up(&self, store: &Store, key: &Key) -> (Lookup, Option<f64>) {
        if let Some(entry) = self.entries.get(key).filter(|entry| entry.still_holds(store)) {
            return (Lookup::Found(entry.result.clone()), Some(entry.seconds));
        }
        // Before it is read: if it is replaced meanwhile, the entry will not hold.
        let seen = of_result(store, key);
        let found = store.look_up(key);
        let seconds = match &found {
            Lookup::Found(result) | Lookup::Dropped(result) => store.provenance(&result.key).map(|p| p.seconds),
            Lookup::Missing | Lookup::Damaged(_) => None,
        };
        if let Lookup::Found(result) = &found
            && let Some(entry) = seen.and_then(|seen| Entry::of(store, result, seen, seconds.unwrap_or_default()))
        {
            self.fresh().push(entry);
        }
        (found, seconds)
    }

    /// Writes it, if there is something new.
    pub fn save(&self, store: &Store, recipe: &str) -> Result<()> {
        let fresh = std::mem::take(&mut *self.fresh());
        if fresh.is_empty() {
            return Ok(());
        }
        let known = if self.entries.len() > MOST_UNSEEN { None } else { Some(&self.entries) };
        let all: HashMap<Key, &Entry> =
            known.into_iter().flat_map(HashMap::values).chain(&fresh).map(|entry| (entry.result.key, entry)).collect();
        let entries: Vec<&Entry> = all.into_values().collect();
        let bytes = rmp_serde::to_vec(&(VERSION, entries)).expect("records are plain data");
        files::write_whole(&place(store, recipe), &bytes, Durability::Quick)
    }

    fn fresh(&self) -> MutexGuard<'_, Vec<Entry>> {
        self.fresh.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn place(store: &Store, recipe: &str) -> PathBuf {
    store.root.join("index").join(recipe)
}

impl Entry {
    /// None where a file goes away while it is looked at.
    fn of(store: &Store, result: &Arc<StageResult>, (stamp, inode): (Stamp, u64), seconds: f64) -> Option<Self> {
        let contents = |digest: &Digest| {
            let place = store.artifact_place(digest);
            let mut paths = vec![place.join("manifest.json")];
            walk(place.join("files"), &mut paths)?;
            let relative = |path: &Path| Some(path.strip_prefix(&place).ok()?.to_str()?.to_owned());
            let stamped = paths.iter().map(|path| Some((relative(path)?, Stamp::of(path)?)));
            Some((*digest, stamped.collect::<Option<Contents>>()?))
        };
        let artifacts = result.artifacts.values().map(contents).collect::<Option<_>>()?;
        Some(Self { result: result.clone(), seconds, stamp, inode, artifacts })
    }

    fn still_holds(&self, store: &Store) -> bool {
        let holds = |(digest, contents): &(Digest, Contents)| {
            let place = store.artifact_place(digest);
            contents.iter().all(|(path, stamp)| Stamp::of(&place.join(path)).as_ref() == Some(stamp))
        };
        of_result(store, &self.result.key) == Some((self.stamp, self.inode)) && self.artifacts.iter().all(holds)
    }
}

fn of_result(store: &Store, key: &Key) -> Option<(Stamp, u64)> {
    let metadata = fs::symlink_metadata(store.result_place(key)).ok()?;
    Some((Stamp::from(&metadata), metadata.ino()))
}

impl Stamp {
    fn of(path: &Path) -> Option<Self> {
        fs::symlink_metadata(path).ok().map(|metadata| Self::from(&metadata))
    }
}

impl From<&Metadata> for Stamp {
    fn from(metadata: &Metadata) -> Self {
        let size = if metadata.is_dir() { 0 } else { metadata.len() };
        Self { size, modified_ns: modified_ns(metadata) }
    }
}

fn write_shared<S: Serializer>(result: &Arc<StageResult>, serializer: S) -> std::result::Result<S::Ok, S::Error> {
    (**result).serialize(serializer)
}

fn read_shared<'de, D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Arc<StageResult>, D::Error> {
    StageResult::deserialize(deserializer).map(Arc::new)
}

/// A folder, and all that is in it.
fn walk(folder: PathBuf, found: &mut Vec<PathBuf>) -> Option<()> {
    for entry in fs::read_dir(&folder).ok()? {
        let entry = entry.ok()?;
        match entry.file_type().ok()?.is_dir() {
            true => walk(entry.path(), found)?,
            false => found.push(entry.path()),
        }
    }
    found.push(folder);
    Some(())
}
