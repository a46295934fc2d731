//! Computations in progress: one process has a key at a time, and each attempt a folder of its own.

use super::error::{IoContext, Result};
use super::{Store, files};
use crate::ids::Key;
use pretext_protocol::CHECKPOINT;
use std::fs::{self, File, TryLockError};
use std::io::{ErrorKind, Write};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// The right to compute a key. It ends with this value or with the process, whichever is sooner: the lock is the
/// kernel's, so that there are no stale ones.
#[derive(Debug)]
pub struct Lease {
    folder: PathBuf,
    _lock: File,
}

/// One try at computing a key.
#[derive(Debug)]
pub struct Attempt {
    /// From 1, counting those that came to nothing.
    pub number: u32,
    /// `scratch` of the newest earlier attempt that left a checkpoint.
    pub resume: Option<PathBuf>,
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
}

impl Store {
    /// Takes the right to compute a key, unless someone has it.
    pub fn lease(&self, key: &Key) -> Result<Option<Lease>> {
        let folder = self.attempts_of(key);
        let place = folder.join("lease");
        loop {
            fs::create_dir_all(&folder).doing("create", &folder)?;
            let mut file = match File::options().create(true).append(true).open(&place) {
                Ok(file) => file,
                // Whoever had it has just cleared the folder away.
                Err(error) if error.kind() == ErrorKind::NotFound => continue,
                Err(error) => return Err(error).doing("open", &place),
            };
            match file.try_lock() {
                Ok(()) if !is_at(&file, &place) => continue, // the lock of a file that was cleared away
                Ok(()) => {
                    let holder = format!("process {} on {}", std::process::id(), super::Machine::this().host);
                    file.set_len(0).and_then(|()| file.write_all(holder.as_bytes())).doing("write", &place)?;
                    return Ok(Some(Lease { folder, _lock: file }));
                }
                Err(TryLockError::WouldBlock) => return Ok(None),
                Err(TryLockError::Error(error)) => return Err(error).doing("lock", &place),
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

    fn attempts_of(&self, key: &Key) -> PathBuf {
        self.root.join("attempts").join(key.to_string())
    }
}

impl Lease {
    /// A fresh folder. Earlier attempts are removed except the one whose checkpoint will be read.
    pub fn begin(&self) -> Result<Attempt> {
        let earlier = earlier_attempts(&self.folder)?;
        let number = earlier.last().map_or(1, |last| last.number + 1);
        let resumed = earlier.iter().rposition(|attempt| attempt.scratch().join(CHECKPOINT).is_dir());
        for (place, attempt) in earlier.iter().enumerate() {
            if Some(place) != resumed {
                files::remove_folder(&attempt.folder)?;
            }
        }
        let resume = resumed.map(|place| earlier[place].scratch());
        let attempt = Attempt { number, resume, folder: self.folder.join(number.to_string()) };
        for folder in [attempt.out(), attempt.side(), attempt.scratch()] {
            fs::create_dir_all(&folder).doing("create", &folder)?;
        }
        Ok(attempt)
    }

    /// Gives the key back and removes its attempts, which nobody needs once there is a result.
    pub fn clear(self) -> Result<()> {
        for attempt in earlier_attempts(&self.folder)? {
            files::remove_folder(&attempt.folder)?;
        }
        let place = self.folder.join("lease");
        fs::remove_file(&place).doing("remove", &place)?;
        match fs::remove_dir(&self.folder) {
            // Someone waits for the key and has made the file anew.
            Err(error) if error.kind() == ErrorKind::DirectoryNotEmpty => Ok(()),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
            done => done.doing("remove", &self.folder),
        }
    }
}

/// In the order of their numbers.
fn earlier_attempts(folder: &Path) -> Result<Vec<Attempt>> {
    let mut attempts = Vec::new();
    let entries = match fs::read_dir(folder) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(attempts),
        entries => entries.doing("list", folder)?,
    };
    for entry in entries {
        let path = entry.doing("list", folder)?.path();
        if let Some(number) = path.file_name().and_then(|name| name.to_str()?.parse().ok()) {
            attempts.push(Attempt { number, resume: None, folder: path });
        }
    }
    attempts.sort_by_key(|attempt| attempt.number);
    Ok(attempts)
}

fn is_at(file: &File, place: &Path) -> bool {
    match (file.metadata(), fs::metadata(place)) {
        (Ok(one), Ok(other)) => (one.dev(), one.ino()) == (other.dev(), other.ino()),
        _ => false,
    }
}
