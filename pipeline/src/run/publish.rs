//! What a worker claims to have done, held against what its kind declares.

use crate::ids::Digest;
use crate::store::{Attempt, Durability, Hold, Store};
use anyhow::{Context, Result, bail, ensure};
use pretext_protocol::{Measurement, StageKind};
use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;

/// The folder of every output that the kind gives, each with something in it.
pub(super) fn outputs(kind: &StageKind, attempt: &Attempt) -> Result<Vec<(String, PathBuf)>> {
    let out = attempt.out();
    for entry in fs::read_dir(&out).with_context(|| format!("cannot list {}", out.display()))? {
        let name = entry.with_context(|| format!("cannot list {}", out.display()))?.file_name();
        let declared = kind.gives.iter().any(|output| name == output.name.as_str());
        ensure!(declared, "{} wrote `out/{}`, which is no output of it ({})", kind.name, name.display(), names(kind));
    }
    let mut folders = vec![];
    for output in &kind.gives {
        let folder = out.join(&output.name);
        ensure!(folder.is_dir(), "{} is done and has not written its output `out/{}`", kind.name, output.name);
        let mut entries = fs::read_dir(&folder).with_context(|| format!("cannot list {}", folder.display()))?;
        ensure!(entries.next().is_some(), "{} is done and its output `{}` is empty", kind.name, output.name);
        folders.push((output.name.clone(), folder));
    }
    Ok(folders)
}

/// Publishes outputs. They are held until a result mentions them.
pub(super) fn artifacts(
    store: &Store,
    outputs: Vec<(String, PathBuf)>,
    durability: Durability,
) -> Result<(BTreeMap<String, Digest>, Vec<Hold>)> {
    let (mut artifacts, mut holds) = (BTreeMap::new(), Vec::new());
    for (name, folder) in outputs {
        let (digest, hold) = store.publish_artifact(&folder, durability)?;
        artifacts.insert(name, digest);
        holds.push(hold);
    }
    Ok((artifacts, holds))
}

/// The measurements in the order in which the kind declares them, so that it does not matter when each was sent.
pub(super) fn checked_measurements(kind: &StageKind, measurements: Vec<Measurement>) -> Result<Vec<Measurement>> {
    let mut placed = BTreeMap::new();
    for measurement in measurements {
        let Measurement { name, split, .. } = &measurement;
        let Some(place) = declared_place(kind, name, split) else {
            bail!("{} sent the measurement {}, which it does not declare", kind.name, named(name, split));
        };
        let named = named(name, split);
        let sent_before = placed.insert(place, measurement).is_some();
        ensure!(!sent_before, "{} sent the measurement {named} twice", kind.name);
    }
    for (place, measure) in kind.measures.iter().enumerate() {
        let none = [String::new()];
        let splits = if measure.splits.is_empty() { &none[..] } else { &measure.splits };
        for (at, split) in splits.iter().enumerate() {
            let is_there = placed.contains_key(&(place, at));
            ensure!(is_there, "{} is done and never sent its measurement {}", kind.name, named(&measure.name, split));
        }
    }
    Ok(placed.into_values().collect())
}

/// Place among the kind's measurements, and among the splits of that one.
fn declared_place(kind: &StageKind, name: &str, split: &str) -> Option<(usize, usize)> {
    let place = kind.measures.iter().position(|measure| measure.name == name)?;
    let splits = &kind.measures[place].splits;
    match splits.is_empty() {
        true => split.is_empty().then_some((place, 0)),
        false => splits.iter().position(|known| known == split).map(|at| (place, at)),
    }
}

fn names(kind: &StageKind) -> String {
    let names: Vec<String> = kind.gives.iter().map(|output| format!("`{}`", output.name)).collect();
    if names.is_empty() { "it has none".to_owned() } else { format!("it gives {}", names.join(", ")) }
}

fn named(name: &str, split: &str) -> String {
    if split.is_empty() { format!("`{name}`") } else { format!("`{name}` of the split `{split}`") }
}
