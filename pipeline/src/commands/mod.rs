//! The command line: one file for each command.

mod choosing;
mod data;
mod device;
mod diff;
mod doctor;
mod embed;
mod explain;
mod gc;
mod graph;
mod init;
mod logs;
mod path;
mod permission;
mod places;
mod plan;
mod rehearsing;
mod results;
mod run;
mod schema;
mod show;
mod source;
mod stages;
mod status;
mod table;
mod tabulate;
mod target;
mod verify;

use crate::run::command_worker;
use crate::terminal;
use anyhow::Result;
use clap::{Parser, Subcommand};
use std::io::{BufWriter, ErrorKind, IsTerminal, StdoutLock, Write};
use std::process::ExitCode;

/// Experiments in unsupervised and self-supervised learning for vision, from a recipe to a table.
#[derive(Debug, Parser)]
#[command(name = "pretext", version = crate::BUILD, max_term_width = 100)]
pub struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Compute what a recipe declares and nothing has computed yet, and write its tables
    Run(run::RunArgs),
    /// Make a recipe's tables of what is computed so far, while it runs too
    Table(table::TableArgs),
    /// Say of published tables whether their recipes and kinds have changed since, in their headings too
    Results(results::ResultsArgs),
    /// Say what would run, and why
    Plan(plan::PlanArgs),
    /// Say of one stage whether it would run, why, and what led to that
    Explain(explain::ExplainArgs),
    /// Say what differed between two runs, in parameters and in measurements
    Diff(diff::DiffArgs),
    /// Draw a recipe's stages and what they need
    Graph(graph::GraphArgs),
    /// Show a stage's parameters, inputs, measurements, files and provenance
    Show(show::ShowArgs),
    /// Print the folders of a stage's artifacts
    Path(path::PathArgs),
    /// Show a data set: how many images of which class and split, and where a picture of some lies
    Data(data::DataArgs),
    /// Write the features that a trained encoder gives the pictures of a folder
    #[command(override_usage = "pretext embed [OPTIONS] [RECIPE] <ENCODER> <FOLDER>")]
    Embed(embed::EmbedArgs),
    /// Write the classes that a trained encoder's classifier gives the pictures of a folder
    #[command(override_usage = "pretext predict [OPTIONS] [RECIPE] <ENCODER> <FOLDER>")]
    Predict(embed::EmbedArgs),
    /// Show what runs now, here or elsewhere, and what ran before
    Status(status::StatusArgs),
    /// List the kinds of stages, or describe one
    Stages(stages::StagesArgs),
    /// Say what this machine has to compute with, and which sources of data answer
    Doctor(doctor::DoctorArgs),
    /// Write a recipe to start from
    Init(init::InitArgs),
    /// Print the JSON Schema of recipes, by which an editor completes and checks them
    Schema(schema::SchemaArgs),
    /// Show what a stage's worker said when it last ran
    Logs(logs::LogsArgs),
    /// Run shell commands for `pretext run`, which starts this itself
    #[command(name = command_worker::WORD, hide = true)]
    ShellWorker,
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
            Command::Table(args) => table::table(args),
            Command::Results(args) => results::results(args),
            Command::Plan(args) => plan::plan(args),
            Command::Explain(args) => explain::explain(args),
            Command::Diff(args) => diff::diff(args),
            Command::Graph(args) => graph::graph(args),
            Command::Show(args) => show::show(args),
            Command::Path(args) => path::path(args),
            Command::Data(args) => data::data(args),
            Command::Embed(args) => embed::embed(args),
            Command::Predict(args) => embed::predict(args),
            Command::Status(args) => status::status(args),
            Command::Stages(args) => stages::stages(args),
            Command::Doctor(args) => doctor::doctor(args),
            Command::Init(args) => init::init(args),
            Command::Schema(args) => schema::schema(args),
            Command::Logs(args) => logs::logs(args),
            Command::ShellWorker => command_worker::serve().map(|()| ExitCode::SUCCESS),
            Command::Verify(args) => verify::verify(args),
            Command::Gc(args) => gc::gc(args),
        }
    }
}

/// Writes to standard output what people read, without what would steer their terminal.
fn print(text: &str) -> Result<()> {
    print_with(|out| out.write_all(terminal::harmless(text).as_bytes()))
}

/// Says something beside what was asked for, on standard error; of a terminal that has gone away nobody reads.
fn tell(text: &str) {
    let _ = writeln!(std::io::stderr(), "{}", terminal::harmless(text));
}

/// Writes what other programs read, as it is; of what goes to a terminal all is seen.
fn print_for_programs(write: impl FnOnce(&mut dyn Write) -> std::io::Result<()>) -> Result<()> {
    if !std::io::stdout().is_terminal() {
        return print_with(|out| write(out));
    }
    let mut bytes = vec![];
    write(&mut bytes)?;
    print_with(|out| out.write_all(terminal::visible(&String::from_utf8_lossy(&bytes)).as_bytes()))
}

/// A reader that has had enough (`| head`) is no error.
fn print_with(write: impl FnOnce(&mut BufWriter<StdoutLock>) -> std::io::Result<()>) -> Result<()> {
    let mut out = BufWriter::with_capacity(1 << 16, std::io::stdout().lock());
    match write(&mut out).and_then(|()| out.flush()) {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => Err(error.into()),
        _ => Ok(()),
    }
}

/// How many threads may be used: as many as there are, unless it is said.
fn threads(said: Option<u16>) -> usize {
    said.map_or_else(|| std::thread::available_parallelism().map_or(1, usize::from), usize::from)
}

/// How many columns the terminal has that standard output goes to; None where it goes elsewhere.
fn terminal_width() -> Option<usize> {
    let mut size = libc::winsize { ws_row: 0, ws_col: 0, ws_xpixel: 0, ws_ypixel: 0 };
    // SAFETY: the call fills a `winsize`, which it is given.
    let answer = unsafe { libc::ioctl(libc::STDOUT_FILENO, libc::TIOCGWINSZ, &raw mut size) };
    (answer == 0 && size.ws_col > 0).then_some(usize::from(size.ws_col))
}

/// Compares a text with a file under `commands/expected`. `BLESS=1` writes the file anew.
#[cfg(test)]
fn assert_is_expected(name: &str, text: &str) {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("src/commands/expected").join(name);
    if std::env::var_os("BLESS").is_some() {
        std::fs::create_dir_all(path.parent().expect("it is in a folder")).unwrap();
        std::fs::write(&path, text).unwrap();
    }
    assert_eq!(text, std::fs::read_to_string(&path).unwrap_or_default(), "{name}");
}
