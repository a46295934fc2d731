use super::places::Places;
use super::{print, seams};
use anyhow::Result;
use clap::Args;
use std::path::PathBuf;
use std::process::ExitCode;

#[derive(Debug, Args)]
pub(super) struct PlanArgs {
    /// The recipe's file
    recipe: PathBuf,
    #[command(flatten)]
    places: Places,
}

pub(super) fn plan(args: &PlanArgs) -> Result<ExitCode> {
    let store = args.places.store()?;
    let catalogue = args.places.catalogue(&store)?;
    let recipe = seams::load(&args.recipe, &catalogue)?;
    print(seams::plan_text(&recipe, &store, &catalogue.numerics).as_bytes())?;
    Ok(ExitCode::SUCCESS)
}
