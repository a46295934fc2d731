//! libtorch in `.libtorch/`: links to the one that the user has, or PyPI's package, all of it or the processor's part.

mod existing;
mod fetch;

use crate::root;
use crate::shell::command;
use std::fs::{self, File, TryLockError};
use std::path::{Path, PathBuf};

/// The release that `tch` is made for; its patch releases do as well.
pub const VERSION: &str = "2.9";
/// That of the machines that a kit is for.
pub const KIT_VERSION: &str = "2.11";

/// How much of libtorch is wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// What computes on processors.
    Processor,
    /// All of it, for GPUs too.
    Whole,
}

impl Part {
    fn is_in(self, libtorch: &Path) -> bool {
        let library = libtorch.join("lib").join(self.library());
        library.exists() && libtorch.join("include/ATen").is_dir()
    }

    /// The one that is there if the part is.
    fn library(self) -> &'static str {
        match self {
            Self::Processor => "libtorch_cpu.so",
            Self::Whole => "libtorch_cuda.so",
        }
    }
}

pub fn folder() -> PathBuf {
    root().join(".libtorch")
}

pub fn is_ready() -> bool {
    Part::Processor.is_in(&folder())
}

/// What there is to say of it in one line.
pub fn describe() -> String {
    if !is_ready() {
        return "missing; `cargo xtask setup` fetches it, or links to a torch 2.9 that is there".into();
    }
    let version = version_of(&folder()).unwrap_or_else(|| "of unknown version".into());
    let part = if Part::Whole.is_in(&folder()) { "for GPUs too" } else { "for processors" };
    match fs::read_link(folder().join("lib")) {
        Ok(lib) => format!("{version}, {part}, links to {}", lib.parent().unwrap_or(&lib).display()),
        Err(_) => format!("{version}, {part}, in {}", folder().display()),
    }
}

/// Puts it in place if it is not there. Nothing appears under the final name before it is whole.
pub fn ensure(part: Part) -> Result<(), String> {
    let _lock = lock()?;
    if part.is_in(&folder()) {
        return Ok(());
    }
    let partial = root().join(".libtorch.partial");
    remove(&partial)?;
    create(&partial)?;
    prepare(&partial, part).inspect_err(|_| drop(remove(&partial)))?;
    remove(&folder())?;
    fs::rename(&partial, folder()).map_err(|e| format!("cannot rename {}: {e}", partial.display()))
}

fn prepare(partial: &Path, part: Part) -> Result<(), String> {
    match existing::find(part) {
        Some(existing) => existing::link(&existing, partial),
        None => {
            fetch::fetch(partial, part)?;
            loads(partial, part).map_err(|why| format!("the libtorch that was fetched cannot be loaded: {why}"))
        }
    }
}

/// The libtorch of machines that a kit is for, of [`KIT_VERSION`]: to link to. NVIDIA's libraries, which it needs to run, are theirs.
pub fn for_kit() -> Result<PathBuf, String> {
    let _lock = lock()?;
    let (folder, partial) = (root().join("target/kit/libtorch"), root().join("target/kit/libtorch.partial"));
    if !Part::Whole.is_in(&folder) {
        remove(&partial)?;
        create(&partial)?;
        fetch::fetch_for_kit(&partial).inspect_err(|_| drop(remove(&partial)))?;
        remove(&folder)?;
        fs::rename(&partial, &folder).map_err(|e| format!("cannot rename {}: {e}", partial.display()))?;
    }
    match version_of(&folder) {
        Some(version) if version.starts_with(KIT_VERSION) => Ok(folder),
        other => Err(format!("{} has libtorch {other:?}, not {KIT_VERSION}: remove it", folder.display())),
    }
}

/// Takes away a libtorch that lacks a part that is wanted, or is not the one that `LIBTORCH` names, so that `ensure` puts
/// another one there.
pub fn make_way(part: Part) -> Result<(), String> {
    let place = |libtorch: &Path| fs::canonicalize(libtorch.join("lib")).ok();
    let named = if is_ready() { existing::named(part) } else { None };
    match named {
        Some(named) if place(&named) != place(&folder()) => remove(&folder()),
        _ if is_ready() && !part.is_in(&folder()) => remove(&folder()),
        _ => Ok(()),
    }
}

/// Held while libtorch is prepared. The repository's folder itself is locked, so that nothing is left behind; where
/// a file system has no such locks there is none.
fn lock() -> Result<File, String> {
    let folder = File::open(root()).map_err(|e| format!("cannot open {}: {e}", root().display()))?;
    if let Err(TryLockError::WouldBlock) = folder.try_lock() {
        println!("libtorch: waiting for another `cargo xtask` that is preparing it");
        folder.lock().map_err(|e| format!("cannot lock {}: {e}", root().display()))?;
    }
    Ok(folder)
}

/// The version that the headers in a libtorch state: from 2.11 on in the second of these.
fn version_of(libtorch: &Path) -> Option<String> {
    let headers = ["torch/csrc/api/include/torch/version.h", "torch/headeronly/version.h"];
    headers.iter().find_map(|header| version_in(&fs::read_to_string(libtorch.join("include").join(header)).ok()?))
}

/// The header says `#define TORCH_VERSION "2.9.0"`, with the text on the next line.
fn version_in(header: &str) -> Option<String> {
    let (_, definition) = header.split_once("#define TORCH_VERSION ")?;
    definition.split('"').nth(1).map(str::to_owned)
}

fn is_right(version: &str) -> bool {
    version.strip_prefix(VERSION).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
}

/// Whether the loader finds all that the libraries ask for; if not, what it says.
fn loads(libtorch: &Path, part: Part) -> Result<(), String> {
    let script = "import ctypes, sys\nfor library in sys.argv[1:]: ctypes.CDLL(library)";
    let libraries = [part.library(), "libtorch.so"].map(|library| libtorch.join("lib").join(library));
    let output = command("python3", &["-c", script]).args(libraries).output().map_err(|e| e.to_string())?;
    match String::from_utf8_lossy(&output.stderr).lines().last() {
        _ if output.status.success() => Ok(()),
        Some(line) => Err(line.to_owned()),
        None => Err(format!("python3 ended with {}", output.status)),
    }
}

fn create(folder: &Path) -> Result<(), String> {
    fs::create_dir_all(folder).map_err(|e| format!("cannot create {}: {e}", folder.display()))
}

fn remove(folder: &Path) -> Result<(), String> {
    match fs::remove_dir_all(folder) {
        Err(e) if e.kind() != std::io::ErrorKind::NotFound => Err(format!("cannot remove {}: {e}", folder.display())),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_header_states_the_version() {
        let header =
            "#define TORCH_VERSION_MAJOR 2\n#define TORCH_VERSION \\\n  \"2.9.1\"\n#define TORCH_ABI_VERSION \\\n";
        assert_eq!(super::version_in(header).as_deref(), Some("2.9.1"));
        assert_eq!(super::version_in("#define TORCH_VERSION_MAJOR 2\n"), None);
    }

    #[test]
    fn patch_releases_are_right_and_other_releases_are_not() {
        assert!(["2.9", "2.9.0", "2.9.1"].into_iter().all(super::is_right));
        assert!(!["2.90.1", "2.8.0", "12.9.0", ""].into_iter().any(super::is_right));
    }
}
