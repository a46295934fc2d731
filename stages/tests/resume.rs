//! Every kind that trains, stopped again and again and continued from its checkpoint, must end with the bytes of an
//! undisturbed run. `tests/tests/killed_trainings.rs` does the same to the worker's process, by SIGKILL, and
//! `repeatable.rs` beside it at two threads.

mod tiny;

use pretext_protocol::CHECKPOINT;
use pretext_stages::catalog::Entry;
use pretext_stages::context::{Context, Stopped};
use pretext_stages::random::{Purpose, Rng};
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};

const EPOCHS: u32 = 8;
const BATCH: u32 = 32;
const NEVER: usize = usize::MAX;

/// A training that is attempted.
struct Case<'a> {
    entry: &'a Entry,
    /// Maps laid over those of its defaults, and other values in their place.
    params: Value,
    inputs: &'a Inputs,
}

/// What is trained on, and further.
struct Inputs {
    data: PathBuf,
    /// What boxes and masks are learned from.
    places: PathBuf,
    encoder: PathBuf,
}

impl Inputs {
    fn write(root: &Path) -> Self {
        tch::set_num_threads(tiny::THREADS as i32);
        let data = root.join("data");
        let places = root.join("places");
        tiny::write_dataset(&data);
        tiny::write_places(&places);
        Self { encoder: tiny::write_encoder("pretrain/random", &data, &root.join("encoder")), data, places }
    }
}

struct Attempt {
    folder: PathBuf,
}

impl Attempt {
    fn new(root: &Path, name: &str) -> Self {
        Self { folder: root.join(name) }
    }

    fn has_checkpoint(&self) -> bool {
        self.folder.join("scratch").join(CHECKPOINT).is_dir()
    }

    /// Runs until it is done, or stops when it has looked `stop_after` times whether it should. Says whether it stopped.
    fn run(&self, case: &Case, resume: Option<&Attempt>, stop_after: usize) -> bool {
        let Case { entry, params: over, inputs } = case;
        let mut params = tiny::small_params(entry, EPOCHS, BATCH);
        for (name, value) in over.as_object().unwrap() {
            match value.as_object() {
                Some(map) => map.iter().for_each(|(inner, value)| params[name][inner] = value.clone()),
                None => params[name] = value.clone(),
            }
        }
        let data = if tiny::OF_PLACES.contains(&entry.name) { &inputs.places } else { &inputs.data };
        let inputs = [("data", data.as_path()), ("encoder", &inputs.encoder)];
        let mut run = tiny::request(entry, params, &self.folder, &inputs);
        run.resume = resume.map(|attempt| attempt.folder.join("scratch"));
        let looked = AtomicUsize::new(0);
        let stopping = || looked.fetch_add(1, Ordering::Relaxed) + 1 >= stop_after;
        let context = Context::new(&run, &tiny::Nobody, &stopping).unwrap();
        match (entry.run)(&run.params, &context) {
            Ok(()) => false,
            Err(error) => {
                assert!(error.is::<Stopped>(), "{}: {error:#}", run.kind);
                true
            }
        }
    }
}

/// Runs a case without interruption, and then with many.
fn compare(case: &Case, place: &Path) {
    let name = format!("{} {}", case.entry.name, case.params);
    let undisturbed = Attempt::new(place, "undisturbed");
    assert!(!undisturbed.run(case, None, NEVER));
    let mut attempts = vec![Attempt::new(place, "0")];
    let mut rng = Rng::new(1, Purpose::Noise, &[]);
    // Each attempt but the last ends after 1 to 9 of the 40 steps, and goes on from the newest before it that came to train.
    while let [earlier @ .., last] = &attempts[..]
        && last.run(case, earlier.iter().rev().find(|attempt| attempt.has_checkpoint()), 1 + rng.below(9))
    {
        attempts.push(Attempt::new(place, &attempts.len().to_string()));
    }
    let stops = attempts.len() - 1;
    assert!(stops >= 4, "{name}: stopped {stops} times only");
    let [last, undisturbed] = [attempts.last().unwrap(), &undisturbed].map(|attempt| tiny::trained(&attempt.folder));
    assert_eq!(tiny::differing(&last, &undisturbed), [""; 0], "{name}: other bytes after {stops} stops");
}

#[test]
fn interrupted_trainings_end_with_the_bytes_of_undisturbed_ones() {
    let root = tempfile::tempdir().unwrap();
    let inputs = Inputs::write(root.path());
    for entry in &tiny::trained_kinds() {
        // Each run of its first k-means looks whether it should stop.
        let params = if entry.name == "pretrain/dec" { json!({ "restarts": 1 }) } else { json!({}) };
        let case = Case { entry, params, inputs: &inputs };
        compare(&case, &root.path().join(entry.name.replace('/', "-")));
    }
}

/// Of 40 batches, 13 steps use three each and the last one uses one.
#[test]
fn every_optimiser_goes_on_with_all_its_state() {
    let root = tempfile::tempdir().unwrap();
    let inputs = Inputs::write(root.path());
    let entry = tiny::trained_kinds().into_iter().find(|entry| entry.name == "pretrain/supervised").unwrap();
    for optimiser in [
        json!({ "kind": "sgd", "nesterov": true, "exclude": "bias_and_norm", "accumulate": 3 }),
        json!({ "kind": "adamw", "lr": 1e-3, "accumulate": 3, "clip_norm": 1.0 }),
        json!({ "kind": "lars", "trust": 0.02, "accumulate": 3, "clip_rate": true, "warmup_epochs": 2 }),
    ] {
        let place = root.path().join(optimiser["kind"].as_str().unwrap());
        compare(&Case { entry: &entry, params: json!({ "optimiser": optimiser }), inputs: &inputs }, &place);
    }
}

/// After 37 batches of five an epoch; and after 36, of which each shows four rotations of 32 images.
#[test]
fn trainings_may_end_within_an_epoch() {
    let root = tempfile::tempdir().unwrap();
    let inputs = Inputs::write(root.path());
    let entry = tiny::trained_kinds().into_iter().find(|entry| entry.name == "pretrain/rotation").unwrap();
    for (length, value) in [("steps", 37), ("images", 4500)] {
        let place = root.path().join(length);
        let params = json!({ "epochs": 100, length: value, "optimiser": { "warmup_epochs": 0.5 } });
        compare(&Case { entry: &entry, params, inputs: &inputs }, &place);
        let curve = std::fs::read_to_string(place.join("undisturbed/side/curve.csv")).unwrap();
        let last = curve.lines().last().unwrap();
        assert!(last.starts_with("8,") && !last.ends_with(','), "the last epoch is judged too: {curve}");
    }
}

/// Some layers of an encoder, with rates and classes that count differently.
#[test]
fn fine_tuning_goes_on_in_all_its_forms() {
    let root = tempfile::tempdir().unwrap();
    let inputs = Inputs::write(root.path());
    let entry = pretext_stages::catalog::find("eval/finetune").unwrap();
    for (name, params) in [
        ("part", json!({ "layers": 2, "norms": true, "layer_decay": 0.5, "class_weights": true })),
        ("fixed", json!({ "layers": 0, "fraction": 0.5 })),
    ] {
        compare(&Case { entry: &entry, params, inputs: &inputs }, &root.path().join(name));
    }
}

/// Half-precision activations, and the operations of a transformer.
#[test]
fn other_precisions_and_networks_go_on_as_well() {
    let root = tempfile::tempdir().unwrap();
    let inputs = Inputs::write(root.path());
    let entry = tiny::trained_kinds().into_iter().find(|entry| entry.name == "pretrain/byol").unwrap();
    for (name, params) in [
        ("bfloat16", json!({ "precision": "bfloat16" })),
        ("vit", json!({ "encoder": { "kind": "vit_tiny", "width": 12, "patch": 8 } })),
        (
            "vit-bfloat16",
            json!({ "encoder": { "kind": "vit_tiny", "width": 12, "patch": 8 }, "precision": "bfloat16" }),
        ),
    ] {
        compare(&Case { entry: &entry, params, inputs: &inputs }, &root.path().join(name));
    }
}
