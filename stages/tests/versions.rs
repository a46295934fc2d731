//! A result is found again by its kind's version: where a change of the code changes what a kind yields and its version
//! stays, old results would pass for new ones. Here every kind is computed at tiny size and compared with
//! `versions.json`. `BLESS=1` writes what is new there: kinds that the file lacks, and kinds whose version was raised. To
//! have an entry written anew otherwise, because the test itself changed, take it out of the file.

#[path = "versions/fingerprint.rs"]
mod fingerprint;
#[path = "versions/inputs.rs"]
mod inputs;
mod tiny;

use fingerprint::Fingerprint;
use inputs::Inputs;
use pretext_protocol::{Measure, Measurement, StageKind};
use pretext_stages::catalog::{self, Entry};
use pretext_stages::context::Context;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::Path;

const FILE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/versions.json");
const RENEW: &str = "BLESS=1 cargo test --release --workspace --test versions";
/// Of a kind that has changed throughout.
const LINES_SHOWN: usize = 5;
/// Its stand-in would have three gigabytes; what it does is what the other data sets do that are fetched.
const TOO_LARGE: [&str; 1] = ["data/stl10"];
/// Two epochs of two steps reach every operation, and are few enough for rounding to stay small.
const EPOCHS: u32 = 2;
const BATCH: u32 = 64;

/// What the file holds.
#[derive(Default, Serialize, Deserialize)]
struct Known {
    /// Counts in every key beside the versions: when it changes, everything may.
    numerics: String,
    kinds: BTreeMap<String, Guarded>,
}

#[derive(Clone, Serialize, Deserialize)]
struct Guarded {
    version: u32,
    yields: Fingerprint,
}

#[test]
fn a_kind_whose_output_changes_has_another_version() {
    tch::set_num_threads(tiny::THREADS as i32);
    // Safety: the other test of this program reads no variable, and nothing else runs yet.
    unsafe { std::env::set_var("PRETEXT_STAND_INS", "1") };
    let root = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let inputs = Inputs::write(root.path());
    let mut known = read();
    if known.numerics != catalog::catalogue().numerics {
        known = Known { numerics: catalog::catalogue().numerics, ..Known::default() };
    }
    let entries: Vec<Entry> = catalog::entries().into_iter().filter(|entry| !TOO_LARGE.contains(&entry.name)).collect();
    let mut complaints = vec![];
    for entry in &entries {
        let now = Guarded { version: (entry.kind)().version, yields: computed(entry, &inputs, root.path()) };
        let before = known.kinds.get(entry.name);
        if let Some(complaint) = complaint(entry.name, before, &now) {
            complaints.push(complaint);
        }
        if before.is_none_or(|before| before.version != now.version) {
            known.kinds.insert(entry.name.to_owned(), now);
        }
    }
    known.kinds.retain(|name, _| {
        let is_there = entries.iter().any(|entry| entry.name == name);
        if !is_there {
            complaints.push(Complaint::Stale(format!("there is no kind {name} any more")));
        }
        is_there
    });
    if std::env::var_os("BLESS").is_some() {
        write(&known);
        complaints.retain(|complaint| matches!(complaint, Complaint::Changed(_)));
    }
    let said: Vec<String> = complaints.iter().map(Complaint::to_string).collect();
    assert!(said.is_empty(), "\n{}", said.join("\n"));
}

enum Complaint {
    /// Another output under the same version.
    Changed(String),
    /// The file is not up to date.
    Stale(String),
}

impl std::fmt::Display for Complaint {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Changed(what) => {
                write!(f, "{what}\n  if that is meant: raise `version` in the kind's ABOUT, then {RENEW}")
            }
            Self::Stale(what) => write!(f, "{what}\n  renew {FILE}: {RENEW}"),
        }
    }
}

fn complaint(name: &str, before: Option<&Guarded>, now: &Guarded) -> Option<Complaint> {
    let Some(before) = before else {
        return Some(Complaint::Stale(format!("{name} is not in the file, or was computed with other numerics")));
    };
    let (old, new) = (before.version, now.version);
    if old != new {
        return Some(Complaint::Stale(format!("{name} has version {new}, and the file has what version {old} yields")));
    }
    let differences = fingerprint::differences(&before.yields, &now.yields);
    if differences.is_empty() {
        return None;
    }
    let mut what = format!("{name} yields something else than before, and is still version {new}:");
    for difference in differences.iter().take(LINES_SHOWN) {
        what += &format!("\n    {difference}");
    }
    if differences.len() > LINES_SHOWN {
        what += &format!("\n    and {} more", differences.len() - LINES_SHOWN);
    }
    Some(Complaint::Changed(what))
}

/// What a kind yields.
fn computed(entry: &Entry, inputs: &Inputs, root: &Path) -> Fingerprint {
    let folder = root.join(entry.name.replace('/', "-"));
    let connected = inputs.of(&(entry.kind)());
    let connected: Vec<(&str, &Path)> = connected.iter().map(|(port, at)| (port.as_str(), at.as_path())).collect();
    let mut params = tiny::small_params(entry, EPOCHS, BATCH);
    if let Some(path) = params.get_mut("path") {
        *path = inputs.path(entry.name).to_string_lossy().into();
        if params.get("validation").is_some_and(serde_json::Value::is_f64) {
            params["validation"] = 0.2.into();
        } else if params.contains_key("train") {
            (params["train"], params["validation"]) = (80.into(), 20.into());
        }
    }
    if entry.name == "eval/project" {
        // What rounding makes of t-SNE grows with every iteration.
        params["method"] = "pca".into();
    }
    if let Some(file) = params.get_mut("file") {
        *file = inputs.weights().to_string_lossy().into();
    }
    let mut run = tiny::request(entry, params, &folder, &connected);
    run.cache = inputs.cache();
    let measurements = tiny::Measured::default();
    let context = Context::new(&run, &measurements, &|| false).unwrap();
    (entry.run)(&run.params, &context).unwrap_or_else(|error| panic!("{}: {error:#}", entry.name));
    let measurements = measurements.0.into_inner().unwrap();
    check_declared(&(entry.kind)(), &measurements);
    fingerprint::of(&run.out, &measurements)
}

/// `pretext` refuses a stage that never sends what it has declared.
fn check_declared(kind: &StageKind, measurements: &[Measurement]) {
    for Measure { name, splits, .. } in &kind.measures {
        let whole = vec![String::new()];
        for split in if splits.is_empty() { &whole } else { splits } {
            let is_sent = measurements.iter().any(|sent| sent.name == *name && sent.split == *split);
            assert!(is_sent, "{} never measures {name} of `{split}`", kind.name);
        }
    }
}

fn read() -> Known {
    match std::fs::read_to_string(FILE) {
        Ok(text) => serde_json::from_str(&text).unwrap_or_else(|error| panic!("{FILE}: {error}")),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Known::default(),
        Err(error) => panic!("{FILE}: {error}"),
    }
}

/// One fact a line, so that a change is seen at a glance in a diff.
fn write(known: &Known) {
    let kinds = known.kinds.iter().map(|(name, Guarded { version, yields })| {
        let facts: Vec<String> =
            yields.iter().map(|(name, fact)| format!("        {}: {}", json(name), json(fact))).collect();
        let facts = if facts.is_empty() { "{}".to_owned() } else { format!("{{\n{}\n      }}", facts.join(",\n")) };
        format!("    {}: {{\n      \"version\": {version},\n      \"yields\": {facts}\n    }}", json(name))
    });
    let kinds: Vec<String> = kinds.collect();
    let text =
        format!("{{\n  \"numerics\": {},\n  \"kinds\": {{\n{}\n  }}\n}}\n", json(&known.numerics), kinds.join(",\n"));
    std::fs::write(FILE, text).unwrap();
}

fn json(value: &impl Serialize) -> String {
    serde_json::to_string(value).unwrap()
}

#[test]
fn a_change_is_told_from_rounding() {
    let tensor = |factor: f32| {
        let values: Vec<f32> = (0..100).map(|i| factor * (i as f32).sin()).collect();
        Fingerprint::from([("w".to_owned(), fingerprint::Fact::Tensor(fingerprint::Tensor::of(vec![10, 10], &values)))])
    };
    assert_eq!(fingerprint::differences(&tensor(1.0), &tensor(1.00001)), [""; 0]);
    let said = fingerprint::differences(&tensor(1.0), &tensor(1.01));
    assert_eq!(said.len(), 1, "{said:?}");
    assert!(said[0].starts_with("w: norm "), "{said:?}");
}
