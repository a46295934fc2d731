//! A peer's process: it waits for a line, measures once, and answers with a number.

use anyhow::{Context, Result, ensure};
use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

pub struct Peer {
    child: Child,
    ask: ChildStdin,
    answers: BufReader<ChildStdout>,
}

impl Peer {
    /// Starts `script` under benches/peers with the Python that `cargo xtask bench` prepared.
    pub fn start(script: &str, arguments: &[&str]) -> Result<Self> {
        let root = concat!(env!("CARGO_MANIFEST_DIR"), "/..");
        let python = format!("{root}/.python/bin/python");
        let mut child = Command::new(&python)
            .arg(format!("{root}/benches/peers/{script}"))
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .with_context(|| format!("cannot start {python}; `cargo xtask bench` prepares it"))?;
        let ask = child.stdin.take().context("a piped stdin")?;
        let answers = BufReader::new(child.stdout.take().context("a piped stdout")?);
        Ok(Self { child, ask, answers })
    }

    pub fn measure(&mut self) -> Result<f64> {
        writeln!(self.ask, "go")?;
        let mut line = String::new();
        self.answers.read_line(&mut line)?;
        ensure!(!line.is_empty(), "the peer ended; what it said is above");
        line.trim().parse().with_context(|| format!("the peer answered {line:?}"))
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
