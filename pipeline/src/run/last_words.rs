//! The end of what a program printed, for the message when it fails.

use crate::terminal::end_of_line;
use std::collections::VecDeque;

/// So much of a line is kept until somebody asks, and so much of it is shown. A bar draws itself a thousand times on one.
const KEPT_OF_A_LINE: usize = 4 << 10;
const SHOWN_OF_A_LINE: usize = 300;

/// The last lines of a stream, as a terminal would show them in the end.
#[derive(Debug)]
pub(super) struct LastWords {
    most: usize,
    /// As they came, one more than are wanted: the last of them may be empty, or without its end.
    lines: VecDeque<Vec<u8>>,
    is_open: bool,
}

impl LastWords {
    pub(super) fn new(most: usize) -> Self {
        Self { most, lines: VecDeque::new(), is_open: false }
    }

    pub(super) fn push(&mut self, bytes: &[u8]) {
        for part in bytes.split_inclusive(|byte| *byte == b'\n') {
            if !self.is_open {
                self.begin_line();
            }
            self.is_open = !part.ends_with(b"\n");
            let line = self.lines.back_mut().expect("one was begun");
            line.extend(&part[part.len().saturating_sub(KEPT_OF_A_LINE)..]);
            if line.len() > 2 * KEPT_OF_A_LINE {
                line.drain(..line.len() - KEPT_OF_A_LINE);
            }
        }
    }

    /// An empty line says nothing, and its place is the next one's.
    fn begin_line(&mut self) {
        if self.lines.back().is_some_and(|line| line.trim_ascii().is_empty()) {
            self.lines.pop_back();
        }
        if self.lines.len() > self.most {
            self.lines.pop_front();
        }
        self.lines.push_back(vec![]);
    }

    pub(super) fn lines(&self) -> Vec<String> {
        let lines = self.lines.iter().map(|line| end_of_line(&String::from_utf8_lossy(line), SHOWN_OF_A_LINE));
        let mut lines: Vec<String> = lines.filter(|line| !line.is_empty()).collect();
        lines.drain(..lines.len().saturating_sub(self.most));
        lines
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_lines_are_kept_however_they_come() {
        let text: String = (0..50).map(|n| format!("line {n}\n\n")).collect();
        for size in [1, 7, 4096] {
            let mut words = LastWords::new(20);
            text.as_bytes().chunks(size).for_each(|chunk| words.push(chunk));
            assert_eq!(words.lines(), (30..50).map(|n| format!("line {n}")).collect::<Vec<_>>());
        }
    }

    #[test]
    fn of_a_bar_its_last_state_is_kept_with_what_came_behind_it() {
        let mut words = LastWords::new(3);
        words.push(b"loading\n");
        for step in 0..100_000 {
            words.push(format!("\r\x1b[32mepoch {step}\x1b[0m |{}|", "#".repeat(40)).as_bytes());
        }
        words.push(b" loss 0.1\x1b[31m RuntimeError: \xff broken");
        let bar = format!("epoch 99999 |{}| loss 0.1 RuntimeError: \u{fffd} broken", "#".repeat(40));
        assert_eq!(words.lines(), ["loading".to_owned(), bar]);
        assert!(words.lines.iter().all(|line| line.len() <= 2 * KEPT_OF_A_LINE), "it takes no more memory");
    }
}
