//! Builds. One profile, for running and for the tests, and always the whole workspace's features: a build of one package
//! resolves fewer of them, and the next build would then compile polars and 60 other crates a second time.

use crate::libtorch::{self, Part};
use crate::platform;
use crate::shell::{cargo, run};
use std::process::ExitCode;

/// libtorch, `pretext` and `pretext-worker`.
pub fn binaries() -> Result<(), String> {
    programs(&["pretext", "pretext-worker"])
}

pub fn programs(names: &[&str]) -> Result<(), String> {
    prepare(Part::Processor)?;
    run(build().args(names.iter().flat_map(|name| ["--bin", name])))
}

/// The binaries and all tests, with a libtorch that has a part of it.
pub fn everything(part: Part) -> Result<(), String> {
    prepare(part)?;
    run(build().arg("--all-targets"))
}

/// Formatting and lints, the cheap one first.
pub fn check() -> Result<ExitCode, String> {
    run(&mut cargo(&["fmt", "--all", "--check"]))?;
    prepare(Part::Processor)?;
    run(&mut cargo(&["clippy", "--release", "--workspace", "--all-targets", "--", "--deny", "warnings"]))?;
    Ok(ExitCode::SUCCESS)
}

fn build() -> std::process::Command {
    cargo(&["build", "--release", "--workspace"])
}

/// What is needed before anything that links libtorch is built. The first time, libtorch is fetched while cargo builds
/// what does not need it.
fn prepare(part: Part) -> Result<(), String> {
    platform::supported()?;
    if libtorch::is_ready() {
        return Ok(());
    }
    platform::tools()?;
    println!(
        "Getting libtorch and building what is not built yet: about 400 crates and 5 minutes the first time, on 2 cores."
    );
    std::thread::scope(|scope| {
        let getting = scope.spawn(|| libtorch::ensure(part));
        let built = run(build().args(["--bin", "pretext"]));
        getting.join().map_err(|_| "getting libtorch ended in a panic; its message is above".to_owned())??;
        built
    })?;
    // What was built with an earlier libtorch does not notice that the folder has another one now.
    run(&mut cargo(&["clean", "--quiet", "--release", "--package", "torch-sys"]))
}
