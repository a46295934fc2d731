//! What a worker says, and what it means for the stage that it computes. Knows nothing of processes, so that it can be held
//! against whatever bytes somebody makes up.

use crate::terminal::{beginning, end_of_line, harmless};
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
            Reply::Progress(progress) => Heard::Progress(harmless_progress(progress)),
            Reply::Measure { id: about, measurement } if about == id => {
                self.measurements.push(measurement);
                Heard::Nothing
            }
            Reply::Note { id: about, text } if about == id => {
                self.notes.push(harmless(&text).into_owned());
                Heard::Nothing
            }
            Reply::Done { id: about, cost } if about == id => {
                let (measurements, notes) = (std::mem::take(&mut self.measurements), std::mem::take(&mut self.notes));
                Heard::Ended(Conclusion::Done { measurements, notes, cost })
            }
            Reply::Stopped { id: about } if about == id => Heard::Ended(Conclusion::Stopped),
            Reply::Failed { id: about, error } if about == id => Heard::Failed(shortened(&error)),
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

/// What is shown of a line that is no reply.
pub(super) fn excerpt(line: &str) -> String {
    beginning(line, 120)
}

/// An error with lines that a person can read: what was printed before the end of a very long one is left out.
fn shortened(error: &str) -> String {
    const LONGEST: usize = 2000;
    error.lines().map(|line| end_of_line(line, LONGEST)).collect::<Vec<_>>().join("\n")
}

/// What is said of the stage's progress stands on one line of a terminal.
fn harmless_progress(progress: Progress) -> Progress {
    let word = |text: String| if text.contains(char::is_control) { beginning(&text, 80) } else { text };
    let values = progress.values.into_iter().map(|(name, value)| (word(name), value)).collect();
    Progress { phase: word(progress.phase), unit: word(progress.unit), values, ..progress }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_that_a_worker_says_steers_a_terminal() {
        let mut dialogue = Dialogue::about(1);
        let progress = Progress { id: 1, phase: "tr\x1b[2Kain\n".into(), unit: "a\tb".into(), ..Progress::default() };
        let progress = Progress { values: [("lo\rss".to_owned(), 1.0)].into(), ..progress };
        let Heard::Progress(heard) = dialogue.hear(Reply::Progress(progress)) else { panic!("it goes on") };
        let name = heard.values.keys().next().unwrap();
        assert_eq!((&*heard.phase, &*heard.unit, &**name), ("train", "a    b", "lo ss"));
        dialogue.hear(Reply::Note { id: 1, text: "12 classes\x1b]0;x\x07\n\u{202e}2 empty".into() });
        let Heard::Ended(Conclusion::Done { notes, .. }) = dialogue.hear(Reply::Done { id: 1, cost: Cost::default() })
        else {
            panic!("it has ended")
        };
        assert_eq!(notes, ["12 classes\n2 empty"]);
        let error = format!("Traceback:\n  {}RuntimeError\x1b[0m\n 1%\r 2%", "x".repeat(5000));
        let Heard::Failed(error) = dialogue.hear(Reply::Failed { id: 1, error }) else { panic!("it has failed") };
        let lines: Vec<&str> = error.lines().collect();
        assert_eq!([lines[0], lines[2]], ["Traceback:", " 2%"]);
        assert!(lines[1].starts_with("...xxx") && lines[1].ends_with("xxRuntimeError") && lines[1].len() == 2003);
        let mut said = vec![];
        read_lines(&b"\x1b[31mEpoch 1\x1b[0m\n"[..], |line| {
            said.push(line);
            true
        });
        assert_eq!(said, [Line::Garbage("Epoch 1".to_owned())]);
    }
}
