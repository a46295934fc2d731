use super::*;
use crate::ids::{Digest, Key, NodeId};
use crate::plan::{Canonical, Known, Lookup};
use pretext_protocol::Measurement;
use std::os::unix::fs::PermissionsExt;
use tempfile::TempDir;

struct Fixture {
    folder: TempDir,
    store: Store,
}

impl Fixture {
    fn new() -> Self {
        let folder = TempDir::new().unwrap();
        let store = Store::open(&folder.path().join("store")).unwrap();
        Self { folder, store }
    }

    /// A folder with these files (a path that ends in `/` is an empty folder), on the store's own disk.
    fn folder_with(&self, name: &str, contents: &[(&str, &str)]) -> PathBuf {
        let root = self.folder.path().join(name);
        for (path, text) in contents {
            let path = root.join(path);
            if text.is_empty() {
                fs::create_dir_all(path).unwrap();
            } else {
                fs::create_dir_all(path.parent().unwrap()).unwrap();
                fs::write(path, text).unwrap();
            }
        }
        root
    }

    /// Publishes a result whose one artifact holds `text`.
    fn publish(&self, text: &str) -> StageResult {
        let canonical = canonical("fake/source");
        let lease = self.store.lease(&canonical.key()).unwrap().expect("nobody else has it");
        let attempt = lease.begin().unwrap();
        fs::create_dir(attempt.out().join("value")).unwrap();
        fs::write(attempt.out().join("value/value.txt"), text).unwrap();
        fs::write(attempt.side().join("curve.csv"), "1\n").unwrap();
        fs::write(attempt.log(), "said\n").unwrap();
        let digest = self.store.publish_artifact(&attempt.out().join("value"), Durability::Quick).unwrap().0;
        let measurements = vec![Measurement { name: "value".into(), split: String::new(), value: 0.1 }];
        let artifacts = [("value".to_owned(), digest)].into();
        let result = StageResult { key: canonical.key(), artifacts, measurements };
        self.store.publish_result(&attempt, &canonical, &result, &provenance(attempt.number), false).unwrap();
        lease.clear().unwrap();
        result
    }
}

fn canonical(kind: &str) -> Canonical {
    let (params, inputs, command, code) = Default::default();
    Canonical { kind: kind.into(), version: 1, numerics: "none".into(), params, inputs, command, code }
}

fn provenance(attempts: u32) -> Provenance {
    Provenance {
        node: NodeId("source".into()),
        recipe: "test".into(),
        pretext_version: "0".into(),
        worker_version: "0".into(),
        finished: "1970-01-01T00:00:00Z".into(),
        seconds: 1.5,
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

#[test]
fn the_digest_is_that_of_paths_and_contents_and_of_nothing_else() {
    let f = Fixture::new();
    let digest = |name, contents: &[(&str, &str)]| {
        f.store.publish_artifact(&f.folder_with(name, contents), Durability::Quick).unwrap().0
    };
    let one = digest("one", &[("b/c", "2"), ("a", "1"), ("empty/", "")]);
    assert_eq!(digest("two", &[("a", "1"), ("empty/", ""), ("b/c", "2")]), one);
    for (name, other) in [
        ("contents", [("a", "1"), ("b/c", "3"), ("empty/", "")]),
        ("path", [("a", "1"), ("b/d", "2"), ("empty/", "")]),
        ("empty folder", [("a", "1"), ("b/c", "2"), ("void/", "")]),
    ] {
        assert_ne!(digest(name, &other), one, "{name}");
    }
}

#[test]
fn publishing_again_changes_nothing() {
    let f = Fixture::new();
    let digest = f.store.publish_artifact(&f.folder_with("one", &[("a", "1")]), Durability::Quick).unwrap().0;
    let file = f.store.artifact(&digest).join("a");
    let before = fs::metadata(&file).unwrap();
    assert_eq!(before.permissions().mode() & 0o777, 0o444);
    assert_eq!(f.store.publish_artifact(&f.folder_with("two", &[("a", "1")]), Durability::Quick).unwrap().0, digest);
    assert_eq!(fs::metadata(&file).unwrap().modified().unwrap(), before.modified().unwrap());
    assert_eq!(f.store.artifact_state(&digest), ArtifactState::Whole);
}

#[test]
fn links_stay_where_they_lead_to_what_lies_beside_them_and_become_it_elsewhere() {
    use std::os::unix::fs::symlink;
    let f = Fixture::new();
    let folder = f.folder_with("one", &[("a", "1"), ("in/b", "2")]);
    let outside = f.folder_with("outside", &[("c", "3"), ("deep/d", "4")]);
    symlink("a", folder.join("beside")).unwrap();
    symlink("../a", folder.join("in/up")).unwrap();
    symlink(folder.join("in/b"), folder.join("absolute")).unwrap();
    symlink(outside.join("c"), folder.join("file")).unwrap();
    symlink("../outside", folder.join("folder")).unwrap();
    symlink("not-there-yet", folder.join("in/dangling")).unwrap();
    let digest = f.store.publish_artifact(&folder, Durability::Quick).unwrap().0;
    fs::remove_dir_all(outside).unwrap();
    let there = f.store.artifact(&digest);
    let text = |path: &str| fs::read_to_string(there.join(path)).unwrap();
    assert_eq!(["beside", "in/up", "absolute", "file", "folder/deep/d"].map(text), ["1", "1", "2", "3", "4"]);
    let leads = |path: &str| fs::read_link(there.join(path)).unwrap();
    assert_eq!((leads("absolute"), leads("in/dangling")), (PathBuf::from("in/b"), PathBuf::from("not-there-yet")));
    assert!(fs::read_link(there.join("file")).is_err());
    assert_eq!(f.store.artifact_state(&digest), ArtifactState::Whole);
    fs::remove_file(there.join("beside")).unwrap();
    symlink("in/b", there.join("beside")).unwrap();
    assert!(matches!(f.store.artifact_state(&digest), ArtifactState::Damaged(_)), "it leads elsewhere");
}

#[test]
fn a_link_to_nothing_and_a_special_file_are_no_part_of_an_artifact() {
    let f = Fixture::new();
    let folder = f.folder_with("one", &[("a", "1")]);
    std::os::unix::fs::symlink("/nowhere/x", folder.join("b")).unwrap();
    let error = f.store.publish_artifact(&folder, Durability::Quick).unwrap_err().to_string();
    let place = folder.join("b").display().to_string();
    assert_eq!(error, format!("{place} is a link to /nowhere/x, where nothing is: an artifact must stand for itself"));
    fs::remove_file(folder.join("b")).unwrap();
    let _socket = std::os::unix::net::UnixListener::bind(folder.join("b")).unwrap();
    let error = f.store.publish_artifact(&folder, Durability::Quick).unwrap_err().to_string();
    assert_eq!(
        error,
        format!("{place} is a special file; an artifact holds only files, folders, and links between them")
    );
    assert!(!f.store.root().join("artifacts").exists());
}

#[test]
fn a_result_is_found_with_all_that_belongs_to_it() {
    let f = Fixture::new();
    assert_eq!(f.store.look_up(&canonical("fake/source").key()), Lookup::Missing);
    let result = f.publish("5");
    let Lookup::Found(found) = f.store.look_up(&result.key) else { panic!("not found") };
    assert_eq!(*found, result);
    assert_eq!(f.store.provenance(&result.key), Some(provenance(1)));
    let folder = f.store.result_folder(&result.key);
    assert_eq!(fs::read_to_string(folder.join("log")).unwrap(), "said\n");
    assert_eq!(fs::read_to_string(folder.join("side/curve.csv")).unwrap(), "1\n");
    assert_eq!(fs::read_dir(f.store.root().join("attempts")).unwrap().count(), 0, "attempts are cleared away");
}

#[test]
fn damage_is_found_and_mended_by_publishing_again() {
    let f = Fixture::new();
    let result = f.publish("5");
    let digest = result.artifacts["value"];
    let file = f.store.artifact(&digest).join("value.txt");
    let damage = || match f.store.look_up(&result.key) {
        Lookup::Damaged(damage) => damage.replace(&digest.short(), "DIGEST"),
        other => panic!("{other:?}"),
    };
    let spoil = |text: &str| {
        fs::set_permissions(&file, fs::Permissions::from_mode(0o644)).unwrap();
        fs::write(&file, text).unwrap();
    };

    spoil("55");
    assert_eq!(damage(), "artifact `value` (DIGEST) holds value.txt with 2 bytes in place of 1");
    spoil("6");
    assert_eq!(damage(), "artifact `value` (DIGEST) holds value.txt with other contents");
    spoil("5"); // another time and the same bytes: as after a copy to another disk
    assert!(matches!(f.store.look_up(&result.key), Lookup::Found(_)));
    fs::remove_file(&file).unwrap();
    assert_eq!(damage(), "artifact `value` (DIGEST) lacks value.txt");

    f.publish("5");
    assert_eq!(fs::read_to_string(&file).unwrap(), "5");
    assert!(matches!(f.store.look_up(&result.key), Lookup::Found(_)));
    assert_eq!(fs::read_dir(f.store.root().join("damaged")).unwrap().count(), 1, "the damaged one is kept aside");

    fs::remove_dir_all(file.parent().unwrap().parent().unwrap()).unwrap();
    assert_eq!(damage(), "artifact `value` (DIGEST) is missing");
    let other = f.publish("7"); // a key that leads elsewhere now replaces what can no longer be had
    assert_eq!(f.store.look_up(&result.key), Lookup::Found(other.into()));
}

#[test]
fn what_was_interrupted_is_never_seen() {
    let f = Fixture::new();
    let key = canonical("fake/source").key();
    let attempt = f.store.lease(&key).unwrap().unwrap().begin().unwrap();
    fs::create_dir(attempt.out().join("value")).unwrap();
    fs::write(attempt.out().join("value/value.txt"), "5").unwrap();
    f.store.publish_artifact(&attempt.out().join("value"), Durability::Quick).unwrap();
    fs::create_dir(attempt.folder().join("result")).unwrap();
    fs::write(attempt.folder().join("result/result.json"), "{\"key\":").unwrap();
    assert_eq!(f.store.look_up(&key), Lookup::Missing);
    f.publish("5");
    assert!(matches!(f.store.look_up(&key), Lookup::Found(_)));
}

#[test]
fn a_key_is_computed_by_one_at_a_time_and_its_checkpoint_goes_on() {
    let f = Fixture::new();
    let key = canonical("fake/slow").key();
    let lease = f.store.lease(&key).unwrap().unwrap();
    assert!(f.store.lease(&key).unwrap().is_none());
    assert_eq!(f.store.lease_holder(&key), format!("process {} on {}", std::process::id(), Machine::this().host));
    let first = lease.begin().unwrap();
    assert_eq!((first.number, first.resume()), (1, None));
    fs::create_dir(first.scratch().join("checkpoint")).unwrap();
    drop(lease);

    fs::write(first.scratch().join("checkpoint/state"), "1").unwrap();
    let next = || f.store.lease(&key).unwrap().unwrap().begin().unwrap();
    let state = |attempt: &Attempt| fs::read_to_string(attempt.resume().unwrap().join("checkpoint/state")).unwrap();
    let second = next();
    assert_eq!((second.number, state(&second).as_str()), (2, "1"));
    let third = next();
    assert_eq!((third.number, state(&third).as_str()), (3, "1"), "the second wrote none, and passes it on");
    assert!(!first.folder().exists() && !second.folder().exists());
    // Whoever still believes to be an earlier attempt writes where nobody looks.
    fs::create_dir_all(first.scratch().join("checkpoint")).unwrap();
    fs::write(first.scratch().join("checkpoint/state"), "an orphan's").unwrap();
    fs::create_dir(third.scratch().join("checkpoint")).unwrap();
    fs::write(third.scratch().join("checkpoint/state"), "2").unwrap();
    let fourth = next();
    assert_eq!((fourth.number, state(&fourth).as_str()), (4, "2"));

    let lease = f.store.lease(&key).unwrap().unwrap();
    lease.clear().unwrap();
    assert_eq!(f.store.lease(&key).unwrap().unwrap().begin().unwrap().number, 1);
}

#[test]
fn a_newer_store_is_refused_and_so_is_a_folder_that_is_none() {
    let f = Fixture::new();
    let root = f.store.root().to_owned();
    assert_eq!(fs::read_to_string(root.join("format")).unwrap(), "1\n");
    fs::write(root.join("format"), "2\n").unwrap();
    let error = Store::open(&root).unwrap_err().to_string();
    assert_eq!(
        error,
        format!(
            "the store {} is of format 2, and this pretext knows formats up to 1: use the pretext that wrote it or a \
             newer one, or another store with --store FOLDER",
            root.display()
        )
    );
    let home = f.folder_with("home", &[("letter.txt", "dear")]);
    assert!(matches!(Store::open(&home), Err(StoreError::NotAStore { .. })));
    assert_eq!(fs::read_dir(&home).unwrap().count(), 1, "nothing was written to it");
    // What others have fetched may be put there first.
    let fetched = f.folder_with("fetched", &[("cache/cifar10/cifar10.bin", "pictures")]);
    assert!(Store::open(&fetched).is_ok());
}

#[test]
fn runs_remember_what_their_nodes_led_to() {
    let f = Fixture::new();
    let node = NodeId("pretrain[method=a/b]".into());
    let result = f.publish("5");
    let mut run = f.store.begin_run("r-1", "r.yaml", Digest::of(b"text")).unwrap();
    let id = run.id().to_owned();
    let line = |event, key| NodeLine { node: node.clone(), event, key: Some(key), canonical: None, error: None };
    run.note(&line(NodeEvent::Reused, result.key)).unwrap();
    assert!(f.store.run_is_alive(&id));
    run.end(&Summary { reused: 1, ..Summary::default() }).unwrap();
    assert!(!f.store.run_is_alive(&id));
    let mut run = f.store.begin_run("r-1", "r.yaml", Digest::of(b"text")).unwrap();
    let next = Key(Digest::of(b"next"));
    run.note(&line(NodeEvent::Started, next)).unwrap();
    drop(run); // killed: nothing ends its record

    let last = View::new(&f.store, "r-1").last(&node).unwrap();
    assert_eq!((last.key, &last.run, &last.canonical), (result.key, &id, &canonical("fake/source")));
    assert_eq!(View::new(&f.store, "r").last(&node), None, "another recipe");
    let latest = f.store.latest_nodes().unwrap();
    assert_eq!(latest.len(), 1);
    assert_eq!((latest[0].recipe.as_str(), latest[0].key), ("r-1", next));
    let runs = f.store.runs().unwrap();
    assert_eq!(runs.iter().map(|run| run.summary.as_ref().map(|s| s.reused)).collect::<Vec<_>>(), [Some(1), None]);
    let nodes = f.store.run_nodes(&id).unwrap();
    assert_eq!((nodes[0].outcome, &nodes[0].measurements), (NodeEvent::Reused, &result.measurements));
}

#[test]
fn what_was_dropped_is_known_and_comes_back() {
    let f = Fixture::new();
    let result = f.publish("5");
    let digest = result.artifacts["value"];
    let hold = f.store.hold([&digest]).unwrap().unwrap();
    assert_eq!(f.store.drop_artifact(&digest).unwrap(), crate::store::Drop::InUse);
    drop(hold);
    assert_eq!(f.store.drop_artifact(&digest).unwrap(), crate::store::Drop::Done(1));
    assert_eq!(f.store.drop_artifact(&digest).unwrap(), crate::store::Drop::NotThere);
    assert!(matches!(f.store.look_up(&result.key), Lookup::Dropped(_)));
    assert!(f.store.hold([&digest]).unwrap().is_none());
    f.publish("5");
    assert!(matches!(f.store.look_up(&result.key), Lookup::Found(_)));
    assert!(f.store.hold([&digest]).unwrap().is_some());
}

#[test]
fn a_folder_that_changes_while_it_is_published_is_no_artifact() {
    let f = Fixture::new();
    let is_over = std::sync::atomic::AtomicBool::new(false);
    let folder = |turn: u32| f.folder_with(&format!("turn-{turn}"), &[("value.txt", &"x".repeat(4 << 20))]);
    let noticed = std::thread::scope(|scope| {
        let noticed = (0..20).any(|turn| {
            let folder = folder(turn);
            let mut file = fs::File::options().append(true).open(folder.join("value.txt")).unwrap();
            let is_over = &is_over;
            // What the stage has started goes on writing after the stage has said that it is done.
            scope.spawn(move || {
                use std::io::Write;
                while !is_over.load(std::sync::atomic::Ordering::Relaxed) {
                    file.write_all(b"more").unwrap();
                }
            });
            matches!(f.store.publish_artifact(&folder, Durability::Quick), Err(StoreError::Changed { .. }))
        });
        is_over.store(true, std::sync::atomic::Ordering::Relaxed);
        noticed
    });
    assert!(noticed);
}

#[test]
fn the_index_sees_every_change_that_plain_files_show() {
    let f = Fixture::new();
    let result = f.publish("5");
    let file = f.store.artifact(&result.artifacts["value"]).join("value.txt");
    let view = || View::new(&f.store, "r");
    let first = view();
    assert!(matches!(first.look_up(&result.key), (Lookup::Found(_), Some(1.5))));
    first.save().unwrap();
    assert!(matches!(view().look_up(&result.key), (Lookup::Found(_), Some(1.5))));
    fs::write(file.with_file_name("further"), "").unwrap();
    assert!(matches!(view().look_up(&result.key).0, Lookup::Damaged(_)), "a further file");
    fs::remove_file(file.with_file_name("further")).unwrap();
    assert!(matches!(view().look_up(&result.key).0, Lookup::Found(_)));
    fs::remove_file(&file).unwrap();
    assert!(matches!(view().look_up(&result.key).0, Lookup::Damaged(_)), "a file less");
    f.publish("5");
    f.store.drop_artifact(&result.artifacts["value"]).unwrap();
    assert!(matches!(view().look_up(&result.key).0, Lookup::Dropped(_)));
    fs::write(f.store.root().join("index/r"), "garbage").unwrap();
    assert!(matches!(view().look_up(&result.key).0, Lookup::Dropped(_)));
}
#[test]
fn a_catalogue_is_kept_until_its_worker_changes() {
    let f = Fixture::new();
    let worker = f.folder_with("bin", &[("worker", "x")]).join("worker");
    let catalogue = pretext_protocol::Catalogue { numerics: "float32".into(), rehearses: false, kinds: vec![] };
    assert_eq!(f.store.catalogue(&worker).unwrap(), None);
    f.store.keep_catalogue(&worker, &catalogue).unwrap();
    assert_eq!(f.store.catalogue(&worker).unwrap(), Some(catalogue));
    fs::write(&worker, "xy").unwrap();
    assert_eq!(f.store.catalogue(&worker).unwrap(), None);
}
