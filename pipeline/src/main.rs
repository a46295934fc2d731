use clap::Parser;
use pretext::commands::Cli;
use pretext::recipe::RecipeErrors;
use pretext::terminal;
use std::io::Write;
use std::process::ExitCode;

fn main() -> ExitCode {
    pretext::trace::start();
    // Whoever starts this may have children ignored, and then nobody could wait for one.
    // SAFETY: no other thread is there yet.
    unsafe { libc::signal(libc::SIGCHLD, libc::SIG_DFL) };
    Cli::parse().obey().unwrap_or_else(|error| {
        let text = match error.downcast_ref::<RecipeErrors>() {
            Some(mistakes) => mistakes.render(terminal::wants_colours(&std::io::stderr())),
            None => terminal::harmless(&format!("error: {error:#}")).into_owned(),
        };
        // Of a terminal that has gone away nobody reads.
        let _ = writeln!(std::io::stderr(), "{text}");
        ExitCode::FAILURE
    })
}
