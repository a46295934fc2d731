use clap::Parser;
use pretext::commands::Cli;
use std::process::ExitCode;

fn main() -> ExitCode {
    Cli::parse().obey().unwrap_or_else(|error| {
        eprintln!("error: {error:#}");
        ExitCode::FAILURE
    })
}
