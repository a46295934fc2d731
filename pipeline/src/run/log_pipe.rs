//! A worker's standard error, on its way to the log of the stage that runs.

use super::death::Log;
use std::io::{ErrorKind, Read};
use std::os::fd::{AsRawFd, RawFd};
use std::process::ChildStderr;
use std::sync::{Arc, Mutex, PoisonError};

const AT_ONCE: usize = 64 << 10;
const MOST_IN_A_PIPE: usize = 1 << 20;

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
}

impl LogPipe {
    pub(super) fn new(pipe: ChildStderr, log: Arc<Log>) -> Arc<Self> {
        let file = pipe.as_raw_fd();
        // SAFETY: both calls touch no memory; where they fail, reading waits where it need not, and nothing is lost.
        unsafe {
            let flags = libc::fcntl(file, libc::F_GETFL);
            libc::fcntl(file, libc::F_SETFL, flags | libc::O_NONBLOCK);
        }
        Arc::new(Self { inner: Mutex::new(Inner { pipe, log }), file })
    }

    /// Reads until the worker, and all that has its standard error open, closes it.
    pub(super) fn follow(&self) {
        loop {
            let mut wanted = libc::pollfd { fd: self.file, events: libc::POLLIN, revents: 0 };
            // SAFETY: the call looks at the one entry that it is given. The file stays open while this value lives.
            unsafe { libc::poll(&raw mut wanted, 1, -1) };
            if self.drain() {
                return;
            }
        }
    }

    /// Has all that was written until now go to the log: what comes later is of another stage. True at the end.
    pub(super) fn drain(&self) -> bool {
        let mut buffer = vec![0; AT_ONCE];
        let (mut inner, mut left) = (self.lock(), MOST_IN_A_PIPE);
        // Something that the worker has left running may write faster than this reads.
        while left > 0 {
            match inner.pipe.read(&mut buffer) {
                Ok(0) => return true,
                Ok(read) => {
                    inner.log.push(&buffer[..read]);
                    left = left.saturating_sub(read);
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return error.kind() != ErrorKind::WouldBlock,
            }
        }
        false
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
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
