//! Whether somebody has written to an artifact while it was read. Its files are read-only, which is a courtesy: their owner
//! may change that, and for root it means nothing.

use super::error::{IoContext, Result};
use super::manifest::{self, Look};
use super::{ArtifactState, Store, files};
use crate::ids::Digest;
use std::fs::Metadata;
use std::os::unix::fs::MetadataExt;
use std::sync::atomic::AtomicU64;
use std::time::SystemTime;

/// What an artifact's files looked like when somebody began to read them.
#[derive(Debug)]
pub struct Sighting {
    digest: Digest,
    files: Vec<(String, Appearance)>,
}

/// A file from outside: it cannot be written to without one of these changing.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Appearance {
    size: u64,
    modified_ns: u64,
    inode: u64,
    /// When the kernel last changed anything of it: permissions and links too.
    changed: (i64, i64),
}

impl Store {
    /// Notes what an artifact looks like.
    pub fn sight(&self, digest: &Digest) -> Result<Sighting> {
        let found = manifest::list(&self.artifact(digest))?;
        let files = found.into_iter().map(|(path, metadata)| (path, Appearance::of(&metadata))).collect();
        Ok(Sighting { digest: *digest, files })
    }

    /// What somebody has done to an artifact since; nothing where it was only read. If it no longer holds what it should,
    /// every glance at it tells so from now on.
    pub fn written_since(&self, sighting: &Sighting) -> Result<Option<String>> {
        let Sighting { digest, files: before } = sighting;
        let now = match manifest::list(&self.artifact(digest)) {
            Ok(now) => now,
            Err(error) => return Ok(Some(format!("cannot be read any more: {error}"))),
        };
        let now: Vec<(String, Appearance)> =
            now.into_iter().map(|(path, metadata)| (path, Appearance::of(&metadata))).collect();
        if now == *before {
            return Ok(None);
        }
        if let ArtifactState::Damaged(damage) = self.look_at(digest, Look::Full(&AtomicU64::new(0))) {
            self.show_damage(digest)?;
            return Ok(Some(damage));
        }
        // The same bytes: permissions, or others that were there in between.
        let was_written = |(path, now): &&(String, Appearance)| {
            let before = before.iter().find(|(known, _)| known == path);
            before.is_none_or(|(_, before)| !now.holds_what_it_did(before))
        };
        Ok(now.iter().find(was_written).map(|(path, _)| format!("holds {path}, which was changed and changed back")))
    }

    /// Gives files that hold something else, and by size and time are what they were, another time.
    fn show_damage(&self, digest: &Digest) -> Result<()> {
        let Some(manifest) = self.manifest(digest)? else { return Ok(()) };
        for path in manifest.hidden_damages(&self.artifact(digest)) {
            let place = self.artifact(digest).join(path);
            files::set_time(&place, SystemTime::now()).doing("set the time of", &place)?;
        }
        Ok(())
    }
}

impl Appearance {
    fn of(metadata: &Metadata) -> Self {
        Self {
            // Folders that are listed are empty ones, whose size means nothing.
            size: if metadata.is_dir() { 0 } else { metadata.len() },
            modified_ns: manifest::modified_ns(metadata),
            inode: metadata.ino(),
            changed: (metadata.ctime(), metadata.ctime_nsec()),
        }
    }

    fn holds_what_it_did(&self, before: &Self) -> bool {
        // Some file systems give a file another inode each time that it is opened; the kernel's own time stays.
        let is_another = self.inode != before.inode && self.changed != before.changed;
        (self.size, self.modified_ns) == (before.size, before.modified_ns) && !is_another
    }
}
