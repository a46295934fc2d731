//! What a worker that has ended can still tell.

use super::last_words::LastWords;
use super::log_file::{LIMITS, LogFile};
use std::fs::File;
use std::os::unix::process::ExitStatusExt;
use std::process::ExitStatus;
use std::sync::{Mutex, PoisonError};

const LAST_WORDS: usize = 20;

/// How a process ended, with the likely cause where there is one.
pub(super) fn manner(status: ExitStatus) -> String {
    match (status.code(), status.signal()) {
        (Some(0), _) => "ended before its stage did".to_owned(),
        (Some(101), _) => "panicked (exit code 101)".to_owned(),
        (Some(code), _) => format!("ended with exit code {code}"),
        (None, Some(signal)) => {
            let name =
                signal_hook::low_level::signal_name(signal).map_or_else(|| format!("signal {signal}"), str::to_owned);
            let cause = match signal {
                libc::SIGKILL => ": probably out of memory (`dmesg` knows), or someone killed it",
                libc::SIGSEGV | libc::SIGBUS | libc::SIGILL => ": a defect in native code",
                _ => "",
            };
            format!("was killed by {name}{cause}")
        }
        (None, None) => "ended".to_owned(),
    }
}

/// A worker's standard error: it goes to the log of the stage that runs, and its end is remembered.
#[derive(Debug)]
pub(super) struct Log {
    inner: Mutex<Inner>,
}

#[derive(Debug)]
struct Inner {
    file: Option<LogFile>,
    last: LastWords,
}

impl Default for Log {
    fn default() -> Self {
        Self { inner: Mutex::new(Inner { file: None, last: LastWords::new(LAST_WORDS) }) }
    }
}

impl Log {
    /// From now on all goes to `file`, and what came before is forgotten.
    pub(super) fn turn_to(&self, file: File) {
        *self.lock() = Inner { file: Some(LogFile::new(file, LIMITS)), last: LastWords::new(LAST_WORDS) };
    }

    /// From now on nothing goes to the file: what something that the stage has left behind writes now would stand behind the note
    /// that ends a log, or in a result that is published.
    pub(super) fn end_file(&self) {
        self.lock().file = None;
    }

    /// Adds what it wrote, at once: a line that has no end yet is of the stage that runs now.
    pub(super) fn push(&self, bytes: &[u8]) {
        let mut inner = self.lock();
        // A full disk shows where the stage itself writes.
        if inner.file.as_mut().is_some_and(|file| file.write(bytes).is_err()) {
            inner.file = None;
        }
        inner.last.push(bytes);
    }

    /// The last lines, each indented, behind a line that introduces them.
    pub(super) fn last_words(&self) -> String {
        let lines = self.lock().last.lines();
        match lines.is_empty() {
            true => "\nit left no last words".to_owned(),
            false => format!("\nits last words:\n    {}", lines.join("\n    ")),
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_manner_of_death_is_named() {
        let manners =
            [0, 101 << 8, 3 << 8, libc::SIGABRT, libc::SIGKILL].map(|status| manner(ExitStatus::from_raw(status)));
        assert_eq!(
            manners,
            [
                "ended before its stage did",
                "panicked (exit code 101)",
                "ended with exit code 3",
                "was killed by SIGABRT",
                "was killed by SIGKILL: probably out of memory (`dmesg` knows), or someone killed it"
            ]
        );
    }

    #[test]
    fn what_comes_when_a_stage_has_ended_is_in_no_log() {
        let (log, mut place) = (Log::default(), tempfile::NamedTempFile::new().unwrap());
        log.turn_to(place.reopen().unwrap());
        log.push(b"one\n");
        log.end_file();
        log.push(b"two\n");
        let mut text = String::new();
        std::io::Read::read_to_string(&mut place, &mut text).unwrap();
        assert_eq!(text, "one\n");
        assert!(log.last_words().ends_with("one\n    two"), "why a worker ends is told all the same");
    }

    #[test]
    fn the_last_twenty_lines_are_kept() {
        let log = Log::default();
        (0..50).for_each(|n| log.push(format!("line {n}\n").as_bytes()));
        let words = log.last_words();
        assert!(words.starts_with("\nits last words:\n    line 30\n"), "{words}");
        assert!(words.ends_with("\n    line 49"), "{words}");
    }
}
