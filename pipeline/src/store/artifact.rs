//! Artifacts: folders of files under the digest of their contents.

use super::error::{IoContext, Result, StoreError};
use super::files::{self, Durability, Renamed};
use super::manifest::{Look, Manifest};
use super::{Store, place::is_at};
use crate::ids::Digest;
use std::fs::{self, File, TryLockError};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::time::Duration;

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
    _manifests: Vec<File>,
}

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

    /// Moves a folder to its place among the artifacts. That the artifact is there already is as good, and the
    /// folder is left where it is.
    pub fn publish_artifact(&self, folder: &Path, durability: Durability) -> Result<Digest> {
        if !fs::symlink_metadata(folder).doing("look at", folder)?.is_dir() {
            return Err(StoreError::NotPlain { path: folder.to_owned(), what: "no folder" });
        }
        let manifest = Manifest::of(folder)?;
        let digest = manifest.digest;
        if self.is_whole_or_makes_way(&digest)? {
            return Ok(digest);
        }
        protect(folder, &manifest, durability)?;
        let staging = files::unique_beside(folder);
        files::create_folder(&staging).doing("create", &staging)?;
        files::rename(folder, &staging.join("files")).doing("rename", folder)?;
        files::write_json(&staging.join("manifest.json"), &manifest, durability)?;
        // Occupied: another process yielded the same bytes just now.
        files::rename_folder(&staging, &self.artifact_place(&digest), durability)?;
        Ok(digest)
    }

    /// What is there of an artifact, by the sizes and times of its files.
    pub fn artifact_state(&self, digest: &Digest) -> ArtifactState {
        self.look_at(digest, Look::Glance)
    }

    pub(super) fn look_at(&self, digest: &Digest, look: Look) -> ArtifactState {
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

    /// Keeps artifacts from being dropped while they are read. None when one of them has been.
    pub fn hold<'a>(&self, digests: impl IntoIterator<Item = &'a Digest>) -> Result<Option<Hold>> {
        let mut manifests = Vec::new();
        for digest in digests {
            let Some(manifest) = self.lock_manifest(digest, File::try_lock_shared)? else { return Ok(None) };
            if !self.artifact(digest).is_dir() {
                return Ok(None);
            }
            manifests.push(manifest);
        }
        Ok(Some(Hold { _manifests: manifests }))
    }

    /// Removes an artifact's files, unless someone reads them. Results that led to it go on saying what it was.
    pub fn drop_artifact(&self, digest: &Digest) -> Result<Drop> {
        let files = self.artifact(digest);
        if !files.is_dir() {
            return Ok(Drop::NotThere);
        }
        let Some(_lock) = self.lock_manifest(digest, File::try_lock)? else { return Ok(Drop::InUse) };
        let bytes = self.manifest(digest)?.map_or(0, |manifest| manifest.bytes());
        // All at once: what is removed half would be damage.
        let dropped = files::unique_beside(&files);
        files::rename(&files, &dropped).doing("drop", &files)?;
        files::remove_folder(&dropped)?;
        Ok(Drop::Done(bytes))
    }

    /// The manifest, locked for us alone if that is possible within a moment. It is not where whoever publishes reads an
    /// artifact with the same bytes, and that was damaged meanwhile.
    fn lock_manifest_soon(&self, digest: &Digest) -> Result<Option<File>> {
        const TRIES: u32 = 100;
        for _ in 0..TRIES {
            if let Some(lock) = self.lock_manifest(digest, File::try_lock)? {
                return Ok(Some(lock));
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        Ok(None)
    }

    /// The manifest, locked as `lock` says; none where it is not there or somebody else's lock forbids it.
    fn lock_manifest(
        &self,
        digest: &Digest,
        lock: fn(&File) -> std::result::Result<(), TryLockError>,
    ) -> Result<Option<File>> {
        let place = self.manifest_place(digest);
        loop {
            let file = match File::open(&place) {
                Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
                file => file.doing("open", &place)?,
            };
            match lock(&file) {
                Ok(()) if is_at(&file, &place) => return Ok(Some(file)),
                Ok(()) => continue, // it was published anew meanwhile
                Err(TryLockError::WouldBlock) => return Ok(None),
                Err(TryLockError::Error(error)) => return Err(error).doing("lock", &place),
            }
        }
    }

    /// Whether the artifact is there and whole; if not, its place is clear afterwards.
    fn is_whole_or_makes_way(&self, digest: &Digest) -> Result<bool> {
        let place = self.artifact_place(digest);
        if !place.exists() {
            return Ok(false);
        }
        if self.artifact_state(digest) == ArtifactState::Whole {
            return Ok(true);
        }
        // Two that publish the same bytes at once must not take each other's away: who has the lock looks again.
        let _lock = self.lock_manifest_soon(digest)?;
        match self.artifact_state(digest) {
            ArtifactState::Whole => return Ok(true),
            ArtifactState::Dropped => {
                let emptied = files::unique_beside(&place);
                files::rename(&place, &emptied).doing("rename", &place)?;
                files::remove_folder(&emptied)?;
            }
            ArtifactState::Damaged(_) => self.move_aside(&place)?,
        }
        Ok(false)
    }

    pub(super) fn artifact_place(&self, digest: &Digest) -> PathBuf {
        self.sharded("artifacts", digest)
    }

    fn manifest_place(&self, digest: &Digest) -> PathBuf {
        self.artifact_place(digest).join("manifest.json")
    }

    /// Damaged files are kept where a person can look at them, out of everyone's way.
    fn move_aside(&self, place: &Path) -> Result<()> {
        let name = place.file_name().expect("an artifact's folder has a name").to_string_lossy();
        let unique = files::unique_beside(place);
        let unique = unique.file_name().expect("a unique name").to_string_lossy();
        let aside = self.root.join("damaged").join(format!("{name}{}", unique.trim_start_matches(files::TEMPORARY)));
        match files::rename_folder(place, &aside, Durability::Quick)? {
            Renamed::Done | Renamed::Occupied => Ok(()),
        }
    }
}

/// Files are made read-only, and saved to disk where they are worth it. Folders stay writable, so that `rm -r` on a store
/// works.
fn protect(folder: &Path, manifest: &Manifest, durability: Durability) -> Result<()> {
    for entry in manifest.files.iter().filter(|entry| !entry.path.ends_with('/')) {
        let path = folder.join(&entry.path);
        files::make_read_only(&path).doing("change the permissions of", &path)?;
        files::sync(&path, durability).doing("save", &path)?;
    }
    files::sync(folder, durability).doing("save", folder)
}
