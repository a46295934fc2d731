use clap::Parser;
use pretext::commands::Cli;
use pretext::recipe::RecipeErrors;
use std::io::{IsTerminal, Write};
use std::process::ExitCode;

fn main() -> ExitCode {
    pretext::trace::start();
    Cli::parse().obey().unwrap_or_else(|error| {
        let text = match error.downcast_ref::<RecipeErrors>() {
            Some(mistakes) => mistakes.render(std::io::stderr().is_terminal()),
            None => format!("error: {error:#}"),
        };
        // Of a terminal that has gone away nobody reads.
        let _ = writeln!(std::io::stderr(), "{text}");
        ExitCode::FAILURE
    })
}
