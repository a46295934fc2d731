//! `pretext-bench-methods [NAME] [--json]`: one epoch of a method from bytes to moved weights, beside lightly with its own
//! loader, interleaved; and the peak memory of SimCLR's. NAME: only the figures that begin so. Started by `cargo xtask bench
//! methods`, which prepares lightly.

mod memory;
mod ours;
mod stage;

use anyhow::Result;
use pretext_benches::{Beside, Peer, in_turns};
use serde_json::{Map, Value};
use std::path::Path;
use std::process::Command;

const ROUNDS: usize = 5;
const THREADS: usize = 2;
const BATCH: usize = 128;
/// Of an epoch.
const IMAGES: usize = 20 * BATCH;
const METHODS: [&str; 3] = ["simclr", "moco", "byol"];

fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if let [role, method, folder] = arguments.as_slice()
        && role == "ours"
    {
        return ours::serve(method, Path::new(folder));
    }
    let only = arguments.iter().find(|argument| !argument.starts_with("--")).map_or("", String::as_str);
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/bench-methods");
    let place = folder.to_str().expect("a path in UTF-8").to_owned();
    ours::write_photographs(&folder)?;
    let mut figures = Map::new();
    println!(
        "one epoch of {IMAGES} images in batches of {BATCH}, narrow ResNet, {THREADS} threads: images per second, medians of {ROUNDS} interleaved rounds"
    );
    println!(
        "both sides: float32, SimCLR's views (jitter strength .5, no blur) for every method, PyTorch's own first weights"
    );
    println!("{:<14} {:>10} {:>10} {:>8}", "method", "pretext", "lightly", "ratio");
    for method in METHODS.into_iter().filter(|method| method.starts_with(only)) {
        let (mut ours, theirs) = start(method, &place)?;
        let medians = in_turns(ROUNDS, || ours.measure(), &mut [theirs])?;
        let Beside { theirs, ratio } = medians.peers[0];
        println!("{method:<14} {:>10.0} {theirs:>10.0} {ratio:>8.2}", medians.ours);
        figures.insert(format!("{method}_epoch"), ratio.into());
    }
    if "memory".starts_with(only) {
        let (mut ours, mut theirs) = start("simclr", &place)?;
        let [ours, theirs] = [memory::peak(&mut ours)?, memory::peak(&mut theirs)?].map(|bytes| bytes as f64);
        let mib = f64::from(1 << 20);
        println!("{:<14} {:>10.0} {:>10.0} {:>8.2}", "memory, MiB", ours / mib, theirs / mib, theirs / ours);
        figures.insert("memory".into(), (theirs / ours).into());
    }
    if arguments.iter().any(|argument| argument == "--json") {
        println!("{}", Value::Object(figures));
    }
    Ok(())
}

/// Both sides, each in a process of its own.
fn start(method: &str, folder: &str) -> Result<(Peer, Peer)> {
    let ours = Peer::spawn(Command::new(std::env::current_exe()?).args(["ours", method, folder]))?;
    let (batch, threads) = (BATCH.to_string(), THREADS.to_string());
    Ok((ours, Peer::start("methods.py", &[method, folder, &batch, &threads])?))
}
