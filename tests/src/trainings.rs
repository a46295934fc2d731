//! The real worker's trainings at small size, as `pretext` would ask for them.

use crate::WorkerProcess;
use pretext::recipe::schema;
use pretext_protocol::{Run, StageKind};
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

/// What trainings need, made by the worker itself.
pub struct Inputs {
    data: PathBuf,
    /// For kinds [`OF_PLACES`].
    places: PathBuf,
    /// Which was never trained.
    encoder: PathBuf,
}

/// Kinds that learn from boxes or masks.
const OF_PLACES: [&str; 2] = ["eval/detect", "eval/segment"];

/// What trainings need, and the kinds that train, in whatever family: those that have an optimiser.
pub fn prepare(root: &Path) -> (Inputs, Vec<StageKind>) {
    let mut worker = worker();
    let catalogue = worker.describe();
    write_pictures(&root.join("pictures"));
    let mut photos = request(catalogue.kind("data/arrays").unwrap(), &root.join("photos"), &[]);
    photos.params.insert("path".to_owned(), root.join("pictures").to_str().unwrap().into());
    worker.compute(&photos);
    let data = photos.out.join("dataset");
    write_scenes(&root.join("annotated"));
    let mut scenes = request(catalogue.kind("data/coco").unwrap(), &root.join("scenes"), &[]);
    let path = root.join("annotated").to_str().unwrap().to_owned();
    scenes.params.extend([("path", path.into()), ("size", 32.into()), ("masks", true.into())].map(named));
    worker.compute(&scenes);
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
    (Inputs { data, places: scenes.out.join("dataset"), encoder: random.out.join("encoder") }, kinds)
}

fn named((name, value): (&str, Value)) -> (String, Value) {
    (name.to_owned(), value)
}

const WIDTH: u32 = 4;
const BATCH: usize = 16;
/// Images of 32x32 pixels by their splits.
const IMAGES: [(&str, usize); 3] = [("train", 80), ("val", 10), ("test", 20)];

/// Arrays of ramps and stripes that differ from picture to picture: there is something to learn, though it does not matter what.
fn write_pictures(folder: &Path) {
    fs::create_dir_all(folder).unwrap();
    for (split, count) in IMAGES {
        let pictures = (0..count).flat_map(|picture| (0..32 * 32 * 3).map(move |place| value(picture, place)));
        let labels = (0..count).map(|picture| (picture % 10) as u8);
        write_array(&folder.join(format!("{split}_images.npy")), &format!("{count}, 32, 32, 3"), pictures);
        write_array(&folder.join(format!("{split}_labels.npy")), &format!("{count},"), labels);
    }
}

fn value(picture: usize, place: usize) -> u8 {
    (picture % 10 * place / 40 + picture * 37 + place % 7 * 20) as u8
}

/// The same pictures with a square of one of two colours on each, of which COCO's annotations tell: a folder a split.
fn write_scenes(folder: &Path) {
    const SQUARE: usize = 12;
    for (split, count) in IMAGES {
        let folder = folder.join(split);
        fs::create_dir_all(&folder).unwrap();
        let (mut images, mut annotations) = (vec![], vec![]);
        for picture in 0..count {
            let (class, left, top) = (picture % 2, picture % 20, picture * 7 % 20);
            let (right, bottom) = (left + SQUARE, top + SQUARE);
            let shown = |place: usize| {
                let (x, y) = (place / 3 % 32, place / 96);
                let is_square = (left..right).contains(&x) && (top..bottom).contains(&y);
                if is_square { [250, 20][(class + place) % 2] } else { value(picture, place) }
            };
            let name = format!("{split}-{picture:03}.ppm");
            let pixels = b"P6\n32 32\n255\n".iter().copied().chain((0..32 * 32 * 3).map(shown));
            fs::write(folder.join(&name), pixels.collect::<Vec<u8>>()).unwrap();
            images.push(json!({ "id": picture, "file_name": name, "height": 32, "width": 32 }));
            annotations.push(json!({
                "id": picture, "image_id": picture, "category_id": class, "bbox": [left, top, SQUARE, SQUARE],
                "segmentation": [[left, top, right, top, right, bottom, left, bottom]],
            }));
        }
        let categories = json!([{ "id": 0, "name": "striped" }, { "id": 1, "name": "chequered" }]);
        let all = json!({ "images": images, "annotations": annotations, "categories": categories });
        fs::write(folder.join("all.json"), all.to_string()).unwrap();
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
    let data = if OF_PLACES.contains(&kind.name.as_str()) { &inputs.places } else { &inputs.data };
    let mut run = request(kind, folder, &[("data", data), ("encoder", &inputs.encoder)]);
    if let Some(encoder) = run.params.get_mut("encoder") {
        // A transformer's is a multiple of 12.
        encoder["width"] = if encoder["kind"] == "vit_tiny" { 12 } else { WIDTH }.into();
    }
    let (length, number) = match run.params.contains_key("epochs") {
        true => ("epochs", epochs as usize),
        false => ("steps", epochs as usize * IMAGES[0].1 / BATCH),
    };
    run.params.extend([(length, number), ("batch", BATCH)].map(|(name, value)| named((name, value.into()))));
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
