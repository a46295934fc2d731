//! A folder of files under the digest of its contents.

use super::error::{IoContext, Result, StoreError};
use super::{Store, files};
use crate::ids::Digest;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use std::fs::{self, Metadata, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

/// What an artifact held when it was published, by which opening it is checked.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Manifest {
    digest: Digest,
    files: Vec<Entry>,
}

/// A file, or a folder in which there is nothing (its path ends in `/`).
#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Entry {
    path: String,
    size: u64,
    modified_ns: u64,
    digest: Digest,
}

impl Store {
    /// The folder with an artifact's files. Nothing in it may be changed.
    pub fn artifact(&self, digest: &Digest) -> PathBuf {
        self.artifact_place(digest).join("files")
    }

    /// Moves a folder to its place among the artifacts. That the artifact is there already is as good, and the
    /// folder is left where it is.
    pub fn publish_artifact(&self, folder: &Path) -> Result<Digest> {
        if !fs::symlink_metadata(folder).doing("look at", folder)?.is_dir() {
            return Err(StoreError::NotPlain { path: folder.to_owned(), what: "no folder" });
        }
        let manifest = Manifest::of(folder)?;
        let digest = manifest.digest;
        let place = self.artifact_place(&digest);
        if place.exists() {
            match self.artifact_damage(&digest) {
                None => return Ok(digest),
                Some(_) => self.move_aside(&place)?,
            }
        }
        protect(folder, &manifest)?;
        let beside = folder.parent().expect("outputs are in an attempt's folder");
        let staging =
            tempfile::Builder::new().prefix(files::TEMPORARY).tempdir_in(beside).doing("create a folder in", beside)?;
        let staged = staging.path().join("files");
        fs::rename(folder, &staged).doing("rename", folder)?;
        files::write_json(&staging.path().join("manifest.json"), &manifest)?;
        // tempfile makes folders for their owner only; a store may be shared.
        fs::set_permissions(staging.path(), fs::metadata(beside).doing("look at", beside)?.permissions())
            .doing("change the permissions of", staging.path())?;
        // Occupied: another process yielded the same bytes just now.
        files::rename_folder(staging.path(), &place)?;
        Ok(digest)
    }

    /// What is wrong with an artifact, by the sizes and times of its files.
    pub fn artifact_damage(&self, digest: &Digest) -> Option<String> {
        let place = self.artifact_place(digest);
        if !place.exists() {
            return Some("is missing".to_owned());
        }
        let manifest: Manifest = match files::read_json(&place.join("manifest.json")) {
            Ok(Some(manifest)) => manifest,
            Ok(None) => return Some("has no manifest.json".to_owned()),
            Err(error) => return Some(format!("cannot be checked: {error}")),
        };
        if manifest.digest != *digest {
            return Some(format!("has the manifest of {}", manifest.digest.short()));
        }
        manifest.damage(&place.join("files"))
    }

    fn artifact_place(&self, digest: &Digest) -> PathBuf {
        self.sharded("artifacts", &digest.to_string())
    }

    /// Damaged files are kept where a person can look at them, out of everyone's way.
    fn move_aside(&self, place: &Path) -> Result<()> {
        let name = place.file_name().expect("an artifact's folder has a name").to_string_lossy();
        let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_nanos());
        files::rename_folder(place, &self.root.join("damaged").join(format!("{name}-{now}"))).map(|_| ())
    }
}

impl Manifest {
    fn of(folder: &Path) -> Result<Self> {
        let mut entries = Vec::new();
        for (path, metadata) in list(folder)? {
            let digest = if metadata.is_dir() { Digest::of(b"") } else { file_digest(&folder.join(&path))? };
            let size = if metadata.is_dir() { 0 } else { metadata.len() };
            entries.push(Entry { path, size, modified_ns: modified_ns(&metadata), digest });
        }
        Ok(Self { digest: content_digest(&entries), files: entries })
    }

    fn damage(&self, folder: &Path) -> Option<String> {
        let found = match list(folder) {
            Ok(found) => found,
            Err(error) => return Some(format!("cannot be read: {error}")),
        };
        let known: BTreeSet<&str> = self.files.iter().map(|entry| entry.path.as_str()).collect();
        let there: BTreeSet<&str> = found.iter().map(|(path, _)| path.as_str()).collect();
        if let Some(path) = known.difference(&there).next() {
            return Some(format!("lacks {path}"));
        }
        if let Some(path) = there.difference(&known).next() {
            return Some(format!("holds {path}, which does not belong to it"));
        }
        let both = self.files.iter().zip(&found);
        both.filter(|(entry, _)| !entry.path.ends_with('/')).find_map(|(entry, (_, now))| entry.damage(folder, now))
    }
}

impl Entry {
    /// A file whose time alone differs, after a copy to another disk say, is read in full before it is called damaged.
    fn damage(&self, folder: &Path, now: &Metadata) -> Option<String> {
        let Self { path, size, .. } = self;
        if now.len() != *size {
            return Some(format!("holds {path} with {} bytes in place of {size}", now.len()));
        }
        if modified_ns(now) == self.modified_ns {
            return None;
        }
        match file_digest(&folder.join(path)) {
            Ok(digest) if digest == self.digest => None,
            Ok(_) => Some(format!("holds {path} with other contents")),
            Err(error) => Some(format!("cannot be read: {error}")),
        }
    }
}

/// The digest of a folder: of the paths, sizes and digests of its files in the order of their paths.
fn content_digest(entries: &[Entry]) -> Digest {
    let mut hasher = blake3::Hasher::new();
    for Entry { path, size, digest, .. } in entries {
        hasher.update(format!("{path}\0{size}\0{digest}\n").as_bytes());
    }
    hasher.finalize().into()
}

fn file_digest(place: &Path) -> Result<Digest> {
    let mut hasher = blake3::Hasher::new();
    hasher.update_mmap_rayon(place).doing("read", place)?;
    Ok(hasher.finalize().into())
}

/// Every file below a folder, and every empty folder (with a `/` behind its path), sorted by path.
fn list(folder: &Path) -> Result<Vec<(String, Metadata)>> {
    let mut found = Vec::new();
    list_into(&mut found, folder, "")?;
    found.sort_by(|(one, _), (other, _)| one.cmp(other));
    Ok(found)
}

fn list_into(found: &mut Vec<(String, Metadata)>, folder: &Path, prefix: &str) -> Result<()> {
    for entry in fs::read_dir(folder).doing("list", folder)? {
        let path = entry.doing("list", folder)?.path();
        let metadata = fs::symlink_metadata(&path).doing("look at", &path)?;
        let Some(name) = path.file_name().and_then(|name| name.to_str()) else {
            return Err(StoreError::NotPlain { path, what: "named by something that is not UTF-8" });
        };
        let relative = format!("{prefix}{name}");
        match metadata {
            file if file.is_file() => found.push((relative, file)),
            link if link.is_symlink() => return Err(StoreError::NotPlain { path, what: "a symbolic link" }),
            special if !special.is_dir() => return Err(StoreError::NotPlain { path, what: "a special file" }),
            inner => {
                let before = found.len();
                list_into(found, &path, &format!("{relative}/"))?;
                if found.len() == before {
                    found.push((format!("{relative}/"), inner));
                }
            }
        }
    }
    Ok(())
}

/// Files are saved to disk and made read-only. Folders stay writable, so that `rm -r` on a store works.
fn protect(folder: &Path, manifest: &Manifest) -> Result<()> {
    for entry in &manifest.files {
        let path = folder.join(&entry.path);
        if !entry.path.ends_with('/') {
            fs::set_permissions(&path, Permissions::from_mode(0o444)).doing("change the permissions of", &path)?;
            files::sync_file(&path)?;
        }
    }
    files::sync_folder(folder)
}

/// Nanoseconds since 1970.
fn modified_ns(metadata: &Metadata) -> u64 {
    let since = metadata.modified().ok().and_then(|time| time.duration_since(UNIX_EPOCH).ok());
    since.map_or(0, |since| since.as_nanos() as u64)
}
