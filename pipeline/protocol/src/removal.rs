use std::fs;
use std::io::{self, ErrorKind};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

/// Removes a folder with all that is in it. That it is not there is as good. NFS keeps a file that somebody has open under another
/// name, and its folder with it, until it is closed: such files may be left, and nothing else.
///
/// # Errors
/// What the system refuses.
pub fn remove_folder(folder: &Path) -> io::Result<()> {
    remove_by(folder, &|folder| fs::remove_dir_all(folder))
}

fn remove_by(folder: &Path, remove: &dyn Fn(&Path) -> io::Result<()>) -> io::Result<()> {
    let Err(error) = remove(folder) else { return Ok(()) };
    match meaning(&error) {
        Meaning::NotThere => Ok(()),
        Meaning::Refused => Err(error),
        Meaning::InUse => {
            remove_what_is_not_held(folder, remove)?;
            if fs::remove_dir(folder).is_ok() || is_only_held(folder) { Ok(()) } else { Err(error) }
        }
    }
}

/// What it means that a folder cannot be removed.
#[derive(Debug, PartialEq)]
enum Meaning {
    NotThere,
    /// Something in it is open, or was written meanwhile.
    InUse,
    Refused,
}

fn meaning(error: &io::Error) -> Meaning {
    match error.kind() {
        ErrorKind::NotFound => Meaning::NotThere,
        ErrorKind::DirectoryNotEmpty | ErrorKind::ResourceBusy | ErrorKind::AlreadyExists => Meaning::InUse,
        _ => Meaning::Refused,
    }
}

/// The first file that is held ends the removing, wherever it stands in its folder.
fn remove_what_is_not_held(folder: &Path, remove: &dyn Fn(&Path) -> io::Result<()>) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        match entry.file_type()?.is_dir() {
            true => remove_by(&entry.path(), remove)?,
            false if is_held(&entry) => {}
            false => fs::remove_file(entry.path())?,
        }
    }
    Ok(())
}

fn is_only_held(folder: &Path) -> bool {
    let is_held = |entry: fs::DirEntry| match entry.file_type() {
        Ok(kind) if kind.is_dir() => is_only_held(&entry.path()),
        _ => is_held(&entry),
    };
    fs::read_dir(folder).is_ok_and(|entries| entries.into_iter().all(|entry| entry.is_ok_and(is_held)))
}

/// Whether NFS has given a file another name, since it was removed while it was open.
fn is_held(entry: &fs::DirEntry) -> bool {
    entry.file_name().as_bytes().starts_with(b".nfs")
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::PathBuf;

    /// A folder with `files`, and a file system that refuses to remove any folder with a `.nfs` file in it, before it removes the
    /// rest.
    fn refused_with(number: i32, files: &[&str]) -> (tempfile::TempDir, PathBuf, io::Result<()>) {
        let place = tempfile::tempdir().unwrap();
        let folder = place.path().join("out");
        for file in files {
            let file = folder.join(file);
            fs::create_dir_all(file.parent().unwrap()).unwrap();
            fs::write(file, "").unwrap();
        }
        let refuse = |folder: &Path| match find_held(folder) {
            true => Err(io::Error::from_raw_os_error(number)),
            false => fs::remove_dir_all(folder),
        };
        let removed = remove_by(&folder, &refuse);
        (place, folder, removed)
    }

    fn find_held(folder: &Path) -> bool {
        let mut entries = fs::read_dir(folder).unwrap().map(Result::unwrap);
        entries.any(|entry| is_held(&entry) || entry.file_type().unwrap().is_dir() && find_held(&entry.path()))
    }

    /// Each error of `rmdir` and `unlink`, and what is left of a folder in which something is open.
    #[test]
    fn what_is_open_keeps_nothing_but_itself() {
        let files = ["a", ".nfs0001", "inner/b", "inner/.nfs0002", "other/c"];
        for (number, expected) in [
            (libc::ENOTEMPTY, Meaning::InUse),
            (libc::EEXIST, Meaning::InUse),
            (libc::EBUSY, Meaning::InUse),
            (libc::EACCES, Meaning::Refused),
            (libc::EPERM, Meaning::Refused),
            (libc::EROFS, Meaning::Refused),
            (libc::ESTALE, Meaning::Refused),
            (libc::EIO, Meaning::Refused),
            (libc::ENOENT, Meaning::NotThere),
        ] {
            assert_eq!(meaning(&io::Error::from_raw_os_error(number)), expected, "{number}");
            let (_place, folder, removed) = refused_with(number, &files);
            let refused = (expected == Meaning::Refused).then_some(number);
            assert_eq!(removed.err().and_then(|error| error.raw_os_error()), refused, "{number}");
            let left = |file: &&str| folder.join(file).exists();
            match expected {
                Meaning::InUse => {
                    assert_eq!(files.into_iter().filter(left).collect::<Vec<_>>(), [".nfs0001", "inner/.nfs0002"]);
                    assert!(!folder.join("other").exists());
                }
                _ => assert!(files.iter().all(left), "{number}"),
            }
        }
    }

    #[test]
    fn what_cannot_be_removed_beside_it_is_an_error() {
        let place = tempfile::tempdir().unwrap();
        let inner = place.path().join("inner");
        fs::create_dir(&inner).unwrap();
        let refuse =
            |folder: &Path| Err(io::Error::from_raw_os_error(if folder == inner { libc::EIO } else { libc::EBUSY }));
        assert_eq!(remove_by(place.path(), &refuse).unwrap_err().raw_os_error(), Some(libc::EIO));
    }

    #[test]
    fn a_folder_goes_with_all_that_is_in_it() {
        let (_place, folder, removed) = refused_with(libc::EBUSY, &["a", "inner/b"]);
        assert!(removed.is_ok() && !folder.exists());
        assert!(remove_folder(&folder).is_ok(), "that it is not there is as good");
    }
}
