mod text;

use super::diff::one_of;
use super::places::StorePlace;
use super::{print, print_for_programs, print_with};
use crate::store::{RunRecord, RunStatus, Store};
use crate::terminal;
use anyhow::Result;
use clap::Args;
use serde::Serialize;
use std::io::{Write, stdout};
use std::process::ExitCode;
use std::time::{Duration, SystemTime};

#[derive(Debug, Args)]
pub(super) struct StatusArgs {
    /// One run, by its name, the beginning of it, `last`, or `last~1` for the one before [default: what runs now and the
    /// latest]
    run: Option<String>,
    /// Show it anew every two seconds while something runs
    #[arg(long, conflicts_with = "json")]
    watch: bool,
    /// A JSON list
    #[arg(long)]
    json: bool,
    /// How many runs, the latest first; what runs now is always shown
    #[arg(long, value_name = "N", default_value_t = 10)]
    last: usize,
    #[command(flatten)]
    store: StorePlace,
}

/// A run's writer renews what it says every second or two.
const EVERY: Duration = Duration::from_secs(2);

/// A run as far as can be told from outside.
#[derive(Debug, Serialize)]
struct Seen {
    #[serde(flatten)]
    record: RunRecord,
    alive: bool,
    /// What its process said last, while it is going on.
    #[serde(skip_serializing_if = "Option::is_none")]
    status: Option<RunStatus>,
}

pub(super) fn status(args: &StatusArgs) -> Result<ExitCode> {
    let store = args.store.open()?;
    loop {
        let seen = look(&store, args)?;
        if args.json {
            let json = serde_json::to_string_pretty(&seen)?;
            print_for_programs(|out| writeln!(out, "{json}"))?;
            return Ok(ExitCode::SUCCESS);
        }
        let goes_on = args.watch && seen.iter().any(|run| run.alive);
        if args.watch && terminal::can_draw(&stdout()) {
            // Home, and what is below it wiped away: without the flicker of an empty screen.
            print_with(|out| out.write_all(b"\x1b[H\x1b[J"))?;
        }
        print(&text::text(&seen, args.run.is_some(), SystemTime::now()))?;
        if !goes_on {
            return Ok(ExitCode::SUCCESS);
        }
        std::thread::sleep(EVERY);
    }
}

/// The latest first.
fn look(store: &Store, args: &StatusArgs) -> Result<Vec<Seen>> {
    let mut runs = store.runs()?;
    if let Some(word) = &args.run {
        runs = vec![one_of(&runs, word)?.clone()];
    }
    let seen = |(place, record): (usize, RunRecord)| {
        let alive = record.finished.is_none() && store.run_is_alive(&record.id);
        let status = alive.then(|| store.run_status(&record.id)).flatten();
        (alive || place < args.last).then_some(Seen { record, alive, status })
    };
    Ok(runs.into_iter().rev().enumerate().filter_map(seen).collect())
}

#[cfg(test)]
mod tests;
