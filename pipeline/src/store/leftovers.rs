//! What processes have left that ended before they could clear up.

use super::attempt::{Attempt, earlier_attempts, newest_checkpoint};
use super::census::Extent;
use super::error::Result;
use super::locks::is_locked;
use super::runs::name_of;
use super::{Store, files};
use crate::ids::Key;
use crate::text::now;
use std::path::{Path, PathBuf};

/// How long something must have lain still whose writer cannot be asked: it may be of another machine.
const STILL: u64 = 24 * 3600;

/// Something that no result needs.
#[derive(Debug, Clone, PartialEq)]
pub struct Leftover {
    pub path: PathBuf,
    pub what: LeftoverKind,
    pub bytes: u64,
    /// Seconds since 1970.
    pub changed: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum LeftoverKind {
    /// Half written or half removed, under a name that nobody looks for.
    Partial,
    /// Attempts at a key that nobody computes, from which nothing can be resumed.
    Attempt(Key),
    /// Attempts at a key that nobody computes, with a checkpoint from which the next one goes on.
    Checkpoint(Key),
    /// A download that was broken off.
    Download,
    /// An artifact or a result that was moved out of the way.
    Damaged,
}

impl Store {
    /// Everything of the kind, save what a process is at work on.
    pub fn leftovers(&self) -> Result<Vec<Leftover>> {
        let mut found = self.partials()?;
        found.extend(self.dead_attempts()?);
        found.extend(self.broken_downloads()?);
        let damaged = files::entries(&self.root.join("damaged"))?;
        found.extend(damaged.into_iter().map(|path| Leftover::at(path, LeftoverKind::Damaged)));
        Ok(found)
    }

    fn partials(&self) -> Result<Vec<Leftover>> {
        let mut folders = vec![self.root.clone()];
        folders.extend(["attempts", "index", "workers", "paths", "damaged"].map(|area| self.root.join(area)));
        for area in ["artifacts", "results", "runs"] {
            folders.push(self.root.join(area));
            folders.extend(files::entries(&self.root.join(area))?);
        }
        let mut found = Vec::new();
        for folder in folders {
            let partials = files::entries_of_folder(&folder)?.into_iter().filter(|path| is_stale_partial(path));
            found.extend(partials.map(|path| Leftover::at(path, LeftoverKind::Partial)));
        }
        Ok(found)
    }

    fn dead_attempts(&self) -> Result<Vec<Leftover>> {
        let mut found = Vec::new();
        for folder in files::entries(&self.root.join("attempts"))? {
            let Ok(digest) = name_of(&folder).parse() else { continue };
            // Somebody computes the key, in this process or another.
            if is_locked(&folder.join("lease")) {
                continue;
            }
            let key = Key(digest);
            let what = if self.is_resumable(&key)? { LeftoverKind::Checkpoint } else { LeftoverKind::Attempt };
            found.push(Leftover::at(folder, what(key)));
        }
        Ok(found)
    }

    /// Whether the next attempt at a key would go on from a checkpoint.
    pub(super) fn is_resumable(&self, key: &Key) -> Result<bool> {
        let attempts = earlier_attempts(&self.attempts_of(key))?;
        let is_over = attempts.last().is_some_and(Attempt::has_published);
        Ok(!is_over && newest_checkpoint(&attempts).is_some())
    }

    /// `fetch-PID`, in the cache or in a folder of it.
    fn broken_downloads(&self) -> Result<Vec<Leftover>> {
        let cache = self.root.join("cache");
        let mut found = Vec::new();
        for folder in files::entries(&cache)?.into_iter().chain([cache]) {
            let process = |path: &Path| name_of(path).strip_prefix("fetch-")?.parse::<u32>().ok();
            let downloads = files::entries_of_folder(&folder)?.into_iter();
            let downloads =
                downloads.filter(|path| process(path).is_some_and(|process| is_abandoned(path, process, None)));
            found.extend(downloads.map(|path| Leftover::at(path, LeftoverKind::Download)));
        }
        Ok(found)
    }
}

impl Leftover {
    fn at(path: PathBuf, what: LeftoverKind) -> Self {
        let Extent { bytes, changed } = Extent::of(&path);
        Self { path, what, bytes, changed }
    }

    /// Whether it is of use to nobody, whatever its age.
    pub fn is_waste(&self) -> bool {
        !matches!(self.what, LeftoverKind::Checkpoint(_))
    }
}

/// `.partial-HOST-PROCESS-...` of a process that is no more.
fn is_stale_partial(path: &Path) -> bool {
    let name = name_of(path);
    let Some(rest) = name.strip_prefix(files::TEMPORARY) else { return false };
    let mut parts = rest.split('-');
    let (host, process) = (parts.next(), parts.next().and_then(|process| process.parse().ok()));
    process.is_none_or(|process| is_abandoned(path, process, host))
}

/// Whether the process that wrote something is no more. One of another machine, or of nobody knows which, is taken to be
/// gone when nothing has changed for a day.
fn is_abandoned(path: &Path, process: u32, host: Option<&str>) -> bool {
    if Path::new("/proc").join(process.to_string()).exists() {
        return false;
    }
    host == Some(files::this_host()) || now().saturating_sub(Extent::of(path).changed) > STILL
}
