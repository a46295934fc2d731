//! A peer's process: it waits for a line, measures once, and answers with a number.

use anyhow::{Context, Result, ensure};
use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

pub struct Peer {
    child: Child,
    questions: ChildStdin,
    answers: BufReader<ChildStdout>,
}

impl Peer {
    /// Starts `script` under benches/peers with the Python that `cargo xtask bench` prepared; elsewhere under `PRETEXT_PEERS` with
    /// `PRETEXT_PYTHON`.
    pub fn start(script: &str, arguments: &[&str]) -> Result<Self> {
        let root = concat!(env!("CARGO_MANIFEST_DIR"), "/..");
        let named =
            |variable, otherwise: &str| std::env::var(variable).unwrap_or_else(|_| format!("{root}/{otherwise}"));
        let (python, peers) = (named("PRETEXT_PYTHON", ".python/bin/python"), named("PRETEXT_PEERS", "benches/peers"));
        Self::spawn(Command::new(&python).arg(format!("{peers}/{script}")).args(arguments))
            .with_context(|| format!("{python} is prepared by `cargo xtask bench`"))
    }

    /// Starts any program that answers lines with numbers.
    pub fn spawn(command: &mut Command) -> Result<Self> {
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .with_context(|| format!("cannot start {}", command.get_program().display()))?;
        let questions = child.stdin.take().context("a piped stdin")?;
        let answers = BufReader::new(child.stdout.take().context("a piped stdout")?);
        Ok(Self { child, questions, answers })
    }

    pub fn process(&self) -> u32 {
        self.child.id()
    }

    pub fn measure(&mut self) -> Result<f64> {
        let line = self.ask("go")?;
        line.parse().with_context(|| format!("the peer answered {line:?}"))
    }

    /// Its answer to a line.
    pub fn ask(&mut self, question: &str) -> Result<String> {
        writeln!(self.questions, "{question}")?;
        let mut line = String::new();
        self.answers.read_line(&mut line)?;
        ensure!(!line.is_empty(), "the peer ended; what it said is above");
        Ok(line.trim().to_owned())
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
