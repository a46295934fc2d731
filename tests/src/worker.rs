//! The real worker, spoken to directly.

use crate::signal;
use pretext_protocol::{Catalogue, Cost, Reply, Request, Run};
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// Short beside what a checkpoint takes to be written.
const LOOK_EVERY: Duration = Duration::from_micros(100);

/// A process of a worker. It ends with this value.
pub struct WorkerProcess {
    child: Child,
    requests: ChildStdin,
    replies: BufReader<ChildStdout>,
}

impl WorkerProcess {
    pub fn start(program: &Path) -> Self {
        let mut command = Command::new(program);
        let command = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
        // Threads of libgomp that wait do so on the cores that other tests want. What they compute stays the same.
        command.env("OMP_WAIT_POLICY", "passive");
        let mut child = command.spawn().unwrap_or_else(|error| panic!("{}: {error}", program.display()));
        let requests = child.stdin.take().expect("a piped stdin");
        let replies = BufReader::new(child.stdout.take().expect("a piped stdout"));
        Self { child, requests, replies }
    }

    /// Asks for its catalogue, and so waits until it has started.
    pub fn describe(&mut self) -> Catalogue {
        self.send(&Request::Describe);
        match self.reply() {
            Some(Reply::Catalogue(catalogue)) => catalogue,
            other => panic!("a catalogue was expected: {other:?}"),
        }
    }

    /// Computes a stage to its end, and says what it cost.
    pub fn compute(&mut self, run: &Run) -> Cost {
        self.send(&Request::Run(run.clone()));
        self.cost().unwrap_or_else(|| panic!("the worker ended in the middle of {}", run.kind))
    }

    /// Computes a stage, but is killed (SIGKILL) as soon as `moment` says so, which is asked again and again from the
    /// begin on. Says whether the stage was done before.
    pub fn compute_until(mut self, run: &Run, moment: impl Fn() -> bool + Sync) -> bool {
        self.send(&Request::Run(run.clone()));
        let (process, ended) = (self.child.id(), AtomicBool::new(false));
        std::thread::scope(|scope| {
            scope.spawn(|| {
                while !moment() && !ended.load(Ordering::Relaxed) {
                    std::thread::sleep(LOOK_EVERY);
                }
                // Nobody has waited for it yet: the number is still its own.
                signal(process, libc::SIGKILL);
            });
            let is_done = self.cost().is_some();
            ended.store(true, Ordering::Relaxed);
            is_done
        })
    }

    /// Computes a stage until it first says how far it is, and then asks the worker to stop, which saves a checkpoint.
    ///
    /// # Panics
    /// When the stage was done before.
    pub fn stop_on_the_way(mut self, run: &Run) {
        self.send(&Request::Run(run.clone()));
        let mut is_asked = false;
        loop {
            match self.reply() {
                Some(Reply::Progress(_)) if !is_asked => {
                    self.send(&Request::Stop);
                    is_asked = true;
                }
                Some(Reply::Progress(_) | Reply::Heartbeat { .. } | Reply::Note { .. } | Reply::Measure { .. }) => {}
                Some(Reply::Stopped { .. }) => return,
                other => panic!("{} was to stop on the way: {other:?}", run.kind),
            }
        }
    }

    /// Reads to the end of the stage or of the worker, which has none then.
    fn cost(&mut self) -> Option<Cost> {
        loop {
            match self.reply()? {
                Reply::Done { cost, .. } => return Some(cost),
                reply @ (Reply::Failed { .. } | Reply::Stopped { .. }) => panic!("{reply:?}"),
                _ => {}
            }
        }
    }

    fn send(&mut self, request: &Request) {
        let line = serde_json::to_string(request).expect("requests serialise");
        writeln!(self.requests, "{line}").expect("the worker listens");
    }

    /// None at its end. It may be killed in the middle of a line.
    fn reply(&mut self) -> Option<Reply> {
        let mut line = String::new();
        self.replies.read_line(&mut line).expect("a worker writes text");
        line.ends_with('\n').then(|| serde_json::from_str(&line).unwrap_or_else(|error| panic!("{error}: {line}")))
    }
}

impl Drop for WorkerProcess {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
