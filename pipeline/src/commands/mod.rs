//! The command line: one file for each command.

mod gc;
mod logs;
mod places;
mod plan;
mod run;
mod stages;
mod tabulate;
mod verify;

use anyhow::Result;
use clap::{Parser, Subcommand};
use std::io::{ErrorKind, Write};
use std::process::ExitCode;

/// Experiments in unsupervised and self-supervised learning for vision, from a recipe to a table.
#[derive(Debug, Parser)]
#[command(name = "pretext", version, max_term_width = 100)]
pub struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Compute what a recipe declares and nothing has computed yet, and write its tables
    Run(run::RunArgs),
    /// Say what would run, and why
    Plan(plan::PlanArgs),
    /// List the kinds of stages, or describe one
    Stages(stages::StagesArgs),
    /// Show what a stage's worker said when it last ran
    Logs(logs::LogsArgs),
    /// Read all that the store holds and say what is damaged
    Verify(verify::VerifyArgs),
    /// List what the store could do without, or remove it
    Gc(gc::GcArgs),
}

impl Cli {
    /// Does what the command line asks for.
    pub fn obey(&self) -> Result<ExitCode> {
        match &self.command {
            Command::Run(args) => run::run(args),
            Command::Plan(args) => plan::plan(args),
            Command::Stages(args) => stages::stages(args),
            Command::Logs(args) => logs::logs(args),
            Command::Verify(args) => verify::verify(args),
            Command::Gc(args) => gc::gc(args),
        }
    }
}

/// Writes to standard output. A reader that has had enough (`| head`) is no error.
fn print(text: &[u8]) -> Result<()> {
    let mut out = std::io::stdout().lock();
    match out.write_all(text).and_then(|()| out.flush()) {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => Err(error.into()),
        _ => Ok(()),
    }
}
