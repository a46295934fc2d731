//! The worker behind `tool/command`: runs a shell command, in the recipe's folder, and speaks the protocol for it. It is this
//! program itself (`pretext command-worker`), so that a command is ended, timed, logged and retried as any stage is.
//!
//! The command finds its way by the environment: `IN_port` and `OUT_output` are folders, `SIDE` takes pictures and curves,
//! `SCRATCH` whatever it needs in between, `MEASURES` is the file for lines such as
//! `{"name": "accuracy", "split": "test", "value": 0.9}`; `THREADS` and `DEVICE` say what it may use. What it prints goes to the log.

use super::last_words::LastWords;
use crate::terminal::beginning;
use anyhow::{Context, Result, bail};
use pretext_protocol::{Catalogue, Cost, HEARTBEAT_SECONDS, Measurement, PROTOCOL, Reply, Request, Run, requests};
use serde_json::Value;
use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// The word by which `pretext` starts itself as this worker.
pub const WORD: &str = "command-worker";

/// So many of the command's last lines stand in the message when it fails.
const LAST_WORDS: usize = 10;

/// Serves requests until standard input ends.
pub fn serve() -> Result<()> {
    let stopping = Arc::new(AtomicBool::new(false));
    end_all_with_pretext().context("cannot listen to signals")?;
    for request in requests(stopping.clone(), end_group) {
        match request {
            Request::Hello { .. } => say(&Reply::Hello {
                protocol: PROTOCOL,
                worker: "pretext command-worker".to_owned(),
                version: env!("CARGO_PKG_VERSION").to_owned(),
            }),
            Request::Describe => say(&Reply::Catalogue(Catalogue::default())),
            Request::Doctor { .. } => say(&Reply::Doctor { findings: vec![] }),
            Request::Run(run) => say(&answer(&run, &stopping)),
            Request::Stop => break,
        }
    }
    Ok(())
}

/// The kernel tells us by SIGTERM that `pretext` is gone; what the command has started must not outlive it. All of it is in
/// our process group.
fn end_all_with_pretext() -> std::io::Result<()> {
    let mut signals = signal_hook::iterator::Signals::new([signal_hook::consts::SIGTERM])?;
    std::thread::spawn(move || {
        if signals.forever().next().is_some() {
            end_group();
        }
    });
    Ok(())
}

fn end_group() -> ! {
    // SAFETY: kill touches no memory; this process is in the group too.
    unsafe { libc::kill(0, libc::SIGKILL) };
    std::process::exit(1)
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
    let Some(status) = wait(&mut child, run.id, stopping)? else { return Ok(false) };
    readers.into_iter().for_each(|reader| drop(reader.join()));
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
    let mut command = Command::new("/bin/sh");
    command
        .arg("-e")
        .args(script(text, &run.scratch)?)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    for (port, folder) in &run.inputs {
        command.env(format!("IN_{port}"), folder);
    }
    for name in run.params.get("outputs").and_then(Value::as_object).into_iter().flatten().map(|(name, _)| name) {
        let folder = run.out.join(name);
        fs::create_dir_all(&folder).with_context(|| format!("cannot create {}", folder.display()))?;
        command.env(format!("OUT_{name}"), folder);
    }
    command.env("SIDE", &run.side).env("SCRATCH", &run.scratch).env("MEASURES", measurements);
    command.env("THREADS", run.resources.threads.to_string()).env("DEVICE", &run.resources.device);
    command.spawn().context("cannot start /bin/sh")
}

/// The kernel takes no argument that is longer (`MAX_ARG_STRLEN`, the zero behind it included).
const LONGEST_ARGUMENT: usize = 128 << 10;

/// How the shell is given a command: by itself, or a long one by a file.
fn script(text: &str, scratch: &std::path::Path) -> Result<Vec<std::ffi::OsString>> {
    if text.len() < LONGEST_ARGUMENT {
        return Ok(vec!["-c".into(), text.into()]);
    }
    let place = scratch.join("command.sh");
    fs::write(&place, text).with_context(|| format!("cannot write {}", place.display()))?;
    Ok(vec![place.into()])
}

/// None when it was told to stop before the command ended.
fn wait(child: &mut Child, id: u64, stopping: &AtomicBool) -> Result<Option<ExitStatus>> {
    const LOOK: Duration = Duration::from_millis(5);
    let beat = Duration::from_secs(HEARTBEAT_SECONDS).as_millis() / LOOK.as_millis();
    for looked in 0u128.. {
        if let Some(status) = child.try_wait().context("cannot wait for the command")? {
            return Ok(Some(status));
        }
        if stopping.load(Ordering::SeqCst) {
            // With this worker goes all that the command has started.
            say(&Reply::Stopped { id });
            end_group();
        }
        if looked % beat == 0 {
            say(&Reply::Heartbeat { id });
        }
        std::thread::sleep(LOOK);
    }
    unreachable!("the numbers do not end")
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
        serde_json::from_str(line).with_context(|| {
            let (line, expected) = (beginning(line, 120), r#"{"name": "accuracy", "split": "test", "value": 0.9}"#);
            format!("the command wrote `{line}` to $MEASURES, where each line is like {expected}")
        })
    };
    text.lines().filter(|line| !line.trim().is_empty()).map(measurement).collect()
}
