//! Keeps the record of a run in the store: what became of each node, and now and then how far it is.

use super::{Observer, Update};
use crate::ids::{Key, NodeId};
use crate::store::{NodeEvent, NodeLine, RunFolder, RunStatus, RunningStage};
use crate::text::now;
use std::time::{Duration, Instant};

/// So often `pretext status` can see something new.
const EVERY: Duration = Duration::from_secs(1);

pub(super) struct Record {
    /// None when the run has ended.
    folder: Option<RunFolder>,
    status: RunStatus,
    written: Instant,
}

impl Record {
    pub(super) fn new(folder: RunFolder) -> Self {
        Self { folder: Some(folder), status: RunStatus::default(), written: Instant::now() }
    }

    /// A record that cannot be written, on a full disk say, must not end the run: stages say so themselves.
    fn note(&mut self, node: &NodeId, event: NodeEvent, key: Option<Key>) {
        self.note_line(NodeLine { node: node.clone(), event, key, canonical: None, error: None });
    }

    fn note_line(&mut self, line: NodeLine) {
        if let Some(folder) = &mut self.folder {
            let _ = folder.note(&line);
        }
    }

    fn begin(&mut self, node: &NodeId, key: Key) {
        self.note(node, NodeEvent::Started, Some(key));
        self.status.running.push(RunningStage { node: node.clone(), since: now(), progress: None });
    }

    fn end(&mut self, node: &NodeId) {
        self.status.running.retain(|running| running.node != *node);
    }

    fn write_status(&mut self) {
        if self.written.elapsed() >= EVERY {
            self.written = Instant::now();
            self.status.at = now();
            if let Some(folder) = &mut self.folder {
                let _ = folder.write_status(&self.status);
            }
        }
    }
}

impl Observer for Record {
    fn on(&mut self, update: &Update) {
        match *update {
            Update::Found { node, key } | Update::Reused { node, key } => self.note(node, NodeEvent::Reused, Some(key)),
            Update::Planned { recipe, reused, to_run, .. } => {
                self.status = RunStatus { recipe: recipe.to_owned(), reused, to_run, ..RunStatus::default() };
            }
            Update::Started { node, key, .. } => self.begin(node, key),
            Update::Done { node, key, canonical, .. } => {
                self.end(&node.id);
                let canonical = Some(canonical.clone());
                let event = NodeEvent::Computed;
                self.note_line(NodeLine { node: node.id.clone(), event, key: Some(key), canonical, error: None });
            }
            Update::Failed { node, key, error, .. } => {
                self.end(node);
                self.status.failed.push((node.clone(), error.to_owned()));
                let (event, error) = (NodeEvent::Failed, Some(error.to_owned()));
                self.note_line(NodeLine { node: node.clone(), event, key, canonical: None, error });
            }
            Update::Retried { node, .. } | Update::Stopped { node, .. } => self.end(node),
            Update::Skipped { node, .. } => self.note(node, NodeEvent::Skipped, None),
            Update::Progress { node, progress } => {
                if let Some(running) = self.status.running.iter_mut().find(|running| running.node == *node) {
                    running.progress = Some(progress.clone());
                }
            }
            Update::Overall { ended, to_run, remaining_seconds } => {
                (self.status.ended, self.status.to_run) = (ended, to_run);
                self.status.remaining_seconds = remaining_seconds;
                self.write_status();
            }
            Update::Finished(summary) => {
                if let Some(folder) = self.folder.take() {
                    let _ = folder.end(summary);
                }
            }
            Update::HeldElsewhere { .. }
            | Update::WaitsForGpu { .. }
            | Update::Dropped { .. }
            | Update::Stopping { .. } => {}
        }
    }
}
