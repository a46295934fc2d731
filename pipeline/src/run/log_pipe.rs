//! A worker's standard error, on its way to the log of the stage that runs.

use super::death::Log;
use std::io::{ErrorKind, Read};
use std::os::fd::{AsRawFd, RawFd};
use std::process::ChildStderr;
use std::sync::{Arc, Mutex, PoisonError};

/// A line that is longer is cut into pieces: one without an end must not fill memory.
const LONGEST_LINE: usize = 64 << 10;

/// Reads what comes. A thread of its own does, and whoever needs to know that all that was written has been read.
#[derive(Debug)]
pub(super) struct LogPipe {
    /// Never waited for while this is locked.
    inner: Mutex<Inner>,
    file: RawFd,
}

#[derive(Debug)]
struct Inner {
    pipe: ChildStderr,
    log: Arc<Log>,
    /// The beginning of a line whose end has not come.
    begun: Vec<u8>,
}

impl LogPipe {
    pub(super) fn new(pipe: ChildStderr, log: Arc<Log>) -> Arc<Self> {
        let file = pipe.as_raw_fd();
        // SAFETY: both calls touch no memory; where they fail, reading waits where it need not, and nothing is lost.
        unsafe {
            let flags = libc::fcntl(file, libc::F_GETFL);
            libc::fcntl(file, libc::F_SETFL, flags | libc::O_NONBLOCK);
        }
        Arc::new(Self { inner: Mutex::new(Inner { pipe, log, begun: vec![] }), file })
    }

    /// Reads until the worker, and all that has its standard error open, closes it.
    pub(super) fn follow(&self) {
        loop {
            let mut wanted = libc::pollfd { fd: self.file, events: libc::POLLIN, revents: 0 };
            // SAFETY: the call looks at the one entry that it is given. The file stays open while this value lives.
            unsafe { libc::poll(&raw mut wanted, 1, -1) };
            if self.take_all() {
                return;
            }
        }
    }

    /// Has all that was written until now go to the log, the beginning of a line too: what comes later is of another stage.
    pub(super) fn drain(&self) {
        self.take_all();
        self.lock().flush();
    }

    /// Takes what there is. True at the end.
    fn take_all(&self) -> bool {
        let mut buffer = [0; 16 << 10];
        let mut inner = self.lock();
        loop {
            match inner.pipe.read(&mut buffer) {
                Ok(0) => {
                    inner.flush();
                    return true;
                }
                Ok(read) => inner.push(&buffer[..read]),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return error.kind() != ErrorKind::WouldBlock,
            }
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inner {
    fn push(&mut self, bytes: &[u8]) {
        for piece in bytes.split_inclusive(|byte| *byte == b'\n') {
            self.begun.extend_from_slice(piece);
            if piece.ends_with(b"\n") || self.begun.len() >= LONGEST_LINE {
                self.flush();
            }
        }
    }

    fn flush(&mut self) {
        if !self.begun.is_empty() {
            self.log.push(&self.begun);
            self.begun.clear();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::process::{Command, Stdio};

    #[test]
    fn a_line_without_an_end_is_of_the_stage_that_wrote_it() {
        let mut child = Command::new("sh");
        child.args(["-c", "printf 'one\\ntwo' >&2; read line; printf 'three\\n' >&2"]);
        let mut child = child.stdin(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let folder = tempfile::tempdir().unwrap();
        let file = |name: &str| std::fs::File::create(folder.path().join(name)).unwrap();
        let text = |name: &str| std::fs::read_to_string(folder.path().join(name)).unwrap();
        let log = Arc::new(Log::default());
        let pipe = LogPipe::new(child.stderr.take().unwrap(), log.clone());
        log.turn_to(file("first"));
        while text("first") != "one\ntwo" {
            pipe.drain();
            std::thread::yield_now();
        }
        log.turn_to(file("second"));
        drop(child.stdin.take());
        pipe.follow();
        assert_eq!(text("second"), "three\n");
        child.wait().unwrap();
    }
}
