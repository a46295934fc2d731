//! Where things are in a store.

use super::Store;
use std::fmt::Display;
use std::fs::{self, File};
use std::io::ErrorKind;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

impl Store {
    /// `root/AREA/ab/abcdef...`: two digits a level keep the folders short enough to list.
    pub(super) fn sharded(&self, area: &str, name: &impl Display) -> PathBuf {
        let name = name.to_string();
        let root = self.root.as_os_str();
        let mut place = PathBuf::with_capacity(root.len() + area.len() + name.len() + 40);
        place.push(root);
        place.push(area);
        place.push(&name[..2]);
        place.push(name);
        place
    }
}

/// Whether an open file is still the one at `place`, and not one that was replaced or removed since.
pub(super) fn is_at(file: &File, place: &Path) -> bool {
    match (file.metadata(), fs::metadata(place)) {
        (Ok(one), Ok(other)) => (one.dev(), one.ino()) == (other.dev(), other.ino()),
        _ => false,
    }
}

/// A file that is locked, until this is dropped. The lock is given back by name and not only with the file: a process that is just
/// being started has the file too for a moment.
#[derive(Debug)]
pub(super) struct Locked(pub File);

impl Drop for Locked {
    fn drop(&mut self) {
        // What cannot be unlocked is so when it is closed.
        let _ = self.0.unlock();
    }
}

/// Whether somebody, in this process or another, has the lock of a file. Where the system does not tell, somebody may: what is
/// not known to be free is left alone.
pub(super) fn is_locked(place: &Path) -> bool {
    match File::open(place) {
        Err(error) => error.kind() != ErrorKind::NotFound,
        Ok(file) => file.try_lock_shared().is_err(),
    }
}
