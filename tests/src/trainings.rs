//! The real worker's trainings at small size, as `pretext` would ask for them.

use crate::WorkerProcess;
use pretext::recipe::schema;
use pretext_protocol::{Run, StageKind};
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

/// The data set, made by the worker itself, and the kinds that train on it.
pub fn prepare(root: &Path) -> (PathBuf, Vec<StageKind>) {
    let mut worker = worker();
    let catalogue = worker.describe();
    let photos = catalogue.kind("data/cifar10").unwrap();
    write_pictures(&root.join("cache/cifar10"));
    let mut run = request(photos, &root.join("photos"), &[]);
    run.params.extend([("train".to_owned(), json!(80)), ("validation".to_owned(), json!(10))]);
    run.cache = root.join("cache");
    worker.compute(&run);
    let trains = |kind: &StageKind| {
        let epochs = &kind.params["properties"]["epochs"];
        kind.family() == "pretrain" && epochs.is_object() && epochs["x-unused"] != true
    };
    let kinds: Vec<StageKind> = catalogue.kinds.into_iter().filter(trains).collect();
    assert!(kinds.len() >= 4, "{} kinds train", kinds.len());
    (run.out.join("dataset"), kinds)
}

/// What `data/cifar10` takes for its download: 60,000 labels, then as many pictures of 32x32 pixels. Ramps and stripes that
/// differ from picture to picture: there is something to learn, though it does not matter what.
fn write_pictures(folder: &Path) {
    let value = |picture: usize, place: usize| (picture % 10 * place / 40 + picture * 37 + place % 7 * 20) as u8;
    let pictures: Vec<u8> = (0..600).flat_map(|picture| (0..32 * 32 * 3).map(move |at| value(picture, at))).collect();
    fs::create_dir_all(folder).unwrap();
    let labels: Vec<u8> = (0..60_000).map(|picture| (picture % 10) as u8).collect();
    let bytes = [labels, pictures.repeat(100)].concat();
    fs::write(folder.join("cifar10.bin"), &bytes).unwrap();
    fs::write(folder.join("cifar10.stand-in"), blake3::hash(&bytes).to_hex().as_str()).unwrap();
}

/// The real one.
pub fn worker() -> WorkerProcess {
    let programs = std::env::current_exe().unwrap();
    WorkerProcess::start(&programs.parent().unwrap().parent().unwrap().join("pretext-worker"))
}

/// A request to compute a kind with its defaults in a folder, whose parts are made here.
pub fn request(kind: &StageKind, folder: &Path, inputs: &[(&str, &Path)]) -> Run {
    let params = match schema::default(&kind.params) {
        Value::Object(params) => params,
        _ => Map::new(),
    };
    Run::in_folder(&kind.name, params, inputs, folder).unwrap()
}

/// A training of a small network, in a folder of its own.
pub fn training(kind: &StageKind, data: &Path, folder: &Path, epochs: u32) -> Run {
    let mut run = request(kind, folder, &[("data", data)]);
    run.params["encoder"]["width"] = 4.into();
    run.params.extend([("epochs".to_owned(), epochs.into()), ("batch".to_owned(), 16.into())]);
    run
}

/// Every file of the outputs, and the learning curve, which must not show an interruption either.
pub fn yields(run: &Run) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut files = BTreeMap::new();
    let mut folders = vec![run.out.clone(), run.side.clone()];
    while let Some(folder) = folders.pop() {
        for path in fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
            if path.is_dir() {
                folders.push(path);
            } else {
                let place = path.strip_prefix(run.out.parent().unwrap()).unwrap().to_owned();
                files.insert(place, fs::read(&path).unwrap());
            }
        }
    }
    files
}
