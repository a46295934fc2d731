//! A training that is killed and goes on, beside one that is not: whether both end with the same bytes.

use crate::kit::{self, Done, STORE};
use anyhow::{Context as _, Result, ensure};
use pretext_benches::training::device_name;
use pretext_protocol::CHECKPOINT;
use serde_json::json;
use std::fs;
use std::path::Path;
use std::process::Child;
use std::thread::sleep;
use std::time::{Duration, Instant};

const STAGE: &str = "resumed";
/// A store of its own, in which nothing is computed yet.
const OTHER_STORE: &str = "store-of-the-killed";
/// Of the undisturbed training's time, when the other one is killed.
const SHARE: f64 = 0.5;

pub fn section() -> Result<()> {
    let set = [
        kit::all_threads(STAGE),
        kit::on_processor(&["stages.resumed.with.encoder.kind=conv4", "stages.resumed.with.steps=20"]),
    ]
    .concat();
    kit::succeed(&mut kit::run(STAGE, &device_name(), STORE, &set))?;
    let undisturbed = Done::newest(STORE, STAGE)?;
    let seconds = undisturbed.provenance["seconds"].as_f64().context("a training takes seconds")?;

    if Path::new(OTHER_STORE).exists() {
        fs::remove_dir_all(OTHER_STORE)?;
    }
    kit::succeed(&mut kit::run("photos", "cpu", OTHER_STORE, &[]))?;
    let mut first = kit::run(STAGE, &device_name(), OTHER_STORE, &set).spawn()?;
    let killed_after = kill(&mut first, Duration::from_secs_f64(SHARE * seconds))?;
    let began = Instant::now();
    kit::succeed(&mut kit::run(STAGE, &device_name(), OTHER_STORE, &set))?;
    let second = began.elapsed().as_secs_f64();

    let resumed = Done::newest(OTHER_STORE, STAGE)?;
    let went_on = resumed.provenance["attempts"].as_u64() > Some(1);
    let same = undisturbed.artifacts()? == resumed.artifacts()?;
    println!("undisturbed {seconds:.1} s; killed after {killed_after:.1} s, and {second:.1} s to the end");
    println!("went on from its checkpoint: {went_on}; the same bytes: {same}");
    println!("{}", json!({ "same_bytes": same, "went_on": went_on, "seconds": [seconds, killed_after, second] }));
    ensure!(went_on && same, "an interruption shows in the result");
    Ok(())
}

/// After a while, and when there is a checkpoint to go on from. Gives the seconds.
fn kill(run: &mut Child, after: Duration) -> Result<f64> {
    let began = Instant::now();
    while began.elapsed() < after || !has_checkpoint() {
        ensure!(run.try_wait()?.is_none(), "the training came to its end before it was killed");
        sleep(Duration::from_millis(10));
    }
    run.kill()?;
    run.wait()?;
    Ok(began.elapsed().as_secs_f64())
}

fn has_checkpoint() -> bool {
    let inside = |folder: &Path| -> Vec<_> {
        fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path()).collect()
    };
    let attempts = inside(&Path::new(OTHER_STORE).join("attempts")).into_iter().flat_map(|key| inside(&key));
    attempts.into_iter().any(|attempt| attempt.join("scratch").join(CHECKPOINT).is_dir())
}
