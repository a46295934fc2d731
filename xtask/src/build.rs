//! Builds. One profile, for running and for the tests.

use crate::shell::{cargo, run};
use crate::{binary, libtorch, platform, root};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

const PIPELINE: [&str; 4] = ["build", "--release", "--package", "pretext-pipeline"];

/// libtorch, `pretext` and `pretext-worker`.
pub fn binaries() -> Result<(), String> {
    prepare()?;
    run(&mut cargo(&["build", "--release", "--bins", "--package", "pretext-pipeline", "--package", "pretext-stages"]))
}

/// The binaries and all tests.
pub fn everything() -> Result<(), String> {
    prepare()?;
    run(&mut cargo(&["build", "--release", "--workspace", "--all-targets"]))
}

/// What is needed before anything that links libtorch is built. The first time, libtorch is fetched while cargo builds
/// what does not need it.
fn prepare() -> Result<(), String> {
    platform::check()?;
    if libtorch::is_ready() {
        return Ok(());
    }
    println!(
        "First time on this machine: fetching libtorch and building about 400 crates, which takes about 5 minutes on 2 cores."
    );
    std::thread::scope(|scope| {
        let fetching = scope.spawn(libtorch::ensure);
        let built = run(&mut cargo(&PIPELINE));
        fetching.join().map_err(|_| "fetching libtorch ended in a panic".to_owned())??;
        built
    })
}

/// Formatting and lints, the cheap one first.
pub fn check() -> Result<ExitCode, String> {
    prepare()?;
    run(&mut cargo(&["fmt", "--check"]))?;
    run(&mut cargo(&["clippy", "--release", "--workspace", "--all-targets", "--", "--deny", "warnings"]))?;
    Ok(ExitCode::SUCCESS)
}

/// Copies the programs to PREFIX/lib/pretext, side by side as `pretext` looks for its worker, and links them in PREFIX/bin.
pub fn install(arguments: &[&str]) -> Result<ExitCode, String> {
    let prefix = match arguments {
        [] => PathBuf::from(std::env::var("HOME").map_err(|_| "HOME is not set; say --prefix DIR")?).join(".local"),
        ["--prefix", folder] => std::path::absolute(folder).map_err(|e| e.to_string())?,
        _ => return Err("expected `install` or `install --prefix DIR`".into()),
    };
    binaries()?;
    let (home, bin) = (prefix.join("lib/pretext"), prefix.join("bin"));
    let fail = |what: &Path, e: std::io::Error| format!("cannot write {}: {e}", what.display());
    for folder in [&home, &bin] {
        std::fs::create_dir_all(folder).map_err(|e| fail(folder, e))?;
    }
    for program in ["pretext", "pretext-worker"] {
        let (to, link) = (home.join(program), bin.join(program));
        std::fs::copy(binary(program), &to).map_err(|e| fail(&to, e))?;
        let _ = std::fs::remove_file(&link);
        std::os::unix::fs::symlink(&to, &link).map_err(|e| fail(&link, e))?;
    }
    println!(
        "installed in {}; it uses the libtorch in {}: keep that folder",
        bin.display(),
        root().join(".libtorch").display()
    );
    Ok(ExitCode::SUCCESS)
}
