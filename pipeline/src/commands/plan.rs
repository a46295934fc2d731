use super::places::Places;
use super::print;
use crate::store::View;
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
    let recipe = recipe::load(&args.recipe, &catalogue)?;
    let view = View::new(&store, &recipe.name);
    let statuses = plan::evaluate(&recipe.graph, &view);
    // Only a cache: the next plan reads the plain files again.
    let _ = view.save();
    print(plan::text(&recipe.name, &recipe.graph, &statuses, std::time::SystemTime::now()).as_bytes())?;
    Ok(ExitCode::SUCCESS)
}
