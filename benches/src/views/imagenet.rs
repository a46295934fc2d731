//! Large pictures that stay JPEGs: as a data set, and in batches of a crop and a flip of each, as a training takes them. Meanwhile the
//! process's own memory is looked at: what of it is not the system's page cache.

use crate::stage;
use anyhow::{Context as _, Result, ensure};
use pretext_stages::augment::{Policy, Source, Wants};
use pretext_stages::data::Dataset;
use pretext_stages::nn;
use serde_json::json;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

const SIDE: u32 = 224;
const BATCH: usize = 64;
/// As many pictures as the peer reads in a round.
const ROUND: usize = 1024;

/// Makes the data set of a folder, says what that took, and gives a round's images per second.
pub fn measure(folder: &Path) -> Result<impl FnMut() -> Result<f64> + 'static> {
    let place = tempfile::tempdir()?;
    let params = json!({ "path": folder, "size": SIDE, "encoded": "yes", "test": 0.0 });
    let started = Instant::now();
    let (_, peak) = watched(|| stage::run("data/folder", params, &[], place.path()))?;
    let data = Dataset::open(&place.path().join("out/dataset"))?;
    let pictures: usize = data.manifest.images.values().sum();
    let seconds = started.elapsed().as_secs_f64();
    println!("{pictures} pictures as a data set: {seconds:.0} s, {peak} MB of own memory at most");
    let policy: Policy = serde_json::from_value(json!({ "operations": [
        { "op": "random_resized_crop", "scale": [0.08, 1.0], "ratio": [0.75, 4.0 / 3.0], "size": SIDE },
        { "op": "horizontal_flip", "p": 0.5 },
    ] }))?;
    let device = nn::device("cpu")?;
    let (mut round, mut most) = (0, 0);
    Ok(move || {
        // Else it would be gone.
        let _place = &place;
        let source = Source::of_train(&data, &policy, Wants::views(1), BATCH, 0);
        let steps = ROUND / BATCH;
        ensure!(source.steps_per_epoch() >= steps, "there are too few pictures");
        let started = Instant::now();
        let all = round * steps..(round + 1) * steps;
        let (_, peak) = watched(|| {
            source.for_each(all, &device, |_, batch| {
                std::hint::black_box(batch);
                Ok(())
            })
        })?;
        round += 1;
        if peak > most {
            most = peak;
            println!("batches of {BATCH} images: {peak} MB of own memory at most");
        }
        Ok(ROUND as f64 / started.elapsed().as_secs_f64())
    })
}

/// What `work` gives, and the most megabytes of memory that were the process's own meanwhile.
fn watched<T>(work: impl FnOnce() -> Result<T>) -> Result<(T, u64)> {
    let (done, most) = (AtomicBool::new(false), AtomicU64::new(0));
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !done.load(Ordering::Relaxed) {
                most.fetch_max(own_memory().unwrap_or(0), Ordering::Relaxed);
                std::thread::sleep(Duration::from_millis(20));
            }
        });
        let given = work();
        done.store(true, Ordering::Relaxed);
        given
    })
    .map(|given| (given, most.into_inner()))
}

/// In megabytes.
fn own_memory() -> Result<u64> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    let line =
        status.lines().find_map(|line| line.strip_prefix("RssAnon:")).context("the kernel does not say RssAnon")?;
    Ok(line.trim().trim_end_matches("kB").trim().parse::<u64>()? / 1024)
}
