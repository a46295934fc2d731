//! `pretext-bench-gpu SECTION`: what only a machine with a GPU shows, a section of `run.sh` each (`cargo xtask gpu`), in that kit's
//! folder. Computes on what `PRETEXT_BENCH_DEVICE` names, prints lines for a person, and at the end one of JSON.

mod epoch;
mod kit;
mod resume;
#[cfg(test)]
mod run_sh;
mod speed;
mod trainings;
mod waits;

use anyhow::{Result, bail};

fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["trainings"] => trainings::section(),
        ["resume"] => resume::section(),
        ["waits"] => waits::section(),
        ["epoch"] => epoch::section(),
        ["speed"] => speed::section(),
        _ => bail!("expected one of: trainings, resume, waits, epoch, speed"),
    }
}
