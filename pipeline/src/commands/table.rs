use super::print;
use super::source::{Planned, Source};
use super::tabulate::{Folders, Results, tabulate};
use anyhow::{Result, bail};
use clap::Args;
use std::path::PathBuf;
use std::process::ExitCode;

#[derive(Debug, Args)]
pub(super) struct TableArgs {
    /// The recipe's file
    recipe: PathBuf,
    /// Folder for the tables, each recipe's in one of its own
    #[arg(long, value_name = "FOLDER", default_value = "out")]
    out: PathBuf,
    /// Also write the tables to results/, to be committed
    #[arg(long)]
    publish: bool,
    #[command(flatten)]
    source: Source,
}

/// The tables as far as there are results, while a run goes on too. Computes nothing.
pub(super) fn table(args: &TableArgs) -> Result<ExitCode> {
    let Planned { view, recipe, statuses } = &Planned::load(&args.recipe, &args.source)?;
    if recipe.tables.is_empty() {
        bail!("{} declares no `tables`", recipe.path);
    }
    let folders = Folders::of(recipe, &args.source, &args.out, args.publish)?;
    let results = Results::of_store(recipe, statuses, view.store())?;
    print(tabulate(recipe, &results, view.store(), &folders)?.as_bytes())?;
    Ok(ExitCode::SUCCESS)
}
