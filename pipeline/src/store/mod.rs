//! Artifacts by content, results by key, attempts in progress. All plain files, and whatever has its final name is
//! whole: it was written elsewhere in the store and renamed.
//!
//! ```text
//! format                    the version of this layout
//! artifacts/ab/DIGEST/      manifest.json and files/: what a stage yielded, named by its content
//! results/ab/KEY/           result.json, provenance.json, side/, log
//! attempts/KEY/             lease, locked by the process that computes KEY, and 1/, 2/, ...: out/ side/ scratch/ log
//! nodes/ab/DIGEST.json      what a node of a recipe last led to
//! workers/DIGEST.json       catalogues, so that `plan` starts no worker
//! cache/                    downloads
//! damaged/                  artifacts that were no longer what their name says
//! runs/TIME/events.jsonl    what happened in a run
//! ```

mod artifact;
mod attempt;
mod catalogues;
mod error;
mod files;
mod nodes;
mod records;
mod results;
mod runs;
#[cfg(test)]
mod tests;

pub use attempt::{Attempt, Lease};
pub use error::StoreError;
pub use nodes::NodeRecord;
pub use records::*;
pub use runs::{RunNode, RunRecord};

use crate::text;
use error::{IoContext, Result};
use std::fs;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

/// The version of the layout above.
pub const FORMAT: u32 = 1;

/// A store. Cheap to clone; any number of processes may have the same one open.
#[derive(Debug, Clone)]
pub struct Store {
    root: PathBuf,
}

impl Store {
    /// Opens the store in `root`, which is created when it is not there.
    pub fn open(root: &Path) -> Result<Self> {
        let root = std::path::absolute(root).doing("find", root)?;
        fs::create_dir_all(&root).doing("create", &root)?;
        let store = Self { root };
        store.check_format()?;
        Ok(store)
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
        let cache = self.root.join("cache");
        fs::create_dir_all(&cache).doing("create", &cache)?;
        Ok(cache)
    }

    /// A new folder for the record of one run, named by the time.
    pub fn new_run_folder(&self) -> Result<PathBuf> {
        let runs = self.root.join("runs");
        fs::create_dir_all(&runs).doing("create", &runs)?;
        let time = text::rfc3339(SystemTime::now()).replace(':', "-");
        for further in 1.. {
            let folder = runs.join(if further == 1 { time.clone() } else { format!("{time}-{further}") });
            match fs::create_dir(&folder) {
                Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {}
                done => return done.doing("create", &folder).map(|()| folder),
            }
        }
        unreachable!("the numbers do not end")
    }

    fn check_format(&self) -> Result<()> {
        let place = self.root.join("format");
        let Some(text) = files::read_if_there(&place)? else { return self.found_new(&place) };
        let text = String::from_utf8_lossy(&text);
        match text.trim().parse::<u32>() {
            Ok(FORMAT) => Ok(()),
            Ok(found) if found > FORMAT => Err(StoreError::Newer { root: self.root.clone(), found }),
            _ => Err(StoreError::UnknownFormat { place, found: text.trim().to_owned() }),
        }
    }

    /// Makes an empty folder a store, and nothing else: `--store ~` must not scatter folders over someone's home.
    fn found_new(&self, place: &Path) -> Result<()> {
        for entry in fs::read_dir(&self.root).doing("list", &self.root)? {
            let name = entry.doing("list", &self.root)?.file_name();
            if name != "format" && !name.to_string_lossy().starts_with(files::TEMPORARY) {
                return Err(StoreError::NotAStore { root: self.root.clone() });
            }
        }
        files::write_whole(place, format!("{FORMAT}\n").as_bytes())
    }

    /// `root/AREA/ab/abcdef...`: two digits a level keep the folders short enough to list.
    fn sharded(&self, area: &str, name: &str) -> PathBuf {
        self.root.join(area).join(&name[..2]).join(name)
    }
}
