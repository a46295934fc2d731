use super::guard;
use pretext_protocol::Request;
use std::io::{self, Write};
use std::process::{Child, ChildStdin, ExitStatus};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// A worker's process. May be told to stop, or ended, from any thread.
#[derive(Debug)]
pub(super) struct Process {
    inner: Mutex<Inner>,
}

#[derive(Debug)]
struct Inner {
    child: Child,
    requests: Option<ChildStdin>,
    /// Known once the process has been waited for. From then on its number may belong to another.
    status: Option<ExitStatus>,
}

impl Process {
    pub(super) fn new(mut child: Child) -> Self {
        let requests = child.stdin.take();
        Self { inner: Mutex::new(Inner { child, requests, status: None }) }
    }

    pub(super) fn send(&self, request: &Request) -> io::Result<()> {
        let mut line = serde_json::to_vec(request).expect("requests are plain data");
        line.push(b'\n');
        let mut inner = self.lock();
        let requests = inner.requests.as_mut().ok_or(io::ErrorKind::BrokenPipe)?;
        requests.write_all(&line).and_then(|()| requests.flush())
    }

    /// Kills it with all that it has started, if it still runs.
    pub(super) fn kill(&self) {
        let inner = self.lock();
        if inner.status.is_none() {
            // SAFETY: kill touches no memory. The number cannot be another's, since our child, the worker's guard, has not been
            // waited for.
            unsafe { libc::kill(inner.child.id() as i32, guard::END) };
        }
    }

    pub(super) fn is_alive(&self) -> bool {
        self.wait(Duration::ZERO).is_none()
    }

    /// How it ended, if it does within `limit`.
    pub(super) fn wait(&self, limit: Duration) -> Option<ExitStatus> {
        let deadline = Instant::now() + limit;
        loop {
            let mut inner = self.lock();
            if inner.status.is_none() {
                inner.status = inner.child.try_wait().ok().flatten();
            }
            if inner.status.is_some() || Instant::now() >= deadline {
                return inner.status;
            }
            drop(inner);
            std::thread::sleep(Duration::from_millis(2));
        }
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
        // The guard gives up after as long itself.
        self.wait(Duration::from_secs(6));
    }
}
