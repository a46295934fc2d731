use super::path::{artifact_of, result_of};
use super::source::{Planned, Source};
use super::{print, run, target};
use crate::text;
use anyhow::{Context, Result, bail};
use clap::Args;
use petgraph::graph::NodeIndex;
use serde_json::Value;
use std::fs;
use std::path::Path;
use std::process::ExitCode;

/// The type of output that is meant, and what its artifact has for people.
const DATASET: &str = "dataset";
const SUMMARY: &str = "summary.txt";
const MANIFEST: &str = "manifest.json";
/// A side file of the stage.
const SAMPLES: &str = "samples.png";
/// Another: what each row was made of.
const FILES: &str = "files.csv";

#[derive(Debug, Args)]
#[command(override_usage = "pretext data [OPTIONS] [RECIPE] <STAGE>")]
pub(super) struct DataArgs {
    /// The recipe's file, where several have the stage, and the stage that yields the data set, which is computed where it has
    /// not been yet
    #[arg(num_args = 1..=2, required = true, value_names = ["RECIPE", "STAGE"])]
    words: Vec<String>,
    #[command(flatten)]
    source: Source,
}

pub(super) fn data(args: &DataArgs) -> Result<ExitCode> {
    let (mut planned, mut nodes) = target::find_few(&args.words, &args.source)?;
    for &index in &nodes {
        let node = &planned.recipe.graph[index];
        if !node.kind.gives.iter().any(|output| output.type_ == DATASET) {
            bail!(
                "{} ({}) yields no data set: name a stage that does, as those of data/... do",
                node.id,
                node.kind.name
            );
        }
    }
    let is_there = |&index: &NodeIndex| planned.statuses[index.index()].is_hit();
    if !nodes.iter().all(is_there) {
        let (_, rest) = target::split_recipe(&args.words);
        run::compute(Path::new(&planned.recipe.path), &target::pattern(&rest[0])?, &args.source)?;
        (planned, nodes) = target::find_few(&args.words, &args.source)?;
    }
    let pages: Vec<String> = nodes.iter().map(|&index| page(&planned, index)).collect::<Result<_>>()?;
    print(&pages.join("\n"))?;
    Ok(ExitCode::SUCCESS)
}

/// What the stage says of its data, where the data lies, and where a picture of some samples does.
fn page(planned: &Planned, index: NodeIndex) -> Result<String> {
    let node = &planned.recipe.graph[index];
    let (key, result) = result_of(planned, index)?;
    let mut text = format!("{} ({})\n", node.id, node.kind.name);
    for output in node.kind.gives.iter().filter(|output| output.type_ == DATASET) {
        let digest = result.artifacts.get(&output.name);
        let digest = digest.with_context(|| format!("{} has no `{}`", node.id, output.name))?;
        let folder = artifact_of(planned, index, &output.name, digest)?;
        text += &fs::read_to_string(folder.join(SUMMARY)).unwrap_or_default();
        text += &format!("{}data     {}\n", shape(&folder), folder.display());
    }
    let side = planned.view.store().result_folder(key).join("side");
    if side.join(FILES).exists() {
        text += &format!("files    {}\n", side.join(FILES).display());
    }
    let samples = side.join(SAMPLES);
    text += &match samples.exists() {
        true => format!("samples  {}\n", samples.display()),
        false => format!("samples  {} draws no picture of them\n", node.kind.name),
    };
    Ok(text)
}

/// `images   32 x 32 pixels, 3 channels, 10 classes`, of a data set that says it of itself.
fn shape(folder: &Path) -> String {
    let manifest = fs::read(folder.join(MANIFEST)).ok();
    let manifest: Value = manifest.and_then(|bytes| serde_json::from_slice(&bytes).ok()).unwrap_or_default();
    let number = |name: &str| manifest[name].as_u64().and_then(|number| usize::try_from(number).ok());
    let (Some(height), Some(width), Some(channels)) = (number("height"), number("width"), number("channels")) else {
        return String::new();
    };
    let classes = manifest["classes"].as_array().map_or(0, Vec::len);
    format!(
        "images   {width} x {height} pixels, {}, {}\n",
        text::counted(channels, "channel"),
        text::counted(classes, "class")
    )
}
