//! `cargo xtask COMMAND`: prepares the machine and runs the project's commands. The only place that knows how the machine
//! is prepared. No dependencies, so that it builds in seconds.

mod bench;
mod build;
mod doctor;
mod gpu;
mod install;
mod kit;
mod libtorch;
mod platform;
mod shell;
mod test;

use libtorch::Part;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

const HELP: &str = "\
cargo xtask COMMAND

  run RECIPE [ARGS..]     prepare what is missing, build, and run a recipe (ARGS go to `pretext run`)
  test [FILTER]           prepare, build, and run the tests (`golden`: the reference values only;
                          PRETEXT_GOLDEN=FOLDER: those of another folder)
  setup [--cuda]          prepare and build, run nothing (LIBTORCH=FOLDER: with a libtorch 2.9 of your own;
                          --cuda: with the part for GPUs, of 4 GB to fetch)
  check                   formatting and lints
  results                 compare the tables under results/ with today's recipes and kinds; stale ones say so in their headings
  bench NAME [FIGURE] [--json]
                          measure ours beside the peers' (engine, methods, speedrun, views, pipeline); FIGURE: of engine
                          and methods only those that begin so
  install [--prefix DIR]  put `pretext` and its worker into DIR/bin (default ~/.local)
  doctor [--offline]      say what this machine has and what is missing
  gpu [--kit FOLDER]      on a machine with a GPU: set up, and test and measure on it what a processor cannot show;
                          --kit: put all of that into FOLDER and FOLDER.tar.xz, for a machine without cargo and
                          network whose python3 has PyTorch 2.11 (there: FOLDER/run.sh)
  help                    this page

Everything is kept inside the repository (.libtorch, .python, .pretext, out, target) and cargo's own folders.";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match dispatch(&words) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

fn dispatch(words: &[&str]) -> Result<ExitCode, String> {
    match words {
        [] | ["help" | "--help" | "-h", ..] => {
            println!("{HELP}");
            Ok(ExitCode::SUCCESS)
        }
        ["doctor", rest @ ..] => doctor::run(rest),
        ["setup"] => setup(Part::Processor),
        ["setup", "--cuda"] => setup(Part::Whole),
        ["gpu", rest @ ..] => gpu::run(rest),
        ["run", rest @ ..] => run(rest),
        ["test", rest @ ..] => test::run(rest),
        ["check"] => build::check(),
        ["results"] => results(),
        ["bench", rest @ ..] => bench::run(rest),
        ["install", rest @ ..] => install::run(rest),
        [unknown, ..] => Err(format!("unknown command `{unknown}`; `cargo xtask help` lists them")),
    }
}

fn setup(part: Part) -> Result<ExitCode, String> {
    libtorch::make_way(part)?;
    build::everything(part)?;
    Ok(ExitCode::SUCCESS)
}

/// Gives its place to `pretext`, so that Ctrl-C and the exit code need no hands in between.
fn run(arguments: &[&str]) -> Result<ExitCode, String> {
    use std::os::unix::process::CommandExt;
    if arguments.first().is_none_or(|first| first.starts_with('-')) {
        return Err("which recipe? For example: cargo xtask run recipes/quickstart.yaml".into());
    }
    build::binaries()?;
    let error = std::process::Command::new(binary("pretext")).arg("run").args(arguments).exec();
    Err(format!("cannot start pretext: {error}"))
}

fn results() -> Result<ExitCode, String> {
    build::binaries()?;
    shell::run(std::process::Command::new(binary("pretext")).arg("results").current_dir(root()))?;
    Ok(ExitCode::SUCCESS)
}

/// The repository's root.
pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("xtask/ lies in the repository").to_owned()
}

/// A built program. Cargo put this one into TARGET/debug, wherever the user's settings have TARGET.
pub fn binary(name: &str) -> PathBuf {
    let this = std::env::current_exe().unwrap_or_default();
    let target = this.ancestors().nth(2).map_or_else(|| root().join("target"), Path::to_owned);
    target.join("release").join(name)
}
