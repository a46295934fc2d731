//! The folders of runs: writing and reading what each was of, what became of every node, and how far one is.

use super::error::{IoContext, Result};
use super::files::{self, Durability};
use super::locks::is_locked;
use super::{LatestNode, Machine, NodeEvent, NodeLine, RunNode, RunRecord, RunStatus, Store, Summary, fault};
use crate::ids::Digest;
use crate::text::{self, now};
use serde::de::DeserializeOwned;
use std::collections::{HashMap, HashSet};
use std::fs::File;
use std::io::{BufWriter, ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

/// The folder of a run that goes on. Its lock tells others that it does.
#[derive(Debug)]
pub struct RunFolder {
    folder: PathBuf,
    record: RunRecord,
    nodes: BufWriter<File>,
    _alive: File,
}

impl Store {
    /// Begins the record of a run.
    pub fn begin_run(&self, recipe: &str, path: &str, recipe_digest: Digest) -> Result<RunFolder> {
        let folder = self.new_run_folder(recipe)?;
        let create = |name: &str| files::create_file(&folder.join(name));
        let alive = create("alive")?;
        alive.lock().doing("lock", &folder.join("alive"))?;
        let nodes = BufWriter::new(create("nodes.jsonl")?);
        let record = RunRecord {
            id: name_of(&folder),
            recipe: recipe.to_owned(),
            path: path.to_owned(),
            recipe_digest,
            process: std::process::id(),
            host: Machine::this().host.clone(),
            started: now(),
            finished: None,
            summary: None,
        };
        files::write_json(&folder.join("run.json"), &record, Durability::Quick)?;
        Ok(RunFolder { folder, record, nodes, _alive: alive })
    }

    /// All runs, the oldest first.
    pub fn runs(&self) -> Result<Vec<RunRecord>> {
        let records = self.run_folders()?.into_iter().map(|folder| files::read_json(&folder.join("run.json")));
        // One that cannot be read, or is not there yet, is no reason not to list the others.
        Ok(records.filter_map(|record| record.ok().flatten()).collect())
    }

    pub(super) fn run_record(&self, id: &str) -> Option<RunRecord> {
        files::read_json(&self.run_folder(id).join("run.json")).ok().flatten()
    }

    /// The folders of a recipe's runs, the newest first.
    pub(super) fn runs_of(&self, recipe: &str) -> Result<Vec<PathBuf>> {
        let mut folders = self.run_folders()?;
        folders.retain(|folder| recipe_of(&name_of(folder)) == recipe);
        folders.reverse();
        Ok(folders)
    }

    /// What became of the nodes in a run, in the order in which they came to something.
    pub fn run_nodes(&self, id: &str) -> Result<Vec<RunNode>> {
        let mut nodes: Vec<RunNode> = vec![];
        let mut places = HashMap::new();
        for line in node_lines::<NodeLine>(&self.run_folder(id))? {
            let place = *places.entry(line.node.clone()).or_insert(nodes.len());
            let node = self.run_node(line);
            if place == nodes.len() { nodes.push(node) } else { nodes[place] = node }
        }
        Ok(nodes)
    }

    /// Every node that any run has looked at or begun, with the latest of them first.
    pub fn latest_nodes(&self) -> Result<Vec<LatestNode>> {
        let mut seen = HashSet::new();
        let mut latest = Vec::new();
        for folder in self.run_folders()?.into_iter().rev() {
            let run = name_of(&folder);
            for NodeLine { node, key, .. } in node_lines::<NodeLine>(&folder)?.into_iter().rev() {
                let Some(key) = key else { continue };
                if seen.insert((recipe_of(&run).to_owned(), node.clone())) {
                    latest.push(LatestNode { recipe: recipe_of(&run).to_owned(), run: run.clone(), node, key });
                }
            }
        }
        Ok(latest)
    }

    fn run_node(&self, line: NodeLine) -> RunNode {
        let NodeLine { node, event: outcome, key, canonical, error } = line;
        let is_done = matches!(outcome, NodeEvent::Computed | NodeEvent::Reused);
        let done = key.filter(|_| is_done);
        RunNode {
            node,
            key,
            outcome,
            seconds: done.and_then(|key| self.provenance(&key)).map(|provenance| provenance.seconds),
            measurements: done.and_then(|key| self.measurements(&key)).unwrap_or_default(),
            canonical: canonical.or_else(|| self.canonical(&key?)),
            error,
        }
    }

    /// How far a run is, as it last said.
    pub fn run_status(&self, id: &str) -> Option<RunStatus> {
        files::read_json(&self.run_folder(id).join("status.json")).ok().flatten()
    }

    /// Whether a run goes on: its process has its lock.
    pub fn run_is_alive(&self, id: &str) -> bool {
        is_locked(&self.run_folder(id).join("alive"))
    }

    /// The folder with a run's `events.jsonl` and the rest.
    pub fn run_folder(&self, id: &str) -> PathBuf {
        self.root.join("runs").join(id)
    }

    pub(super) fn run_folders(&self) -> Result<Vec<PathBuf>> {
        let mut folders = files::entries(&self.root.join("runs"))?;
        folders.sort();
        Ok(folders)
    }

    fn new_run_folder(&self, recipe: &str) -> Result<PathBuf> {
        let runs = self.root.join("runs");
        let time = text::rfc3339(SystemTime::now()).replace(':', "-");
        for further in 1.. {
            let further = if further == 1 { String::new() } else { format!(".{further}") };
            let folder = runs.join(format!("{time}{further}-{recipe}"));
            files::create_folders(&runs).doing("create", &runs)?;
            match files::create_folder(&folder) {
                Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
                done => return done.doing("create", &folder).map(|()| folder),
            }
        }
        unreachable!("the numbers do not end")
    }
}

impl RunFolder {
    pub fn id(&self) -> &str {
        &self.record.id
    }

    /// Adds what happened to a node. What was reused reaches the disk with what comes next; a loss is none.
    pub fn note(&mut self, line: &NodeLine) -> Result<()> {
        let mut bytes = serde_json::to_vec(line).expect("records are plain data");
        bytes.push(b'\n');
        let written = fault::step().and_then(|()| self.nodes.write_all(&bytes));
        let written = written.and_then(|()| if line.event == NodeEvent::Reused { Ok(()) } else { self.nodes.flush() });
        written.doing("write", &self.folder.join("nodes.jsonl"))
    }

    /// A further file in it.
    pub fn create_file(&self, name: &str) -> Result<File> {
        files::create_file(&self.folder.join(name))
    }

    /// Says how far it is, and what was reused until now, so that `gc` leaves it alone.
    pub fn write_status(&mut self, status: &RunStatus) -> Result<()> {
        self.nodes.flush().doing("write", &self.folder.join("nodes.jsonl"))?;
        files::write_json(&self.folder.join("status.json"), status, Durability::Quick)
    }

    /// Ends the record.
    pub fn end(mut self, summary: &Summary) -> Result<()> {
        self.nodes.flush().doing("write", &self.folder.join("nodes.jsonl"))?;
        self.record.finished = Some(now());
        self.record.summary = Some(summary.clone());
        // It says what is no longer so, and the record of the end tells that.
        let _ = files::remove_file(&self.folder.join("status.json"));
        files::write_json(&self.folder.join("run.json"), &self.record, Durability::Quick)
    }
}

/// The lines of a run's `nodes.jsonl` that can be read: the last may have been cut off.
pub(super) fn node_lines<T: DeserializeOwned>(folder: &Path) -> Result<Vec<T>> {
    let bytes = files::read_if_there(&folder.join("nodes.jsonl"))?.unwrap_or_default();
    Ok(bytes.split(|byte| *byte == b'\n').filter_map(|line| serde_json::from_slice(line).ok()).collect())
}

pub(super) fn name_of(folder: &Path) -> String {
    folder.file_name().unwrap_or_default().to_string_lossy().into_owned()
}

/// `small-labels` of `2026-11-24T12-57-03Z-small-labels`.
pub(super) fn recipe_of(id: &str) -> &str {
    id.split_once('Z').and_then(|(_, rest)| rest.split_once('-')).map_or("", |(_, recipe)| recipe)
}
