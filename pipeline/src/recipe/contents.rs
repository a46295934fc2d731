//! What lies at a path, as keys count it: of every file its name and what is in it.

use crate::ids::Digest;
use rayon::prelude::*;
use serde::{Deserialize, Serialize};
use std::fs::{self, File, Metadata};
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// The files at and below a path, in the order of their names. What begins with a dot is passed over: systems leave such
/// files behind. Links are followed; one to what is not there counts by its name, and whoever reads it says what that means.
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
    stamp: Stamp,
    digest: Digest,
}

/// What a file looks like from outside. An archive that is unpacked over another brings sizes and times with it, so that
/// these alone do not tell; who writes to a file cannot choose its inode and when that changed.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
struct Stamp {
    size: u64,
    modified_ns: u64,
    changed_ns: u64,
    inode: u64,
}

/// A file may be written twice within one tick of its clock: what was changed so shortly before it was read is read again.
/// Of the time that a writer may set, on disks of cameras too.
const TICK: Duration = Duration::from_secs(2);
/// Of the kernel's own time.
const KERNEL_TICK: Duration = Duration::from_millis(100);
/// Deeper than any data set: a link that leads to a folder above itself.
const DEEPEST: usize = 64;

impl Contents {
    /// Looks at all files, and reads those that `earlier` does not know with the same size and time.
    pub fn read(path: &Path, earlier: Option<&Self>) -> io::Result<Self> {
        let taken_ns = nanoseconds(SystemTime::now());
        let mut found = vec![];
        walk(path, PathBuf::new(), &fs::metadata(path)?, 0, &mut found)?;
        found.sort_by(|(a, ..), (b, ..)| a.cmp(b));
        let entry = |(name, stamp): (PathBuf, Stamp)| {
            let known = earlier.and_then(|earlier| earlier.still(&name, stamp));
            let file = if name.as_os_str().is_empty() { path.to_owned() } else { path.join(&name) };
            let digest = known.map_or_else(|| digest(&file), Ok)?;
            Ok(Entry { name, stamp, digest })
        };
        Ok(Self { taken_ns, files: found.into_par_iter().map(entry).collect::<io::Result<_>>()? })
    }

    /// The digest of the one file that lies at the path itself, as it counts alone.
    pub fn only(&self) -> Digest {
        match self.files.as_slice() {
            [Entry { name, digest, .. }] if name.as_os_str().is_empty() => *digest,
            _ => self.digest(),
        }
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

    /// What has happened since an earlier look, of the first file of which something has: `cat/1.png was changed`. Writing the
    /// same bytes again counts: others may have been there in between.
    pub fn change_since(&self, earlier: &Self) -> Option<String> {
        let named = |entry: &Entry| match entry.name.as_os_str().is_empty() {
            true => "it".to_owned(),
            false => entry.name.display().to_string(),
        };
        let (mut before, mut now) = (earlier.files.iter().peekable(), self.files.iter().peekable());
        loop {
            match (before.peek(), now.peek()) {
                (None, None) => return None,
                (Some(gone), other) if other.is_none_or(|other| gone.name < other.name) => {
                    return Some(format!("{} was removed", named(gone)));
                }
                (Some(old), Some(new)) if old.name == new.name => {
                    if old.digest != new.digest || new.stamp.was_written_since(&old.stamp) {
                        let again = if old.digest == new.digest { " and changed back" } else { "" };
                        return Some(format!("{} was changed{again}", named(new)));
                    }
                    before.next();
                    now.next();
                }
                (_, Some(new)) => return Some(format!("{} is new", named(new))),
                (Some(_), None) => unreachable!("what has nothing beside it was removed"),
            }
        }
    }

    fn still(&self, name: &Path, stamp: Stamp) -> Option<Digest> {
        let place = self.files.binary_search_by(|entry| entry.name.as_path().cmp(name)).ok()?;
        let entry = &self.files[place];
        (entry.stamp == stamp && !self.is_fresh(entry)).then_some(entry.digest)
    }

    fn is_fresh(&self, entry: &Entry) -> bool {
        let is_close = |moment: u64, tick: Duration| moment.saturating_add(tick.as_nanos() as u64) >= self.taken_ns;
        is_close(entry.stamp.modified_ns, TICK) || is_close(entry.stamp.changed_ns, KERNEL_TICK)
    }

    fn has_fresh(&self) -> bool {
        self.files.iter().any(|entry| self.is_fresh(entry))
    }
}

fn walk(path: &Path, name: PathBuf, at: &Metadata, depth: usize, found: &mut Vec<(PathBuf, Stamp)>) -> io::Result<()> {
    if at.is_file() || at.is_symlink() {
        found.push((name, Stamp::of(at)?));
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
            .or_else(|error| if leads_nowhere(&path) { fs::symlink_metadata(&path) } else { Err(error) })
            .map_err(|error| io::Error::new(error.kind(), format!("{}: {error}", path.display())))?;
        walk(&path, name.join(entry.file_name()), &at, depth + 1, found)?;
    }
    Ok(())
}

impl Stamp {
    /// Whether somebody has written to the file or put another in its place. Some file systems give a file another inode each time
    /// that it is opened; the kernel's own time stays.
    fn was_written_since(&self, earlier: &Self) -> bool {
        let is_another = self.inode != earlier.inode && self.changed_ns != earlier.changed_ns;
        (self.size, self.modified_ns) != (earlier.size, earlier.modified_ns) || is_another
    }

    fn of(at: &Metadata) -> io::Result<Self> {
        let changed_ns = at.ctime() as u64 * 1_000_000_000 + at.ctime_nsec() as u64;
        Ok(Self { size: at.len(), modified_ns: nanoseconds(at.modified()?), changed_ns, inode: at.ino() })
    }
}

fn leads_nowhere(path: &Path) -> bool {
    path.is_symlink() && fs::metadata(path).is_err_and(|error| error.kind() == io::ErrorKind::NotFound)
}

/// Reads a file. It is not mapped into memory: one that somebody makes shorter meanwhile would end the process.
fn digest(file: &Path) -> io::Result<Digest> {
    let mut hasher = blake3::Hasher::new();
    if leads_nowhere(file) {
        return Ok(hasher.update(b"a link to what is not there").finalize().into());
    }
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

    /// A look as it would be some time after the files were written.
    fn look_later(path: &Path, earlier: Option<&Contents>) -> Contents {
        let mut contents = Contents::read(path, earlier).unwrap();
        contents.taken_ns += 10 * TICK.as_nanos() as u64;
        contents
    }

    #[test]
    fn only_what_has_changed_is_read_again() {
        let place = tempfile::tempdir().unwrap();
        let file = place.path().join("a");
        fs::write(&file, "one").unwrap();
        let mut before = look_later(place.path(), None);
        // What is kept for a file shows whether it was read.
        let kept = Digest::of(b"kept");
        before.files[0].digest = kept;
        let digest = |earlier: &Contents| Contents::read(place.path(), Some(earlier)).unwrap().files[0].digest;
        assert_eq!(digest(&before), kept, "what is old is not read again");
        let young = Contents { taken_ns: before.files[0].stamp.changed_ns, ..before.clone() };
        assert_ne!(digest(&young), kept, "it may have been written to in the same moment");
        assert!(!before.is_news_to(Some(&before)) && before.is_news_to(Some(&young)));
    }

    #[test]
    fn a_file_of_the_same_size_and_time_is_another() {
        let place = tempfile::tempdir().unwrap();
        let file = place.path().join("a");
        let modified = SystemTime::now() - Duration::from_secs(1000);
        let write = |text: &str| {
            fs::write(&file, text).unwrap();
            fs::File::options().append(true).open(&file).unwrap().set_modified(modified).unwrap();
        };
        write("one");
        let before = look_later(place.path(), None);
        // The kernel's clock goes by ticks.
        std::thread::sleep(Duration::from_millis(20));
        write("eno");
        let after = Contents::read(place.path(), Some(&before)).unwrap();
        assert_ne!(after.digest(), before.digest());
        assert_eq!(after.change_since(&before).unwrap(), "a was changed");
    }

    #[test]
    fn what_has_happened_since_is_named() {
        let place = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str| fs::write(place.path().join(name), text).unwrap();
        write("b", "one");
        let before = Contents::read(place.path(), None).unwrap();
        let change = || Contents::read(place.path(), None).unwrap().change_since(&before);
        assert_eq!(change(), None);
        write("a", "");
        assert_eq!(change().unwrap(), "a is new");
        fs::remove_file(place.path().join("a")).unwrap();
        write("c", "");
        assert_eq!(change().unwrap(), "c is new");
        fs::remove_file(place.path().join("c")).unwrap();
        write("new", "one");
        fs::rename(place.path().join("new"), place.path().join("b")).unwrap();
        assert_eq!(change().unwrap(), "b was changed and changed back");
        fs::remove_file(place.path().join("b")).unwrap();
        assert_eq!(change().unwrap(), "b was removed");
    }

    #[test]
    fn a_link_that_leads_in_a_circle_is_an_error() {
        let place = tempfile::tempdir().unwrap();
        std::os::unix::fs::symlink(place.path(), place.path().join("again")).unwrap();
        let error = Contents::read(place.path(), None).unwrap_err().to_string();
        assert!(error.contains("again") && (error.contains("circle") || error.contains("level")), "{error}");
    }

    #[test]
    fn a_link_to_what_is_not_there_counts_by_its_name() {
        let place = tempfile::tempdir().unwrap();
        let (folder, target) = (place.path().join("photos"), place.path().join("elsewhere.png"));
        fs::create_dir(&folder).unwrap();
        fs::write(folder.join("a.png"), "one").unwrap();
        let look = || Contents::read(&folder, None).unwrap().digest();
        let without = look();
        std::os::unix::fs::symlink(&target, folder.join("b.png")).unwrap();
        let dangling = look();
        assert_ne!(dangling, without);
        assert_eq!(look(), dangling);
        fs::write(&target, "two").unwrap();
        assert_ne!(look(), dangling);
        let gone = Contents::read(&place.path().join("gone"), None).unwrap_err();
        assert_eq!(gone.kind(), io::ErrorKind::NotFound, "the path itself has to be there");
    }
}
