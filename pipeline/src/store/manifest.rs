//! What a folder of files holds, and whether it still does.

use super::error::{IoContext, Result, StoreError};
use super::files;
use crate::ids::Digest;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use std::fs::{self, File, Metadata};
use std::io::{ErrorKind, Read};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, UNIX_EPOCH};

/// What an artifact held when it was published, by which opening it is checked.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Manifest {
    pub digest: Digest,
    pub files: Vec<Entry>,
}

/// A file, or a folder in which there is nothing (its path ends in `/`).
#[derive(Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Entry {
    pub path: String,
    pub size: u64,
    pub modified_ns: u64,
    pub digest: Digest,
    /// Whether it is a link to something else in the folder. Its size is 0, and its digest that of where it leads.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub link: bool,
}

/// How closely files are looked at.
#[derive(Debug, Clone, Copy)]
pub(super) enum Look<'a> {
    /// Sizes and times. A file whose time alone differs, after a copy to another disk say, is read.
    Glance,
    /// Every byte. The counter goes up as they are read.
    Full(&'a AtomicU64),
}

impl Manifest {
    pub fn of(folder: &Path) -> Result<Self> {
        let mut entries = Vec::new();
        for (path, metadata) in list(folder)? {
            let link = metadata.is_symlink();
            let digest = match () {
                () if metadata.is_dir() => Digest::of(b""),
                () if link => link_digest(&folder.join(&path))?,
                () => file_digest(&folder.join(&path), &AtomicU64::new(0))?,
            };
            let size = if metadata.is_file() { metadata.len() } else { 0 };
            entries.push(Entry { path, size, modified_ns: modified_ns(&metadata), digest, link });
        }
        Ok(Self { digest: content_digest(&entries), files: entries })
    }

    /// Whether it says what the digest says.
    pub fn is_of(&self, digest: &Digest) -> bool {
        self.digest == *digest && content_digest(&self.files) == *digest
    }

    /// Gives the files in `folder`, which hold the same, the times that it tells.
    pub fn date(&self, folder: &Path) -> Result<()> {
        for Entry { path, modified_ns, .. } in self.plain_files() {
            let place = folder.join(path);
            let time = UNIX_EPOCH + Duration::from_nanos(*modified_ns);
            files::set_time(&place, time).doing("set the time of", &place)?;
        }
        Ok(())
    }

    /// Neither empty folders nor links.
    pub fn plain_files(&self) -> impl Iterator<Item = &Entry> {
        self.files.iter().filter(|entry| !entry.path.ends_with('/') && !entry.link)
    }

    pub fn bytes(&self) -> u64 {
        self.files.iter().map(|entry| entry.size).sum()
    }

    /// What is wrong with the files in `folder`, if anything is.
    pub fn damage(&self, folder: &Path, look: Look<'_>) -> Option<String> {
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
        both.filter(|(entry, _)| !entry.path.ends_with('/'))
            .find_map(|(entry, (_, now))| entry.damage(folder, now, look))
    }
}

impl Manifest {
    /// The files that hold something else and do not show it by size and time.
    pub fn hidden_damages<'a>(&'a self, folder: &'a Path) -> impl Iterator<Item = &'a str> {
        let hides = move |entry: &&Entry| {
            let now = fs::symlink_metadata(folder.join(&entry.path));
            let looks_whole = |now: Metadata| entry.damage(folder, &now, Look::Glance).is_none();
            let is_damaged = |now: &Metadata| entry.damage(folder, now, Look::Full(&AtomicU64::new(0))).is_some();
            now.is_ok_and(|now| now.is_file() && is_damaged(&now) && looks_whole(now))
        };
        self.files.iter().filter(hides).map(|entry| entry.path.as_str())
    }
}

impl Entry {
    fn damage(&self, folder: &Path, now: &Metadata, look: Look<'_>) -> Option<String> {
        let Self { path, size, .. } = self;
        if self.link || now.is_symlink() {
            let leads = now.is_symlink().then(|| link_digest(&folder.join(path)));
            let is_same = self.link && leads.is_some_and(|digest| digest.is_ok_and(|digest| digest == self.digest));
            return (!is_same).then(|| format!("holds {path}, which is no longer the link or the file that it was"));
        }
        if now.len() != *size {
            return Some(format!("holds {path} with {} bytes in place of {size}", now.len()));
        }
        let uncounted = AtomicU64::new(0);
        let counter = match look {
            Look::Glance if modified_ns(now) == self.modified_ns => return None,
            Look::Glance => &uncounted,
            Look::Full(counter) => counter,
        };
        match file_digest(&folder.join(path), counter) {
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

/// Of where a link leads. As its size is told as 0, it is no file's.
fn link_digest(place: &Path) -> Result<Digest> {
    let target = fs::read_link(place).doing("read the link", place)?;
    Ok(Digest::of(&[b"link\0", target.as_os_str().as_bytes()].concat()))
}

/// Reads a file. It is not mapped into memory: a disk that fails, or a file that somebody makes shorter meanwhile, would
/// end the process in place of being an error.
fn file_digest(place: &Path, counter: &AtomicU64) -> Result<Digest> {
    const MOST_AT_ONCE: u64 = 2 << 20;
    /// With less, handing parts to other cores costs more than it saves.
    const WORTH_SHARING: usize = 256 << 10;
    let mut file = File::open(place).doing("open", place)?;
    let size = file.metadata().doing("look at", place)?.len();
    let mut buffer = vec![0; size.clamp(1 << 9, MOST_AT_ONCE) as usize];
    let mut hasher = blake3::Hasher::new();
    loop {
        let read = match file.read(&mut buffer) {
            Ok(0) => return Ok(hasher.finalize().into()),
            Err(error) if error.kind() == ErrorKind::Interrupted => continue,
            read => read.doing("read", place)?,
        };
        match &buffer[..read] {
            large if read >= WORTH_SHARING => hasher.update_rayon(large),
            small => hasher.update(small),
        };
        counter.fetch_add(read as u64, Ordering::Relaxed);
    }
}

/// Every file below a folder, and every empty folder (with a `/` behind its path), sorted by path.
pub(super) fn list(folder: &Path) -> Result<Vec<(String, Metadata)>> {
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
            plain if plain.is_file() || plain.is_symlink() => found.push((relative, plain)),
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

/// Nanoseconds since 1970.
pub(super) fn modified_ns(metadata: &Metadata) -> u64 {
    let since = metadata.modified().ok().and_then(|time| time.duration_since(UNIX_EPOCH).ok());
    since.map_or(0, |since| since.as_nanos() as u64)
}
