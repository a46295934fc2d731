//! Computations in progress: one process has a key at a time, and each attempt a folder of its own.

use super::error::{IoContext, Result};
use super::locks::{Locked, take};
use super::place::is_at;
use super::{Durability, Store, fault, files};
use crate::ids::Key;
use pretext_protocol::{CHECKPOINT, CHECKPOINT_BEFORE, Cost, Measurement};
use serde::{Deserialize, Serialize};
use std::fs::{self, File};
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};

/// The right to compute a key. It ends with this value or with the process, whichever is sooner: the lock is the
/// kernel's, so that there are no stale ones.
#[derive(Debug)]
pub struct Lease {
    folder: PathBuf,
    _lock: Locked,
}

/// What is left of the attempts at a key that has its result, or a folder that is needed for a moment. Removed when this is dropped.
#[derive(Debug)]
pub struct Leavings(PathBuf);

impl Leavings {
    pub(super) fn of(folder: PathBuf) -> Self {
        Self(folder)
    }

    pub fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Leavings {
    fn drop(&mut self) {
        // What cannot be removed now, or is left by a process that ended before, `gc` will find.
        let _ = files::remove_folder(&self.0);
    }
}

/// One try at computing a key.
#[derive(Debug)]
pub struct Attempt {
    /// From 1, counting those that came to nothing.
    pub number: u32,
    folder: PathBuf,
}

impl Attempt {
    /// The folder that holds all of the following.
    pub fn folder(&self) -> &Path {
        &self.folder
    }
    /// For the outputs.
    pub fn out(&self) -> PathBuf {
        self.folder.join("out")
    }
    /// For side files.
    pub fn side(&self) -> PathBuf {
        self.folder.join("side")
    }
    /// For checkpoints.
    pub fn scratch(&self) -> PathBuf {
        self.folder.join("scratch")
    }
    /// What the worker says meanwhile.
    pub fn log(&self) -> PathBuf {
        self.folder.join("log")
    }
    /// An empty log.
    pub fn create_log(&self) -> Result<File> {
        // That of a finished attempt which is computed anew.
        files::remove(&self.log())?;
        files::create_file(&self.log())
    }
    /// The folder with the checkpoint that it goes on from, if there is one. It was moved here from the attempt that wrote
    /// it: whoever may still believe to be that attempt writes where nobody looks.
    pub fn resume(&self) -> Option<PathBuf> {
        Some(self.taken_over()).filter(|folder| folder.join(CHECKPOINT).is_dir())
    }

    /// What its worker had done when its result could not be published, and where.
    pub fn finished(&self) -> Option<Finished> {
        files::read_json(&self.finished_place()).ok().flatten()
    }

    /// Notes what the worker has done, for an attempt that publishes it when what stands in the way is gone.
    pub fn keep_finished(&self, finished: &Finished) -> Result<()> {
        files::write_json(&self.finished_place(), finished, Durability::Synced)
    }

    /// Forgets what an earlier attempt has finished, with all that it wrote: the stage is computed anew.
    pub fn discard_finished(&self) -> Result<()> {
        if !self.finished_place().exists() {
            return Ok(());
        }
        files::remove(&self.finished_place())?;
        for folder in [self.out(), self.side(), self.scratch()] {
            files::remove_folder(&folder)?;
            files::create_folder(&folder).doing("create", &folder)?;
        }
        Ok(())
    }

    fn finished_place(&self) -> PathBuf {
        self.folder.join("finished.json")
    }

    fn taken_over(&self) -> PathBuf {
        self.folder.join("resume")
    }

    /// Takes what an earlier attempt has finished; what that is comes last, so that it is whole.
    fn take_over(&self, earlier: &Self) -> Result<()> {
        let parts = [Self::out, Self::side, Self::scratch, Self::log, Self::finished_place];
        for (from, to) in parts.map(|part| (part(earlier), part(self))).into_iter().filter(|(from, _)| from.exists()) {
            files::rename(&from, &to).doing("take over", &from)?;
        }
        Ok(())
    }

    /// The result, until it has its place.
    pub(super) fn result(&self) -> PathBuf {
        self.folder.join("result")
    }

    /// Whether its result has got its place, the side files with it.
    pub(super) fn has_published(&self) -> bool {
        self.scratch().is_dir() && !self.side().exists() && !self.result().exists()
    }

    /// Its newest checkpoint: the last that it wrote, or else the one that it began with.
    fn checkpoint(&self) -> Option<PathBuf> {
        let places =
            [(self.scratch(), CHECKPOINT), (self.scratch(), CHECKPOINT_BEFORE), (self.taken_over(), CHECKPOINT)];
        places.into_iter().map(|(folder, name)| folder.join(name)).find(|place| place.is_dir())
    }
}

/// What a worker said of a stage that it has done, whose result is not published yet.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Finished {
    pub measurements: Vec<Measurement>,
    pub notes: Vec<String>,
    pub cost: Cost,
    pub seconds: f64,
    pub worker_version: String,
}

impl Store {
    /// Takes the right to compute a key, unless someone has it.
    pub fn lease(&self, key: &Key) -> Result<Option<Lease>> {
        let folder = self.attempts_of(key);
        let place = folder.join("lease");
        loop {
            files::create_folders(&folder).doing("create", &folder)?;
            let opened = fault::step().and_then(|()| File::options().create(true).append(true).open(&place));
            let mut file = match opened {
                Ok(file) => file,
                // Whoever had it has just cleared the folder away.
                Err(error) if error.kind() == ErrorKind::NotFound => continue,
                Err(error) => return Err(error).doing("open", &place),
            };
            if !take(&file, File::try_lock).doing("lock", &place)? {
                return Ok(None);
            }
            // Else it is the lock of a file that was cleared away.
            if is_at(&file, &place) {
                let holder = format!("process {} on {}", std::process::id(), super::Machine::this().host);
                let written = fault::step().and_then(|()| file.set_len(0));
                written.and_then(|()| file.write_all(holder.as_bytes())).doing("write", &place)?;
                return Ok(Some(Lease { folder, _lock: Locked(file) }));
            }
        }
    }

    /// Who computes a key: `process 4711 on trainbox`.
    pub fn lease_holder(&self, key: &Key) -> String {
        let text = fs::read_to_string(self.attempts_of(key).join("lease")).unwrap_or_default();
        if text.is_empty() { "another process".to_owned() } else { text }
    }

    /// The log of the newest attempt at a key that has not become a result.
    pub fn attempt_log(&self, key: &Key) -> Result<Option<PathBuf>> {
        let newest = earlier_attempts(&self.attempts_of(key))?.pop();
        Ok(newest.map(|attempt| attempt.log()).filter(|log| log.exists()))
    }

    pub(super) fn attempts_of(&self, key: &Key) -> PathBuf {
        self.root.join("attempts").join(key.to_string())
    }
}

impl Lease {
    /// A fresh folder, with the checkpoint of the newest earlier attempt that has one. Earlier attempts are removed. No other
    /// attempt ever had a folder of its name: a process that outlived an earlier one writes elsewhere.
    pub fn begin(&self) -> Result<Attempt> {
        let earlier = earlier_attempts(&self.folder)?;
        let number = earlier.last().map_or(1, |last| last.number + 1);
        let folder = self.folder.join(format!("{number}-{}", files::unique()));
        let attempt = Attempt { number, folder };
        files::create_folder(&attempt.folder).doing("create", &attempt.folder)?;
        if let Some(checkpoint) = newest_checkpoint(&earlier) {
            let resume = attempt.taken_over();
            files::create_folder(&resume).doing("create", &resume)?;
            files::rename(&checkpoint, &resume.join(CHECKPOINT)).doing("take over", &checkpoint)?;
        }
        if let Some(finished) = earlier.last().filter(|last| last.finished().is_some()) {
            attempt.take_over(finished)?;
        }
        for folder in [attempt.out(), attempt.side(), attempt.scratch()].into_iter().filter(|folder| !folder.exists()) {
            files::create_folder(&folder).doing("create", &folder)?;
        }
        for attempt in earlier {
            // One whose process is just being ended by the kernel may still write into it; the next attempt tries again.
            let _ = files::remove_folder(&attempt.folder);
        }
        Ok(attempt)
    }

    /// Gives the key back as it was found, and clears up where nothing was.
    pub fn give_back(self) -> Result<()> {
        if files::entries(&self.folder)?.len() > 1 { Ok(()) } else { self.clear() }
    }

    /// Gives the key back and removes its attempts, which nobody needs once there is a result.
    pub fn clear(self) -> Result<()> {
        // A checkpoint that is removed half must not be found. The lease is closed first: NFS keeps a folder with an open file.
        let removed = files::set_aside(&self.folder)?;
        drop(self);
        files::remove_folder(&removed)
    }

    /// Gives the key back as [`Self::clear`] does, and leaves the removing for later.
    pub fn set_aside(self) -> Result<Leavings> {
        files::set_aside(&self.folder).map(Leavings)
    }
}

/// The checkpoint that the next attempt goes on from. One that has its scratch folder has taken over what there was before:
/// if there is something again, only a process that outlived its attempt can have written it.
pub(super) fn newest_checkpoint(attempts: &[Attempt]) -> Option<PathBuf> {
    let newest_first = attempts.iter().rev();
    newest_first.map(|attempt| (attempt.checkpoint(), attempt.scratch().is_dir())).find_map(|found| match found {
        (None, false) => None,
        (checkpoint, _) => Some(checkpoint),
    })?
}

/// In the order of their numbers.
pub(super) fn earlier_attempts(folder: &Path) -> Result<Vec<Attempt>> {
    let number = |path: &Path| path.file_name()?.to_str()?.split('-').next()?.parse().ok();
    let entries = files::entries(folder)?.into_iter();
    let mut attempts: Vec<Attempt> =
        entries.filter_map(|path| Some(Attempt { number: number(&path)?, folder: path })).collect();
    attempts.sort_by_key(|attempt| attempt.number);
    Ok(attempts)
}
