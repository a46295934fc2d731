//! What a training cannot be made with ends it before it begins, with a sentence that says what to do.

mod tiny;

use pretext_protocol::Run;
use pretext_stages::catalog;
use pretext_stages::context::Context;
use pretext_stages::data::Split;
use pretext_stages::features::{FeatureSet, SplitFeatures};
use serde_json::{Map, Value, json};
use std::fs;
use std::path::Path;

/// The data set, and what a kind says of it to parameters that are changed.
fn refused_with(kind: &str, change: impl FnOnce(&mut Map<String, Value>)) -> String {
    let root = tempfile::tempdir().unwrap();
    let data = root.path().join("data");
    tiny::write_dataset(&data);
    refused(kind, root.path(), &[("data", &data)], change)
}

/// What a kind says of the tiny data set in `root`, to parameters that `change` has changed.
fn refused(kind: &str, root: &Path, inputs: &[(&str, &Path)], change: impl FnOnce(&mut Map<String, Value>)) -> String {
    let entry = tiny::trained_kinds().into_iter().find(|entry| entry.name == kind).unwrap();
    let mut params = tiny::small_params(&entry, 1, 32);
    change(&mut params);
    let run = tiny::request(&entry, params, &root.join("attempt"), inputs);
    let context = Context::new(&run, &tiny::Nobody, &|| false).unwrap();
    format!("{:#}", (entry.run)(&run.params, &context).unwrap_err())
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
fn grey_images_have_no_colours_to_tell_whatever_their_channels() {
    let root = tempfile::tempdir().unwrap();
    let data = root.path().join("data");
    let grey = |(image, class): (Vec<u8>, i32)| (image.chunks(3).flat_map(|pixel| [pixel[0]; 3]).collect(), class);
    tiny::write_dataset_of(&data, tiny::pieces(tiny::SIZE).into_iter().map(grey).collect());
    let error = refused("pretrain/colorization", root.path(), &[("data", &data)], |_| ());
    assert!(error.starts_with("these images are grey: there are no colours to tell"), "{error}");
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
    let some = SplitFeatures { values: vec![0.5; 8], labels: vec![0, 1, 0, 1], ids: vec![0, 1, 2, 3] };
    let splits = [(Split::Train, some.clone()), (Split::Validation, some)].into();
    FeatureSet { features: 2, classes: 2, splits }.save(&features).unwrap();
    let of_features = |entry: &catalog::Entry| (entry.kind)().needs.iter().any(|port| port.name == "features");
    let evaluations: Vec<_> = catalog::entries().into_iter().filter(of_features).collect();
    assert!(evaluations.len() >= 3);
    for entry in evaluations {
        let folder = root.path().join(entry.name);
        let run = tiny::request(&entry, tiny::small_params(&entry, 1, 2), &folder, &[("features", &features)]);
        let context = Context::new(&run, &tiny::Nobody, &|| false).unwrap();
        let error = (entry.run)(&run.params, &context).unwrap_err().to_string();
        assert!(error.starts_with("these features have no image of the test split, "), "{}: {error}", entry.name);
    }
}

#[test]
fn a_length_that_is_given_twice_is_refused() {
    let twice = |given: Value| {
        let change = |params: &mut Map<String, Value>| params.extend(given.as_object().unwrap().clone());
        refused_with("pretrain/simclr", change)
    };
    let leave = "leave one";
    assert_eq!(
        twice(json!({ "epochs": 3, "steps": 20 })),
        format!("the length of the training is given by `epochs: 3` and by `steps: 20`: {leave}")
    );
    assert_eq!(
        twice(json!({ "epochs": 100, "steps": 20, "images": 5000 })),
        format!("the length of the training is given by `steps: 20` and by `images: 5000`: {leave}")
    );
}

#[test]
fn a_warm_up_that_outlasts_the_training_is_refused() {
    let error = refused_with("pretrain/supervised", |params| {
        params.insert("epochs".into(), 3.into());
        params["optimiser"]["warmup_epochs"] = 3.5.into();
    });
    // 160 images in batches of 32.
    let said = "optimiser.warmup_epochs is 3.5, which are 18 steps, and the training has 15: lower it, or train longer";
    assert_eq!(error, said);
}

#[test]
fn first_weights_that_a_transformer_does_not_have_are_refused() {
    let error = refused_with("pretrain/supervised", |params| {
        params.insert("encoder".into(), json!({ "kind": "vit_tiny", "width": 12, "init": "pytorch" }));
    });
    assert!(error.starts_with("encoder.init says what convolutions are drawn from, and vit_tiny"), "{error}");
}

#[test]
fn a_momentum_of_nothing_cannot_look_ahead() {
    let error = refused_with("pretrain/supervised", |params| {
        params["optimiser"]["momentum"] = 0.into();
        params["optimiser"]["nesterov"] = true.into();
    });
    assert!(error.starts_with("optimiser.nesterov is true and optimiser.momentum is 0"), "{error}");
}

/// Every pair of an augmentation whose smaller value comes first.
#[test]
fn ranges_that_end_before_they_begin_are_refused() {
    let root = tempfile::tempdir().unwrap();
    let mut pairs = 0;
    for entry in catalog::entries().iter().filter(|entry| entry.name.starts_with("augment/")) {
        let properties = (entry.kind)().params["properties"].as_object().unwrap().clone();
        for name in properties.keys().filter(|name| name.ends_with("_scale")) {
            let mut params = tiny::small_params(entry, 1, 32);
            params.insert(name.clone(), json!([0.5, 0.25]));
            let run = tiny::request(entry, params, &root.path().join(name), &[]);
            let context = Context::new(&run, &tiny::Nobody, &|| false).unwrap();
            let error = (entry.run)(&run.params, &context).unwrap_err().to_string();
            let said = format!("{name} is [0.5, 0.25], and the smaller comes first: write [0.25, 0.5]");
            assert_eq!(error, said, "{}", entry.name);
            pairs += 1;
        }
    }
    assert_eq!(pairs, 6);
}

#[test]
fn a_policy_of_another_program_is_looked_at() {
    let root = tempfile::tempdir().unwrap();
    let (data, views) = (root.path().join("data"), root.path().join("views"));
    tiny::write_dataset(&data);
    fs::create_dir(&views).unwrap();
    let refused = |operation: Value| {
        fs::write(views.join("policy.json"), json!({ "operations": [operation] }).to_string()).unwrap();
        refused("pretrain/simclr", root.path(), &[("data", &data), ("views", &views)], |_| ())
    };
    let error = refused(json!({ "op": "grayscale", "p": 20 }));
    assert!(
        error.ends_with("policy.json cannot be carried out: grayscale: p is 20, expected a probability, from 0 to 1"),
        "{error}"
    );
    let error = refused(json!({ "op": "random_crop", "padding": 16 }));
    assert!(error.starts_with("padding is 16 and the images have 16 x 16 pixels"), "{error}");
}

#[test]
fn what_lies_in_the_cache_and_is_not_cifar10_is_refused() {
    let root = tempfile::tempdir().unwrap();
    let entry = catalog::find("data/cifar10").unwrap();
    let mut run = Run::in_folder(entry.name, Map::new(), &[], &root.path().join("run")).unwrap();
    run.cache = root.path().to_owned();
    let file = root.path().join("cifar10/cifar10.bin");
    fs::create_dir(file.parent().unwrap()).unwrap();
    for bytes in [&b"cut short"[..], &vec![0; 60_000 * (1 + 32 * 32 * 3)]] {
        fs::write(&file, bytes).unwrap();
        let context = Context::new(&run, &tiny::Nobody, &|| false).unwrap();
        let error = format!("{:#}", (entry.run)(&run.params, &context).unwrap_err());
        let start = format!("{}: remove it, and it is fetched again: its content is not CIFAR-10's: ", file.display());
        assert!(error.starts_with(&start), "{error}");
    }
}
