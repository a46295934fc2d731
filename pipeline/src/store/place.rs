//! Where things are in a store.

use super::Store;
use std::fmt::Display;
use std::fs::{self, File};
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
