//! Our side: the stage itself, as the worker runs it.

use crate::{BATCH, IMAGES, THREADS};
use anyhow::{Context as _, Result};
use pretext_protocol::{Reply, Resources, Run};
use pretext_stages::augment::samples;
use pretext_stages::catalog;
use pretext_stages::context::{Context, Outbox};
use pretext_stages::data::{DatasetWriter, Manifest, Split};
use pretext_stages::nn::ops;
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;
use std::io::BufRead;
use std::path::{Path, PathBuf};
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
    writer.finish()
}

struct Nobody;

impl Outbox for Nobody {
    fn send(&self, _: &Reply) {}
}

/// For each line of standard input an epoch of the method, whose images a second are printed.
pub fn serve(method: &str, data: &Path) -> Result<()> {
    ops::tune_allocator();
    tch::set_num_threads(THREADS as i32);
    rayon::ThreadPoolBuilder::new().num_threads(THREADS).build_global()?;
    let entry = catalog::find(&format!("pretrain/{method}")).context("a method of the catalogue")?;
    let Value::Object(mut params) = defaults(&(entry.kind)().params) else { unreachable!("parameters are a map") };
    params["epochs"] = 1.into();
    params["batch"] = BATCH.into();
    params["encoder"]["kind"] = json!("resnet20");
    for line in std::io::stdin().lock().lines() {
        line?;
        let place = tempfile::tempdir()?;
        let run = request(entry.name, &params, data, place.path())?;
        let started = Instant::now();
        (entry.run)(&run.params, &Context::new(&run, &Nobody, &|| false)?)?;
        println!("{}", IMAGES as f64 / started.elapsed().as_secs_f64());
    }
    Ok(())
}

fn defaults(schema: &Value) -> Value {
    match schema["properties"].as_object() {
        Some(properties) => properties.iter().map(|(name, property)| (name.clone(), defaults(property))).collect(),
        None => schema["default"].clone(),
    }
}

fn request(kind: &str, params: &Map<String, Value>, data: &Path, place: &Path) -> Result<Run> {
    let part = |name: &str| -> Result<PathBuf> {
        let part = place.join(name);
        std::fs::create_dir_all(&part)?;
        Ok(part)
    };
    Ok(Run {
        id: 1,
        kind: kind.into(),
        params: params.clone(),
        inputs: BTreeMap::from([("data".to_owned(), data.to_owned())]),
        out: part("out")?,
        side: part("side")?,
        scratch: part("scratch")?,
        resume: None,
        cache: part("cache")?,
        resources: Resources { threads: THREADS, device: "cpu".into() },
    })
}
