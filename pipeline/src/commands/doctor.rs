mod machine;

use super::places::Places;
use super::print;
use crate::run::{Worker, WorkerSpec};
use crate::store::{Abilities, Store};
use crate::text;
use anyhow::Result;
use clap::Args;
use pretext_protocol::Finding;
use std::path::Path;
use std::process::ExitCode;

#[derive(Debug, Args)]
pub(super) struct DoctorArgs {
    /// Ask nothing of the network: leave out whether the sources of data sets answer
    #[arg(long)]
    offline: bool,
    #[command(flatten)]
    places: Places,
}

/// What there is to compute with, each with what to type where it is not as it should be. Fails where no worker answers.
pub(super) fn doctor(args: &DoctorArgs) -> Result<ExitCode> {
    print(&lines(&machine::findings()))?;
    print(&lines(&store(&args.places.store_root())))?;
    let spec = match args.places.worker() {
        Ok(spec) => spec,
        Err(error) => {
            print(&lines(&[finding("worker", format!("{error:#}"))]))?;
            return Ok(ExitCode::FAILURE);
        }
    };
    let (findings, code) = worker(&spec, args.offline);
    print(&lines(&findings))?;
    Ok(code)
}

fn finding(name: &str, text: impl Into<String>) -> Finding {
    Finding { name: name.to_owned(), text: text.into() }
}

/// Names in a column; further lines of a text stand under its first.
fn lines(findings: &[Finding]) -> String {
    let line = |Finding { name, text }: &Finding| {
        format!("{name:<15} {}\n", text.trim().replace('\n', &format!("\n{:16}", "")))
    };
    findings.iter().map(line).collect()
}

/// Where results are, and how much more there is room for.
fn store(root: &Path) -> [Finding; 3] {
    let place = std::path::absolute(root).unwrap_or(root.to_owned());
    let there = if Store::is_at(root) { "" } else { ": not there yet, the first `pretext run` makes it" };
    let free = place.ancestors().find_map(machine::free_bytes);
    let free = free.map_or("unknown".to_owned(), |bytes| format!("{} free where the store is", text::bytes(bytes)));
    let system = place.ancestors().find(|folder| folder.is_dir()).and_then(Store::probe);
    [
        finding("store", format!("{}{there}", place.display())),
        finding("disk", free),
        finding("file system", system.map_or("nothing can be written there".to_owned(), |found| abilities(&found))),
    ]
}

fn abilities(found: &Abilities) -> String {
    let locks = match &found.locks {
        Ok(()) => "files can be locked".to_owned(),
        Err(error) => format!(
            "files cannot be locked ({error}), without which two runs would take each other's work for their own: mount it with \
             locks, or use a store on a local disk with --store FOLDER"
        ),
    };
    let exchanges = if found.exchanges { "; folders change places in one step" } else { "" };
    let limits: String = found.limits().iter().map(|limit| format!("\n{limit}")).collect();
    format!("{locks}{exchanges}{limits}")
}

/// What the worker says of itself: only it knows libtorch and the data sets.
fn worker(spec: &WorkerSpec, offline: bool) -> (Vec<Finding>, ExitCode) {
    let mut findings = vec![finding("worker", spec.name())];
    match Worker::examine(spec, offline) {
        Ok(found) => {
            findings.extend(found);
            (findings, ExitCode::SUCCESS)
        }
        Err(failure) => {
            findings.push(finding("", format!("{failure}")));
            (findings, ExitCode::FAILURE)
        }
    }
}
