//! A libtorch that is already on the machine, used as it is: it may have a GPU's part.

use super::{Part, VERSION, folder, is_right, loads, version_of};
use crate::shell::output;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

/// The one that `LIBTORCH` names, else that of Python's torch.
pub fn find(part: Part) -> Option<PathBuf> {
    named(part).or_else(|| in_python(part))
}

/// The one that `LIBTORCH` names. Cargo sets that variable too, to our own folder.
pub fn named(part: Part) -> Option<PathBuf> {
    let path = std::env::var_os("LIBTORCH").map(PathBuf::from).filter(|path| *path != folder())?;
    let path = std::path::absolute(&path).unwrap_or(path);
    match unusable(&path, part) {
        None => Some(path),
        Some(why) => {
            println!("libtorch: not using {}, which LIBTORCH names: {why}", path.display());
            None
        }
    }
}

fn in_python(part: Part) -> Option<PathBuf> {
    let script = "import os, torch; assert torch._C._GLIBCXX_USE_CXX11_ABI; print(os.path.dirname(torch.__file__))";
    let path = PathBuf::from(output("python3", &["-c", script])?);
    match unusable(&path, part) {
        None => Some(path),
        Some(why) => {
            println!("libtorch: not using Python's torch in {}: {why}", path.display());
            None
        }
    }
}

/// Why a libtorch cannot be used, if it cannot.
fn unusable(libtorch: &Path, part: Part) -> Option<String> {
    if !libtorch.join("lib").join(part.library()).exists() {
        return Some(format!("it has no lib/{}", part.library()));
    }
    match version_of(libtorch) {
        Some(version) if is_right(&version) => loads(libtorch, part).err(),
        Some(version) => Some(format!("it is version {version}, and {VERSION} is needed")),
        None => Some("it has no include/torch/csrc/api/include/torch/version.h".into()),
    }
}

/// Links to whole folders: the loader then finds what the libraries ask for relative to their own place.
pub fn link(existing: &Path, partial: &Path) -> Result<(), String> {
    println!("libtorch: using the one in {}", existing.display());
    for part in ["lib", "include"] {
        symlink(existing.join(part), partial.join(part))
            .map_err(|e| format!("cannot link to libtorch's {part}: {e}"))?;
    }
    Ok(())
}
