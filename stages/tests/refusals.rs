//! What a training cannot be made with ends it before it begins, with a sentence that says what to do.

mod tiny;

use pretext_stages::catalog;
use pretext_stages::context::Context;
use pretext_stages::data::Split;
use pretext_stages::tasks::{FeatureSet, SplitFeatures};
use serde_json::{Map, Value, json};
use std::fs;
use std::path::Path;

/// What a kind says of the tiny data set in `root`, to parameters that `change` has changed.
fn refused(kind: &str, root: &Path, inputs: &[(&str, &Path)], change: impl FnOnce(&mut Map<String, Value>)) -> String {
    let entry = tiny::trained_kinds().into_iter().find(|entry| entry.name == kind).unwrap();
    let mut params = tiny::small_params(&entry, 1, 32);
    change(&mut params);
    let run = tiny::request(&entry, params, &root.join("attempt"), inputs);
    let context = Context::new(&run, &tiny::Nobody, &|| false).unwrap();
    (entry.run)(&run.params, &context).unwrap_err().to_string()
}

#[test]
fn supervised_training_refuses_data_without_classes() {
    let root = tempfile::tempdir().unwrap();
    let data = root.path().join("data");
    tiny::write_dataset(&data);
    tiny::change_manifest(&data, |manifest| manifest.classes.truncate(1));
    let error = refused("pretrain/supervised", root.path(), &[("data", &data)], |_| ());
    assert!(error.contains("the images have no labels") && error.contains("a folder for each class"), "{error}");
}

#[test]
fn patches_that_do_not_divide_a_view_are_refused() {
    let root = tempfile::tempdir().unwrap();
    let (data, views) = (root.path().join("data"), root.path().join("views"));
    tiny::write_dataset(&data);
    fs::create_dir(&views).unwrap();
    // Of two views the second.
    let crop = json!({ "op": "random_resized_crop", "scale": [0.2, 1.0], "ratio": [0.75, 1.5], "size": 10 });
    fs::write(views.join("policy.json"), json!({ "views": [[], [crop]] }).to_string()).unwrap();
    let vit = |params: &mut Map<String, Value>| {
        params.insert("encoder".into(), json!({ "kind": "vit_tiny", "width": 12, "patch": 4 }));
    };
    let error = refused("pretrain/simclr", root.path(), &[("data", &data), ("views", &views)], vit);
    assert!(error.starts_with("encoder.patch is 4 and the images or their views have 10 x 10 pixels"), "{error}");
}

/// A data set to train on only has none to judge by.
#[test]
fn evaluations_refuse_features_without_a_test_split() {
    let root = tempfile::tempdir().unwrap();
    let features = root.path().join("features");
    fs::create_dir(&features).unwrap();
    let some = SplitFeatures { values: vec![0.5; 8], labels: vec![0, 1, 0, 1] };
    let splits = [(Split::Train, some.clone()), (Split::Validation, some)].into();
    FeatureSet { features: 2, classes: 2, splits }.save(&features).unwrap();
    let evaluations: Vec<_> = catalog::entries().into_iter().filter(|entry| entry.name.starts_with("eval/")).collect();
    assert!(evaluations.len() >= 3);
    for entry in evaluations {
        let folder = root.path().join(entry.name);
        let run = tiny::request(&entry, tiny::small_params(&entry, 1, 2), &folder, &[("features", &features)]);
        let context = Context::new(&run, &tiny::Nobody, &|| false).unwrap();
        let error = (entry.run)(&run.params, &context).unwrap_err().to_string();
        assert!(error.starts_with("these features have no image of the test split, "), "{}: {error}", entry.name);
    }
}
