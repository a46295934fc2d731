mod compare;
mod text;

use super::places::StorePlace;
use super::{print, print_for_programs};
use crate::store::{RunRecord, Store};
use crate::text::counted;
use anyhow::{Result, anyhow, bail};
use clap::Args;
use compare::Comparison;
use std::process::ExitCode;

#[derive(Debug, Args)]
pub(super) struct DiffArgs {
    /// The earlier run: its name as `pretext status` lists it, the beginning of it, `last`, or `last~1` for the one before
    from: String,
    /// The later run
    to: String,
    /// One JSON document, with every stage that differs
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    store: StorePlace,
}

pub(super) fn diff(args: &DiffArgs) -> Result<ExitCode> {
    let store = args.store.open()?;
    let runs = store.runs()?;
    let (from, to) = (one_of(&runs, &args.from)?, one_of(&runs, &args.to)?);
    let (before, now) = (ended(&store, from)?, ended(&store, to)?);
    let comparison = Comparison::of(from, to, &before, &now);
    match args.json {
        true => print_for_programs(|out| {
            serde_json::to_writer_pretty(&mut *out, &comparison)?;
            out.write_all(b"\n")
        })?,
        false => print(&text::text(&comparison))?,
    }
    Ok(ExitCode::SUCCESS)
}

fn ended(store: &Store, run: &RunRecord) -> Result<Vec<crate::store::RunNode>> {
    if run.finished.is_none() {
        let why = if store.run_is_alive(&run.id) { "is still going on" } else { "was cut off before its end" };
        bail!("the run {} {why}: what became of its stages was not written down", run.id);
    }
    Ok(store.run_nodes(&run.id)?)
}

/// The run that a word means. `runs` are the oldest first.
pub(super) fn one_of<'a>(runs: &'a [RunRecord], word: &str) -> Result<&'a RunRecord> {
    if runs.is_empty() {
        bail!("there is no run in this store yet");
    }
    if let Some(back) = steps_back(word) {
        let steps = back.ok_or_else(|| anyhow!("`{word}` is no run: expected last, last~1, last~2, ..."))?;
        let place = runs.len().checked_sub(steps.saturating_add(1));
        return place
            .map(|place| &runs[place])
            .ok_or_else(|| anyhow!("`{word}` is before the first run: this store has {}", counted(runs.len(), "run")));
    }
    let fitting: Vec<&RunRecord> = runs.iter().filter(|run| run.id.starts_with(word)).collect();
    match fitting.as_slice() {
        [one] => Ok(one),
        [] => bail!(
            "there is no run `{word}`; the last one is {}, and `pretext status` lists them",
            runs[runs.len() - 1].id
        ),
        several => match several.iter().find(|run| run.id == word) {
            Some(exact) => Ok(exact),
            None => {
                let (first, last) = (&several[0].id, &several[several.len() - 1].id);
                bail!("{} begin with `{word}`, from {first} to {last}", counted(several.len(), "run"))
            }
        },
    }
}

/// How many runs before the last one; `Some(None)` where it begins like that and is no number.
fn steps_back(word: &str) -> Option<Option<usize>> {
    let rest = word.strip_prefix("last")?;
    Some(if rest.is_empty() { Some(0) } else { rest.strip_prefix('~').and_then(|steps| steps.parse().ok()) })
}

#[cfg(test)]
mod tests;
