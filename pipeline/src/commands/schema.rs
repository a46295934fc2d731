use super::places::Places;
use super::print_for_programs;
use crate::recipe;
use anyhow::{Context, Result};
use clap::Args;
use std::path::PathBuf;
use std::process::ExitCode;

/// Where `pretext init` looks for it, beside the recipe.
pub(super) const FILE: &str = "recipe.schema.json";

#[derive(Debug, Args)]
pub(super) struct SchemaArgs {
    /// File to write it to, best recipe.schema.json beside the recipes: `pretext init` names it to the editor
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    #[command(flatten)]
    places: Places,
}

pub(super) fn schema(args: &SchemaArgs) -> Result<ExitCode> {
    let catalogue = args.places.catalogue(&args.places.look()?)?;
    let text = format!("{:#}\n", recipe::json_schema(&catalogue));
    match &args.out {
        Some(path) => std::fs::write(path, text).with_context(|| format!("cannot write {}", path.display()))?,
        None => print_for_programs(|out| out.write_all(text.as_bytes()))?,
    }
    Ok(ExitCode::SUCCESS)
}
