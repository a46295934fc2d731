//! `runs/TIME/events.jsonl` in the store: what happened in a run, one JSON object a line.

use super::{Observer, Update};
use crate::store::RunFolder;
use crate::text;
use anyhow::Result;
use serde::Serialize;
use std::fs::File;
use std::io::Write;
use std::time::SystemTime;

pub(super) struct EventFile {
    file: File,
}

#[derive(Serialize)]
struct Line<'a> {
    at: String,
    #[serde(flatten)]
    update: &'a Update<'a>,
}

impl EventFile {
    pub(super) fn create(folder: &RunFolder) -> Result<Self> {
        Ok(Self { file: folder.create_file("events.jsonl")? })
    }
}

impl Observer for EventFile {
    fn on(&mut self, update: &Update) {
        // How far a stage is interests nobody afterwards, and what was there stands in the record of nodes.
        if matches!(update, Update::Found { .. } | Update::Progress { .. } | Update::Overall { .. }) {
            return;
        }
        let line = Line { at: text::rfc3339(SystemTime::now()), update };
        let mut bytes = serde_json::to_vec(&line).expect("updates are plain data");
        bytes.push(b'\n');
        // A full disk will stop the stages themselves, with a message of their own.
        let _ = self.file.write_all(&bytes);
    }
}
