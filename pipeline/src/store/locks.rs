//! Locks of files, and what the system's answer to a wish for one means. Network file systems refuse some of them, and a lock that
//! is refused is not one that is free.

use std::fs::{File, TryLockError};
use std::io::{self, ErrorKind};
use std::path::Path;

/// A file that is locked, until this is dropped. The lock is given back by name and not only with the file: a process that is just
/// being started has the file too for a moment.
#[derive(Debug)]
pub(crate) struct Locked(pub(super) File);

impl Locked {
    /// Locks a file, unless somebody else's lock forbids it.
    ///
    /// # Errors
    /// Where it cannot be known whether somebody has it.
    pub(crate) fn alone(file: File) -> io::Result<Option<Self>> {
        Ok(take(&file, File::try_lock)?.then_some(Self(file)))
    }
}

impl Drop for Locked {
    fn drop(&mut self) {
        // What cannot be unlocked is so when it is closed.
        let _ = self.0.unlock();
    }
}

/// Opens a file to lock it. Network file systems lock by ranges of bytes, alone only for those who may write; who may not write
/// can still lock with others.
pub(crate) fn open_to_lock(place: &Path) -> io::Result<File> {
    File::options().read(true).write(true).open(place).or_else(|error| match error.kind() {
        ErrorKind::PermissionDenied | ErrorKind::ReadOnlyFilesystem => File::open(place),
        _ => Err(error),
    })
}

/// Takes a lock: `File::try_lock`, say. False where somebody else's forbids it.
///
/// # Errors
/// Where the system gives none, so that it cannot be known whether somebody has it.
pub(super) fn take(file: &File, lock: impl Fn(&File) -> Result<(), TryLockError>) -> io::Result<bool> {
    loop {
        let Err(error) = lock(file).map_err(io::Error::from) else { return Ok(true) };
        match meaning(&error) {
            Meaning::Held => return Ok(false),
            Meaning::Again => {}
            Meaning::Refused => return Err(error),
        }
    }
}

/// Whether somebody, in this process or another, has the lock of a file. Where the system does not tell, somebody may: what is
/// not known to be free is left alone.
pub(super) fn is_locked(place: &Path) -> bool {
    match File::open(place) {
        Err(error) => error.kind() != ErrorKind::NotFound,
        Ok(file) => !is_free(&file, File::try_lock_shared),
    }
}

fn is_free(file: &File, lock: impl Fn(&File) -> Result<(), TryLockError>) -> bool {
    take(file, lock).unwrap_or(false)
}

/// What it means that there is no lock.
#[derive(Debug, PartialEq)]
enum Meaning {
    /// Somebody has it.
    Held,
    /// A signal came first.
    Again,
    /// The file system gives no locks, or not this one.
    Refused,
}

/// EACCES is how SMB says that somebody has it: whether the file may be read or written was settled when it was opened.
fn meaning(error: &io::Error) -> Meaning {
    match error.kind() {
        ErrorKind::WouldBlock | ErrorKind::PermissionDenied => Meaning::Held,
        ErrorKind::Interrupted => Meaning::Again,
        _ => Meaning::Refused,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::Cell;

    /// Each answer that the system may give, what it means, and whether the file counts as free afterwards. The words that a
    /// person reads stand in `remedy.rs`.
    #[test]
    fn what_is_not_known_to_be_free_is_not_free() {
        let file = tempfile::tempfile().unwrap();
        for (number, expected) in [
            (libc::EWOULDBLOCK, Meaning::Held),
            (libc::EAGAIN, Meaning::Held),
            (libc::EACCES, Meaning::Held),
            (libc::ENOLCK, Meaning::Refused),
            (libc::EOPNOTSUPP, Meaning::Refused),
            (libc::ENOSYS, Meaning::Refused),
            (libc::EBADF, Meaning::Refused),
            (libc::ESTALE, Meaning::Refused),
            (libc::EIO, Meaning::Refused),
        ] {
            let refuse = |_: &File| Err(TryLockError::Error(io::Error::from_raw_os_error(number)));
            assert_eq!(meaning(&io::Error::from_raw_os_error(number)), expected, "{number}");
            let answer = take(&file, refuse).map_err(|error| error.raw_os_error());
            assert_eq!(answer, if expected == Meaning::Held { Ok(false) } else { Err(Some(number)) });
            assert!(!is_free(&file, refuse), "{number}");
        }
        assert!(!take(&file, |_| Err(TryLockError::WouldBlock)).unwrap());
        assert!(take(&file, |_| Ok(())).unwrap() && is_free(&file, |_| Ok(())));
    }

    #[test]
    fn a_signal_is_no_answer() {
        let (file, asked) = (tempfile::tempfile().unwrap(), Cell::new(0));
        let answer = take(&file, |_| {
            asked.set(asked.get() + 1);
            match asked.get() {
                3 => Ok(()),
                _ => Err(TryLockError::Error(io::Error::from_raw_os_error(libc::EINTR))),
            }
        });
        assert!(answer.unwrap() && asked.get() == 3);
    }

    #[test]
    fn a_file_is_locked_while_somebody_has_it_and_one_that_is_not_there_is_not() {
        let folder = tempfile::tempdir().unwrap();
        let place = folder.path().join("lease");
        assert!(!is_locked(&place));
        let own = Locked::alone(File::create(&place).unwrap()).unwrap().unwrap();
        assert!(is_locked(&place) && Locked::alone(File::open(&place).unwrap()).unwrap().is_none());
        drop(own);
        assert!(!is_locked(&place));
        assert!(is_locked(&place.join("below")), "what cannot be opened may be anyone's");
    }
}
