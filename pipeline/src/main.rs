use clap::Parser;
use pretext::commands::Cli;
use pretext::recipe::RecipeErrors;
use std::io::IsTerminal;
use std::process::ExitCode;

fn main() -> ExitCode {
    pretext::trace::start();
    Cli::parse().obey().unwrap_or_else(|error| {
        match error.downcast_ref::<RecipeErrors>() {
            Some(mistakes) => eprintln!("{}", mistakes.render(std::io::stderr().is_terminal())),
            None => eprintln!("error: {error:#}"),
        }
        ExitCode::FAILURE
    })
}
