//! Stages of `kit.yaml`, run by the kit's own `pretext`. The kit is the current folder.

use anyhow::{Context as _, Result, ensure};
use pretext_benches::training::device_name;
use serde_json::Value;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

pub const STORE: &str = "store";

/// `pretext run` of one stage, computed anew; `set` changes the recipe.
pub fn run(stage: &str, device: &str, store: &str, set: &[String]) -> Command {
    let mut command = Command::new("bin/pretext");
    command.args(["run", "kit.yaml", "--out", "out", "--only", stage, "--force", stage]);
    command.args(["--device", device, "--store", store]);
    command.args(set.iter().flat_map(|change| ["--set", change]));
    command
}

pub fn succeed(command: &mut Command) -> Result<()> {
    let status = command.status().context("bin/pretext: is this a folder of `cargo xtask gpu --kit`?")?;
    ensure!(status.success(), "`{}` failed ({status})", format!("{command:?}").replace('"', ""));
    Ok(())
}

pub fn on_gpu() -> bool {
    device_name() != "cpu"
}

/// Changes of the recipe where there is no GPU, so that it does not take long.
pub fn on_processor(changes: &[&str]) -> Vec<String> {
    if on_gpu() { vec![] } else { changes.iter().map(|&change| change.to_owned()).collect() }
}

/// Threads that make images for a GPU: as many as there are.
pub fn all_threads(stage: &str) -> Vec<String> {
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    if on_gpu() { vec![format!("stages.{stage}.resources.threads={threads}")] } else { vec![] }
}

/// A result in a store.
#[derive(Debug)]
pub struct Done {
    folder: PathBuf,
    /// How it came about.
    pub provenance: Value,
}

impl Done {
    /// The newest of a stage.
    pub fn newest(store: &str, stage: &str) -> Result<Self> {
        let inside = |folder: PathBuf| fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path());
        let results = inside(Path::new(store).join("results")).flat_map(inside);
        let found = results.filter_map(|folder| {
            let written = fs::metadata(folder.join("result.json")).and_then(|file| file.modified()).ok()?;
            let provenance = read(&folder.join("provenance.json")).ok()?;
            (provenance["node"] == stage).then_some((written, Self { folder, provenance }))
        });
        let newest = found.max_by_key(|(written, _)| *written);
        newest.map(|(_, done)| done).with_context(|| format!("{store} has no result of {stage}"))
    }

    /// The digests of what it yields, by name.
    pub fn artifacts(&self) -> Result<Value> {
        Ok(read(&self.folder.join("result.json"))?["artifacts"].take())
    }

    /// The loss of each epoch.
    pub fn losses(&self) -> Result<Vec<f64>> {
        let file = self.folder.join("side/curve.csv");
        let text = fs::read_to_string(&file).with_context(|| format!("cannot read {}", file.display()))?;
        let loss = |line: &str| line.split(',').nth(1).and_then(|loss| loss.parse().ok());
        let losses = text.lines().skip(1).map(|line| loss(line).with_context(|| format!("`{line}` has no loss")));
        losses.collect::<Result<_>>().with_context(|| file.display().to_string())
    }
}

fn read(file: &Path) -> Result<Value> {
    let text = fs::read_to_string(file).with_context(|| format!("cannot read {}", file.display()))?;
    serde_json::from_str(&text).with_context(|| file.display().to_string())
}
