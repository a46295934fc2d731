//! The linear probe chooses its l2 on validation, where test would have it otherwise; and what it and kNN measure and note.

mod tiny;

use pretext_protocol::{Reply, Run};
use pretext_stages::catalog;
use pretext_stages::context::{Context, Outbox};
use pretext_stages::data::Split;
use pretext_stages::features::{FeatureSet, SplitFeatures};
use pretext_stages::random::{Purpose, Rng};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Mutex;

/// Hears what was measured, by name and split, and the notes.
#[derive(Default)]
struct Heard(Mutex<(BTreeMap<String, f64>, Vec<String>)>);

impl Outbox for Heard {
    fn send(&self, reply: &Reply) {
        let (measured, notes) = &mut *self.0.lock().unwrap();
        match reply {
            Reply::Measure { measurement, .. } => {
                let name = format!("{} {}", measurement.name, measurement.split);
                measured.insert(name.trim_end().to_owned(), measurement.value);
            }
            Reply::Note { text, .. } => notes.push(text.clone()),
            _ => {}
        }
    }
}

/// What a kind measures of features, and its notes.
fn heard(kind: &str, features: &Path, params: Value) -> (BTreeMap<String, f64>, Vec<String>) {
    let Value::Object(params) = params else { panic!("parameters are a map") };
    let folder = tempfile::tempdir().unwrap();
    let run = Run::in_folder(kind, params, &[("features", features)], folder.path()).unwrap();
    let heard = Heard::default();
    let context = Context::new(&run, &heard, &|| false).unwrap();
    (catalog::find(kind).unwrap().run)(&run.params, &context).unwrap();
    heard.0.into_inner().unwrap()
}

/// A feature that is the class and something else, and that something else alone. A small penalty lets the probe subtract it, a
/// large one does not. In `turned` images it is turned round, so that they are told better without.
fn images(count: usize, turned: bool, stream: u64) -> SplitFeatures {
    let mut rng = Rng::new(0, Purpose::Noise, &[stream]);
    let (mut values, mut labels) = (vec![], vec![]);
    for image in 0..count {
        let (label, noise) = ((image % 2) as i32, 2.0 * rng.normal());
        values.extend([2.0 * label as f32 - 1.0 + noise, if turned { -noise } else { noise }]);
        labels.push(label);
    }
    let ids = (0..labels.len() as u32).collect();
    SplitFeatures { values, labels, ids }
}

fn write_features(folder: &Path, turned: Split) {
    std::fs::create_dir_all(folder).unwrap();
    let splits = Split::LABELLED.map(|split| (split, images(400, split == turned, split as u64)));
    FeatureSet { features: 2, classes: 2, splits: splits.into() }.save(folder).unwrap();
}

#[test]
fn l2_is_chosen_on_validation_and_not_on_test() {
    let root = tempfile::tempdir().unwrap();
    for turned in [Split::Test, Split::Validation] {
        let features = root.path().join(turned.name());
        write_features(&features, turned);
        let probe = |l2: &[f64]| heard("eval/linear_probe", &features, json!({ "l2": l2 })).0;
        let (small, large, chosen) = (probe(&[1e-4]), probe(&[1e4]), probe(&[1e4, 1e-4]));
        let better = |split: &str| small[&format!("accuracy {split}")] > large[&format!("accuracy {split}")] + 0.05;
        assert_eq!([better("validation"), better("test")], [turned == Split::Test, turned != Split::Test]);
        let expected = if turned == Split::Test { &small } else { &large };
        assert_eq!(&chosen, expected, "all that was measured is of the l2 that does best on validation");
        assert!(chosen["accuracy test"] < small["accuracy test"].max(large["accuracy test"]) - 0.05);
    }
}

#[test]
fn a_choice_at_the_edge_is_noted_and_one_within_is_not() {
    let features = tempfile::tempdir().unwrap();
    write_features(features.path(), Split::Test);
    let notes = |l2: &[f64]| heard("eval/linear_probe", features.path(), json!({ "l2": l2 })).1;
    let told = "the l2 that was chosen, 0.0001, is the smallest that was tried: a smaller one may do better";
    assert_eq!(notes(&[1e4, 1e-4]), [told]);
    // Of equals the larger is chosen.
    assert!(notes(&[1e4, 1e-4, 1e-5]).is_empty());
}

/// Of 4 classes with one image each in test, where features say nothing.
#[test]
fn features_that_say_nothing_tell_classes_by_chance() {
    let root = tempfile::tempdir().unwrap();
    let same = |images: usize| SplitFeatures {
        values: vec![0.0; 3 * images],
        labels: (0..images as i32).map(|i| i % 4).collect(),
        ids: (0..images as u32).collect(),
    };
    let splits = Split::LABELLED.map(|split| (split, same(40)));
    FeatureSet { features: 3, classes: 4, splits: splits.into() }.save(root.path()).unwrap();
    for (kind, params) in [("eval/linear_probe", json!({})), ("eval/knn", json!({ "k": 40 }))] {
        let (measured, _) = heard(kind, root.path(), params);
        for name in ["accuracy validation", "accuracy test", "balanced_accuracy test", "macro_f1 test"] {
            assert!((measured[name] - 0.25).abs() < 1e-12, "{kind}: {name} {}", measured[name]);
        }
    }
}

#[test]
fn a_bank_of_fewer_images_than_neighbours_is_refused_by_both_numbers() {
    let features = tempfile::tempdir().unwrap();
    write_features(features.path(), Split::Test);
    let folder = tempfile::tempdir().unwrap();
    let params = json!({ "k": 401 }).as_object().unwrap().clone();
    let run = Run::in_folder("eval/knn", params, &[("features", features.path())], folder.path()).unwrap();
    let context = Context::new(&run, &tiny::Nobody, &|| false).unwrap();
    let error = (catalog::find("eval/knn").unwrap().run)(&run.params, &context).unwrap_err().to_string();
    assert_eq!(error, "k is 401 and there are 400 training images: lower `k`");
}
