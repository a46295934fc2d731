use clap::Parser;
use pretext::commands::Cli;
use pretext::recipe::RecipeErrors;
use pretext::terminal;
use std::process::ExitCode;

fn main() -> ExitCode {
    pretext::trace::start();
    Cli::parse().obey().unwrap_or_else(|error| {
        match error.downcast_ref::<RecipeErrors>() {
            Some(mistakes) => eprintln!("{}", mistakes.render(terminal::wants_colours(&std::io::stderr()))),
            None => eprintln!("{}", terminal::harmless(&format!("error: {error:#}"))),
        }
        ExitCode::FAILURE
    })
}
