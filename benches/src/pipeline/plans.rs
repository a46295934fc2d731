//! How long `pretext plan` takes, and how much memory, as recipes grow; with an empty store and with one that has all.

use crate::chains::Chains;
use crate::figures::Figures;
use crate::ours::{Counts, Pretext};
use anyhow::{Result, ensure};
use std::path::Path;

/// Each with its figures' name.
const SIZES: [(usize, &str); 3] = [(1_000, "plan_10k"), (3_000, "plan_30k"), (10_000, "plan_100k")];
const ROUNDS: usize = 3;

/// `kept`: the store that has all, filled once.
pub fn measure(programs: &Path, folder: &Path, kept: &Path, figures: &mut Figures) -> Result<()> {
    let empty = Pretext::new(programs, folder, &folder.join("empty"));
    let full = Pretext::new(programs, folder, kept);
    let largest = Chains { chains: SIZES[SIZES.len() - 1].0, last_plus: 9 };
    fill(&full, kept, &largest)?;
    for round in 0..ROUNDS {
        eprintln!("plans, round {} of {ROUNDS}", round + 1);
        for (chains, name) in SIZES {
            let chains = Chains { chains, ..largest };
            for (pretext, state, hits) in [(&empty, "nothing", 0), (&full, "cached", chains.stages())] {
                let (measured, counts) = pretext.plan(&chains)?;
                ensure!(counts.hit == hits, "{hits} hits were expected with {state} there: {counts:?}");
                let megabytes = measured.peak_rss_bytes as f64 / 1e6;
                figures.set(&format!("{name}_{state}_mb"), megabytes);
                figures.add(&format!("{name}_{state}_s"), measured, 1.0);
            }
        }
    }
    for (_, name) in SIZES {
        for unit in ["s", "mb"] {
            let of = |state: &str| figures.median(&format!("{name}_{state}_{unit}"));
            figures.set(&format!("{name}_{unit}"), of("nothing").max(of("cached")));
        }
    }
    // 1 where a stage costs the same among 100,000 as among 10,000: of processor time, since what a disk does is its own.
    let growth = |state: &str| {
        let seconds = |size: &str| figures.median(&format!("{size}_{state}_s_cpu"));
        seconds("plan_100k") / seconds("plan_10k") / 10.0
    };
    figures.set("plan_linearity", growth("nothing").max(growth("cached")));
    Ok(())
}

/// Computes what is missing. A store of another format is made anew.
fn fill(full: &Pretext, kept: &Path, largest: &Chains) -> Result<()> {
    let all = Counts { hit: largest.stages(), to_run: 0, open: 0 };
    match full.plan(largest) {
        Ok((_, counts)) if counts == all => return Ok(()),
        Ok(_) => {}
        Err(refused) => {
            eprintln!("{refused:#}\nremoving {}", kept.display());
            std::fs::remove_dir_all(kept)?;
        }
    }
    eprintln!("computing {} stages in {}, once", largest.stages(), kept.display());
    let measured = full.run(largest)?;
    eprintln!("that took {:.0} s", measured.seconds);
    Ok(())
}
