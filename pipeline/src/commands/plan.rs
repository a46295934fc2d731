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
    let (name, graph) = (&recipe.name, &recipe.graph);
    let seconds = |key: &Key| Some(view.store().provenance(key)?.seconds);
    let notes: Vec<String> = recipe.notes().chain(plan::rebuilt(graph, statuses, view, seconds)).collect();
    match args.json {
        true => print_for_programs(|mut out| plan::write_json(&mut out, name, graph, statuses, &notes))?,
        false => {
            let notes: String = notes.iter().map(|line| format!("note: {line}\n")).collect();
            print(&(plan::text(name, graph, statuses, SystemTime::now()) + &notes))?;
        }
    }
    Ok(ExitCode::SUCCESS)
}
