use super::source::{Planned, Source};
use super::{print_for_programs, target};
use crate::ids::{Digest, Key};
use crate::plan::{SPARED, Status, sentence};
use crate::recipe::nearest;
use crate::store::StageResult;
use anyhow::{Result, bail};
use clap::Args;
use petgraph::graph::NodeIndex;
use std::path::PathBuf;
use std::process::ExitCode;

#[derive(Debug, Args)]
#[command(override_usage = "pretext path [OPTIONS] [RECIPE] <STAGE> [OUTPUT]")]
pub(super) struct PathArgs {
    /// The recipe's file, where several have the stage; the stage: 'pretrain[method=simclr,seed=0]', without axes all
    /// of its instances; and one of its outputs, where it has several
    #[arg(num_args = 1..=3, required = true, value_names = ["RECIPE", "STAGE", "OUTPUT"])]
    words: Vec<String>,
    #[command(flatten)]
    source: Source,
}

/// One folder a line, so that `ls $(pretext path ...)` works.
pub(super) fn path(args: &PathArgs) -> Result<ExitCode> {
    let (recipe, rest) = target::split_recipe(&args.words);
    let (word, output) = match rest {
        [node] => (node, None),
        [node, output] => (node, Some(output)),
        _ => bail!("expected [RECIPE] STAGE [OUTPUT], where RECIPE is a file that ends in .yaml"),
    };
    let pattern = target::pattern(word)?;
    let (planned, nodes) = target::find(recipe, &pattern, &args.source)?;
    let mut text = String::new();
    for index in nodes {
        let node = &planned.recipe.graph[index];
        let (key, result) = result_of(&planned, index)?;
        if result.artifacts.is_empty() {
            // What it has is beside its result: pictures, curves, files of figures.
            text += &format!("{}\n", planned.view.store().result_folder(key).join("side").display());
            continue;
        }
        if let Some(output) = output.filter(|output| !result.artifacts.contains_key(*output)) {
            let names = result.artifacts.keys().map(String::as_str);
            bail!("{} has no output `{output}`; {}", node.id, nearest(output, names));
        }
        for (name, digest) in result.artifacts.iter().filter(|(name, _)| output.is_none_or(|output| output == *name)) {
            text += &format!("{}\n", artifact_of(&planned, index, name, digest)?.display());
        }
    }
    print_for_programs(|out| out.write_all(text.as_bytes()))?;
    Ok(ExitCode::SUCCESS)
}

/// A stage's key and result, or why there is none.
pub(super) fn result_of(planned: &Planned, index: NodeIndex) -> Result<(&Key, &StageResult)> {
    let node = &planned.recipe.graph[index];
    match &planned.statuses[index.index()] {
        Status::Hit { key, result } => Ok((key, result)),
        Status::Run { reasons, .. } => bail!("{} has no result: {}", node.id, sentence(reasons, Some(&node.kind))),
        Status::Open { waits_for } => bail!("{} has no result: it waits for {waits_for}", node.id),
        Status::Spared => bail!("{} has no result: {SPARED}", node.id),
        Status::Unchecked => bail!("{} has no result: its worker is not allowed yet", node.id),
    }
}

/// The folder of one of its artifacts.
pub(super) fn artifact_of(planned: &Planned, index: NodeIndex, output: &str, digest: &Digest) -> Result<PathBuf> {
    let folder = planned.view.store().artifact(digest);
    if !folder.exists() {
        let node = &planned.recipe.graph[index].id;
        bail!("the bytes of {node}'s `{output}` were dropped; they are computed again where a stage needs them");
    }
    Ok(folder)
}
