//! Links in what a stage has written. What leads to something else in the same folder stays; in the place of what leads elsewhere
//! comes what it leads to, since an artifact is moved, copied and kept when that is gone.

use super::error::{IoContext, Result, StoreError};
use super::files;
use std::fs;
use std::io::ErrorKind;
use std::os::unix::fs::symlink;
use std::path::{Component, Path, PathBuf};

/// Has every link in a folder lead to something in it, or makes it what it leads to.
pub(super) fn settle(folder: &Path) -> Result<()> {
    settle_within(folder, folder)
}

fn settle_within(root: &Path, folder: &Path) -> Result<()> {
    for entry in fs::read_dir(folder).doing("list", folder)? {
        let path = entry.doing("list", folder)?.path();
        let found = fs::symlink_metadata(&path).doing("look at", &path)?;
        if found.is_dir() {
            settle_within(root, &path)?;
        } else if found.is_symlink() {
            settle_link(root, &path)?;
        }
    }
    Ok(())
}

fn settle_link(root: &Path, link: &Path) -> Result<()> {
    let target = fs::read_link(link).doing("read the link", link)?;
    let folder = link.parent().expect("a link lies in a folder");
    let leads_to = without_dots(&folder.join(&target));
    let Ok(inside) = leads_to.strip_prefix(root) else { return take_in(root, link, &target) };
    if target.is_absolute() {
        let up = folder.strip_prefix(root).map_or(0, |depth| depth.components().count());
        let relative: PathBuf = std::iter::repeat_n(Path::new(".."), up).chain([inside]).collect();
        let new = files::unique_beside(root);
        symlink(relative, &new).and_then(|()| fs::rename(&new, link)).doing("make relative", link)?;
    }
    Ok(())
}

/// The path without `.` and `..`, as it is written: of links on the way nothing is known.
fn without_dots(path: &Path) -> PathBuf {
    let mut plain = PathBuf::new();
    for part in path.components() {
        match part {
            Component::ParentDir => drop(plain.pop()),
            Component::CurDir => {}
            part => plain.push(part),
        }
    }
    plain
}

/// Puts what a link leads to into its place, when it is whole.
fn take_in(root: &Path, link: &Path, target: &Path) -> Result<()> {
    let real = match fs::canonicalize(link) {
        Err(error) if error.kind() == ErrorKind::NotFound => {
            return Err(StoreError::LeadsNowhere { path: link.to_owned(), target: target.to_owned() });
        }
        real => real.doing("follow the link", link)?,
    };
    if fs::canonicalize(root).doing("find", root)?.starts_with(&real) {
        return Err(StoreError::NotPlain { path: link.to_owned(), what: "a link to a folder that it lies in" });
    }
    let whole = files::unique_beside(root);
    let copied = copy(&real, &whole)
        .and_then(|()| fs::remove_file(link).and_then(|()| fs::rename(&whole, link)).doing("replace", link));
    if copied.is_err() {
        // What is left of it is in the attempt, and goes with it.
        let _ = files::remove(&whole);
    }
    copied
}

/// Copies a file or a folder, with what links in it lead to.
fn copy(from: &Path, to: &Path) -> Result<()> {
    if !fs::metadata(from).doing("look at", from)?.is_dir() {
        return fs::copy(from, to).map(drop).doing("copy", from);
    }
    fs::create_dir(to).doing("create", to)?;
    for entry in fs::read_dir(from).doing("list", from)? {
        let entry = entry.doing("list", from)?;
        copy(&entry.path(), &to.join(entry.file_name()))?;
    }
    Ok(())
}
