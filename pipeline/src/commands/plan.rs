use super::source::{Planned, Source};
use super::{print, print_for_programs};
use crate::ids::Key;
use crate::plan;
use anyhow::Result;
use clap::Args;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::SystemTime;

#[derive(Debug, Args)]
pub(super) struct PlanArgs {
    /// The recipe's file
    recipe: PathBuf,
    /// One JSON document, with every node and its reasons
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    source: Source,
}

pub(super) fn plan(args: &PlanArgs) -> Result<ExitCode> {
    let Planned { recipe, statuses, view } = &Planned::load(&args.recipe, &args.source)?;
    match args.json {
        true => print_for_programs(|mut out| plan::write_json(&mut out, &recipe.name, &recipe.graph, statuses))?,
        false => {
            let seconds = |key: &Key| Some(view.store().provenance(key)?.seconds);
            let rebuilt = plan::rebuilt(&recipe.graph, statuses, view, seconds);
            let notes: String = recipe.notes().chain(rebuilt).map(|line| format!("note: {line}\n")).collect();
            print(&(plan::text(&recipe.name, &recipe.graph, statuses, SystemTime::now()) + &notes))?;
        }
    }
    Ok(ExitCode::SUCCESS)
}
