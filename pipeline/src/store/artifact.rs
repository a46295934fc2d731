//! Artifacts: folders of files under the digest of their contents.

use super::error::{IoContext, Result};
use super::files::{self, Durability};
use super::locks::{Locked, open_to_lock, take};
use super::manifest::{Look, Manifest};
use super::place::is_at;
use super::{Store, fault};
use crate::ids::Digest;
use std::fs::{File, TryLockError};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

/// What is there of an artifact.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ArtifactState {
    Whole,
    /// Its files were removed on purpose; what they were is known.
    Dropped,
    /// What is wrong with it.
    Damaged(String),
}

/// The right to read some artifacts: while it lasts nobody drops them. The locks are the kernel's and end with the process.
#[derive(Debug)]
pub struct Hold {
    pub(super) _manifests: Vec<Locked>,
}

pub(super) type Lock = fn(&File) -> std::result::Result<(), TryLockError>;
/// Waits for who removes something, which is a matter of moments.
pub(super) const LOCK_SHARED: Lock = |file| file.lock_shared().map_err(TryLockError::Error);

/// What became of a wish to drop an artifact.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Drop {
    /// So many bytes are free now.
    Done(u64),
    /// Someone reads it.
    InUse,
    /// There is nothing to drop.
    NotThere,
}

impl Store {
    /// The folder with an artifact's files. Nothing in it may be changed.
    pub fn artifact(&self, digest: &Digest) -> PathBuf {
        self.artifact_place(digest).join("files")
    }

    /// What is there of an artifact, by the sizes and times of its files.
    pub fn artifact_state(&self, digest: &Digest) -> ArtifactState {
        self.look_at(digest, Look::Glance)
    }

    pub(super) fn look_at(&self, digest: &Digest, look: Look<'_>) -> ArtifactState {
        let place = self.artifact_place(digest);
        let manifest = match self.manifest(digest) {
            Ok(Some(manifest)) => manifest,
            Ok(None) if place.exists() => return ArtifactState::Damaged("has no manifest.json".to_owned()),
            Ok(None) => return ArtifactState::Damaged("is missing".to_owned()),
            Err(error) => return ArtifactState::Damaged(format!("cannot be checked: {error}")),
        };
        if manifest.digest != *digest {
            return ArtifactState::Damaged(format!("has the manifest of {}", manifest.digest.short()));
        }
        let folder = place.join("files");
        match manifest.damage(&folder, look) {
            None => ArtifactState::Whole,
            Some(_) if !folder.exists() => ArtifactState::Dropped,
            Some(damage) => ArtifactState::Damaged(damage),
        }
    }

    pub(super) fn manifest(&self, digest: &Digest) -> Result<Option<Manifest>> {
        files::read_json(&self.manifest_place(digest))
    }

    /// Keeps artifacts from being dropped while they are read. None when one of them has been, or is not whole.
    pub fn hold<'a>(&self, digests: impl IntoIterator<Item = &'a Digest>) -> Result<Option<Hold>> {
        let mut manifests = Vec::new();
        for digest in digests {
            let Some(manifest) = self.lock_manifest(digest, File::try_lock_shared)? else { return Ok(None) };
            if self.artifact_state(digest) != ArtifactState::Whole {
                return Ok(None);
            }
            manifests.push(Locked(manifest));
        }
        Ok(Some(Hold { _manifests: manifests }))
    }

    /// A hold on an artifact that is there and whole.
    pub(super) fn hold_whole(&self, digest: &Digest) -> Result<Option<Hold>> {
        let Some(manifest) = self.lock_manifest(digest, LOCK_SHARED)? else { return Ok(None) };
        let is_whole = self.artifact_state(digest) == ArtifactState::Whole;
        Ok(is_whole.then(|| Hold { _manifests: vec![Locked(manifest)] }))
    }

    /// Removes an artifact's files, unless someone reads them. Results that led to it go on saying what it was.
    pub fn drop_artifact(&self, digest: &Digest) -> Result<Drop> {
        let files = self.artifact(digest);
        if !files.is_dir() {
            return Ok(Drop::NotThere);
        }
        let Some(lock) = self.lock_manifest(digest, File::try_lock)? else { return Ok(Drop::InUse) };
        let bytes = self.manifest(digest)?.map_or(0, |manifest| manifest.bytes());
        // All at once: what is removed half would be damage.
        let dropped = files::unique_beside(&self.artifact_place(digest));
        if !self.take_away(&files, &dropped, || is_at(&lock, &self.manifest_place(digest)))? {
            return Ok(Drop::NotThere);
        }
        files::remove_folder(&dropped)?;
        Ok(Drop::Done(bytes))
    }

    /// Removes an artifact that nobody mentions; `lock` is that of its manifest, if it has one.
    pub(super) fn remove_artifact(&self, digest: &Digest, lock: Option<&File>) -> Result<bool> {
        let place = self.artifact_place(digest);
        let removed = files::unique_beside(&place);
        let is_the_same = || match lock {
            Some(lock) => is_at(lock, &self.manifest_place(digest)),
            None => !self.manifest_place(digest).exists(),
        };
        let is_removed = self.take_away(&place, &removed, is_the_same)?;
        files::remove_folder(&removed)?;
        Ok(is_removed)
    }

    /// Puts a damaged artifact where a person can look at it, out of everyone's way. None when someone reads it.
    pub(super) fn move_artifact_aside(&self, digest: &Digest) -> Result<Option<PathBuf>> {
        let lock = self.lock_to_remove(digest)?;
        let _taking = self.lock_places()?;
        match lock.is_none() && self.has_manifest(digest) {
            true => Ok(None),
            false => self.move_aside(&self.artifact_place(digest), &digest.to_string()).map(Some),
        }
    }

    /// Locks an artifact for someone who wants to remove it. None when someone reads it.
    pub(super) fn lock_to_remove(&self, digest: &Digest) -> Result<Option<File>> {
        self.lock_manifest(digest, File::try_lock)
    }

    /// Whether there is an artifact's manifest, whatever it says.
    pub(super) fn has_manifest(&self, digest: &Digest) -> bool {
        self.manifest_place(digest).exists()
    }

    /// The manifest, locked as `lock` says; none where it is not there or somebody else's lock forbids it.
    pub(super) fn lock_manifest(&self, digest: &Digest, lock: Lock) -> Result<Option<File>> {
        let place = self.manifest_place(digest);
        loop {
            let file = match open_to_lock(&place) {
                Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
                file => file.doing("open", &place)?,
            };
            if !take(&file, lock).doing("lock", &place)? {
                return Ok(None);
            }
            // Else it was published anew meanwhile.
            if is_at(&file, &place) {
                return Ok(Some(file));
            }
        }
    }

    /// The right to take artifacts from their places, for the moment that it takes. Without it, two that find the same
    /// damaged one would replace each other's. Whoever has it waits for no other lock.
    pub(super) fn lock_places(&self) -> Result<File> {
        let place = self.root.join("lock");
        let file = fault::step().and_then(|()| File::options().create(true).append(true).open(&place));
        let file = file.doing("open", &place)?;
        file.lock().doing("lock", &place)?;
        Ok(file)
    }

    /// Renames what is at a place, if it is still what it was.
    fn take_away(&self, place: &Path, to: &Path, is_the_same: impl Fn() -> bool) -> Result<bool> {
        let _taking = self.lock_places()?;
        match is_the_same() {
            true => files::rename(place, to).doing("remove", place).map(|()| true),
            false => Ok(false),
        }
    }

    pub(super) fn artifact_place(&self, digest: &Digest) -> PathBuf {
        self.sharded("artifacts", digest)
    }

    pub(super) fn manifest_place(&self, digest: &Digest) -> PathBuf {
        self.artifact_place(digest).join("manifest.json")
    }

    /// Damaged files are kept where a person can look at them.
    pub(super) fn move_aside(&self, place: &Path, name: &str) -> Result<PathBuf> {
        let aside = self.root.join("damaged").join(format!("{name}-{}", files::unique()));
        files::rename_folder(place, &aside, Durability::Quick)?;
        Ok(aside)
    }
}
