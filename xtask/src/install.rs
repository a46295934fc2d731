//! Puts the programs where a shell finds them.

use crate::{binary, build, libtorch};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// Copies the programs to PREFIX/lib/pretext, side by side as `pretext` looks for its worker, and links to them from
/// PREFIX/bin. The worker goes on using this repository's libtorch, whose place stands in it.
pub fn run(arguments: &[&str]) -> Result<ExitCode, String> {
    let prefix = match arguments {
        [] => PathBuf::from(std::env::var_os("HOME").ok_or("HOME is not set; say --prefix DIR")?).join(".local"),
        ["--prefix", folder] => std::path::absolute(folder).map_err(|e| format!("--prefix {folder}: {e}"))?,
        _ => return Err("expected `install` or `install --prefix DIR`".into()),
    };
    build::binaries()?;
    let (home, bin) = (prefix.join("lib/pretext"), prefix.join("bin"));
    for folder in [&home, &bin] {
        fs::create_dir_all(folder).map_err(|e| format!("cannot create {}: {e}", folder.display()))?;
    }
    for program in ["pretext", "pretext-worker"] {
        let (to, link) = (home.join(program), bin.join(program));
        // A program that is running can be replaced, not overwritten.
        replace(&to, |to| fs::copy(binary(program), to).map(drop))?;
        replace(&link, |link| std::os::unix::fs::symlink(&to, link))?;
    }
    println!("installed in {}; keep {}, which it uses", bin.display(), libtorch::folder().display());
    let path = std::env::var_os("PATH").unwrap_or_default();
    if !std::env::split_paths(&path).any(|folder| folder == bin) {
        println!("that folder is not in PATH yet: export PATH=\"{}:$PATH\"", bin.display());
    }
    Ok(ExitCode::SUCCESS)
}

/// Makes a file under a name of its own and renames it, so that the old one is there until the new one is.
fn replace(path: &Path, make: impl Fn(&Path) -> std::io::Result<()>) -> Result<(), String> {
    let mut partial = path.to_owned().into_os_string();
    partial.push(".partial");
    let _ = fs::remove_file(&partial);
    make(Path::new(&partial))
        .and_then(|()| fs::rename(&partial, path))
        .map_err(|e| format!("cannot write {}: {e}", path.display()))
}
