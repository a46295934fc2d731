use super::places::Places;
use super::{print, seams};
use anyhow::Result;
use clap::Args;
use std::process::ExitCode;

#[derive(Debug, Args)]
pub(super) struct StagesArgs {
    /// A kind, as recipes name it: pretrain/simclr
    kind: Option<String>,
    #[command(flatten)]
    places: Places,
}

pub(super) fn stages(args: &StagesArgs) -> Result<ExitCode> {
    let catalogue = args.places.catalogue(&args.places.store()?)?;
    print(seams::stages_text(&catalogue, args.kind.as_deref())?.as_bytes())?;
    Ok(ExitCode::SUCCESS)
}
