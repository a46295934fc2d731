//! Files that appear whole or not at all. Whatever the store changes on disk goes through here.

use super::error::{IoContext, Result, StoreError};
use super::{Machine, fault};
use crate::ids::Digest;
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::fs::{self, File, Permissions};
use std::io::{self, ErrorKind, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

/// How the names begin under which files and folders are written before they get their own.
pub(super) const TEMPORARY: &str = ".partial-";

/// Whether something is to outlast a loss of power. Waiting for the disk costs milliseconds. What is lost without it is
/// noticed (a file of the wrong size, a name that is not there) and computed again, so that only what took time to compute
/// is worth the wait.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Durability {
    Synced,
    Quick,
}

impl Durability {
    /// For what took so long to compute.
    pub fn worth(seconds: f64) -> Self {
        if seconds >= 0.5 { Self::Synced } else { Self::Quick }
    }
}

/// Writes a file under its final name in one step, and its folder where there is none.
pub(super) fn write_whole(place: &Path, bytes: &[u8], durability: Durability) -> Result<()> {
    let folder = place.parent().expect("every file of the store is in a folder");
    let temporary = unique_beside(place);
    let written = write_new(&temporary, bytes).or_else(|error| match error.kind() {
        ErrorKind::NotFound => create_folders(folder).and_then(|()| write_new(&temporary, bytes)),
        _ => Err(error),
    });
    let whole = written.and_then(|()| sync(&temporary, durability)).and_then(|()| rename(&temporary, place));
    if whole.is_err() {
        // That the rest of it cannot be removed either is less of a trouble than what comes next.
        let _ = fs::remove_file(&temporary);
    }
    whole.and_then(|()| sync(folder, durability)).doing("write", place)
}

/// [`write_whole`] of a value as indented JSON.
pub(super) fn write_json<T: Serialize>(place: &Path, value: &T, durability: Durability) -> Result<()> {
    let mut text = serde_json::to_vec_pretty(value).expect("records are plain data");
    text.push(b'\n');
    write_whole(place, &text, durability)
}

/// A file that nobody looks at yet.
pub(super) fn write_new(place: &Path, bytes: &[u8]) -> io::Result<()> {
    fault::step()?;
    let mut file = File::options().write(true).create_new(true).open(place)?;
    fault::step()?;
    file.write_all(bytes)
}

/// A name in the same folder that nobody else uses.
pub(super) fn unique_beside(place: &Path) -> PathBuf {
    place.with_file_name(format!("{TEMPORARY}{}", unique()))
}

/// What nobody else calls anything: the machine, the process, when it began, a number.
pub(super) fn unique() -> String {
    use std::sync::atomic::{AtomicU64, Ordering};
    static NUMBER: AtomicU64 = AtomicU64::new(0);
    static START: std::sync::OnceLock<u128> = std::sync::OnceLock::new();
    // Processes of other machines may have our number, and ours may be given out again.
    let host = this_host();
    let start = START.get_or_init(|| {
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
        now.map_or(0, |since| since.as_nanos())
    });
    let (process, number) = (std::process::id(), NUMBER.fetch_add(1, Ordering::Relaxed));
    format!("{host}-{process}-{start:x}-{number}")
}

/// This machine, in the names of files.
pub(super) fn this_host() -> &'static str {
    static HOST: std::sync::OnceLock<String> = std::sync::OnceLock::new();
    HOST.get_or_init(|| Digest::of(Machine::this().host.as_bytes()).short())
}

pub(super) fn create_folders(folder: &Path) -> io::Result<()> {
    fault::step()?;
    loop {
        match fs::create_dir_all(folder) {
            // Another process has just removed what was there.
            Err(error) if error.kind() == ErrorKind::AlreadyExists && !is_other_than_folder(folder) => continue,
            done => return done,
        }
    }
}

fn is_other_than_folder(place: &Path) -> bool {
    fs::metadata(place).is_ok_and(|found| !found.is_dir()) || place.is_symlink()
}

pub(super) fn create_folder(folder: &Path) -> io::Result<()> {
    fault::step()?;
    fs::create_dir(folder)
}

pub(super) fn rename(from: &Path, to: &Path) -> io::Result<()> {
    fault::step()?;
    fs::rename(from, to)
}

/// Two folders change places, in one step where the file system can.
pub(super) fn exchange(one: &Path, other: &Path) -> io::Result<()> {
    fault::step()?;
    pretext_protocol::exchange(one, other, &unique_beside(one), rename)
}

/// A new file that grows while others may read it already.
pub(super) fn create_file(place: &Path) -> Result<File> {
    let create = || File::options().read(true).append(true).create_new(true).open(place);
    fault::step().and_then(|()| create()).doing("create", place)
}

pub(super) fn remove_file(place: &Path) -> io::Result<()> {
    fault::step()?;
    fs::remove_file(place)
}

pub(super) fn make_read_only(place: &Path) -> io::Result<()> {
    fault::step()?;
    courtesy(fs::set_permissions(place, Permissions::from_mode(0o444)))
}

/// What is done for people who would change files by mistake is left out where the file system has no modes, or gives files to
/// another user than who made them (NFS with `all_squash`).
fn courtesy(done: io::Result<()>) -> io::Result<()> {
    done.or_else(
        |error| if error.raw_os_error() == Some(libc::EPERM) { Ok(()) } else { where_there_is_such(Err(error)) },
    )
}

/// What a file system has no call for nobody can wait for.
fn where_there_is_such(done: io::Result<()>) -> io::Result<()> {
    done.or_else(|error| if pretext_protocol::cannot(&error) { Ok(()) } else { Err(error) })
}

pub(super) fn set_time(place: &Path, time: SystemTime) -> io::Result<()> {
    fault::step()?;
    File::open(place)?.set_modified(time)
}

/// Makes what was written to a file, or the new names in a folder, outlast a loss of power. Some network file systems cannot do it
/// for folders.
pub(super) fn sync(place: &Path, durability: Durability) -> io::Result<()> {
    match durability {
        Durability::Quick => Ok(()),
        Durability::Synced => {
            fault::step()?;
            where_there_is_such(File::open(place)?.sync_all())
        }
    }
}

/// Removes a folder with all that is in it. That it is not there is as good. What NFS keeps of it, since somebody has it open,
/// `gc` finds.
pub(super) fn remove_folder(folder: &Path) -> Result<()> {
    fault::step().and_then(|()| pretext_protocol::remove_folder(folder)).doing("remove", folder)
}

/// Removes a folder so that no half of it is ever at its place.
pub(super) fn remove_at_once(folder: &Path) -> Result<()> {
    remove_folder(&set_aside(folder)?)
}

/// Takes a folder from its place, to be removed. Returns where it is now.
pub(super) fn set_aside(folder: &Path) -> Result<PathBuf> {
    let removed = unique_beside(folder);
    rename(folder, &removed).doing("remove", folder).map(|()| removed)
}

/// Removes a file or a folder that nobody looks for.
pub(super) fn remove(place: &Path) -> Result<()> {
    if place.is_dir() && !place.is_symlink() {
        return remove_folder(place);
    }
    match remove_file(place) {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
        done => done.doing("remove", place),
    }
}

pub(super) fn read_if_there(place: &Path) -> Result<Option<Vec<u8>>> {
    match fs::read(place) {
        Ok(bytes) => Ok(Some(bytes)),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error).doing("read", place),
    }
}

pub(super) fn read_json<T: DeserializeOwned>(place: &Path) -> Result<Option<T>> {
    let Some(bytes) = read_if_there(place)? else { return Ok(None) };
    let value = serde_json::from_slice(&bytes);
    value.map(Some).map_err(|cause| StoreError::Malformed { path: place.to_owned(), cause })
}

/// The entries of a folder; none where it is not there.
pub(super) fn entries(folder: &Path) -> Result<Vec<PathBuf>> {
    let entries = match fs::read_dir(folder) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(vec![]),
        entries => entries.doing("list", folder)?,
    };
    entries.map(|entry| entry.map(|entry| entry.path()).doing("list", folder)).collect()
}

/// The entries of a folder; none where there is no folder of this name.
pub(super) fn entries_of_folder(folder: &Path) -> Result<Vec<PathBuf>> {
    if folder.is_dir() { entries(folder) } else { Ok(vec![]) }
}

/// What a rename into place came to.
#[derive(Debug, PartialEq)]
pub(super) enum Renamed {
    Done,
    /// Something is there already; nothing was changed.
    Occupied,
}

/// Gives a whole folder its final name, unless there is something of that name.
pub(super) fn rename_folder(from: &Path, to: &Path, durability: Durability) -> Result<Renamed> {
    let parent = to.parent().expect("every folder of the store is in one");
    let done = rename(from, to).or_else(|error| match error.kind() {
        ErrorKind::NotFound => create_folders(parent).and_then(|()| rename(from, to)),
        _ => Err(error),
    });
    let renamed = renamed(done).doing("rename a finished folder to", to)?;
    if renamed == Renamed::Done {
        sync(parent, durability).doing("save", parent)?;
    }
    Ok(renamed)
}

fn renamed(done: io::Result<()>) -> io::Result<Renamed> {
    match done {
        Ok(()) => Ok(Renamed::Done),
        Err(error) if matches!(error.kind(), ErrorKind::DirectoryNotEmpty | ErrorKind::AlreadyExists) => {
            Ok(Renamed::Occupied)
        }
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Each error of `fsync`, `chmod` and `rename` that a network file system may give, and whether the program goes on. What a
    /// person reads where it does not stands in `remedy.rs`.
    #[test]
    fn the_program_goes_on_without_what_the_file_system_cannot_do() {
        let goes_on = |meaning: fn(io::Result<()>) -> io::Result<()>, number| {
            meaning(Err(io::Error::from_raw_os_error(number))).is_ok()
        };
        for (number, without_sync, without_modes) in [
            (libc::EINVAL, true, true),
            (libc::ENOSYS, true, true),
            (libc::EOPNOTSUPP, true, true),
            (libc::EPERM, false, true),
            (libc::EACCES, false, false),
            (libc::EROFS, false, false),
            (libc::ENOSPC, false, false),
            (libc::EDQUOT, false, false),
            (libc::ESTALE, false, false),
            (libc::EIO, false, false),
        ] {
            let answers = (goes_on(where_there_is_such, number), goes_on(courtesy, number));
            assert_eq!(answers, (without_sync, without_modes), "{number}");
        }
    }

    #[test]
    fn a_rename_says_that_a_place_is_taken_and_no_other_error_does() {
        for (number, expected) in [
            (libc::ENOTEMPTY, Some(Renamed::Occupied)),
            (libc::EEXIST, Some(Renamed::Occupied)),
            (libc::EXDEV, None),
            (libc::EBUSY, None),
            (libc::EACCES, None),
            (libc::ESTALE, None),
            (libc::EIO, None),
        ] {
            let answer = renamed(Err(io::Error::from_raw_os_error(number)));
            let refused = expected.is_none().then_some(number);
            assert_eq!(answer.as_ref().err().and_then(io::Error::raw_os_error), refused, "{number}");
            assert_eq!(answer.ok(), expected, "{number}");
        }
        assert_eq!(renamed(Ok(())).unwrap(), Renamed::Done);
    }
}
