//! The real worker's trainings at small size, as `pretext` would ask for them.

use crate::WorkerProcess;
use pretext::recipe::schema;
use pretext_protocol::{Run, StageKind};
use serde_json::{Map, Value};
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

/// What trainings need, made by the worker itself.
pub struct Inputs {
    data: PathBuf,
    /// Which was never trained.
    encoder: PathBuf,
}

/// What trainings need, and the kinds that train, in whatever family: those that have an optimiser.
pub fn prepare(root: &Path) -> (Inputs, Vec<StageKind>) {
    let mut worker = worker();
    let catalogue = worker.describe();
    write_pictures(&root.join("pictures"));
    let mut photos = request(catalogue.kind("data/arrays").unwrap(), &root.join("photos"), &[]);
    photos.params.insert("path".to_owned(), root.join("pictures").to_str().unwrap().into());
    worker.compute(&photos);
    let data = photos.out.join("dataset");
    let mut random = request(catalogue.kind("pretrain/random").unwrap(), &root.join("random"), &[("data", &data)]);
    random.params["encoder"]["width"] = WIDTH.into();
    worker.compute(&random);
    let trains = |kind: &StageKind| {
        let optimiser = &kind.params["properties"]["optimiser"];
        optimiser.is_object() && optimiser["x-unused"] != true
    };
    let kinds: Vec<StageKind> = catalogue.kinds.into_iter().filter(trains).collect();
    let has = |name: &str| kinds.iter().any(|kind| kind.name == name);
    assert!(kinds.len() >= 5 && has("pretrain/simclr") && has("eval/finetune"), "{} kinds train", kinds.len());
    (Inputs { data, encoder: random.out.join("encoder") }, kinds)
}

const WIDTH: u32 = 4;
const BATCH: usize = 16;
/// Images of 32x32 pixels by their splits.
const IMAGES: [(&str, usize); 3] = [("train", 80), ("val", 10), ("test", 20)];

/// Arrays of ramps and stripes that differ from picture to picture: there is something to learn, though it does not matter what.
fn write_pictures(folder: &Path) {
    let value = |picture: usize, place: usize| (picture % 10 * place / 40 + picture * 37 + place % 7 * 20) as u8;
    fs::create_dir_all(folder).unwrap();
    for (split, count) in IMAGES {
        let pictures = (0..count).flat_map(|picture| (0..32 * 32 * 3).map(move |place| value(picture, place)));
        let labels = (0..count).map(|picture| (picture % 10) as u8);
        write_array(&folder.join(format!("{split}_images.npy")), &format!("{count}, 32, 32, 3"), pictures);
        write_array(&folder.join(format!("{split}_labels.npy")), &format!("{count},"), labels);
    }
}

/// Bytes in numpy's format, version 1.0: a header whose length is a multiple of 64.
fn write_array(file: &Path, shape: &str, values: impl Iterator<Item = u8>) {
    let about = format!("{{'descr': '|u1', 'fortran_order': False, 'shape': ({shape}), }}");
    let header = format!("{about:117}\n");
    assert_eq!(header.len(), 118);
    let begin = [b"\x93NUMPY\x01\x00".as_slice(), &118u16.to_le_bytes(), header.as_bytes()].concat();
    fs::write(file, begin.into_iter().chain(values).collect::<Vec<u8>>()).unwrap();
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

/// A training of a small network, in a folder of its own: so many epochs, or as many steps as they have.
pub fn training(kind: &StageKind, inputs: &Inputs, folder: &Path, epochs: u32) -> Run {
    let mut run = request(kind, folder, &[("data", &inputs.data), ("encoder", &inputs.encoder)]);
    if let Some(encoder) = run.params.get_mut("encoder") {
        encoder["width"] = WIDTH.into();
    }
    let (length, number) = match run.params.contains_key("epochs") {
        true => ("epochs", epochs as usize),
        false => ("steps", epochs as usize * IMAGES[0].1 / BATCH),
    };
    run.params.extend([(length, number), ("batch", BATCH)].map(|(name, value)| (name.to_owned(), value.into())));
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
