//! Every step at which the store changes its files: the process is killed there, or the system refuses it. Whatever then is
//! in the store is whole, nothing that was there before is lost, and the next attempt succeeds.

use pretext::plan::Lookup;
use pretext::store::fault::{Fault, arm, disarm};
use pretext::store::{GcWishes, Reading, Store};
use pretext_tests::{Act, canonical, fast_folder, lease, publish, resumed};
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use tempfile::TempDir;

/// A store as it is before an act.
fn prepared(act: Act) -> (TempDir, PathBuf) {
    let folder = fast_folder();
    let root = folder.path().join("store");
    act.prepare(&root);
    (folder, root)
}

/// What is there of the result, and of the first or the second making.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum There {
    Nothing,
    First,
    Second,
    Dropped,
    Damaged,
}

fn there(store: &Store) -> There {
    match store.look_up(&canonical().key()) {
        Lookup::Missing => There::Nothing,
        Lookup::Damaged(_) => There::Damaged,
        Lookup::Dropped(_) => There::Dropped,
        Lookup::Found(result) => {
            let text = |digest| std::fs::read_to_string(store.artifact(digest).join("value.txt")).unwrap();
            assert_eq!(text(&result.artifacts["same"]), "always");
            match text(&result.artifacts["value"]).as_str() {
                "first" => There::First,
                "second" => There::Second,
                other => panic!("the artifact holds {other}"),
            }
        }
    }
}

/// What may be there when an act was broken off.
fn allowed(act: Act) -> &'static [There] {
    match act {
        Act::Compute | Act::Resume => &[There::Nothing, There::First],
        Act::Restore => &[There::Dropped, There::First],
        Act::Mend => &[There::Damaged, There::First],
        Act::Replace => &[There::First, There::Second],
        Act::Drop => &[There::First, There::Dropped],
        Act::Collect => &[There::First, There::Nothing],
        Act::Repair => &[There::Damaged],
    }
}

/// Checks a store in which an act was broken off, as another process sees it.
fn assert_sound(act: Act, root: &Path, when: &str) {
    let store = Store::open(root).unwrap_or_else(|error| panic!("{when}: {error}"));
    let found = there(&store);
    assert!(allowed(act).contains(&found), "{when}: {found:?}");
    let damages = store.verify(&Reading::default()).unwrap().damages;
    assert_eq!(damages.is_empty(), found != There::Damaged, "{when}: {damages:?}");
    if act == Act::Resume && found == There::Nothing {
        let attempt = lease(&store).begin().unwrap();
        assert_eq!(resumed(&attempt).as_deref(), Some("half"), "{when}: the checkpoint is lost");
    }
    if !matches!(found, There::First | There::Second) {
        publish(&store, "first", false).unwrap_or_else(|error| panic!("{when}: {error}"));
        assert_eq!(there(&store), There::First, "{when}");
    }
    assert_clean_after_gc(&store, when);
}

/// What is left is what the result mentions.
fn assert_clean_after_gc(store: &Store, when: &str) {
    let before = there(store);
    store.collect(&store.plan_gc(&GcWishes::default(), 0).unwrap()).unwrap();
    assert_eq!(there(store), before, "{when}");
    let verified = store.verify(&Reading::default()).unwrap();
    assert_eq!((verified.results, verified.artifacts), (1, 2), "{when}");
    assert!(verified.damages.is_empty() && verified.unmentioned.is_empty(), "{when}: {verified:?}");
    // A killed attempt that had a checkpoint has a result now, or none of it is left.
    assert_eq!(verified.leftovers, [], "{when}");
    let known = ["artifacts", "format", "index", "lock", "results", "runs", "attempts", "damaged"];
    for entry in std::fs::read_dir(store.root()).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        assert!(known.contains(&name.as_str()), "{when}: {name}");
    }
}

/// How many steps an act takes when nothing is in its way.
fn steps_of(act: Act) -> u64 {
    let (_folder, root) = prepared(act);
    arm(u64::MAX, Fault::Kill);
    act.perform(&root).unwrap();
    disarm()
}

/// One test, since faults are armed for the process as a whole.
#[test]
fn every_step_may_be_the_last() {
    let (mut killed, mut refused) = (0, 0);
    for act in Act::ALL {
        let steps = steps_of(act);
        assert!(steps > 2, "{act:?} takes {steps} steps: are they counted?");
        for step in 1..=steps {
            kill_at(act, step);
            killed += 1;
            for error in [libc::ENOSPC, libc::EACCES, libc::EROFS, libc::EIO] {
                refuse_at(act, step, error);
                refused += 1;
            }
        }
        println!("{act:?}: {steps} steps");
    }
    println!("{killed} kills, {refused} refusals");
}

fn kill_at(act: Act, step: u64) {
    let (_folder, root) = prepared(act);
    let act_name = format!("{act:?}");
    let output = Command::new(env!("CARGO_BIN_EXE_store-fault"))
        .args([root.as_os_str(), act_name.as_ref(), step.to_string().as_ref()])
        .output()
        .unwrap();
    let when = format!("{act:?} killed before step {step}");
    assert_eq!(output.status.signal(), Some(libc::SIGKILL), "{when}: {}", String::from_utf8_lossy(&output.stderr));
    assert_sound(act, &root, &when);
}

fn refuse_at(act: Act, step: u64, error: i32) {
    let (_folder, root) = prepared(act);
    arm(step, Fault::Refuse(error));
    let outcome = act.perform(&root);
    disarm();
    let when = format!("{act:?} refused from step {step} on with {}", std::io::Error::from_raw_os_error(error));
    let advice = match error {
        libc::ENOSPC => "; free some space (`pretext gc` lists what can go)",
        libc::EACCES => " and pretext runs as ",
        libc::EROFS => "; the file system is mounted read-only",
        _ => "; the disk itself reports an error",
    };
    match outcome {
        Err(error) => assert!(error.to_string().contains(advice), "{when}: {error}"),
        // What only clears up may fail without a word.
        Ok(()) => {
            assert!(matches!(act, Act::Compute | Act::Resume | Act::Restore | Act::Mend | Act::Replace), "{when}")
        }
    }
    // The partial files are of this process, which lives: they are no leftovers yet.
    forget_this_process(&root);
    assert_sound(act, &root, &when);
}

/// Makes the names of temporary files those of a process that is no more.
fn forget_this_process(root: &Path) {
    let own = format!("-{}-", std::process::id());
    for entry in std::fs::read_dir(root).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        let is_partial = name.starts_with(".partial-") && name.contains(&own);
        let place = if is_partial { path.with_file_name(name.replace(&own, "-4194305-")) } else { path.clone() };
        if is_partial {
            std::fs::rename(&path, &place).unwrap();
        }
        if place.is_dir() {
            forget_this_process(&place);
        }
    }
}
