use super::death::{self, Log};
use super::dialogue::{self, Conclusion, Dialogue, Heard, Line, excerpt};
use super::log_pipe::LogPipe;
use super::process::Process;
use super::spawn;
use crate::text;
use crossbeam_channel::{Receiver, RecvTimeoutError};
use pretext_protocol::{Catalogue, Finding, HEARTBEAT_SECONDS, PROTOCOL, Progress, Reply, Request, Run};
use std::fs::File;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

/// A worker sends a sign of life every two seconds; after so long without one it hangs.
const SILENCE: Duration = Duration::from_secs(60);

/// What program computes the stages.
#[derive(Debug, Clone)]
pub struct WorkerSpec {
    pub program: PathBuf,
    pub arguments: Vec<String>,
    /// Where it is started; where `pretext` was, if not said.
    pub folder: Option<PathBuf>,
    /// Without a sign of life for so long, it is taken to hang.
    pub silence: Duration,
    /// Its file as it was when the run was planned; none of what is looked for in PATH.
    file: Option<FileLook>,
}

/// A file from outside.
#[derive(Debug, Clone, PartialEq)]
struct FileLook {
    inode: u64,
    size: u64,
    modified: (i64, i64),
}

impl WorkerSpec {
    /// A program that ends with `pretext`, and with it all that it has started.
    pub fn new(program: PathBuf) -> Self {
        let (arguments, folder) = (vec![], None);
        let file = FileLook::at(&program);
        Self { program, arguments, folder, silence: SILENCE, file }
    }

    /// With arguments, in a folder.
    pub fn started_with(self, arguments: Vec<String>, folder: PathBuf) -> Self {
        Self { arguments, folder: Some(folder), ..self }
    }

    /// Whether its file is no longer the one that it was.
    pub(super) fn is_replaced(&self) -> bool {
        FileLook::at(&self.program) != self.file
    }

    /// `pretext` itself, which runs shell commands in `folder`.
    pub fn commands(folder: PathBuf) -> io::Result<Self> {
        let program = Self::new(std::env::current_exe()?);
        Ok(program.started_with(vec![super::command_worker::WORD.to_owned()], folder))
    }

    /// The program and its arguments, as people would type it.
    pub fn name(&self) -> String {
        let words = std::iter::once(self.program.display().to_string()).chain(self.arguments.iter().cloned());
        words.collect::<Vec<_>>().join(" ")
    }
}

impl FileLook {
    /// None of a name without `/`, which is looked for in PATH, and of what is not there.
    fn at(program: &Path) -> Option<Self> {
        let has_place = program.components().count() > 1;
        let found = std::fs::metadata(program).ok().filter(|_| has_place)?;
        Some(Self { inode: found.ino(), size: found.size(), modified: (found.mtime(), found.mtime_nsec()) })
    }
}

/// A process that computes one stage after the other.
#[derive(Debug)]
pub struct Worker {
    process: Arc<Process>,
    incoming: Receiver<Line>,
    log: Arc<Log>,
    log_pipe: Arc<LogPipe>,
    /// Disconnected when all that it wrote to standard error has been read.
    log_ended: Receiver<()>,
    spec: WorkerSpec,
    version: String,
    /// As it said last.
    catalogue: Catalogue,
}

/// Why a worker did not do what it was asked to.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    #[error("the worker {name} could not be started: {source}")]
    Start { name: String, source: io::Error },
    #[error("the worker {name} speaks protocol {found}, this pretext {PROTOCOL}: build both from the same version")]
    Protocol { name: String, found: u32 },
    #[error("the worker {manner}{last_words}")]
    Died { manner: String, last_words: String },
    #[error(
        "the worker wrote `{line}` where a reply was expected; its standard output belongs to the protocol, everything \
         else goes to standard error{last_words}"
    )]
    Garbage { line: String, last_words: String },
    #[error(
        "the worker gave no sign of life for {}, one is due every {HEARTBEAT_SECONDS} s: it hangs, and was \
         ended{last_words}",
        text::duration(silence.as_secs_f64())
    )]
    Silent { silence: Duration, last_words: String },
    /// The stage failed, and the worker said so in order: it can go on with another.
    #[error("{0}")]
    Reported(String),
}

impl Worker {
    /// Starts a worker that computes with so many threads, on the `part` of a GPU if it is given one, and exchanges greetings.
    pub fn start(spec: &WorkerSpec, threads: usize, part: Option<&str>) -> Result<Self, Failure> {
        let mut command = Command::new(&spec.program);
        command.args(&spec.arguments);
        if let Some(folder) = &spec.folder {
            command.current_dir(folder);
        }
        for name in ["OMP_NUM_THREADS", "MKL_NUM_THREADS", "RAYON_NUM_THREADS"] {
            command.env(name, threads.to_string());
        }
        // By their places, as the driver and everyone else counts them.
        command.env("CUDA_DEVICE_ORDER", "PCI_BUS_ID");
        command.envs(part.map(|part| ("CUDA_VISIBLE_DEVICES", part)));
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let failed_to_start = |source| Failure::Start { name: spec.name(), source };
        let mut child = spawn::spawn(command).map_err(failed_to_start)?;
        let replies = child.stdout.take().expect("standard output is piped");
        let complaints = child.stderr.take().expect("standard error is piped");
        let process = Arc::new(Process::new(child));
        let (sender, incoming) = crossbeam_channel::bounded(256);
        let (ended, log_ended) = crossbeam_channel::bounded(0);
        let log = Arc::new(Log::default());
        let log_pipe = LogPipe::new(complaints, log.clone());
        let followed = log_pipe.clone();
        let thread = |name: &str| std::thread::Builder::new().name(name.to_owned());
        thread("worker-replies")
            .spawn(move || dialogue::read_lines(replies, |line| sender.send(line).is_ok()))
            .map_err(failed_to_start)?;
        thread("worker-log").spawn(move || (followed.follow(), drop(ended))).map_err(failed_to_start)?;
        let mut worker = Self {
            process,
            incoming,
            log,
            log_pipe,
            log_ended,
            spec: spec.clone(),
            version: String::new(),
            catalogue: Catalogue::default(),
        };
        worker.greet()?;
        Ok(worker)
    }

    /// Name and version, as the worker introduces itself.
    pub fn version(&self) -> &str {
        &self.version
    }

    /// What it said that it can do.
    pub(super) fn catalogue(&self) -> &Catalogue {
        &self.catalogue
    }

    /// What it can do.
    pub fn describe(&mut self) -> Result<Catalogue, Failure> {
        self.send(&Request::Describe);
        match self.receive()? {
            Reply::Catalogue(catalogue) => {
                self.catalogue = catalogue.clone();
                Ok(catalogue)
            }
            other => Err(self.unexpected(&other)),
        }
    }

    /// What a worker can do that is started for this question only.
    pub fn ask(spec: &WorkerSpec) -> Result<Catalogue, Failure> {
        let mut worker = Self::start(spec, 1, None)?;
        let catalogue = worker.describe()?;
        worker.dismiss();
        Ok(catalogue)
    }

    /// Starts a worker, asks what it has to compute with, and lets it go. `offline`: nothing is asked of the network.
    pub fn examine(spec: &WorkerSpec, offline: bool) -> Result<Vec<Finding>, Failure> {
        let mut worker = Self::start(spec, 1, None)?;
        worker.send(&Request::Doctor { offline });
        let reply = worker.receive()?;
        let Reply::Doctor { findings } = reply else { return Err(worker.unexpected(&reply)) };
        worker.dismiss();
        Ok(findings)
    }

    /// Starts a worker for a request that belongs to no run, and lets it go. Returns its notes.
    pub fn compute(
        spec: &WorkerSpec,
        request: Run,
        log: File,
        on: impl FnMut(Progress),
    ) -> Result<Vec<String>, Failure> {
        let mut worker = Self::start(spec, request.resources.threads, None)?;
        let conclusion = worker.run(request, log, on)?;
        worker.dismiss();
        match conclusion {
            Conclusion::Done { notes, .. } => Ok(notes),
            Conclusion::Stopped => Ok(vec![]),
        }
    }

    /// Asks it to end, which it does at once when it computes nothing.
    pub fn dismiss(self) {
        self.send(&Request::Stop);
        self.process.wait(Duration::from_secs(1));
    }

    pub(super) fn process(&self) -> &Arc<Process> {
        &self.process
    }

    /// Computes a stage, with what the worker writes to standard error meanwhile in `log`. After any failure but
    /// [`Failure::Reported`] the worker is of no further use.
    pub(super) fn run(&mut self, request: Run, log: File, mut on: impl FnMut(Progress)) -> Result<Conclusion, Failure> {
        self.converse(request.id, &Request::Run(request), log, &mut on)
    }

    /// Has a stage begin and end there, as [`Request::Rehearse`] says. After any failure but [`Failure::Reported`] the worker is of no
    /// further use.
    pub(super) fn rehearse(&mut self, request: Run, log: File) -> Result<(), Failure> {
        self.converse(request.id, &Request::Rehearse(request), log, &mut |_| {}).map(drop)
    }

    fn converse(
        &mut self,
        id: u64,
        request: &Request,
        log: File,
        on: &mut impl FnMut(Progress),
    ) -> Result<Conclusion, Failure> {
        self.log.turn_to(log);
        self.send(request);
        let ended = self.hear_out(Dialogue::about(id), on);
        // It wrote this before it said how the stage ended.
        self.log_pipe.drain();
        self.log.end_file();
        ended
    }

    fn hear_out(&mut self, mut dialogue: Dialogue, on: &mut impl FnMut(Progress)) -> Result<Conclusion, Failure> {
        loop {
            match dialogue.hear(self.receive()?) {
                Heard::Nothing => {}
                Heard::Progress(progress) => on(progress),
                Heard::Ended(conclusion) => return Ok(conclusion),
                Heard::Failed(error) => return Err(Failure::Reported(error)),
                Heard::Unexpected(reply) => return Err(self.unexpected(&reply)),
            }
        }
    }

    fn greet(&mut self) -> Result<(), Failure> {
        self.send(&Request::Hello { protocol: PROTOCOL });
        match self.receive()? {
            Reply::Hello { protocol: PROTOCOL, worker, version } => self.version = format!("{worker} {version}"),
            Reply::Hello { protocol, .. } => {
                return Err(Failure::Protocol { name: self.spec.name(), found: protocol });
            }
            other => return Err(self.unexpected(&other)),
        }
        Ok(())
    }

    /// A request to a worker that is gone is lost; that it is gone shows when its reply is waited for.
    fn send(&self, request: &Request) {
        let _ = self.process.send(request);
    }

    fn receive(&mut self) -> Result<Reply, Failure> {
        /// Time in which this process is stopped itself, by Ctrl-Z say, is no silence of the worker's.
        const SLICE: Duration = Duration::from_millis(500);
        let mut silent = Duration::ZERO;
        while silent < self.spec.silence {
            let slice = SLICE.min(self.spec.silence - silent);
            match self.incoming.recv_timeout(slice) {
                Ok(Line::Reply(reply)) => return Ok(reply),
                Ok(Line::Garbage(line)) => return Err(Failure::Garbage { line, last_words: self.last_words() }),
                Err(RecvTimeoutError::Disconnected) => return Err(self.died()),
                Err(RecvTimeoutError::Timeout) => silent += slice,
            }
        }
        Err(Failure::Silent { silence: self.spec.silence, last_words: self.last_words() })
    }

    fn died(&self) -> Failure {
        let manner = match self.process.wait(Duration::from_secs(2)) {
            Some(status) => death::manner(status),
            None => "closed its standard output".to_owned(),
        };
        Failure::Died { manner, last_words: self.last_words() }
    }

    fn unexpected(&self, reply: &Reply) -> Failure {
        let line = serde_json::to_string(reply).expect("replies are plain data");
        Failure::Garbage { line: excerpt(&line), last_words: self.last_words() }
    }

    /// Whatever it has to say comes now: it is ended first.
    fn last_words(&self) -> String {
        self.process.kill();
        // A process that it started may hold the pipe open; nobody waits for that.
        let _ = self.log_ended.recv_timeout(Duration::from_secs(1));
        self.log.last_words()
    }
}
