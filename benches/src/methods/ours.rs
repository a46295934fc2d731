//! Our side: the stage itself, as the worker runs it.

use crate::{BATCH, IMAGES, THREADS, stage};
use anyhow::{Context as _, Result};
use pretext_stages::augment::samples;
use pretext_stages::data::{DatasetWriter, Format, Labels, Sample, Split};
use pretext_stages::nn::ops;
use serde_json::json;
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
    let classes = (0..photographs.len()).map(|class| class.to_string()).collect();
    let format = Format {
        name: "pieces".into(),
        height: SIDE,
        width: SIDE,
        channels: 3,
        classes,
        labels: Labels::Images,
        pictures: None,
    };
    std::fs::create_dir_all(folder).with_context(|| format!("cannot create {}", folder.display()))?;
    let mut writer = DatasetWriter::create(folder, format, IMAGES)?;
    for number in 0..IMAGES {
        let class = (number % photographs.len()) as i32;
        writer.add(Sample::new(Split::Train, &piece(number), class))?;
    }
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
