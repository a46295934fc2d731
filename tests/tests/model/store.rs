//! What the model does with a real store.

use super::{Artifact, How};
use pretext::ids::Digest;
use pretext::plan::Canonical;
use pretext::store::{Attempt, Durability, Provenance, StageResult, Store, StoreError};
use pretext_protocol::CHECKPOINT;
use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::sync::OnceLock;
use std::time::Duration;

pub const KEYS: usize = 3;
pub const TEXTS: usize = 3;

pub fn canonical(number: usize) -> Canonical {
    let (params, inputs, command, code) = Default::default();
    Canonical { kind: format!("fake/{number}"), version: 1, numerics: "none".into(), params, inputs, command, code }
}

/// An artifact holds one text in two files.
fn content(text: usize) -> String {
    format!("text {text}")
}

fn write(folder: &std::path::Path, text: usize) {
    fs::create_dir_all(folder.join("inner")).unwrap();
    fs::write(folder.join("value.txt"), content(text)).unwrap();
    fs::write(folder.join("inner/value.txt"), content(text)).unwrap();
}

/// What the artifact with a text is called.
pub fn digest_of(text: usize) -> Digest {
    static DIGESTS: OnceLock<Vec<Digest>> = OnceLock::new();
    let compute = |text| {
        let folder = tempfile::TempDir::new().unwrap();
        let store = Store::open(&folder.path().join("store")).unwrap();
        write(&folder.path().join("value"), text);
        store.publish_artifact(&folder.path().join("value"), Durability::Quick).unwrap().0
    };
    DIGESTS.get_or_init(|| (0..TEXTS).map(compute).collect())[text]
}

pub fn publish(
    store: &Store,
    attempt: &Attempt,
    canonical: &Canonical,
    text: usize,
    replaced: bool,
) -> Result<(), StoreError> {
    write(&attempt.out().join("value"), text);
    let (digest, _hold) = store.publish_artifact(&attempt.out().join("value"), Durability::Quick)?;
    let artifacts = [("value".to_owned(), digest)].into();
    let result = StageResult { key: canonical.key(), artifacts, measurements: vec![] };
    // One that was quick: nothing waits for the disk.
    let provenance = Provenance { recipe: "model".into(), seconds: 0.1, ..pretext_tests::provenance(attempt.number) };
    store.publish_result(attempt, canonical, &result, &provenance, replaced)
}

pub fn save(attempt: &Attempt, state: &str) {
    let place = attempt.scratch().join(CHECKPOINT);
    if place.exists() {
        fs::remove_dir_all(&place).unwrap();
    }
    pretext_tests::save(attempt, state);
}

/// What stands in a result, by its file alone.
pub fn text_of(store: &Store, canonical: &Canonical) -> Option<usize> {
    let bytes = fs::read(store.result_folder(&canonical.key()).join("result.json")).ok()?;
    let result: StageResult = serde_json::from_slice(&bytes).unwrap();
    (0..TEXTS).find(|text| digest_of(*text) == result.artifacts["value"])
}

pub fn spoil(store: &Store, digest: &Digest, how: How) {
    let file = store.artifact(digest).join("inner/value.txt");
    match how {
        How::FileLess => fs::remove_file(file).unwrap(),
        How::FileMore => fs::write(file.with_file_name("further"), "").unwrap(),
        How::Bit | How::HiddenBit => {
            let modified = fs::metadata(&file).unwrap().modified().unwrap();
            fs::set_permissions(&file, Permissions::from_mode(0o644)).unwrap();
            fs::write(&file, "TEXT 0").unwrap();
            let later = if how == How::Bit { Duration::from_millis(1) } else { Duration::ZERO };
            fs::File::options().write(true).open(&file).unwrap().set_modified(modified + later).unwrap();
        }
    }
}

/// What is there, by its files alone.
pub fn state_of(store: &Store, digest: &Digest, text: usize) -> Artifact {
    let folder = store.artifact(digest);
    if !folder.parent().unwrap().join("manifest.json").exists() {
        assert!(!folder.parent().unwrap().exists(), "there is half an artifact");
        return Artifact::Absent;
    }
    if !folder.exists() {
        return Artifact::Dropped;
    }
    let is_right = |name: &str| fs::read_to_string(folder.join(name)).is_ok_and(|found| found == content(text));
    let is_right = is_right("value.txt") && is_right("inner/value.txt") && !folder.join("inner/further").exists();
    match store.artifact_state(digest) {
        pretext::store::ArtifactState::Whole if is_right => Artifact::Whole,
        pretext::store::ArtifactState::Whole => Artifact::SpoiltInSecret,
        _ => Artifact::Spoilt,
    }
}
