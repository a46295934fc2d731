//! Artifacts by content, results by key, attempts in progress. All plain files, and whatever has its final name is
//! whole: it was written elsewhere in the store and renamed.
//!
//! ```text
//! format                    the version of this layout
//! artifacts/ab/DIGEST/      manifest.json and files/: what a stage yielded, named by its content
//! results/ab/KEY/           result.json, provenance.json, side/, log
//! attempts/KEY/             lease, locked by the process that computes KEY, and 1-.../, 2-.../: out/ side/ scratch/ resume/ log
//! runs/TIME-RECIPE/         run.json, nodes.jsonl, events.jsonl; alive, locked while it goes on, and status.json
//! index/RECIPE              what the files of a recipe's results said when they were last read; a cache
//! workers/DIGEST.json       catalogues, so that `plan` starts no worker
//! paths/DIGEST              what lay at a path that a recipe names; a cache
//! file-systems/HOST-DEVICE  what the file system cannot do that the store lies on, as that machine was told; a cache
//! cache/                    downloads
//! damaged/                  artifacts that were no longer what their name says
//! lock                      locked for the moment in which an artifact is taken from its place
//! ```

mod artifact;
mod attempt;
mod catalogues;
mod census;
mod error;
pub mod fault;
mod files;
mod gc;
mod gc_plan;
mod index;
mod leftovers;
mod links;
mod locks;
mod manifest;
mod paths;
mod place;
mod probe;
mod publish;
mod records;
mod remedy;
mod results;
mod run_records;
mod runs;
mod sighting;
#[cfg(test)]
mod tests;
mod uses;
mod verify;
mod view;

pub use artifact::{ArtifactState, Drop, Hold};
pub use attempt::{Attempt, Finished, Lease, Leavings};
pub use error::StoreError;
pub use files::Durability;
pub use gc::Collected;
pub use gc_plan::{GcPlan, GcWishes, Going};
pub use leftovers::{Leftover, LeftoverKind};
pub(crate) use locks::{Locked, open_to_lock};
pub use probe::Abilities;
pub use records::*;
pub use remedy::FREE_SPACE;
pub use run_records::*;
pub use runs::RunFolder;
pub use sighting::Sighting;
pub use uses::Use;
pub use verify::{Damage, Damaged, Reading, Verified};
pub use view::View;

use error::{IoContext, Result};
use std::fs;
use std::path::{Path, PathBuf};

/// The version of the layout above.
pub const FORMAT: u32 = 1;
/// What tells that a folder is a store, and of which version.
const FORMAT_FILE: &str = "format";
/// What stages have fetched.
const CACHE: &str = "cache";

/// A store. Cheap to clone; any number of processes may have the same one open.
#[derive(Debug, Clone)]
pub struct Store {
    root: PathBuf,
}

impl Store {
    /// Opens the store in `root`, which is created when it is not there.
    pub fn open(root: &Path) -> Result<Self> {
        let root = std::path::absolute(root).doing("find", root)?;
        files::create_folders(&root).doing("create", &root)?;
        let store = Self { root };
        store.check_format()?;
        Ok(store)
    }

    /// The store in `root`, to be looked at. Where there is none, one in which nothing is, and nothing is kept in it.
    pub fn open_if_there(root: &Path) -> Result<Self> {
        match Self::is_at(root) {
            true => Self::open(root),
            false => Ok(Self { root: std::path::absolute(root).doing("find", root)? }),
        }
    }

    /// Whether there is a store in a folder.
    pub fn is_at(root: &Path) -> bool {
        root.join(FORMAT_FILE).exists()
    }

    /// Where the store is: the folder that was asked for, or `PRETEXT_STORE`, or `.pretext` in the current folder.
    pub fn locate(asked_for: Option<&Path>) -> PathBuf {
        let from_environment =
            || std::env::var_os("PRETEXT_STORE").filter(|value| !value.is_empty()).map(PathBuf::from);
        asked_for.map(Path::to_owned).or_else(from_environment).unwrap_or_else(|| PathBuf::from(".pretext"))
    }

    /// The folder that holds it, as an absolute path.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// Where downloads are kept, shared by all runs.
    pub fn cache(&self) -> Result<PathBuf> {
        let cache = self.root.join(CACHE);
        files::create_folders(&cache).doing("create", &cache)?;
        Ok(cache)
    }

    /// An empty folder for what is needed for a moment.
    pub fn passing_folder(&self) -> Result<Leavings> {
        let folder = files::unique_beside(&self.root.join("attempts").join("passing"));
        files::create_folders(&folder).doing("create", &folder)?;
        Ok(Leavings::of(folder))
    }

    fn check_format(&self) -> Result<()> {
        let place = self.root.join(FORMAT_FILE);
        let Some(text) = files::read_if_there(&place)? else { return self.found_new(&place) };
        let text = String::from_utf8_lossy(&text);
        match text.trim().parse::<u32>() {
            Ok(FORMAT) => Ok(()),
            Ok(found) if found > FORMAT => Err(StoreError::Newer { root: self.root.clone(), found }),
            _ => Err(StoreError::UnknownFormat { place, found: text.trim().to_owned() }),
        }
    }

    /// Makes an empty folder a store, or one that holds a cache of downloads, and nothing else: `--store ~` must not scatter folders over
    /// someone's home.
    fn found_new(&self, place: &Path) -> Result<()> {
        for entry in fs::read_dir(&self.root).doing("list", &self.root)? {
            let name = entry.doing("list", &self.root)?.file_name();
            if name != FORMAT_FILE && name != CACHE && !name.to_string_lossy().starts_with(files::TEMPORARY) {
                return Err(StoreError::NotAStore { root: self.root.clone() });
            }
        }
        files::write_whole(place, format!("{FORMAT}\n").as_bytes(), Durability::Synced)
    }
}
