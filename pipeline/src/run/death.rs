//! What a worker that has ended can still tell.

use std::collections::VecDeque;
use std::fs::File;
use std::io::Write;
use std::os::unix::process::ExitStatusExt;
use std::process::ExitStatus;
use std::sync::{Mutex, PoisonError};

const LAST_WORDS: usize = 20;
/// More than this nobody reads, and a worker that complains without end must not fill the disk.
const LONGEST_LOG: u64 = 64 << 20;

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
#[derive(Debug, Default)]
pub(super) struct Log {
    inner: Mutex<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    file: Option<File>,
    written: u64,
    last: VecDeque<String>,
}

impl Log {
    /// From now on lines go to `file`, and earlier ones are forgotten.
    pub(super) fn turn_to(&self, file: File) {
        *self.lock() = Inner { file: Some(file), ..Inner::default() };
    }

    /// Adds a line, or the beginning of one that is long or has no end.
    pub(super) fn push(&self, line: &[u8]) {
        let mut inner = self.lock();
        inner.written += line.len() as u64;
        let is_too_long = inner.written > LONGEST_LOG;
        if let Some(file) = &mut inner.file {
            // A full disk shows where the stage itself writes.
            let _ = match is_too_long {
                false => file.write_all(line),
                true => {
                    writeln!(file, "\npretext: the log ends here, at {} MiB; the worker wrote on", LONGEST_LOG >> 20)
                }
            };
        }
        if is_too_long {
            inner.file = None;
        }
        if inner.last.len() == LAST_WORDS {
            inner.last.pop_front();
        }
        let text = String::from_utf8_lossy(line);
        inner.last.push_back(text.trim_end().chars().take(300).collect());
    }

    /// The last lines, each indented, behind a line that introduces them.
    pub(super) fn last_words(&self) -> String {
        let inner = self.lock();
        let lines: Vec<&str> = inner.last.iter().map(String::as_str).filter(|line| !line.is_empty()).collect();
        match lines.as_slice() {
            [] => "\nit left no last words".to_owned(),
            lines => format!("\nits last words:\n    {}", lines.join("\n    ")),
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
    fn the_last_twenty_lines_are_kept() {
        let log = Log::default();
        (0..50).for_each(|n| log.push(format!("line {n}\n").as_bytes()));
        let words = log.last_words();
        assert!(words.starts_with("\nits last words:\n    line 30\n"), "{words}");
        assert!(words.ends_with("\n    line 49"), "{words}");
    }
}
