//! `pretext-bench-pipeline [--json]`: chains of trivial stages, each of which reads one small file and writes one, computed
//! and planned by `pretext`, Snakemake and DVC in turns; then `pretext plan` of up to 100,000 stages. Prints a table, and
//! with `--json` one object of figures as its last line. Started by `cargo xtask bench pipeline`, which builds the programs
//! and installs the peers.
//!
//! Everything is done in a folder under target/, so on the disk that the repository is on. The 100,000 results of the
//! largest plan are computed once, which takes minutes, and kept in target/bench-store.

mod chains;
mod child;
mod figures;
mod ours;
mod peers;
mod plans;

use anyhow::{Context, Result};
use chains::Chains;
use figures::Figures;
use ours::Pretext;
use peers::Peer;
use std::path::Path;

/// Rounds in which everything is measured once, one after the other.
const ROUNDS: usize = 5;
/// First runs from an empty store.
const FIRST_RUNS: usize = 3;
const SMALL: Chains = Chains { chains: 100, last_plus: 9 };

fn main() -> Result<()> {
    let programs = std::env::current_exe()?.parent().context("programs lie in a folder")?.to_owned();
    let target = programs.parent().context("target/release has a parent")?.to_owned();
    let folder = tempfile::Builder::new().prefix("bench-pipeline-").tempdir_in(&target)?;
    let mut figures = Figures::default();
    thousand(&programs, folder.path(), &mut figures)?;
    plans::measure(&programs, folder.path(), &target.join("bench-store"), &mut figures)?;
    figures.print();
    if std::env::args().any(|argument| argument == "--json") {
        println!("{}", figures.json());
    }
    Ok(())
}

/// 1,000 stages: ours and the peers'.
fn thousand(programs: &Path, folder: &Path, figures: &mut Figures) -> Result<()> {
    let store = |name: &str| folder.join(name);
    let snakemake = Peer::snakemake(&folder.join("snakemake"), &SMALL)?;
    let dvc = Peer::dvc(&folder.join("dvc"), &SMALL)?;
    let edited = Chains { last_plus: SMALL.last_plus + 1, ..SMALL };
    for round in 0..FIRST_RUNS {
        eprintln!("first run {} of {FIRST_RUNS}", round + 1);
        let pretext = Pretext::new(programs, folder, &store(&format!("store-{round}")));
        figures.add("stage_overhead_ms", pretext.run(&SMALL)?, 1e3 / SMALL.stages() as f64);
    }
    figures.add("snakemake_stage_overhead_ms", snakemake.first_run()?, 1e3 / SMALL.stages() as f64);
    let pretext = Pretext::new(programs, folder, &store("store-0"));
    for round in 0..ROUNDS {
        eprintln!("round {} of {ROUNDS}", round + 1);
        for _ in 0..ROUNDS {
            figures.add("version_ms", pretext.version()?, 1e3);
        }
        figures.add("noop_1000_ms", pretext.run_again(&SMALL)?, 1e3);
        figures.add("plan_edit_1000_ms", pretext.plan_edit(&edited)?, 1e3);
        figures.add("snakemake_noop_1000_ms", snakemake.no_op()?, 1e3);
        figures.add("dvc_noop_1000_ms", dvc.no_op()?, 1e3);
    }
    Ok(())
}
