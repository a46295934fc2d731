//! A program that is run to its end and measured.

use anyhow::{Context, Result, ensure};
use std::io::{Read, Seek};
use std::os::unix::process::ExitStatusExt;
use std::process::{Command, ExitStatus, Stdio};
use std::time::Instant;

/// What it took, all processes together that it has waited for.
#[derive(Debug)]
pub struct Measured {
    pub seconds: f64,
    pub cpu_seconds: f64,
    pub peak_rss_bytes: u64,
    /// What it said on both outputs.
    pub text: String,
}

/// Runs a command that must succeed. Its outputs go to a file, as in a script that keeps a log.
pub fn measure(command: &mut Command) -> Result<Measured> {
    let shown = format!("{command:?}");
    let mut file = tempfile::tempfile()?;
    command.stdin(Stdio::null()).stdout(file.try_clone()?).stderr(file.try_clone()?);
    let began = Instant::now();
    let child = command.spawn().with_context(|| format!("cannot start {shown}"))?;
    let (status, usage) = wait(child.id())?;
    let seconds = began.elapsed().as_secs_f64();
    let mut text = String::new();
    file.rewind()?;
    file.read_to_string(&mut text)?;
    let end: Vec<&str> = text.lines().rev().take(10).collect();
    let end = end.into_iter().rev().collect::<Vec<_>>().join("\n");
    ensure!(status.success(), "{shown} failed ({status}):\n{end}");
    let time = |time: libc::timeval| time.tv_sec as f64 + time.tv_usec as f64 / 1e6;
    Ok(Measured {
        seconds,
        cpu_seconds: time(usage.ru_utime) + time(usage.ru_stime),
        peak_rss_bytes: usage.ru_maxrss as u64 * 1024,
        text,
    })
}

/// The standard library waits without asking what the child has used.
fn wait(process: u32) -> Result<(ExitStatus, libc::rusage)> {
    let mut status = 0;
    // SAFETY: all zeros is a valid rusage; the call writes to the two values only.
    let (waited, usage) = unsafe {
        let mut usage = std::mem::zeroed();
        (libc::wait4(process as i32, &mut status, 0, &mut usage), usage)
    };
    ensure!(waited == process as i32, "cannot wait for it: {}", std::io::Error::last_os_error());
    Ok((ExitStatus::from_raw(status), usage))
}
