use std::ffi::CString;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

/// Two folders change places: in one step where the file system can (`renameat2`), else by `rename` in three, with `other` at
/// `aside` for a moment. Network file systems (NFS, Lustre) cannot.
///
/// # Errors
/// What the system refuses, but for the one step.
pub fn exchange(
    one: &Path,
    other: &Path,
    aside: &Path,
    rename: impl Fn(&Path, &Path) -> io::Result<()>,
) -> io::Result<()> {
    match in_one_step(one, other) {
        Err(error) if cannot(&error) => {
            rename(other, aside)?;
            if let Err(error) = rename(one, other) {
                rename(aside, other)?;
                return Err(error);
            }
            rename(aside, one)
        }
        done => done,
    }
}

/// Whether an error says that the file system has no such call, and not that something is wrong.
pub fn cannot(error: &io::Error) -> bool {
    matches!(error.raw_os_error(), Some(libc::EINVAL | libc::ENOSYS | libc::EOPNOTSUPP))
}

fn in_one_step(one: &Path, other: &Path) -> io::Result<()> {
    #[cfg(test)]
    if let Some(error) = tests::REFUSED.get() {
        return Err(io::Error::from_raw_os_error(error));
    }
    let [one, other] = [one, other].map(|path| CString::new(path.as_os_str().as_bytes()));
    let (one, other) = (one?, other?);
    // SAFETY: both are strings that end in zero and live until the call returns.
    let status =
        unsafe { libc::renameat2(libc::AT_FDCWD, one.as_ptr(), libc::AT_FDCWD, other.as_ptr(), libc::RENAME_EXCHANGE) };
    if status == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::Cell;
    use std::fs;

    thread_local! {
        /// What the one step is refused with.
        pub(super) static REFUSED: Cell<Option<i32>> = const { Cell::new(None) };
    }

    #[test]
    fn what_cannot_be_exchanged_is_where_it_was() {
        let folder = tempfile::tempdir().unwrap();
        let [one, other, aside] = ["one", "other", "aside"].map(|name| folder.path().join(name));
        for place in [&one, &other] {
            fs::create_dir(place).unwrap();
        }
        let refuse = |from: &Path, to: &Path| match from == one {
            true => Err(io::Error::from_raw_os_error(libc::EIO)),
            false => fs::rename(from, to),
        };
        REFUSED.set(Some(libc::EINVAL));
        let error = exchange(&one, &other, &aside, refuse).unwrap_err();
        REFUSED.set(None);
        assert_eq!(error.raw_os_error(), Some(libc::EIO));
        assert!(one.exists() && other.exists() && !aside.exists());
    }

    /// Each error that the call may give, and whether the folders have changed places afterwards.
    #[test]
    fn folders_change_places_where_the_file_system_has_no_call_for_it_too() {
        for (refused, is_done) in [
            (None, true),
            (Some(libc::EINVAL), true),
            (Some(libc::ENOSYS), true),
            (Some(libc::EOPNOTSUPP), true),
            (Some(libc::EIO), false),
            (Some(libc::EACCES), false),
        ] {
            let folder = tempfile::tempdir().unwrap();
            let [one, other, aside] = ["one", "other", "aside"].map(|name| folder.path().join(name));
            for place in [&one, &other] {
                fs::create_dir(place).unwrap();
                fs::write(place.join(place.file_name().unwrap()), "").unwrap();
            }
            REFUSED.set(refused);
            let done = exchange(&one, &other, &aside, |from, to| fs::rename(from, to));
            REFUSED.set(None);
            assert_eq!(
                (done.is_ok(), one.join("other").exists(), other.join("one").exists()),
                (is_done, is_done, is_done)
            );
            assert!(
                !aside.exists()
                    && done.err().map(|error| error.raw_os_error()) == refused.filter(|_| !is_done).map(Some)
            );
        }
    }
}
