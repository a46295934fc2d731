//! Images in which nothing varies: a channel that is the same everywhere (fluorescence, of which one colour is empty) says
//! nothing and becomes 0, and no stage makes a number of it that is none.

mod tiny;

use pretext_protocol::Measurement;
use pretext_stages::artifact::{CLASSIFIER, EncoderArtifact};
use pretext_stages::catalog::{self, Entry};
use pretext_stages::context::Context;
use pretext_stages::nn;
use serde_json::{Map, Value};
use std::path::Path;

fn run(entry: &Entry, params: Map<String, Value>, folder: &Path, inputs: &[(&str, &Path)]) -> Vec<Measurement> {
    try_run(entry, params, folder, inputs).unwrap_or_else(|error| panic!("{}: {error:#}", entry.name))
}

fn try_run(
    entry: &Entry,
    params: Map<String, Value>,
    folder: &Path,
    inputs: &[(&str, &Path)],
) -> anyhow::Result<Vec<Measurement>> {
    let run = tiny::request(entry, params, folder, inputs);
    let measured = tiny::Measured::default();
    let context = Context::new(&run, &measured, &|| false).unwrap();
    (entry.run)(&run.params, &context)?;
    Ok(measured.0.into_inner().unwrap())
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
    let named = |name: &str| entries.iter().find(|entry| entry.name == name).unwrap();
    let [red, green, blue] = pixel([1, 2, 3]);
    let is_grey = red == green && green == blue;
    // Weights of others are not made here, and grey images have no colours to tell.
    let is_made = |entry: &&Entry| {
        let is_of_colours = entry.name == "pretrain/colorization";
        entry.name.starts_with("pretrain/") && entry.name != "pretrain/imported" && !(is_grey && is_of_colours)
    };
    for entry in entries.iter().filter(is_made) {
        let place = root.path().join(entry.name);
        // What learns on begins with an encoder that was never trained.
        let random = root.path().join("pretrain/random/out/encoder");
        let (params, inputs) = (tiny::small_params(entry, 1, 32), [("data", data.as_path()), ("encoder", &random)]);
        if entry.name == "pretrain/pca" && [red, green, blue] == pixel([4, 5, 6]) {
            let refused = try_run(entry, params, &place, &inputs).unwrap_err().to_string();
            assert!(refused.starts_with("the 160 training images are all the same"), "{refused}");
            continue;
        }
        run(entry, params, &place, &inputs);
        let [encoder, features] = [place.join("out/encoder"), place.join("features")];
        run(named("features"), Map::new(), &features, &[("data", &data), ("encoder", &encoder)]);
        let features = features.join("out/features");
        let judges = |entry: &&Entry| {
            let is_of_others = tiny::OF_PLACES.contains(&entry.name) || entry.name == tiny::OF_ANOMALIES;
            entry.name.starts_with("eval/") && !is_of_others
        };
        for task in entries.iter().filter(judges) {
            let place = place.join(task.name);
            let needs: Vec<String> = (task.kind)().needs.into_iter().map(|port| port.name).collect();
            let there =
                [("data", data.as_path()), ("encoder", &encoder), ("classifier", &encoder), ("features", &features)];
            let inputs: Vec<(&str, &Path)> =
                there.into_iter().filter(|(port, _)| needs.iter().any(|n| n == port)).collect();
            // Raw pixels have no weights to train.
            if entry.name == "pretrain/pixels" && needs.iter().any(|port| port == "encoder") {
                continue;
            }
            if tiny::OF_DECODERS.contains(&task.name) && !draws(&encoder) {
                continue;
            }
            if task.name == tiny::OF_CLASSIFIERS && !tells_classes(&encoder) {
                continue;
            }
            let measured = run(task, tiny::small_params(task, 1, 32), &place, &inputs);
            assert!(!measured.is_empty());
            for Measurement { name, split, value } in measured {
                // Of what gives no probabilities there is no bound.
                assert!(
                    value.is_finite() || name == "elbo",
                    "{}, {}: {name} ({split}) is {value}",
                    entry.name,
                    task.name
                );
            }
        }
    }
}

/// Whether an encoder's artifact has what draws images.
fn draws(encoder: &Path) -> bool {
    let device = nn::device("cpu").unwrap();
    let artifact = EncoderArtifact::open(encoder, &device).unwrap().artifact;
    artifact.open_bottleneck(encoder, &device).unwrap().is_some()
}

/// Whether it has what tells classes apart.
fn tells_classes(encoder: &Path) -> bool {
    let artifact = EncoderArtifact::open(encoder, &nn::device("cpu").unwrap()).unwrap().artifact;
    artifact.heads.contains_key(CLASSIFIER)
}

#[test]
fn a_channel_that_never_changes_makes_no_nan() {
    judge_all(|[red, green, _]| [red, green, 0]);
}

#[test]
fn images_of_one_value_make_no_nan() {
    judge_all(|_| [77; 3]);
}
