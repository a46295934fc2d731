//! What the file system can do that a store lies on.

use super::{Store, files};
use std::fs::{self, File};
use std::io;
use std::path::Path;

/// What was found out.
#[derive(Debug)]
pub struct Abilities {
    /// Whether files can be locked, which keeps two runs apart; else why not.
    pub locks: io::Result<()>,
    /// Whether two folders change places in one step; else it takes three, between which a kill leaves a gap that is mended by
    /// computing again.
    pub exchanges: bool,
}

impl Store {
    /// Tries it in a folder of its own, which is removed again. None where nothing can be written.
    pub fn probe(root: &Path) -> Option<Abilities> {
        let folder = files::unique_beside(&root.join("probe"));
        fs::create_dir(&folder).ok()?;
        let abilities = try_in(&folder);
        // What is left of it `gc` finds.
        let _ = fs::remove_dir_all(&folder);
        abilities.ok()
    }
}

fn try_in(folder: &Path) -> io::Result<Abilities> {
    let file = File::create(folder.join("lock"))?;
    let locks = file.try_lock().map_err(io::Error::from);
    let [one, other, aside] = ["one", "other", "aside"].map(|name| folder.join(name));
    fs::create_dir(&one)?;
    fs::create_dir(&other)?;
    let refused = |_: &Path, _: &Path| Err(io::Error::from_raw_os_error(libc::ENOSYS));
    Ok(Abilities { locks, exchanges: pretext_protocol::exchange(&one, &other, &aside, refused).is_ok() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_local_disk_can_lock_and_nothing_is_left_of_the_question() {
        let folder = tempfile::tempdir().unwrap();
        let abilities = Store::probe(folder.path()).unwrap();
        assert!(abilities.locks.is_ok());
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
        assert!(Store::probe(&folder.path().join("not there")).is_none());
    }
}
