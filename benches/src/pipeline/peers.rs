//! Snakemake and DVC on the same chains.

use crate::chains::{Chains, LENGTH};
use crate::child::{Measured, measure};
use anyhow::{Result, ensure};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Where `cargo xtask bench` has installed them.
const PROGRAMS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../.python/bin");

/// One of them, in a folder with its chains.
pub struct Peer {
    program: &'static str,
    /// What runs everything that is not up to date.
    arguments: &'static [&'static str],
    /// What it says when everything is.
    nothing_to_do: &'static str,
    folder: PathBuf,
}

impl Peer {
    /// Nothing is computed yet.
    pub fn snakemake(folder: &Path, chains: &Chains) -> Result<Self> {
        fs::create_dir_all(folder)?;
        fs::write(folder.join("Snakefile"), chains.snakefile())?;
        Ok(Self {
            program: "snakemake",
            arguments: &["--cores", "all"],
            nothing_to_do: "Nothing to be done",
            folder: folder.to_owned(),
        })
    }

    /// Everything is computed: its own first run of 1,000 stages takes a quarter of an hour, so the outputs are written
    /// here and committed.
    pub fn dvc(folder: &Path, chains: &Chains) -> Result<Self> {
        for stage in 0..LENGTH {
            let outputs = folder.join(format!("s{stage}"));
            fs::create_dir_all(&outputs)?;
            for start in chains.starts() {
                fs::write(outputs.join(format!("{start}.txt")), format!("{start}\n"))?;
            }
        }
        fs::write(folder.join("dvc.yaml"), chains.dvc_yaml())?;
        let nothing_to_do = "Data and pipelines are up to date.";
        let dvc = Self { program: "dvc", arguments: &["repro"], nothing_to_do, folder: folder.to_owned() };
        dvc.call(&["init", "--no-scm", "--quiet"])?;
        // It asks hosts of its makers for news and tells them what is used.
        dvc.call(&["config", "core.analytics", "false"])?;
        dvc.call(&["config", "core.check_update", "false"])?;
        dvc.call(&["commit", "--force", "--quiet"])?;
        Ok(dvc)
    }

    pub fn first_run(&self) -> Result<Measured> {
        self.call(self.arguments)
    }

    /// Nothing may be left to do, and it must say so.
    pub fn no_op(&self) -> Result<Measured> {
        let measured = self.call(self.arguments)?;
        let Self { program, nothing_to_do, .. } = self;
        let last = measured.text.lines().last().unwrap_or_default();
        ensure!(measured.text.contains(nothing_to_do), "{program} did not say `{nothing_to_do}`, but: {last}");
        Ok(measured)
    }

    fn call(&self, arguments: &[&str]) -> Result<Measured> {
        let program = Path::new(PROGRAMS).join(self.program);
        ensure!(program.is_file(), "there is no {}; `cargo xtask bench pipeline` installs it", program.display());
        measure(Command::new(&program).args(arguments).current_dir(&self.folder))
    }
}
