//! `embed` and `predict`: a trained encoder on pictures that no data set holds. Nothing of it goes into the store.

use super::path::{artifact_of, result_of};
use super::source::{Planned, Source};
use super::{print, target};
use crate::run::Worker;
use crate::text;
use anyhow::{Context, Result, bail};
use clap::Args;
use petgraph::graph::NodeIndex;
use pretext_protocol::{Progress, Run};
use serde_json::json;
use std::fs::{self, File};
use std::io::{IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// The type of output that is meant, and the worker's kind that uses it.
const ENCODER: &str = "encoder";
const KIND: &str = "embed";

#[derive(Debug, Args)]
pub(super) struct EmbedArgs {
    /// The recipe's file, where several have the stage; the stage whose encoder is meant, 'pretrain[method=simclr,seed=0]', or
    /// the folder of an encoder's artifact; and the folder of the pictures, which may lie in folders of their own in it
    #[arg(num_args = 2..=3, required = true, value_names = ["RECIPE", "ENCODER", "FOLDER"])]
    words: Vec<String>,
    /// Folder for what is written [default: out/embed/FOLDER/ENCODER or out/predict/FOLDER/ENCODER, by the names of the pictures' folder and
    /// of the stage]
    #[arg(long, value_name = "FOLDER")]
    out: Option<PathBuf>,
    /// Height and width in pixels at which pictures are looked at [default: those of the images that the encoder was trained on]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    size: Option<u32>,
    /// Leave out pictures that cannot be read, and say which
    #[arg(long)]
    skip_damaged: bool,
    /// Where it is computed: cpu, or cuda:N with the number of a GPU
    #[arg(long, default_value = "cpu")]
    device: String,
    /// How many threads it may use [default: as many as there are]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    threads: Option<u16>,
    #[command(flatten)]
    source: Source,
}

pub(super) fn embed(args: &EmbedArgs) -> Result<ExitCode> {
    use_encoder(args, false)
}

pub(super) fn predict(args: &EmbedArgs) -> Result<ExitCode> {
    use_encoder(args, true)
}

fn use_encoder(args: &EmbedArgs, predict: bool) -> Result<ExitCode> {
    let (recipe, rest) = target::split_recipe(&args.words);
    let [encoder, pictures] = rest else {
        bail!("expected [RECIPE] ENCODER FOLDER, where RECIPE is a file that ends in .yaml");
    };
    let folder = fs::canonicalize(pictures).with_context(|| format!("there is no folder of pictures at {pictures}"))?;
    let Encoder { folder: encoder, name } = encoder_of(recipe, encoder, &args.source)?;
    let out = args.out.clone().unwrap_or_else(|| {
        let what = if predict { "predict" } else { "embed" };
        Path::new("out").join(what).join(folder.file_name().unwrap_or_default()).join(name)
    });
    let cannot_write = || format!("cannot write to {}", out.display());
    fs::create_dir_all(&out).with_context(cannot_write)?;
    let place = tempfile::Builder::new().prefix(".pretext-").tempdir_in(&out).with_context(cannot_write)?;
    let params = json!({ "folder": folder, "skip_damaged": args.skip_damaged, "size": args.size, "predict": predict });
    let params = params.as_object().cloned().unwrap_or_default();
    let encoder = std::path::absolute(encoder)?;
    let attempt = std::path::absolute(place.path())?;
    let mut request = Run::in_folder(KIND, params, &[(ENCODER, &encoder)], &attempt)?;
    request.resources.device.clone_from(&args.device);
    request.resources.threads = super::threads(args.threads);
    let written = request.out.join("pictures");
    let log = File::create(attempt.join("log")).with_context(cannot_write)?;
    let notes = Worker::compute(&args.source.worker()?, request, log, show)?;
    clear();
    notes.iter().for_each(|note| super::tell(&format!("note: {note}")));
    let mut text = String::new();
    let mut files = fs::read_dir(&written).with_context(cannot_write)?.collect::<Result<Vec<_>, _>>()?;
    files.sort_by_key(fs::DirEntry::file_name);
    for file in files {
        let kept = out.join(file.file_name());
        fs::rename(file.path(), &kept).with_context(cannot_write)?;
        text += &format!("{}\n", kept.display());
    }
    print(&text)?;
    Ok(ExitCode::SUCCESS)
}

/// An encoder that is meant.
struct Encoder {
    folder: PathBuf,
    /// As a file may be called.
    name: String,
}

fn encoder_of(recipe: Option<&str>, word: &str, source: &Source) -> Result<Encoder> {
    let folder = Path::new(word);
    if recipe.is_none() && folder.is_dir() {
        if !folder.join("encoder.json").is_file() {
            bail!(
                "{word} is not the folder of an encoder, which has `encoder.json`; `pretext path STAGE` says where a stage's is"
            );
        }
        // In the store all are called `files`, in a folder that is called by their digest.
        let real = folder.canonicalize()?;
        let named = real.parent().filter(|_| real.ends_with("files")).unwrap_or(&real);
        let name = named.file_name().unwrap_or_default().to_string_lossy().into_owned();
        return Ok(Encoder { folder: folder.to_owned(), name });
    }
    let (planned, nodes) = target::find(recipe, &target::pattern(word)?, source)?;
    match nodes[..] {
        [one] => {
            let name = planned.recipe.graph[one].id.to_string().replace('/', "_");
            Ok(Encoder { folder: artifact_of_stage(&planned, one)?, name })
        }
        _ => {
            let ids = nodes.iter().map(|&node| &planned.recipe.graph[node].id);
            bail!(
                "`{word}` means {} stages; name one of them: {}",
                text::count(nodes.len() as u64),
                target::some_of(ids)
            )
        }
    }
}

fn artifact_of_stage(planned: &Planned, index: NodeIndex) -> Result<PathBuf> {
    let node = &planned.recipe.graph[index];
    let Some(output) = node.kind.gives.iter().find(|output| output.type_ == ENCODER) else {
        bail!("{} ({}) gives no encoder: name a stage that trains one", node.id, node.kind.name);
    };
    let (_, result) = result_of(planned, index)?;
    let digest = result.artifacts.get(&output.name).with_context(|| format!("{} has no `{}`", node.id, output.name))?;
    artifact_of(planned, index, &output.name, digest)
}

/// One line of a terminal, written again and again.
fn show(progress: Progress) {
    if std::io::stderr().is_terminal() {
        let Progress { done, total, unit, .. } = progress;
        let _ = write!(std::io::stderr(), "\r{} of {} {unit}", text::count(done), text::count(total));
    }
}

fn clear() {
    if std::io::stderr().is_terminal() {
        let _ = write!(std::io::stderr(), "\r\x1b[K");
    }
}
