//! Every kind that trains, stopped again and again and continued from its checkpoint, must end with the bytes of an
//! undisturbed run. The images are pieces of the photographs that the worker carries.

use pretext_protocol::{Reply, Resources, Run};
use pretext_stages::catalog::{self, Entry};
use pretext_stages::context::{Context, Outbox, Stopped};
use pretext_stages::data::{DatasetWriter, Manifest, Split};
use pretext_stages::random::{Purpose, Rng};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};

const SIZE: usize = 16;
const THREADS: usize = 1;
const NEVER: usize = usize::MAX;

struct Nobody;

impl Outbox for Nobody {
    fn send(&self, _: &Reply) {}
}

/// 16x16 pieces of the four sample photographs, whose number is their class.
fn pieces() -> Vec<(Vec<u8>, i32)> {
    let strip = image::open(concat!(env!("CARGO_MANIFEST_DIR"), "/src/augment/samples.png")).unwrap().into_rgb8();
    let mut pieces = vec![];
    for y in (0..=48).step_by(8) {
        for x in (0..=240).step_by(8) {
            let piece = image::imageops::crop_imm(&strip, x, y, SIZE as u32, SIZE as u32).to_image();
            pieces.push((piece.into_raw(), (x / 64) as i32));
        }
    }
    pieces
}

fn write_dataset(folder: &Path) {
    let pieces: &'static [_] = Box::leak(pieces().into_boxed_slice());
    let source = |image: usize| (pieces[image].0.as_slice(), pieces[image].1);
    let manifest = Manifest {
        name: "pieces".into(),
        height: SIZE,
        width: SIZE,
        channels: 3,
        classes: ["astronaut", "cat", "coffee", "rocket"].map(String::from).to_vec(),
        images: BTreeMap::new(),
        mean: vec![],
        sd: vec![],
    };
    let mut writer = DatasetWriter::new(folder.to_owned(), manifest, &source);
    writer.split(Split::Train, &(0..160).collect::<Vec<_>>()).unwrap();
    writer.split(Split::Validation, &[160, 161]).unwrap();
    writer.split(Split::Test, &[162, 163]).unwrap();
    writer.finish().unwrap();
}

/// The kind's parameters: its defaults, but for a small network and few epochs.
fn small_params(entry: &Entry) -> serde_json::Map<String, serde_json::Value> {
    fn defaults(schema: &serde_json::Value) -> serde_json::Value {
        match schema["properties"].as_object() {
            Some(properties) => properties.iter().map(|(name, p)| (name.clone(), defaults(p))).collect(),
            None => schema["default"].clone(),
        }
    }
    let mut params = defaults(&(entry.kind)().params);
    params["encoder"]["width"] = 8.into();
    params["epochs"] = 8.into();
    params["batch"] = 32.into();
    params.as_object().unwrap().clone()
}

struct Attempt {
    folder: PathBuf,
}

impl Attempt {
    fn new(root: &Path, name: &str) -> Self {
        let folder = root.join(name);
        for part in ["out", "side", "scratch"] {
            std::fs::create_dir_all(folder.join(part)).unwrap();
        }
        Self { folder }
    }

    /// Runs until it is done, or stops when it has looked `stop_after` times whether it should. Says whether it stopped.
    fn run(&self, entry: &Entry, data: &Path, resume: Option<&Attempt>, stop_after: usize) -> bool {
        let run = Run {
            id: 1,
            kind: entry.name.to_owned(),
            params: small_params(entry),
            inputs: BTreeMap::from([("data".to_owned(), data.to_owned())]),
            out: self.folder.join("out"),
            side: self.folder.join("side"),
            scratch: self.folder.join("scratch"),
            resume: resume.map(|attempt| attempt.folder.join("scratch")),
            cache: self.folder.join("cache"),
            resources: Resources { threads: THREADS, device: "cpu".into() },
        };
        let looked = AtomicUsize::new(0);
        let stopping = || looked.fetch_add(1, Ordering::Relaxed) + 1 >= stop_after;
        let context = Context::new(&run, &Nobody, &stopping).unwrap();
        match (entry.run)(&run.params, &context) {
            Ok(()) => false,
            Err(error) => {
                assert!(error.is::<Stopped>(), "{}: {error:#}", run.kind);
                true
            }
        }
    }

    /// Everything that counts, and the learning curve, which must not show an interruption either.
    fn yields(&self) -> Vec<Vec<u8>> {
        ["out/encoder/encoder.json", "out/encoder/weights.safetensors", "side/curve.csv"]
            .map(|file| std::fs::read(self.folder.join(file)).unwrap())
            .to_vec()
    }
}

fn trained_kinds() -> Vec<Entry> {
    let unused_epochs = |entry: &Entry| (entry.kind)().params["properties"]["epochs"]["x-unused"] == true;
    catalog::entries().into_iter().filter(|e| (e.kind)().family() == "pretrain" && !unused_epochs(e)).collect()
}

#[test]
fn interrupted_trainings_end_with_the_bytes_of_undisturbed_ones() {
    tch::set_num_threads(THREADS as i32);
    let root = tempfile::tempdir().unwrap();
    let data = root.path().join("data");
    std::fs::create_dir_all(&data).unwrap();
    write_dataset(&data);
    let kinds = trained_kinds();
    assert!(kinds.len() >= 4, "{} kinds train", kinds.len());
    for entry in kinds {
        let place = root.path().join(entry.name.replace('/', "-"));
        let undisturbed = Attempt::new(&place, "undisturbed");
        assert!(!undisturbed.run(&entry, &data, None, NEVER));
        let mut attempts = vec![Attempt::new(&place, "0")];
        let mut rng = Rng::new(1, Purpose::Noise, &[]);
        // Each attempt but the last ends after 1 to 9 of the 40 steps, and goes on from the one before.
        while attempts.last().unwrap().run(&entry, &data, attempts.iter().rev().nth(1), 1 + rng.below(9)) {
            attempts.push(Attempt::new(&place, &attempts.len().to_string()));
        }
        let stops = attempts.len() - 1;
        assert!(stops >= 4, "{}: stopped {stops} times only", entry.name);
        assert!(
            attempts.last().unwrap().yields() == undisturbed.yields(),
            "{}: other bytes after {stops} stops",
            entry.name
        );
    }
}
