//! What a store is asked to do, in pieces small enough to be broken off at every step: for the tests of faults.

use pretext::ids::{Digest, NodeId};
use pretext::plan::{Canonical, Lookup};
use pretext::store::{
    Attempt, Durability, GcWishes, Lease, Machine, NodeEvent, NodeLine, Provenance, Reading, RunStatus, StageResult,
    Store, StoreError, Summary, View,
};
use pretext_protocol::{CHECKPOINT, Measurement};
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use tempfile::TempDir;

/// What is done while a fault waits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Act {
    /// From an empty folder to a published result, with the record of its run.
    Compute,
    /// The same, going on from the checkpoint of an earlier attempt.
    Resume,
    /// The bytes of a result whose artifacts were dropped are computed again.
    Restore,
    /// A result whose artifact is damaged is computed again.
    Mend,
    /// A whole result is replaced by another under the same key.
    Replace,
    /// The bytes of an artifact are dropped.
    Drop,
    /// All results are removed.
    Collect,
    /// A damaged artifact is moved aside.
    Repair,
}

impl Act {
    pub const ALL: [Self; 8] = [
        Self::Compute,
        Self::Resume,
        Self::Restore,
        Self::Mend,
        Self::Replace,
        Self::Drop,
        Self::Collect,
        Self::Repair,
    ];

    /// By its name in [`Debug`].
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|act| format!("{act:?}") == name)
    }

    /// Makes the store what it must be before.
    pub fn prepare(self, root: &Path) {
        let store = Store::open(root).expect("the store can be opened");
        if self == Self::Compute {
            return;
        }
        if self == Self::Resume {
            let lease = lease(&store);
            let attempt = lease.begin().expect("an attempt can begin");
            save(&attempt, "half");
            return;
        }
        publish(&store, "first", false).expect("the store can be written");
        let value = value(&store, "first");
        match self {
            Self::Restore => drop(store.drop_artifact(&value).expect("nobody reads it")),
            Self::Mend | Self::Repair => flip_a_bit(&store.artifact(&value).join("value.txt")),
            _ => {}
        }
    }

    /// Does it.
    pub fn perform(self, root: &Path) -> Result<(), StoreError> {
        let store = Store::open(root)?;
        match self {
            Self::Compute | Self::Resume | Self::Restore | Self::Mend => run(&store, "first", false),
            Self::Replace => run(&store, "second", true),
            Self::Drop => store.drop_artifact(&value(&store, "first")).map(drop),
            Self::Collect => {
                let all = GcWishes { older: Some(0), ..GcWishes::default() };
                store.collect(&store.plan_gc(&all, u64::MAX)?).map(drop)
            }
            Self::Repair => {
                let verified = store.verify(&Reading::default())?;
                verified.damages.iter().try_for_each(|damage| store.repair(damage).map(drop))
            }
        }
    }
}

/// A folder for a store of which thousands are made: in memory where the system has that, since on a disk every wait for it
/// would take milliseconds.
pub fn fast_folder() -> TempDir {
    TempDir::new_in("/dev/shm").or_else(|_| TempDir::new()).expect("there is room for temporary files")
}

/// What is computed: always the same.
pub fn canonical() -> Canonical {
    let (params, inputs, command, code) = Default::default();
    Canonical { kind: "fake/slow".into(), version: 1, numerics: "none".into(), params, inputs, command, code }
}

pub fn lease(store: &Store) -> Lease {
    store.lease(&canonical().key()).expect("the lease can be read").expect("nobody else has it")
}

/// Writes a checkpoint, whole at once.
pub fn save(attempt: &Attempt, state: &str) {
    let next = attempt.scratch().join("next");
    fs::create_dir(&next).expect("there is room");
    fs::write(next.join("state"), state).expect("there is room");
    fs::rename(next, attempt.scratch().join(CHECKPOINT)).expect("there is no other");
}

/// The state in the checkpoint that an attempt goes on from.
pub fn resumed(attempt: &Attempt) -> Option<String> {
    fs::read_to_string(attempt.resume()?.join(CHECKPOINT).join("state")).ok()
}

/// Another byte in place of the first, the size and time as before: only who reads it can know.
pub fn flip_a_bit(file: &Path) {
    let modified = fs::metadata(file).and_then(|file| file.modified()).expect("the file is there");
    let mut bytes = fs::read(file).expect("the file can be read");
    bytes[0] ^= 1;
    fs::set_permissions(file, fs::Permissions::from_mode(0o644)).expect("it is ours");
    fs::write(file, bytes).expect("it can be written");
    let file = fs::File::options().write(true).open(file).expect("it can be written");
    // A millisecond later, so that a glance is enough.
    file.set_modified(modified + std::time::Duration::from_millis(1)).expect("times can be set");
}

/// The artifact that a result with this text has.
pub fn value(store: &Store, text: &str) -> Digest {
    match store.look_up(&canonical().key()) {
        Lookup::Found(result) | Lookup::Dropped(result) => result.artifacts["value"],
        other => panic!("{text} was published and is {other:?}"),
    }
}

/// Computes and publishes two artifacts and a result.
pub fn publish(store: &Store, text: &str, replaced: bool) -> Result<(), StoreError> {
    let lease = store.lease(&canonical().key())?.expect("nobody else has it");
    publish_as(store, lease, &canonical(), text, replaced)
}

/// The same under any key.
pub fn publish_as(
    store: &Store,
    lease: Lease,
    canonical: &Canonical,
    text: &str,
    replaced: bool,
) -> Result<(), StoreError> {
    let attempt = lease.begin()?;
    drop(attempt.create_log()?);
    for output in ["value", "same"] {
        let folder = attempt.out().join(output);
        fs::create_dir(&folder).expect("there is room");
        let content = if output == "value" { text } else { "always" };
        fs::write(folder.join("value.txt"), content).expect("there is room");
    }
    fs::write(attempt.side().join("curve.csv"), "1\n").expect("there is room");
    let (value, _held) = store.publish_artifact(&attempt.out().join("value"), Durability::Synced)?;
    let (same, _held_too) = store.publish_artifact(&attempt.out().join("same"), Durability::Synced)?;
    let measurements = vec![Measurement { name: "value".into(), split: String::new(), value: text.len() as f64 }];
    let artifacts = [("value".to_owned(), value), ("same".to_owned(), same)].into();
    let result = StageResult { key: canonical.key(), artifacts, measurements };
    store.publish_result(&attempt, canonical, &result, &provenance(attempt.number), replaced)?;
    lease.clear()
}

fn run(store: &Store, text: &str, replaced: bool) -> Result<(), StoreError> {
    let (node, key) = (NodeId("slow".into()), Some(canonical().key()));
    let line = |event, canonical| NodeLine { node: node.clone(), event, key, canonical, error: None };
    let mut run = store.begin_run("test", "test.yaml", Digest::of(b""))?;
    run.note(&line(NodeEvent::Started, None))?;
    run.write_status(&RunStatus::default())?;
    publish(store, text, replaced)?;
    run.note(&line(NodeEvent::Computed, Some(canonical())))?;
    run.end(&Summary { computed: 1, ..Summary::default() })?;
    let view = View::new(store, "test");
    assert!(matches!(view.look_up(&canonical().key()).0, Lookup::Found(_)));
    view.save()
}

/// As of a stage that took an hour.
pub fn provenance(attempts: u32) -> Provenance {
    Provenance {
        node: NodeId("slow".into()),
        recipe: "test".into(),
        pretext_version: "0".into(),
        worker_version: "0".into(),
        finished: "1970-01-01T00:00:00Z".into(),
        seconds: 3600.0,
        attempts,
        images_per_second: None,
        data_wait_share: None,
        peak_bytes: None,
        peak_rss_bytes: None,
        threads: 1,
        device: "cpu".into(),
        machine: Machine::this().clone(),
        notes: vec![],
    }
}
