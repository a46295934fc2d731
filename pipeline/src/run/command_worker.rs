//! The worker behind `tool/command`: runs a shell command, in the recipe's folder, and speaks the protocol for it. It is this
//! program itself (`pretext command-worker`), so that a command is ended, timed, logged and retried as any stage is.
//!
//! The command finds its way by the environment: `IN_port` and `OUT_output` are folders, `SIDE` takes pictures and curves,
//! `SCRATCH` whatever it needs in between, `MEASURES` is the file for lines such as
//! `{"name": "accuracy", "split": "test", "value": 0.9}`; `THREADS` and `DEVICE` say what it may use. What it prints goes to the
//! log. What it saves in the folder `$SCRATCH/checkpoint` is in `$RESUME` when the stage goes on; it is told to stop by SIGTERM.

use super::children;
use super::last_words::LastWords;
use crate::terminal::beginning;
use anyhow::{Context, Result, bail, ensure};
use pretext_protocol::{
    CHECKPOINT, Catalogue, Cost, HEARTBEAT_SECONDS, Measurement, PROTOCOL, Reply, Request, Run, from_line, requests,
};
use serde_json::Value;
use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// The word by which `pretext` starts itself as this worker.
pub const WORD: &str = "command-worker";

/// So many of the command's last lines stand in the message when it fails.
const LAST_WORDS: usize = 10;
/// How long a command may take to save its state when it is told to stop.
const GRACE: Duration = Duration::from_secs(8);
/// A text that is longer the system takes for no argument.
const LONGEST_ARGUMENT: usize = 100 << 10;

/// Serves requests until standard input ends. The guard before this process ends whatever a command has left behind when this
/// one ends.
pub fn serve() -> Result<()> {
    // So that what a command has left behind, in a session of its own too, comes to this process and can be ended with it.
    // SAFETY: it touches no memory.
    ensure!(unsafe { libc::prctl(libc::PR_SET_CHILD_SUBREAPER, 1) } == 0, "cannot adopt what commands leave behind");
    let stopping = Arc::new(AtomicBool::new(false));
    for request in requests(stopping.clone(), || std::process::exit(0)) {
        match request {
            Request::Hello { .. } => say(&Reply::Hello {
                protocol: PROTOCOL,
                worker: "pretext command-worker".to_owned(),
                version: crate::BUILD.to_owned(),
            }),
            Request::Describe => say(&Reply::Catalogue(Catalogue::default())),
            Request::Doctor { .. } => say(&Reply::Doctor { findings: vec![] }),
            Request::Run(run) => say(&answer(&run, &stopping)),
            Request::Rehearse(run) => {
                say(&Reply::Failed { id: run.id, error: "commands are not rehearsed".to_owned() });
            }
            Request::Stop => break,
        }
    }
    Ok(())
}

fn say(reply: &Reply) {
    let mut line = serde_json::to_vec(reply).expect("replies are plain data");
    line.push(b'\n');
    // Nobody listens only when `pretext` is gone, and then this process is ending.
    let _ = std::io::stdout().lock().write_all(&line);
}

fn answer(run: &Run, stopping: &AtomicBool) -> Reply {
    match obey(run, stopping) {
        Ok(true) => Reply::Done { id: run.id, cost: Cost::default() },
        Ok(false) => Reply::Stopped { id: run.id },
        Err(error) => Reply::Failed { id: run.id, error: format!("{error:#}") },
    }
}

/// Runs the command to its end. False when it was stopped.
fn obey(run: &Run, stopping: &AtomicBool) -> Result<bool> {
    let measurements = run.scratch.join("measures.jsonl");
    let mut child = start(run, &measurements)?;
    let last_words = Arc::new(Mutex::new(LastWords::new(LAST_WORDS)));
    let pipes: [Option<Box<dyn Read + Send>>; 2] =
        [child.stdout.take().map(|out| Box::new(out) as _), child.stderr.take().map(|err| Box::new(err) as _)];
    let readers = pipes.into_iter().flatten().map(|pipe| {
        let last_words = last_words.clone();
        std::thread::spawn(move || forward(pipe, &last_words))
    });
    let readers: Vec<_> = readers.collect();
    let (status, was_stopped) = wait(&mut child, run.id, stopping)?;
    // The command has ended. What it has left behind may hold its output open, and would write to the folders of a stage that is
    // done.
    end_children(GRACE)?;
    readers.into_iter().for_each(|reader| drop(reader.join()));
    if was_stopped {
        return Ok(false);
    }
    if !status.success() {
        let lines = last_words.lock().unwrap_or_else(PoisonError::into_inner).lines();
        let lines: String = lines.iter().map(|line| format!("\n    {line}")).collect();
        bail!("the command {}{}{lines}", super::death::manner(status), if lines.is_empty() { "" } else { ":" });
    }
    for measurement in read_measurements(&measurements)? {
        say(&Reply::Measure { id: run.id, measurement });
    }
    Ok(true)
}

fn start(run: &Run, measurements: &std::path::Path) -> Result<Child> {
    let text = run.params.get("run").and_then(Value::as_str).context("`run` is missing")?;
    let shell = run.params.get("shell").and_then(Value::as_str).unwrap_or_default();
    let mut words = shell.split_whitespace();
    let program = words.next().context("`shell` is empty: expected a program, as in `bash -euo pipefail`")?;
    let mut command = Command::new(program);
    command.args(words).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    match text.len() <= LONGEST_ARGUMENT {
        true => command.args(["-c", text]),
        false => {
            let script = run.scratch.join("command");
            fs::write(&script, text).with_context(|| format!("cannot write {}", script.display()))?;
            command.arg(script)
        }
    };
    for (port, folder) in &run.inputs {
        command.env(format!("IN_{port}"), folder);
    }
    for name in run.params.get("outputs").and_then(Value::as_object).into_iter().flatten().map(|(name, _)| name) {
        let folder = run.out.join(name);
        fs::create_dir_all(&folder).with_context(|| format!("cannot create {}", folder.display()))?;
        command.env(format!("OUT_{name}"), folder);
    }
    let resume = run.resume.as_ref().map(|folder| folder.join(CHECKPOINT)).unwrap_or_default();
    command.env("SIDE", &run.side).env("SCRATCH", &run.scratch).env("RESUME", resume).env("MEASURES", measurements);
    command.env("THREADS", run.resources.threads.to_string()).env("DEVICE", &run.resources.device);
    // A group of its own: what the command has started in it is told to stop too, and this process is not.
    command.process_group(0);
    command
        .spawn()
        .with_context(|| format!("cannot start {program}, the `shell` of this stage: install it or name another"))
}

/// How the command ended, and whether it was told to before. It is told by SIGTERM, and ended where it takes too long.
fn wait(child: &mut Child, id: u64, stopping: &AtomicBool) -> Result<(ExitStatus, bool)> {
    const LOOK: Duration = Duration::from_millis(5);
    let group = -(child.id() as i32);
    let (mut beat, mut told) = (None::<Instant>, None::<Instant>);
    loop {
        if let Some(status) = child.try_wait().context("cannot wait for the command")? {
            return Ok((status, told.is_some()));
        }
        match told {
            None if stopping.load(Ordering::SeqCst) => {
                told = Some(Instant::now());
                signal(group, libc::SIGTERM);
            }
            Some(since) if since.elapsed() >= GRACE => signal(group, libc::SIGKILL),
            _ => {}
        }
        if beat.is_none_or(|beat| beat.elapsed().as_secs() >= HEARTBEAT_SECONDS) {
            beat = Some(Instant::now());
            say(&Reply::Heartbeat { id });
        }
        std::thread::sleep(LOOK);
    }
}

fn signal(process: i32, signal: i32) {
    // SAFETY: kill touches no memory. The process is a child that was not waited for, or the group of one, so that its number is
    // no other's.
    unsafe { libc::kill(process, signal) };
}

/// Ends all children of this process, and what they had started and now comes to it.
fn end_children(patience: Duration) -> Result<()> {
    let since = Instant::now();
    loop {
        let mut left = vec![];
        ensure!(children::each_by_parent(&mut |child| left.push(child)), "cannot see what the command has left behind");
        left.retain(|child| !has_ended(*child));
        let Some(child) = left.first() else { return Ok(()) };
        ensure!(
            since.elapsed() < patience,
            "the command has ended, and process {child}, which it has started, does not (it waits for a device, or is another \
             user's): as it may still write, nothing is kept; end it and run the same command again"
        );
        left.iter().for_each(|child| signal(*child, libc::SIGKILL));
        std::thread::sleep(Duration::from_millis(1));
    }
}

fn has_ended(child: i32) -> bool {
    // SAFETY: no status is asked for.
    unsafe { libc::waitpid(child, std::ptr::null_mut(), libc::WNOHANG) == child }
}

/// Passes on what the command prints, to the log, and remembers the end of it.
fn forward(pipe: impl Read, last_words: &Mutex<LastWords>) {
    let mut reader = BufReader::new(pipe);
    let mut line = Vec::new();
    while reader.by_ref().take(1 << 16).read_until(b'\n', &mut line).is_ok_and(|read| read > 0) {
        let _ = std::io::stderr().lock().write_all(&line);
        last_words.lock().unwrap_or_else(PoisonError::into_inner).push(&line);
        line.clear();
    }
}

fn read_measurements(place: &std::path::Path) -> Result<Vec<Measurement>> {
    if !place.exists() {
        return Ok(vec![]);
    }
    let text = fs::read_to_string(place).context("cannot read what the command wrote to $MEASURES")?;
    let measurement = |line: &str| {
        from_line(line.as_bytes()).with_context(|| {
            let (line, expected) = (beginning(line, 120), r#"{"name": "accuracy", "split": "test", "value": 0.9}"#);
            format!("the command wrote `{line}` to $MEASURES, where each line is like {expected}")
        })
    };
    text.lines().filter(|line| !line.trim().is_empty()).map(measurement).collect()
}
