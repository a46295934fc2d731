//! What lies at a path, as keys count it: of every file its name and what is in it.

use crate::ids::Digest;
use rayon::prelude::*;
use serde::{Deserialize, Serialize};
use std::fs::{self, File, Metadata};
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// The files at and below a path, in the order of their names. What begins with a dot is passed over: systems leave such
/// files behind. Links are followed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Contents {
    /// When it was looked at, in nanoseconds since 1970.
    taken_ns: u64,
    files: Vec<Entry>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Entry {
    /// From the path on; empty where the path is a file itself, whose name is no part of it.
    name: PathBuf,
    size: u64,
    modified_ns: u64,
    digest: Digest,
}

/// A file may be written twice within one tick of its clock: what was changed so shortly before it was read is read again.
const TICK: Duration = Duration::from_secs(2);
/// Deeper than any data set: a link that leads to a folder above itself.
const DEEPEST: usize = 64;

impl Contents {
    /// Looks at all files, and reads those that `earlier` does not know with the same size and time.
    pub fn read(path: &Path, earlier: Option<&Self>) -> io::Result<Self> {
        let taken_ns = nanoseconds(SystemTime::now());
        let mut found = vec![];
        walk(path, PathBuf::new(), &fs::metadata(path)?, 0, &mut found)?;
        found.sort_by(|(a, ..), (b, ..)| a.cmp(b));
        let entry = |(name, size, modified_ns): (PathBuf, u64, u64)| {
            let known = earlier.and_then(|earlier| earlier.still(&name, size, modified_ns));
            let file = if name.as_os_str().is_empty() { path.to_owned() } else { path.join(&name) };
            let digest = known.map_or_else(|| digest(&file), Ok)?;
            Ok(Entry { name, size, modified_ns, digest })
        };
        Ok(Self { taken_ns, files: found.into_par_iter().map(entry).collect::<io::Result<_>>()? })
    }

    /// Of names and contents; sizes and times do not count.
    pub fn digest(&self) -> Digest {
        let mut hasher = blake3::Hasher::new();
        for Entry { name, digest, .. } in &self.files {
            let name = name.as_os_str().as_bytes();
            hasher.update(&(name.len() as u64).to_le_bytes()).update(name).update(digest.to_string().as_bytes());
        }
        hasher.finalize().into()
    }

    /// Whether it says more than another look: else there is nothing to be kept.
    pub fn is_news_to(&self, earlier: Option<&Self>) -> bool {
        earlier.is_none_or(|earlier| earlier.files != self.files || earlier.has_fresh())
    }

    fn still(&self, name: &Path, size: u64, modified_ns: u64) -> Option<Digest> {
        let place = self.files.binary_search_by(|entry| entry.name.as_path().cmp(name)).ok()?;
        let entry = &self.files[place];
        (entry.size == size && entry.modified_ns == modified_ns && !self.is_fresh(entry)).then_some(entry.digest)
    }

    fn is_fresh(&self, entry: &Entry) -> bool {
        entry.modified_ns.saturating_add(TICK.as_nanos() as u64) >= self.taken_ns
    }

    fn has_fresh(&self) -> bool {
        self.files.iter().any(|entry| self.is_fresh(entry))
    }
}

fn walk(
    path: &Path,
    name: PathBuf,
    at: &Metadata,
    depth: usize,
    found: &mut Vec<(PathBuf, u64, u64)>,
) -> io::Result<()> {
    if at.is_file() {
        found.push((name, at.len(), nanoseconds(at.modified()?)));
        return Ok(());
    }
    if !at.is_dir() || depth > DEEPEST {
        let what = if at.is_dir() { "its links lead in a circle" } else { "it is neither a file nor a folder" };
        return Err(io::Error::other(format!("{}: {what}", path.display())));
    }
    for entry in fs::read_dir(path)? {
        let entry = entry?;
        if entry.file_name().as_bytes().starts_with(b".") {
            continue;
        }
        let path = entry.path();
        let at = fs::metadata(&path)
            .map_err(|error| io::Error::new(error.kind(), format!("{}: {error}", path.display())))?;
        walk(&path, name.join(entry.file_name()), &at, depth + 1, found)?;
    }
    Ok(())
}

/// Reads a file. It is not mapped into memory: one that somebody makes shorter meanwhile would end the process.
fn digest(file: &Path) -> io::Result<Digest> {
    let mut hasher = blake3::Hasher::new();
    let read = File::open(file).and_then(|open| Ok(hasher.update_reader(open)?.finalize().into()));
    read.map_err(|error| io::Error::new(error.kind(), format!("{}: {error}", file.display())))
}

fn nanoseconds(moment: SystemTime) -> u64 {
    moment.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_nanos() as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set_age(file: &Path, seconds: u64) {
        let modified = SystemTime::now() - Duration::from_secs(seconds);
        fs::File::options().append(true).open(file).unwrap().set_modified(modified).unwrap();
    }

    #[test]
    fn names_and_what_is_in_the_files_count_and_nothing_else() {
        let place = tempfile::tempdir().unwrap();
        let (folder, file) = (place.path().join("photos"), place.path().join("photos/cat/1.png"));
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(&file, "one").unwrap();
        let look = || Contents::read(&folder, None).unwrap().digest();
        let before = look();
        set_age(&file, 60);
        fs::write(folder.join(".DS_Store"), "x").unwrap();
        fs::create_dir(folder.join("empty")).unwrap();
        assert_eq!(look(), before);
        fs::rename(&folder, place.path().join("moved")).unwrap();
        std::os::unix::fs::symlink(place.path().join("moved"), &folder).unwrap();
        assert_eq!(look(), before, "where it lies does not count, nor does a link on the way");
        fs::rename(&file, file.with_file_name("2.png")).unwrap();
        let renamed = look();
        assert_ne!(renamed, before);
        fs::write(file.with_file_name("2.png"), "two").unwrap();
        assert_ne!(look(), renamed);
        let of_file = |name: &str| Contents::read(&file.with_file_name(name), None).unwrap().digest();
        let two = of_file("2.png");
        fs::rename(file.with_file_name("2.png"), &file).unwrap();
        assert_eq!(of_file("1.png"), two, "the name of the path itself is no part of what lies there");
    }

    #[test]
    fn only_what_has_changed_is_read_again() {
        let place = tempfile::tempdir().unwrap();
        let (old, new) = (place.path().join("a"), place.path().join("b"));
        fs::write(&old, "one").unwrap();
        fs::write(&new, "two").unwrap();
        set_age(&old, 60);
        let modified = fs::metadata(&old).unwrap().modified().unwrap();
        let before = Contents::read(place.path(), None).unwrap();
        // Size and time are as before, so that only a second reading would show it.
        fs::write(&old, "eno").unwrap();
        fs::File::options().append(true).open(&old).unwrap().set_modified(modified).unwrap();
        let again = Contents::read(place.path(), Some(&before)).unwrap();
        assert_eq!(again.digest(), before.digest(), "what is old is not read again");
        assert!(again.is_news_to(Some(&before)), "`b` was too young to be trusted");
        set_age(&new, 60);
        let settled = Contents::read(place.path(), Some(&again)).unwrap();
        let later = Contents::read(place.path(), Some(&settled)).unwrap();
        assert!(!later.is_news_to(Some(&settled)));
        fs::write(&old, "three").unwrap();
        assert_ne!(Contents::read(place.path(), Some(&settled)).unwrap().digest(), before.digest());
    }

    #[test]
    fn a_link_that_leads_in_a_circle_is_an_error() {
        let place = tempfile::tempdir().unwrap();
        std::os::unix::fs::symlink(place.path(), place.path().join("again")).unwrap();
        let error = Contents::read(place.path(), None).unwrap_err().to_string();
        assert!(error.contains("again") && (error.contains("circle") || error.contains("level")), "{error}");
    }
}
