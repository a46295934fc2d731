//! From a folder that a worker has written to an artifact.

use super::Store;
use super::artifact::{ArtifactState, Hold, LOCK_SHARED};
use super::error::{IoContext, Result, StoreError};
use super::files::{self, Durability, Renamed};
use super::links::settle;
use super::locks::Locked;
use super::manifest::{Look, Manifest, list};
use super::place::is_at;
use crate::ids::Digest;
use std::fs::{self, File};
use std::path::Path;

impl Store {
    /// Whether a folder can be an artifact. Links that lead out of it are made what they lead to.
    pub fn check_publishable(&self, folder: &Path) -> Result<()> {
        settle(folder)?;
        list(folder).map(drop)
    }

    /// Moves a folder to its place among the artifacts. That the artifact is there already is as good. Nobody removes it
    /// while the hold lasts: until its result mentions it, say.
    pub fn publish_artifact(&self, folder: &Path, durability: Durability) -> Result<(Digest, Hold)> {
        if !fs::symlink_metadata(folder).doing("look at", folder)?.is_dir() {
            return Err(StoreError::NotPlain { path: folder.to_owned(), what: "no folder" });
        }
        settle(folder)?;
        let manifest = Manifest::of(folder)?;
        let digest = manifest.digest;
        if let Some(hold) = self.hold_whole(&digest)? {
            return Ok((digest, hold));
        }
        protect(folder, &manifest, durability)?;
        let staging = files::unique_beside(folder);
        files::create_folder(&staging).doing("create", &staging)?;
        files::rename(folder, &staging.join("files")).doing("rename", folder)?;
        // Under its old name nobody can change it any more; somebody may have while it was read.
        if let Some(damage) = manifest.damage(&staging.join("files"), Look::Glance) {
            return Err(StoreError::Changed { path: folder.to_owned(), damage });
        }
        files::write_json(&staging.join("manifest.json"), &manifest, durability)?;
        Ok((digest, self.move_to_its_place(&digest, &staging, durability)?))
    }

    /// Gives a finished artifact its name, in the place of one that is no longer whole if there is one.
    fn move_to_its_place(&self, digest: &Digest, staging: &Path, durability: Durability) -> Result<Hold> {
        let place = self.artifact_place(digest);
        let manifest = staging.join("manifest.json");
        let manifest =
            File::open(&manifest).and_then(|file| file.lock_shared().map(|()| file)).doing("lock", &manifest)?;
        let own = Hold { _manifests: vec![Locked(manifest)] };
        loop {
            if files::rename_folder(staging, &place, durability)? == Renamed::Done {
                return Ok(own);
            }
            let manifest = self.lock_manifest(digest, LOCK_SHARED)?;
            if manifest.is_some() && self.artifact_state(digest) == ArtifactState::Whole {
                return Ok(Hold { _manifests: manifest.into_iter().map(Locked).collect() }); // another process was faster
            }
            let _taking = self.lock_places()?;
            let state = self.artifact_state(digest);
            if state == ArtifactState::Whole || !place.exists() {
                continue; // no longer so
            }
            let hold = match manifest.filter(|manifest| is_at(manifest, &self.manifest_place(digest))) {
                Some(manifest) if self.mend(digest, staging)? => Hold { _manifests: vec![Locked(manifest)] },
                _ => {
                    files::exchange(staging, &place).doing("replace", &place)?;
                    own
                }
            };
            // What is left of the old one is in nobody's way: it goes with the attempt if it cannot be removed.
            let _ = match state {
                ArtifactState::Damaged(_) => self.move_aside(staging, &digest.to_string()).map(drop),
                _ => files::remove_folder(staging),
            };
            return Ok(hold);
        }
    }

    /// Puts whole files under the manifest that is there, whose locks thereby last: somebody may read what is damaged. False
    /// where the manifest is no good.
    fn mend(&self, digest: &Digest, staging: &Path) -> Result<bool> {
        let Ok(Some(manifest)) = self.manifest(digest) else { return Ok(false) };
        if !manifest.is_of(digest) {
            return Ok(false);
        }
        let (whole, files) = (staging.join("files"), self.artifact(digest));
        manifest.date(&whole)?;
        let done = if files.exists() { files::exchange(&whole, &files) } else { files::rename(&whole, &files) };
        done.doing("replace", &files).map(|()| true)
    }
}

/// Files are made read-only, and saved to disk where they are worth it. Folders stay writable, so that `rm -r` on a store
/// works.
fn protect(folder: &Path, manifest: &Manifest, durability: Durability) -> Result<()> {
    for entry in manifest.plain_files() {
        let path = folder.join(&entry.path);
        files::make_read_only(&path).doing("change the permissions of", &path)?;
        files::sync(&path, durability).doing("save", &path)?;
    }
    files::sync(folder, durability).doing("save", folder)
}
