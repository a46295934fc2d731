use super::places::Places;
use super::print;
use crate::{plan, recipe};
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
    let recipe = recipe::load(&args.recipe, &[], &catalogue, &|_| Ok(None))?;
    let statuses = plan::evaluate(&recipe.graph, &store, &recipe.name);
    print(plan::text(&recipe.name, &recipe.graph, &statuses, std::time::SystemTime::now()).as_bytes())?;
    Ok(ExitCode::SUCCESS)
}
