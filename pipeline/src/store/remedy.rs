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
        Some(libc::ENOLCK | libc::EOPNOTSUPP) => {
            "the file system gives no locks, without which two runs would take each other's work for their own: mount it with \
             locks (NFS: without `nolock`, with a running lockd; Lustre: with `flock`), or use a store on a local disk with \
             --store FOLDER"
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
