//! The store as one recipe sees it: an index of its results, and what its earlier runs did.

use super::error::Result;
use super::index::Index;
use super::runs::node_lines;
use super::{LastRun, NodeEvent, NodeLine, Store};
use crate::ids::{Key, NodeId};
use crate::plan::{Canonical, Earlier, Known, Lookup, Reason};
use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

/// So many bytes of earlier runs' records are read at most to tell what changed since.
const MOST_HISTORY: u64 = 64 << 20;

pub struct View {
    store: Store,
    recipe: String,
    index: Index,
    history: Mutex<History>,
}

/// Earlier runs, the newest first, read as far back as somebody asked.
struct History {
    runs: Vec<PathBuf>,
    read: Vec<PastRun>,
    bytes: u64,
}

/// A run's nodes that have a result, and what it computed itself.
struct PastRun {
    id: String,
    at: u64,
    settled: HashMap<NodeId, Key>,
    computed: HashMap<Key, Canonical>,
    /// What began and was not settled, and whether it failed.
    unfinished: HashMap<NodeId, Reason>,
}

impl View {
    pub fn new(store: &Store, recipe: &str) -> Self {
        let index = Index::read(store, recipe);
        // Without its history nobody can say what changed, and nothing else is lost.
        let runs = store.runs_of(recipe).unwrap_or_default();
        let history = Mutex::new(History { runs, read: vec![], bytes: 0 });
        Self { store: store.clone(), recipe: recipe.to_owned(), index, history }
    }

    pub fn store(&self) -> &Store {
        &self.store
    }

    /// What is there under a key, and the seconds that it took to compute.
    pub fn look_up(&self, key: &Key) -> (Lookup, Option<f64>) {
        self.index.look_up(&self.store, key)
    }

    /// Keeps what was read for the next time.
    pub fn save(&self) -> Result<()> {
        self.index.save(&self.store, &self.recipe)
    }
}

impl Known for View {
    fn result(&self, key: &Key) -> Lookup {
        self.look_up(key).0
    }

    fn last(&self, node: &NodeId) -> Option<LastRun> {
        let mut history = self.history.lock().unwrap_or_else(PoisonError::into_inner);
        let (key, Earlier { at, run }) = history.newest(&self.store, |run| run.settled.get(node).copied())?;
        let canonical = history.read.iter().find_map(|run| run.computed.get(&key).cloned());
        let canonical = canonical.or_else(|| self.store.canonical(&key))?;
        Some(LastRun { key, canonical, at, run })
    }

    fn unfinished(&self, node: &NodeId) -> Option<(Reason, Earlier)> {
        let mut history = self.history.lock().unwrap_or_else(PoisonError::into_inner);
        history.newest(&self.store, |run| run.unfinished.get(node).cloned())
    }
}

impl History {
    /// What the newest run says that says something, and which it is. No more runs are read than that takes.
    fn newest<T>(&mut self, store: &Store, said: impl Fn(&PastRun) -> Option<T>) -> Option<(T, Earlier)> {
        let mut number = 0;
        while self.has(number, store) {
            let run = &self.read[number];
            if let Some(what) = said(run) {
                return Some((what, Earlier { at: run.at, run: run.id.clone() }));
            }
            number += 1;
        }
        None
    }

    /// Whether there is a run of this number, which is read if it was not.
    fn has(&mut self, number: usize, store: &Store) -> bool {
        while self.read.len() <= number && self.bytes < MOST_HISTORY {
            let Some(folder) = self.runs.get(self.read.len()) else { return false };
            let (run, bytes) = PastRun::read(folder, store);
            self.bytes += bytes;
            self.read.push(run);
        }
        number < self.read.len()
    }
}

impl PastRun {
    fn read(folder: &Path, store: &Store) -> (Self, u64) {
        let id = super::runs::name_of(folder);
        let bytes = std::fs::metadata(folder.join("nodes.jsonl")).map_or(0, |file| file.len());
        let at = store.run_record(&id).map_or(0, |record| record.finished.unwrap_or(record.started));
        let goes_on = store.run_is_alive(&id);
        let (settled, computed, unfinished) = Default::default();
        let mut run = Self { id, at, settled, computed, unfinished };
        for line in node_lines::<NodeLine>(folder).unwrap_or_default() {
            match (line.event, line.key) {
                (NodeEvent::Computed | NodeEvent::Reused, Some(key)) => {
                    run.unfinished.remove(&line.node);
                    run.settled.insert(line.node, key);
                    run.computed.extend(line.canonical.map(|canonical| (key, canonical)));
                }
                (NodeEvent::Started, _) if !goes_on => drop(run.unfinished.insert(line.node, Reason::CutOff)),
                (NodeEvent::Failed, _) => drop(run.unfinished.insert(line.node, Reason::Failed)),
                _ => {}
            }
        }
        (run, bytes)
    }
}
