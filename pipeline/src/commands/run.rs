use super::places::Places;
use super::{print, tabulate::tabulate};
use crate::recipe;
use crate::run::{LocalSettings, Work, execute};
use anyhow::Result;
use clap::Args;
use std::path::PathBuf;
use std::process::ExitCode;

#[derive(Debug, Args)]
pub(super) struct RunArgs {
    /// The recipe's file
    recipe: PathBuf,
    /// Folder for the tables, each recipe's in one of its own
    #[arg(long, value_name = "FOLDER", default_value = "out")]
    out: PathBuf,
    /// Also write the tables to results/, to be committed
    #[arg(long)]
    publish: bool,
    /// How many threads all stages together may use [default: as many as there are]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    threads: Option<u16>,
    #[command(flatten)]
    places: Places,
}

/// The main job: from a recipe to its tables. What fails takes down what needs it; the rest is computed and tabulated.
pub(super) fn run(args: &RunArgs) -> Result<ExitCode> {
    let store = args.places.store()?;
    let catalogue = args.places.catalogue(&store)?;
    let recipe = recipe::load(&args.recipe, &[], &catalogue, &|_| Ok(None))?;
    let work = Work { graph: &recipe.graph, recipe: &recipe.name };
    let threads = args.threads.map_or_else(available_threads, usize::from);
    let settings = LocalSettings { worker: args.places.worker()?, threads };
    let outcome = execute(&work, &store, settings)?;
    if !outcome.summary.interrupted {
        let tables = tabulate(&recipe, &outcome, &store, &catalogue.numerics, &args.out, args.publish)?;
        print(format!("\n{tables}").as_bytes())?;
    }
    Ok(ExitCode::from(outcome.summary.exit_code()))
}

fn available_threads() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}
