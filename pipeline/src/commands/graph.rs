use super::print;
use super::source::Source;
use crate::plan::{self, Drawing};
use crate::store::View;
use anyhow::Result;
use clap::{Args, ValueEnum};
use std::path::PathBuf;
use std::process::ExitCode;

#[derive(Debug, Args)]
pub(super) struct GraphArgs {
    /// The recipe's file
    recipe: PathBuf,
    /// How it is drawn
    #[arg(long, value_enum, default_value_t = Format::Text)]
    format: Format,
    /// One shape for each stage, with its axes and how many instances it has: as it is without this
    #[arg(long, overrides_with = "unfold")]
    fold: bool,
    /// One shape for each instance of a stage
    #[arg(long)]
    unfold: bool,
    /// Also show what is there, what would run and what is open
    #[arg(long)]
    status: bool,
    #[command(flatten)]
    source: Source,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Format {
    /// Lines for a terminal
    Text,
    /// A flowchart that GitHub and many editors draw
    Mermaid,
    /// For Graphviz: `pretext graph RECIPE --format dot | dot -Tsvg`
    Dot,
}

pub(super) fn graph(args: &GraphArgs) -> Result<ExitCode> {
    let store = args.source.look()?;
    let recipe = args.source.recipe(&args.recipe, &store)?;
    let statuses = args.status.then(|| plan::evaluate(&recipe.graph, &View::new(&store, &recipe.name)));
    let drawing = Drawing::of(&recipe.name, &recipe.graph, statuses.as_deref(), args.unfold);
    let text = match args.format {
        Format::Text => drawing.text(),
        Format::Mermaid => drawing.mermaid(),
        Format::Dot => drawing.dot(),
    };
    print(&text)?;
    Ok(ExitCode::SUCCESS)
}
