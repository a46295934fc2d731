//! kNN while an encoder is trained draws a curve, and the encoder is the same without it; and data without classes.

mod tiny;

use pretext_stages::catalog::Entry;
use pretext_stages::context::Context;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

const EPOCHS: u32 = 2;
const BATCH: u32 = 32;

/// Trains in a folder of its own, judged by kNN so many times.
fn train(entry: &Entry, data: &Path, encoder: &Path, folder: PathBuf, online_knn: u32) -> PathBuf {
    let mut params = tiny::small_params(entry, EPOCHS, BATCH);
    params["online_knn"] = online_knn.into();
    let run = tiny::request(entry, params, &folder, &[("data", data), ("encoder", encoder)]);
    let context = Context::new(&run, &tiny::Nobody, &|| false).unwrap();
    (entry.run)(&run.params, &context).unwrap_or_else(|error| panic!("{}: {error:#}", entry.name));
    folder
}

#[test]
fn to_be_judged_meanwhile_changes_nothing_but_the_curve() {
    tch::set_num_threads(tiny::THREADS as i32);
    let root = tempfile::tempdir().unwrap();
    let data = root.path().join("data");
    tiny::write_dataset(&data);
    let encoder = tiny::write_encoder("pretrain/random", &data, &root.path().join("encoder"));
    let is_judged = |entry: &Entry| (entry.kind)().params["properties"]["online_knn"].is_object();
    for entry in tiny::trained_kinds().iter().filter(|entry| is_judged(entry)) {
        let place = |times| root.path().join(format!("{}-{times}", entry.name.replace('/', "-")));
        let [never, once, often] =
            [0, 1, 5].map(|times| tiny::trained(&train(entry, &data, &encoder, place(times), times)));
        for judged in [&once, &often] {
            assert_eq!(tiny::differing(&never, judged), [tiny::CURVE], "{}", entry.name);
        }
        let columns = |trained: &BTreeMap<String, Vec<u8>>| -> Vec<Vec<String>> {
            let curve = String::from_utf8(trained[tiny::CURVE].clone()).unwrap();
            curve.lines().map(|line| line.split(',').map(str::to_owned).collect()).collect()
        };
        let (never, once, often) = (columns(&never), columns(&once), columns(&often));
        // Of some losses their terms follow.
        assert_eq!(never[0][..2], ["epoch", "loss"]);
        let knn = never[0].len();
        assert_eq!((&often[0][..knn], often[0][knn..].join(",")), (&never[0][..], "knn".to_owned()));
        assert_eq!((once[1][knn].as_str(), &once[2][knn]), ("", &often[2][knn]), "at the end of the last epoch");
        for (line, judged) in never.iter().zip(&often).skip(1) {
            assert_eq!(line[..], judged[..knn]);
            // Of 28 validation images.
            let right = judged[knn].parse::<f64>().unwrap() * 28.0;
            assert!((0.0..=28.0).contains(&right) && (right - right.round()).abs() < 1e-9, "{right}");
        }
    }
}

#[test]
fn data_without_classes_is_not_judged() {
    tch::set_num_threads(tiny::THREADS as i32);
    let root = tempfile::tempdir().unwrap();
    let data = root.path().join("data");
    tiny::write_dataset(&data);
    tiny::change_manifest(&data, |manifest| manifest.classes.truncate(1));
    let entry = tiny::trained_kinds().into_iter().find(|entry| entry.name == "pretrain/rotation").unwrap();
    let folder = train(&entry, &data, &data, root.path().join("unlabelled"), 5);
    assert!(std::fs::read_to_string(folder.join("side/curve.csv")).unwrap().starts_with("epoch,loss\n"));
}
