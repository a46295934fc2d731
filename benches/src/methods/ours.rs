//! Our side: the stage itself, as the worker runs it.

use crate::{BATCH, IMAGES, THREADS, stage};
use anyhow::{Context as _, Result};
use pretext_stages::augment::samples;
use pretext_stages::data::{DatasetWriter, Manifest, Split};
use pretext_stages::nn::ops;
use serde_json::json;
use std::collections::BTreeMap;
use std::io::BufRead;
use std::path::Path;
use std::time::Instant;

const SIDE: usize = 32;

/// Pieces of the photographs that the worker carries, as a data set.
pub fn write_photographs(folder: &Path) -> Result<()> {
    let photographs: Vec<Vec<u8>> = samples().iter().map(|sample| sample.source().bytes.to_vec()).collect();
    let piece = |number: usize| -> Vec<u8> {
        let (photograph, place) = (&photographs[number % photographs.len()], number / photographs.len());
        let (top, left) = (place % SIDE, place / SIDE % SIDE);
        (top..top + SIDE).flat_map(|y| photograph[(y * 64 + left) * 3..(y * 64 + left + SIDE) * 3].to_vec()).collect()
    };
    let pieces: Vec<Vec<u8>> = (0..IMAGES).map(piece).collect();
    let source = |number: usize| (pieces[number].as_slice(), (number % photographs.len()) as i32);
    let manifest = Manifest {
        name: "pieces".into(),
        height: SIDE,
        width: SIDE,
        channels: 3,
        classes: (0..photographs.len()).map(|class| class.to_string()).collect(),
        images: BTreeMap::new(),
        mean: vec![],
        sd: vec![],
    };
    std::fs::create_dir_all(folder).with_context(|| format!("cannot create {}", folder.display()))?;
    let mut writer = DatasetWriter::new(folder.to_owned(), manifest, &source);
    writer.split(Split::Train, &(0..IMAGES).collect::<Vec<_>>())?;
    writer.finish()?;
    Ok(())
}

/// For each line of standard input an epoch of the method, whose images a second are printed.
pub fn serve(method: &str, data: &Path) -> Result<()> {
    ops::tune_allocator();
    tch::set_num_threads(THREADS as i32);
    rayon::ThreadPoolBuilder::new().num_threads(THREADS).build_global()?;
    let params =
        json!({ "epochs": 1, "batch": BATCH, "encoder": { "kind": "resnet20", "init": "pytorch" }, "online_knn": 0 });
    for line in std::io::stdin().lock().lines() {
        line?;
        let place = tempfile::tempdir()?;
        let started = Instant::now();
        stage::run(&format!("pretrain/{method}"), params.clone(), &[("data", data)], place.path())?;
        println!("{}", IMAGES as f64 / started.elapsed().as_secs_f64());
    }
    Ok(())
}
