//! Images in which nothing varies: a channel that is the same everywhere (fluorescence, of which one colour is empty) says
//! nothing and becomes 0, and no stage makes a number of it that is none.

mod tiny;

use pretext_protocol::Measurement;
use pretext_stages::catalog::{self, Entry};
use pretext_stages::context::Context;
use serde_json::{Map, Value};
use std::collections::BTreeSet;
use std::path::Path;

/// What a kind measures; `None` where the encoder has no head that it needs.
fn run(entry: &Entry, params: Map<String, Value>, folder: &Path, inputs: &[(&str, &Path)]) -> Option<Vec<Measurement>> {
    let run = tiny::request(entry, params, folder, inputs);
    let measured = tiny::Measured::default();
    let context = Context::new(&run, &measured, &|| false).unwrap();
    match (entry.run)(&run.params, &context) {
        Ok(()) => Some(measured.0.into_inner().unwrap()),
        Err(error) if error.to_string().contains(" encoder has no ") => None,
        Err(error) => panic!("{}: {error:#}", entry.name),
    }
}

/// Trains every kind on a data set of which nothing but `pixel` is left, and judges what it has learned.
fn judge_all(pixel: fn([u8; 3]) -> [u8; 3]) {
    tch::set_num_threads(tiny::THREADS as i32);
    let root = tempfile::tempdir().unwrap();
    let data = root.path().join("data");
    let pieces = tiny::pieces(tiny::SIZE).into_iter().map(|(values, label)| {
        let pixels = values.as_chunks::<3>().0.iter();
        (pixels.flat_map(|value| pixel(*value)).collect(), label)
    });
    tiny::write_dataset_of(&data, pieces.collect());
    let entries = catalog::entries();
    let mut judged = BTreeSet::new();
    let named = |name: &str| entries.iter().find(|entry| entry.name == name).unwrap();
    // Weights of others are not made here.
    let is_made = |entry: &&Entry| entry.name.starts_with("pretrain/") && entry.name != "pretrain/imported";
    let judges = |entry: &&Entry| {
        let is_of_others = tiny::OF_PLACES.contains(&entry.name) || entry.name == tiny::OF_ANOMALIES;
        entry.name.starts_with("eval/") && !is_of_others
    };
    for entry in entries.iter().filter(is_made) {
        let place = root.path().join(entry.name);
        // For what learns on.
        let random = root.path().join("pretrain/random/out/encoder");
        run(entry, tiny::small_params(entry, 1, 32), &place, &[("data", &data), ("encoder", &random)]).unwrap();
        let [encoder, features] = [place.join("out/encoder"), place.join("features")];
        run(named("features"), Map::new(), &features, &[("data", &data), ("encoder", &encoder)]).unwrap();
        let features = features.join("out/features");
        for task in entries.iter().filter(judges) {
            let place = place.join(task.name);
            let needs: Vec<String> = (task.kind)().needs.into_iter().map(|port| port.name).collect();
            let there = [("data", data.as_path()), ("encoder", &encoder), ("features", &features)];
            let inputs: Vec<(&str, &Path)> =
                there.into_iter().filter(|(port, _)| needs.iter().any(|n| n == port)).collect();
            // Raw pixels have no weights to train.
            if entry.name == "pretrain/pixels" && needs.iter().any(|port| port == "encoder") {
                continue;
            }
            let Some(measured) = run(task, tiny::small_params(task, 1, 32), &place, &inputs) else { continue };
            assert!(!measured.is_empty());
            judged.insert(task.name);
            for Measurement { name, split, value } in measured {
                assert!(value.is_finite(), "{}, {}: {name} ({split}) is {value}", entry.name, task.name);
            }
        }
    }
    let left_out: Vec<&str> =
        entries.iter().filter(judges).map(|task| task.name).filter(|task| !judged.contains(task)).collect();
    assert_eq!(left_out, [""; 0], "no encoder has the head that they need");
}

#[test]
fn a_channel_that_never_changes_makes_no_nan() {
    judge_all(|[red, green, _]| [red, green, 0]);
}

#[test]
fn images_of_one_value_make_no_nan() {
    judge_all(|_| [77; 3]);
}
