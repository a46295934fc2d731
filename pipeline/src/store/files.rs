//! Files that appear whole or not at all.

use super::error::{IoContext, Result, StoreError};
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::fs::{self, File, Permissions};
use std::io::{self, ErrorKind, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

/// How the names begin under which files are written before they get their own.
pub(super) const TEMPORARY: &str = ".partial-";

/// Writes a file under its final name in one step, and its folder where there is none.
pub(super) fn write_whole(place: &Path, bytes: &[u8]) -> Result<()> {
    let folder = place.parent().expect("every file of the store is in a folder");
    fs::create_dir_all(folder).doing("create", folder)?;
    let mut builder = tempfile::Builder::new();
    // What tempfile makes is for its owner's eyes only; a store may be shared. The umask still applies.
    let builder = builder.prefix(TEMPORARY).permissions(Permissions::from_mode(0o666));
    let mut temporary = builder.tempfile_in(folder).doing("create a file in", folder)?;
    temporary.write_all(bytes).and_then(|()| temporary.as_file().sync_all()).doing("write", place)?;
    temporary.persist(place).map_err(|error| error.error).doing("write", place)?;
    sync_folder(folder)
}

/// [`write_whole`] of a value as indented JSON.
pub(super) fn write_json<T: Serialize>(place: &Path, value: &T) -> Result<()> {
    let mut text = serde_json::to_vec_pretty(value).expect("records are plain data");
    text.push(b'\n');
    write_whole(place, &text)
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
    value.map(Some).map_err(|source| StoreError::Malformed { path: place.to_owned(), source })
}

/// What a rename into place came to.
#[derive(Debug, PartialEq)]
pub(super) enum Renamed {
    Done,
    /// Something is there already; nothing was changed.
    Occupied,
}

/// Gives a whole folder its final name, unless there is something of that name.
pub(super) fn rename_folder(from: &Path, to: &Path) -> Result<Renamed> {
    let parent = to.parent().expect("every folder of the store is in one");
    fs::create_dir_all(parent).doing("create", parent)?;
    match fs::rename(from, to) {
        Ok(()) => sync_folder(parent).map(|()| Renamed::Done),
        Err(error) if is_occupied(&error) => Ok(Renamed::Occupied),
        Err(error) => Err(error).doing("rename a finished folder to", to),
    }
}

fn is_occupied(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::DirectoryNotEmpty | ErrorKind::AlreadyExists)
}

/// Makes what was written to a file outlast a loss of power.
pub(super) fn sync_file(place: &Path) -> Result<()> {
    File::open(place).and_then(|file| file.sync_all()).doing("save", place)
}

/// Makes new names in a folder outlast a loss of power.
pub(super) fn sync_folder(folder: &Path) -> Result<()> {
    sync_file(folder)
}

/// Removes a folder with all that is in it. That it is not there is as good.
pub(super) fn remove_folder(folder: &Path) -> Result<()> {
    match fs::remove_dir_all(folder) {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
        done => done.doing("remove", folder),
    }
}
