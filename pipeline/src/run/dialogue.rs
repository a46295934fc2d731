//! What a worker says, and what it means for the stage that it computes. Knows nothing of processes, so that it can be held
//! against whatever bytes somebody makes up.

use pretext_protocol::{Cost, Measurement, Progress, Reply};
use std::io::{BufRead, BufReader, Read};

/// A line of a worker's standard output.
#[derive(Debug, Clone, PartialEq)]
pub enum Line {
    Reply(Reply),
    /// The beginning of a line that is none.
    Garbage(String),
}

/// How a stage ended that did not fail.
#[derive(Debug, Clone, PartialEq)]
pub enum Conclusion {
    Done { measurements: Vec<Measurement>, notes: Vec<String>, cost: Cost },
    Stopped,
}

/// What a reply means for the stage.
#[derive(Debug, Clone, PartialEq)]
pub enum Heard {
    /// It goes on.
    Nothing,
    Progress(Progress),
    Ended(Conclusion),
    /// It has failed, as the worker says in order.
    Failed(String),
    /// The worker may not say this now.
    Unexpected(Reply),
}

/// What a worker has said about one stage.
#[derive(Debug)]
pub struct Dialogue {
    id: u64,
    measurements: Vec<Measurement>,
    notes: Vec<String>,
}

/// A reply may be so long, and the garbage that is shown of a longer line is short anyway.
const LONGEST_REPLY: u64 = 64 << 20;

impl Dialogue {
    /// About the stage that was sent with this number.
    pub fn about(id: u64) -> Self {
        Self { id, measurements: vec![], notes: vec![] }
    }

    pub fn hear(&mut self, reply: Reply) -> Heard {
        let id = self.id;
        match reply {
            // Signs of life about another stage are those of a thread that has not noticed its end.
            Reply::Heartbeat { .. } => Heard::Nothing,
            Reply::Progress(progress) if progress.id != id => Heard::Nothing,
            Reply::Progress(progress) => Heard::Progress(progress),
            Reply::Measure { id: about, measurement } if about == id => {
                self.measurements.push(measurement);
                Heard::Nothing
            }
            Reply::Note { id: about, text } if about == id => {
                self.notes.push(text);
                Heard::Nothing
            }
            Reply::Done { id: about, cost } if about == id => {
                let (measurements, notes) = (std::mem::take(&mut self.measurements), std::mem::take(&mut self.notes));
                Heard::Ended(Conclusion::Done { measurements, notes, cost })
            }
            Reply::Stopped { id: about } if about == id => Heard::Ended(Conclusion::Stopped),
            Reply::Failed { id: about, error } if about == id => Heard::Failed(error),
            other => Heard::Unexpected(other),
        }
    }
}

/// Reads lines until the worker closes its standard output or `on` wants no more.
pub fn read_lines(stream: impl Read, mut on: impl FnMut(Line) -> bool) {
    let mut reader = BufReader::new(stream);
    let mut line = Vec::new();
    loop {
        line.clear();
        match reader.by_ref().take(LONGEST_REPLY).read_until(b'\n', &mut line) {
            Ok(0) | Err(_) => return,
            Ok(_) => {}
        }
        let read = match pretext_protocol::from_line(&line) {
            Ok(reply) => Line::Reply(reply),
            Err(_) => Line::Garbage(excerpt(&String::from_utf8_lossy(&line))),
        };
        if !on(read) {
            return;
        }
    }
}

/// The beginning of a line.
pub(super) fn excerpt(line: &str) -> String {
    const SHOWN: usize = 120;
    let line = line.trim_end();
    let start: String = line.chars().take(SHOWN).collect();
    if start.len() < line.len() { format!("{start}...") } else { start }
}
