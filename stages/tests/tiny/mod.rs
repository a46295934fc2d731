//! What the tests of whole stages share: inputs as small as they go, made of the photographs that the worker carries, and
//! requests to compute on them. Every test that names this module uses some of it.
#![allow(dead_code, reason = "each test is a crate of its own and uses a part")]

pub mod place;

use pretext_protocol::{Measurement, Reply, Run};
use pretext_stages::catalog::{self, Entry};
use pretext_stages::context::{Context, Outbox};
use pretext_stages::data::{Dataset, DatasetWriter, Format, Labels, Manifest, Region, Sample, Split, npy};
use serde_json::{Map, Value};
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Mutex;

/// One, so that the bytes of a result do not depend on the machine's cores.
pub const THREADS: usize = 1;

/// Keeps what is measured.
#[derive(Default)]
pub struct Measured(pub Mutex<Vec<Measurement>>);

impl Outbox for Measured {
    fn send(&self, reply: &Reply) {
        if let Reply::Measure { measurement, .. } = reply {
            self.0.lock().unwrap().push(measurement.clone());
        }
    }
}

/// Keeps what is noted.
#[derive(Default)]
pub struct Noted(pub Mutex<Vec<String>>);

impl Outbox for Noted {
    fn send(&self, reply: &Reply) {
        if let Reply::Note { text, .. } = reply {
            self.0.lock().unwrap().push(text.clone());
        }
    }
}

/// Hears nothing.
pub struct Nobody;

impl Outbox for Nobody {
    fn send(&self, _: &Reply) {}
}

/// Width and height of the data set's images.
pub const SIZE: u32 = 16;

/// Overlapping square pieces of the four sample photographs, which lie side by side; a photograph's number is its class.
pub fn pieces(size: u32) -> Vec<(Vec<u8>, i32)> {
    let strip = image::open(concat!(env!("CARGO_MANIFEST_DIR"), "/src/augment/samples.png")).unwrap().into_rgb8();
    let mut pieces = vec![];
    for y in (0..=strip.height() - size).step_by(8) {
        for x in (0..=strip.width() - size).step_by(8) {
            let piece = image::imageops::crop_imm(&strip, x, y, size, size).to_image();
            pieces.push((piece.into_raw(), (x / 64) as i32));
        }
    }
    pieces
}

/// A `dataset` artifact of 217 images: 160 to train on, the rest held out.
pub fn write_dataset(folder: &Path) {
    write_dataset_of(folder, pieces(SIZE));
}

/// The same of as many other images.
pub fn write_dataset_of(folder: &Path, pieces: Vec<(Vec<u8>, i32)>) {
    let classes = ["astronaut", "cat", "coffee", "rocket"].map(String::from).to_vec();
    let side = SIZE as usize;
    let format = Format {
        name: "pieces".into(),
        height: side,
        width: side,
        channels: 3,
        classes,
        labels: Labels::Images,
        pictures: None,
    };
    std::fs::create_dir_all(folder).unwrap();
    let mut writer = DatasetWriter::create(folder, format, pieces.len()).unwrap();
    for (number, (image, class)) in pieces.iter().enumerate() {
        writer.add(Sample::new(split_of(number), image, *class)).unwrap();
    }
    writer.finish().unwrap();
}

/// What [`write_places`] shows: its colour is its class.
const SHAPES: [(&str, [u8; 3]); 2] = [("red", [230, 40, 30]), ("blue", [20, 60, 220])];

/// A `dataset` artifact of the pieces, with a red and a blue square on each, of which boxes and masks tell: 160 to train on, the rest held
/// out. Of the pixel in the upper left corner nobody knows.
pub fn write_places(folder: &Path) {
    let side = SIZE as usize;
    let format = Format {
        name: "places".into(),
        height: side,
        width: side,
        channels: 3,
        classes: SHAPES.map(|(name, _)| name.to_owned()).to_vec(),
        labels: Labels::Places,
        pictures: None,
    };
    std::fs::create_dir_all(folder).unwrap();
    let pieces = pieces(SIZE);
    let mut writer = DatasetWriter::create(folder, format, pieces.len()).unwrap();
    for (number, (mut image, _)) in pieces.into_iter().enumerate() {
        let (mut mask, mut regions) = (vec![0; side * side], vec![]);
        mask[0] = 255;
        for (class, (_, colour)) in SHAPES.iter().enumerate() {
            let size = 4 + (number + class) % 3;
            let (left, top) = (1 + number % (side - size - 1), 1 + class * 8 + number % (8 - size));
            for place in (top..top + size).flat_map(|y| (left..left + size).map(move |x| y * side + x)) {
                image[3 * place..3 * place + 3].copy_from_slice(colour);
                mask[place] = class as u8 + 1;
            }
            let edges = [left, top, left + size, top + size].map(|edge| edge as f32);
            regions.push(Region { class: class as i32, edges });
        }
        let sample = Sample::new(split_of(number), &image, -1);
        writer.add(Sample { mask: Some(&mask), regions: Some(&regions), ..sample }).unwrap();
    }
    writer.finish().unwrap();
}

/// A `dataset` artifact of pieces of one photograph as normal images, 40 to train on, and a test split in which a bright square lies on
/// every second one, of which masks tell.
pub fn write_anomalies(folder: &Path) {
    let side = SIZE as usize;
    let format = Format {
        name: "anomalies".into(),
        height: side,
        width: side,
        channels: 3,
        classes: ["normal", "square"].map(String::from).to_vec(),
        labels: Labels::Anomalies,
        pictures: None,
    };
    std::fs::create_dir_all(folder).unwrap();
    let images: Vec<Vec<u8>> =
        pieces(SIZE).into_iter().filter(|(_, class)| *class == 1).map(|(image, _)| image).collect();
    let mut writer = DatasetWriter::create(folder, format, images.len()).unwrap();
    for (number, mut image) in images.into_iter().enumerate() {
        let split = if number < 40 { Split::Train } else { Split::Test };
        let (mut mask, is_anomalous) = (vec![0; side * side], split == Split::Test && number % 2 == 1);
        if is_anomalous {
            let (left, top) = (number % 10, number * 3 % 10);
            for place in (top..top + 5).flat_map(|y| (left..left + 5).map(move |x| y * side + x)) {
                image[3 * place..3 * place + 3].copy_from_slice(&[255, 0, 255]);
                mask[place] = 1;
            }
        }
        let sample = Sample::new(split, &image, i32::from(is_anomalous));
        writer.add(Sample { mask: Some(&mask), ..sample }).unwrap();
    }
    writer.finish().unwrap();
}

/// Leaves of [`write_places`] its first class only, on the images of some rows.
pub fn keep_first_class(data: &Path, has_it: impl Fn(usize) -> bool) {
    change_manifest(data, |manifest| manifest.classes.truncate(1));
    let file = |name: &str| data.join(name);
    let (shape, mut masks) = npy::read::<u8>(&file("mask.npy")).unwrap();
    for (row, mask) in masks.chunks_mut((SIZE * SIZE) as usize).enumerate() {
        mask.iter_mut().filter(|shown| **shown == 2 || **shown == 1 && !has_it(row)).for_each(|shown| *shown = 0);
    }
    npy::write(file("mask.npy"), &shape, &masks).unwrap();
    let rows = shape[0];
    let (_, edges) = npy::read::<f32>(&file("boxes.npy")).unwrap();
    // Of the two boxes of an image the first one is of the first class.
    let kept: Vec<usize> = (0..rows).filter(|&row| has_it(row)).collect();
    let edges: Vec<f32> = kept.iter().flat_map(|row| &edges[8 * row..8 * row + 4]).copied().collect();
    let offsets: Vec<u64> = (0..=rows).map(|end| (0..end).filter(|&row| has_it(row)).count() as u64).collect();
    npy::write(file("boxes.npy"), &[kept.len(), 4], &edges).unwrap();
    npy::write(file("boxes.class.npy"), &[kept.len()], &vec![0i32; kept.len()]).unwrap();
    npy::write(file("boxes.offsets.npy"), &[rows + 1], &offsets).unwrap();
}

fn split_of(number: usize) -> Split {
    match number {
        ..160 => Split::Train,
        160..188 => Split::Validation,
        _ => Split::Test,
    }
}

/// Writes a data set anew without a split.
pub fn remove_split(data: &Path, split: Split) {
    rewrite(data, |old, _| Some(old).filter(|&old| old != split));
}

/// Of the last training images nobody knows the class any more.
pub fn make_unlabelled(data: &Path, images: usize) {
    let first = Dataset::open(data).unwrap().len(Split::Train) - images;
    rewrite(data, |old, row| Some(if old == Split::Train && row >= first { Split::Unlabelled } else { old }));
}

/// Writes a data set anew, each row in the split that is chosen for it.
fn rewrite(data: &Path, choose: impl Fn(Split, usize) -> Option<Split>) {
    let old = Dataset::open(data).unwrap();
    let Manifest { name, height, width, channels, classes, .. } = old.manifest.clone();
    let splits = Split::ALL.into_iter().flat_map(|split| old.rows(split).map(move |row| (split, row)));
    let mut rows: Vec<(Split, usize)> = splits.filter_map(|(split, row)| Some((choose(split, row)?, row))).collect();
    rows.sort();
    let new = data.with_extension("new");
    std::fs::create_dir_all(&new).unwrap();
    let format = Format { name, height, width, channels, classes, labels: Labels::Images, pictures: None };
    let mut writer = DatasetWriter::create(&new, format, rows.len()).unwrap();
    for (split, row) in rows {
        let class = if split == Split::Unlabelled { -1 } else { old.class(row) };
        writer.add(Sample::new(split, &old.image(row), class)).unwrap();
    }
    writer.finish().unwrap();
    std::fs::remove_dir_all(data).unwrap();
    std::fs::rename(new, data).unwrap();
}

/// The red of a data set's images as grey ones.
pub fn write_grey(old: &Path, folder: &Path) {
    let old = Dataset::open(old).unwrap();
    let Manifest { height, width, classes, .. } = old.manifest.clone();
    let format =
        Format { name: "grey".into(), height, width, channels: 1, classes, labels: Labels::Images, pictures: None };
    std::fs::create_dir_all(folder).unwrap();
    let rows: Vec<(Split, usize)> =
        Split::LABELLED.into_iter().flat_map(|split| old.rows(split).map(move |row| (split, row))).collect();
    let mut writer = DatasetWriter::create(folder, format, rows.len()).unwrap();
    for (split, row) in rows {
        let reds: Vec<u8> = old.image(row).iter().step_by(3).copied().collect();
        writer.add(Sample::new(split, &reds, old.class(row))).unwrap();
    }
    writer.finish().unwrap();
}

/// Writes a data set's manifest anew.
pub fn change_manifest(data: &Path, change: impl FnOnce(&mut Manifest)) {
    let path = data.join("manifest.json");
    let mut manifest: Manifest = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
    change(&mut manifest);
    std::fs::write(path, serde_json::to_vec(&manifest).unwrap()).unwrap();
}

/// Kinds that learn from boxes or masks.
pub const OF_PLACES: [&str; 3] = ["eval/detect", "eval/segment", "eval/mask_transfer"];

/// Kinds that need an encoder with what draws images.
pub const OF_DECODERS: [&str; 3] = ["eval/denoise", "eval/generate", "eval/inpaint"];

/// What needs one with what tells classes apart.
pub const OF_CLASSIFIERS: &str = "eval/robustness";

/// What looks for anomalies.
pub const OF_ANOMALIES: &str = "eval/anomaly";

/// Every kind that trains, in whatever family: what has an optimiser.
pub fn trained_kinds() -> Vec<Entry> {
    let trains = |entry: &Entry| {
        let optimiser = &(entry.kind)().params["properties"]["optimiser"];
        optimiser.is_object() && optimiser["x-unused"] != true
    };
    let kinds: Vec<Entry> = catalog::entries().into_iter().filter(trains).collect();
    let has = |name: &str| kinds.iter().any(|kind| kind.name == name);
    assert!(kinds.len() >= 5 && has("pretrain/simclr") && has("eval/finetune"), "{} kinds train", kinds.len());
    kinds
}

/// An encoder that was never trained, for what needs one: where it lies in `folder`.
pub fn write_encoder(control: &str, data: &Path, folder: &Path) -> PathBuf {
    let entry = catalog::find(control).unwrap();
    let run = request(&entry, small_params(&entry, 1, 32), folder, &[("data", data)]);
    (entry.run)(&run.params, &Context::new(&run, &Nobody, &|| false).unwrap()).unwrap();
    run.out.join("encoder")
}

pub const CURVE: &str = "side/curve.csv";

/// What a training has left in its folder: every file of its outputs, and those beside them, the learning curve among them.
pub fn trained(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let (mut files, mut folders) = (BTreeMap::new(), vec![folder.join("out"), folder.join("side")]);
    while let Some(inner) = folders.pop() {
        for path in std::fs::read_dir(inner).unwrap().map(|entry| entry.unwrap().path()) {
            if path.is_dir() {
                folders.push(path);
            } else {
                let name = path.strip_prefix(folder).unwrap().to_str().unwrap().to_owned();
                files.insert(name, std::fs::read(&path).unwrap());
            }
        }
    }
    assert!(files.contains_key(CURVE) && files.contains_key("out/encoder/weights.safetensors"), "{:?}", files.keys());
    files
}

/// The names of the files in which two trainings differ.
pub fn differing(one: &BTreeMap<String, Vec<u8>>, other: &BTreeMap<String, Vec<u8>>) -> Vec<String> {
    let names: BTreeSet<&String> = one.keys().chain(other.keys()).collect();
    names.into_iter().filter(|name| one.get(*name) != other.get(*name)).cloned().collect()
}

/// The kind's parameters: its defaults, but for a small network and little data.
pub fn small_params(entry: &Entry, epochs: u32, batch: u32) -> Map<String, Value> {
    let Value::Object(mut params) = defaults(&(entry.kind)().params) else { panic!("parameters are a map") };
    for (name, value) in [
        ("epochs", epochs),
        ("batch", batch),
        ("k", 20),
        ("components", 8),
        ("refresh", 3),
        ("train", 500),
        ("validation", 100),
    ] {
        // Shares stay what they are.
        params
            .get_mut(name)
            .filter(|default| !default.is_f64())
            .into_iter()
            .for_each(|default| *default = value.into());
    }
    if let Some(steps) = params.get_mut("steps").filter(|steps| steps.is_u64()) {
        *steps = (4 * epochs).into();
    }
    if let Some(encoder) = params.get_mut("encoder") {
        // A transformer's is a multiple of 12.
        encoder["width"] = if encoder["kind"] == "vit_tiny" { 12 } else { 8 }.into();
    }
    params
}

/// As `pretext` fills them in: what is left open has the value that goes with another parameter of its map.
fn defaults(schema: &Value) -> Value {
    let Some(properties) = schema["properties"].as_object() else { return schema["default"].clone() };
    let mut values: Value = properties.iter().map(|(name, property)| (name.clone(), defaults(property))).collect();
    for (name, property) in properties {
        for (sibling, by) in property["x-default-by"].as_object().into_iter().flatten() {
            values[name] = by[values[sibling].as_str().unwrap()].clone();
        }
    }
    values
}

/// A request to compute a kind in `folder`, whose parts are made here.
pub fn request(entry: &Entry, params: Map<String, Value>, folder: &Path, inputs: &[(&str, &Path)]) -> Run {
    let mut run = Run::in_folder(entry.name, params, inputs, folder).unwrap();
    run.resources.threads = THREADS;
    run
}
