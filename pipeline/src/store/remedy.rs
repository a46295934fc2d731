//! What to do when the system refuses.

use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

/// What to do when the disk is full.
pub const FREE_SPACE: &str =
    "free some space (`pretext gc` lists what can go) and run the same command again: what is computed is kept";

/// What a person can do about an error, to be put behind it; nothing where nobody knows.
pub(super) fn of(error: &io::Error, path: &Path) -> String {
    let what = match error.raw_os_error() {
        Some(libc::ENOSPC | libc::EDQUOT) => FREE_SPACE,
        Some(libc::EROFS) => {
            "the file system is mounted read-only: mount it for writing, or use another store with --store FOLDER"
        }
        Some(libc::EACCES | libc::EPERM) => return format!("; {}", ownership(path)),
        Some(libc::EBADF) => return format!("; only who may write a file can lock it here: {}", ownership(path)),
        Some(libc::ENOLCK | libc::EOPNOTSUPP | libc::ENOSYS) => {
            "the file system gives no locks, without which two runs would take each other's work for their own: mount it with \
             locks (NFS: without `nolock`, with a running lockd; Lustre: with `flock`), or use a store on a local disk with \
             --store FOLDER"
        }
        Some(libc::EXDEV) => {
            "a store's folders must lie on one file system, since whatever is whole is renamed into its place: move all of it (to \
             use another disk, make the store itself a link, or name it by --store FOLDER)"
        }
        Some(libc::EBUSY | libc::ENOTEMPTY) => {
            "something still writes there or has files open: `pretext status` shows what runs, `lsof` who has them; end it and run \
             the same command again"
        }
        Some(libc::ESTALE) => "another machine has removed or replaced it meanwhile: run the same command again",
        Some(libc::EMLINK) => {
            "the file system allows no more folders in this one: `pretext gc` lists what can go, `--store FOLDER` names another"
        }
        Some(libc::EFBIG) => "the system limits how large a file may be (`ulimit -f` shows it): raise the limit",
        Some(libc::EMFILE) => "the system limits how many files may be open (`ulimit -n` shows it): raise the limit",
        Some(libc::EIO) => {
            "the disk itself reports an error, `dmesg` says more: mend or replace it, then run `pretext verify`"
        }
        _ => return String::new(),
    };
    format!("; {what}")
}

/// Whose the file is, or the nearest folder above it that there is, and who would like to change it.
fn ownership(path: &Path) -> String {
    // SAFETY: geteuid touches no memory and cannot fail.
    let own = user(unsafe { libc::geteuid() });
    let found = path.ancestors().find_map(|place| Some((place, fs::symlink_metadata(place).ok()?)));
    let Some((place, metadata)) = found else { return format!("pretext runs as {own}") };
    let (owner, mode) = (user(metadata.uid()), metadata.mode() & 0o7777);
    format!(
        "{} belongs to {owner} (mode {mode:o}) and pretext runs as {own}: change its owner or mode, or use another store \
         with --store FOLDER",
        place.display()
    )
}

/// `anna (1000)`
fn user(number: u32) -> String {
    let users = fs::read_to_string("/etc/passwd").unwrap_or_default();
    let name = users.lines().find_map(|line| {
        let mut fields = line.split(':');
        let name = fields.next()?;
        (fields.nth(1)?.parse() == Ok(number)).then(|| name.to_owned())
    });
    name.map_or_else(|| format!("user {number}"), |name| format!("{name} ({number})"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::StoreError;

    /// What the store was doing, the error that a network file system may give, and the words that a person reads.
    #[test]
    fn what_a_network_file_system_refuses_is_told_with_what_to_do() {
        let place = tempfile::NamedTempFile::new().unwrap();
        let locks = "; the file system gives no locks";
        for (doing, number, expected) in [
            ("lock", libc::ENOLCK, locks),
            ("lock", libc::EOPNOTSUPP, locks),
            ("lock", libc::ENOSYS, locks),
            ("lock", libc::EBADF, "; only who may write a file can lock it here: "),
            ("lock", libc::EBADF, " and pretext runs as "),
            ("lock", libc::ESTALE, "; another machine has removed or replaced it meanwhile"),
            ("remove", libc::EBUSY, "; something still writes there or has files open"),
            ("remove", libc::ENOTEMPTY, "; something still writes there or has files open"),
            ("rename", libc::EXDEV, "; a store's folders must lie on one file system"),
            ("create", libc::EMLINK, "; the file system allows no more folders in this one"),
            ("create", libc::EDQUOT, "; free some space"),
            ("create", libc::EROFS, "; the file system is mounted read-only"),
            ("save", libc::EIO, "; the disk itself reports an error"),
        ] {
            let cause = io::Error::from_raw_os_error(number);
            let text = StoreError::Io { doing, path: place.path().to_owned(), cause }.to_string();
            assert!(text.starts_with(&format!("cannot {doing} {}: ", place.path().display())), "{text}");
            assert!(text.contains(expected), "{text}");
        }
    }
}
