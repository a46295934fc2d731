//! What a store should hold after everything that was done with it.

mod op;
mod store;

use pretext::ids::Digest;
use pretext::plan::{Canonical, Lookup};
use pretext::store::fault::{Fault, arm, disarm};
use pretext::store::{Attempt, GcWishes, Hold, Lease, Reading, Store};
use pretext_tests::resumed;
use std::collections::BTreeSet;
use store::{KEYS, TEXTS, canonical, digest_of, publish, save, spoil, text_of};
use tempfile::TempDir;

pub use op::{How, Op, Wish, op};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Artifact {
    Absent,
    Whole,
    Dropped,
    /// A glance tells.
    Spoilt,
    /// Only who reads it can tell.
    SpoiltInSecret,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Saved {
    Nothing,
    State(String),
    /// The result is there, and clearing up was broken off.
    Perhaps(String),
}

struct Key {
    canonical: Canonical,
    /// The text in its result's artifact.
    result: Option<usize>,
    saved: Saved,
    live: Option<(Lease, Attempt)>,
}

pub struct Model {
    _folder: TempDir,
    store: Store,
    keys: Vec<Key>,
    artifacts: Vec<Artifact>,
    digests: Vec<Digest>,
    holds: Vec<(usize, Hold)>,
    saves: u32,
}

impl Model {
    pub fn new() -> Self {
        let folder = pretext_tests::fast_folder();
        let store = Store::open(&folder.path().join("store")).unwrap();
        let key = |number| Key { canonical: canonical(number), result: None, saved: Saved::Nothing, live: None };
        Self {
            _folder: folder,
            store,
            keys: (0..KEYS).map(key).collect(),
            artifacts: vec![Artifact::Absent; TEXTS],
            digests: (0..TEXTS).map(digest_of).collect(),
            holds: vec![],
            saves: 0,
        }
    }

    /// Does it, checks what came of it, and says what that was.
    pub fn apply(&mut self, op: &Op) -> String {
        let what = match *op {
            Op::Begin(key) => self.begin(key),
            Op::Save(key) => self.save(key),
            Op::Crash(key) => {
                self.keys[key].live = None;
                "crashed"
            }
            Op::Publish { key, text, replaced, fault } => self.publish(key, text, replaced, fault),
            Op::LookUp { key, is_kept } => self.look_up(key, is_kept),
            Op::Hold(text) => self.hold(text),
            Op::Release(number) => {
                if number < self.holds.len() {
                    self.holds.remove(number);
                }
                "released"
            }
            Op::Drop { text, fault } => self.drop_artifact(text, fault),
            Op::Spoil { text, how } => self.spoil(text, how),
            Op::Gc { wishes, fault } => self.gc(wishes, fault),
            Op::Verify { repair } => self.verify(repair),
        };
        what.to_owned()
    }

    fn begin(&mut self, number: usize) -> &'static str {
        let key = &mut self.keys[number];
        let lease = self.store.lease(&key.canonical.key()).unwrap();
        assert_eq!(lease.is_none(), key.live.is_some(), "one at a time has a key");
        let Some(lease) = lease else { return "waited" };
        let attempt = lease.begin().unwrap();
        let state = resumed(&attempt);
        match &key.saved {
            Saved::Nothing => assert_eq!(state, None),
            Saved::State(saved) => assert_eq!(state.as_ref(), Some(saved), "the checkpoint is lost"),
            Saved::Perhaps(saved) => assert!(state.is_none() || state.as_ref() == Some(saved)),
        }
        let what = if state.is_some() { "resumed" } else { "begun" };
        key.saved = state.map_or(Saved::Nothing, Saved::State);
        key.live = Some((lease, attempt));
        what
    }

    fn save(&mut self, number: usize) -> &'static str {
        if self.keys[number].live.is_none() {
            self.begin(number);
        }
        let (_, attempt) = self.keys[number].live.as_ref().expect("it was just begun");
        self.saves += 1;
        let state = self.saves.to_string();
        save(attempt, &state);
        self.keys[number].saved = Saved::State(state);
        "saved"
    }

    fn publish(&mut self, number: usize, text: usize, replaced: bool, fault: Option<u64>) -> &'static str {
        if self.keys[number].live.is_none() {
            self.begin(number);
        }
        let (lease, attempt) = self.keys[number].live.take().expect("it was just begun");
        let (old, whole_before) = (self.keys[number].result, self.is_found(number));
        arm(fault.unwrap_or(u64::MAX), Fault::Refuse(libc::ENOSPC));
        let outcome = publish(&self.store, &attempt, &self.keys[number].canonical, text, replaced);
        let is_cleared = outcome.is_ok() && lease.clear().is_ok();
        disarm();
        let new = if whole_before && !replaced { old } else { Some(text) };
        if outcome.is_ok() {
            self.keys[number].result = new;
            // It was found whole by a glance, or was made so.
            if self.artifacts[text] != Artifact::SpoiltInSecret {
                self.artifacts[text] = Artifact::Whole;
            }
        } else {
            assert!(fault.is_some(), "{outcome:?}");
            let now = text_of(&self.store, &self.keys[number].canonical);
            assert!(now == old || now == new, "{now:?} is there, which is neither the old {old:?} nor the new");
            self.keys[number].result = now;
            self.observe(text, &[self.artifacts[text], Artifact::Whole]);
        }
        self.keys[number].saved = match (std::mem::replace(&mut self.keys[number].saved, Saved::Nothing), is_cleared) {
            (_, true) => Saved::Nothing,
            (Saved::State(state), false) if outcome.is_ok() => Saved::Perhaps(state),
            // A result that took its place and an error behind it: it may be taken for finished.
            (Saved::State(state), false) if self.keys[number].result == new && new != old => Saved::Perhaps(state),
            (saved, false) => saved,
        };
        if outcome.is_ok() { "published" } else { "publishing refused" }
    }

    /// Adopts what became of an artifact in an operation that failed.
    fn observe(&mut self, text: usize, allowed: &[Artifact]) {
        let now = store::state_of(&self.store, &self.digests[text], text);
        assert!(allowed.contains(&now), "the artifact is {now:?}; expected one of {allowed:?}");
        self.artifacts[text] = now;
    }

    fn is_found(&self, number: usize) -> bool {
        let artifact = self.keys[number].result.map(|text| self.artifacts[text]);
        matches!(artifact, Some(Artifact::Whole | Artifact::SpoiltInSecret))
    }

    fn look_up(&mut self, number: usize, is_kept: bool) -> &'static str {
        let key = &self.keys[number];
        let view = pretext::store::View::new(&self.store, "model");
        let plain = self.store.look_up(&key.canonical.key());
        let by_index = view.look_up(&key.canonical.key()).0;
        assert_eq!(plain, by_index, "the index says something else");
        if is_kept {
            view.save().unwrap();
        }
        let expected = key.result.map(|text| (text, self.artifacts[text]));
        match (plain, expected) {
            (Lookup::Missing, None) => "missing",
            (Lookup::Found(result), Some((text, artifact @ (Artifact::Whole | Artifact::SpoiltInSecret)))) => {
                assert_eq!(result.artifacts["value"], self.digests[text]);
                assert_eq!(store::state_of(&self.store, &self.digests[text], text), artifact);
                "found"
            }
            (Lookup::Dropped(result), Some((text, Artifact::Dropped))) => {
                assert_eq!(result.artifacts["value"], self.digests[text]);
                "found dropped"
            }
            (Lookup::Damaged(_), Some((_, Artifact::Spoilt | Artifact::Absent))) => "found damaged",
            (found, expected) => panic!("{found:?} was found, and {expected:?} was expected"),
        }
    }

    fn hold(&mut self, text: usize) -> &'static str {
        let hold = self.store.hold([&self.digests[text]]).unwrap();
        let is_there = matches!(self.artifacts[text], Artifact::Whole | Artifact::SpoiltInSecret);
        assert_eq!(hold.is_some(), is_there);
        self.holds.extend(hold.map(|hold| (text, hold)));
        "held"
    }

    fn is_held(&self, text: usize) -> bool {
        self.holds.iter().any(|(held, _)| *held == text)
    }

    fn drop_artifact(&mut self, text: usize, fault: Option<u64>) -> &'static str {
        use pretext::store::Drop;
        arm(fault.unwrap_or(u64::MAX), Fault::Refuse(libc::EIO));
        let outcome = self.store.drop_artifact(&self.digests[text]);
        disarm();
        let is_there = !matches!(self.artifacts[text], Artifact::Absent | Artifact::Dropped);
        match outcome {
            Ok(Drop::NotThere) => assert!(!is_there),
            Ok(Drop::InUse) => assert!(self.is_held(text)),
            Ok(Drop::Done(_)) => {
                assert!(is_there && !self.is_held(text));
                self.artifacts[text] = Artifact::Dropped;
                return "dropped";
            }
            Err(error) => {
                assert!(fault.is_some(), "{error}");
                self.observe(text, &[self.artifacts[text], Artifact::Dropped]);
                return "dropping refused";
            }
        }
        if is_there { "in use" } else { "nothing to drop" }
    }

    fn spoil(&mut self, text: usize, how: How) -> &'static str {
        if self.artifacts[text] != Artifact::Whole {
            return "nothing to spoil";
        }
        spoil(&self.store, &self.digests[text], how);
        self.artifacts[text] = if how == How::HiddenBit { Artifact::SpoiltInSecret } else { Artifact::Spoilt };
        "spoilt"
    }

    fn gc(&mut self, wish: Wish, fault: Option<u64>) -> &'static str {
        let size = self.store.plan_gc(&GcWishes::default(), 0).unwrap().store_bytes;
        let wishes = match wish {
            Wish::Nothing => GcWishes::default(),
            Wish::Everything => GcWishes { older: Some(0), ..GcWishes::default() },
            Wish::HalfTheSize => GcWishes { to: Some(size / 2), ..GcWishes::default() },
        };
        let plan = self.store.plan_gc(&wishes, u64::MAX).unwrap();
        arm(fault.unwrap_or(u64::MAX), Fault::Refuse(libc::EACCES));
        let outcome = self.store.collect(&plan);
        disarm();
        assert!(outcome.is_ok() || fault.is_some(), "{outcome:?}");
        let is_whole = outcome.is_ok();
        self.gone_results(wish, is_whole);
        self.gone_artifacts(is_whole);
        for key in self.keys.iter_mut().filter(|key| key.live.is_none()) {
            // Everything: as for results, age is no reason to keep them. Nothing: none is lost that can be needed.
            key.saved = match std::mem::replace(&mut key.saved, Saved::Nothing) {
                Saved::State(state) if matches!(wish, Wish::Everything) && is_whole => {
                    drop(state);
                    Saved::Nothing
                }
                Saved::State(state) if matches!(wish, Wish::Everything) => Saved::Perhaps(state),
                saved => saved,
            };
        }
        if is_whole { "collected" } else { "collecting refused" }
    }

    fn gone_results(&mut self, wish: Wish, is_whole: bool) {
        for key in &mut self.keys {
            let now = text_of(&self.store, &key.canonical);
            assert!(now.is_none() || now == key.result);
            let may_go = key.live.is_none() && !matches!(wish, Wish::Nothing);
            assert!(now == key.result || may_go, "a result is gone that is needed");
            assert!(now.is_none() || !may_go || !is_whole || matches!(wish, Wish::HalfTheSize), "it should have gone");
            key.result = now;
        }
    }

    fn gone_artifacts(&mut self, is_whole: bool) {
        let mentioned: BTreeSet<usize> = self.keys.iter().filter_map(|key| key.result).collect();
        for text in 0..TEXTS {
            let before = self.artifacts[text];
            match mentioned.contains(&text) || self.is_held(text) {
                true => self.observe(text, &[before]),
                false if is_whole => self.observe(text, &[Artifact::Absent]),
                false => self.observe(text, &[before, Artifact::Absent]),
            }
        }
    }

    fn verify(&mut self, repair: bool) -> &'static str {
        let verified = self.store.verify(&Reading::default()).unwrap();
        let mentioned: BTreeSet<usize> = self.keys.iter().filter_map(|key| key.result).collect();
        let is_damaged = |text: &usize| match self.artifacts[*text] {
            Artifact::Spoilt | Artifact::SpoiltInSecret => true,
            Artifact::Absent => mentioned.contains(text),
            Artifact::Whole | Artifact::Dropped => false,
        };
        let damaged: Vec<usize> = (0..TEXTS).filter(is_damaged).collect();
        assert_eq!(verified.damages.len(), damaged.len(), "{:?}", verified.damages);
        for damage in verified.damages.iter().filter(|_| repair) {
            self.store.repair(damage).unwrap();
        }
        for text in damaged.iter().filter(|text| repair && !self.is_held(**text)).copied().collect::<Vec<_>>() {
            self.artifacts[text] = Artifact::Absent;
        }
        if damaged.is_empty() { "verified" } else { "damage found" }
    }
}
