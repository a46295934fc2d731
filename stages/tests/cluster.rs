//! Clusters of features, and those that an encoder's head assigns.

mod tiny;

use burn::tensor::{Tensor, TensorData};
use pretext_protocol::Measurement;
use pretext_stages::artifact::EncoderArtifact;
use pretext_stages::catalog;
use pretext_stages::context::Context;
use pretext_stages::data::Split;
use pretext_stages::features::{FeatureSet, Standardiser, assign, kmeans};
use pretext_stages::metrics::Contingency;
use pretext_stages::nn::layers::Mode;
use pretext_stages::nn::{Head, device};
use serde_json::{Value, json};
use std::path::{Path, PathBuf};

fn run(kind: &str, folder: &Path, params: Value, inputs: &[(&str, &Path)]) -> anyhow::Result<Vec<Measurement>> {
    tch::set_num_threads(tiny::THREADS as i32);
    let entry = catalog::find(kind).unwrap();
    let mut all = tiny::small_params(&entry, 4, 32);
    all.extend(params.as_object().unwrap().clone());
    let run = tiny::request(&entry, all, folder, inputs);
    let measured = tiny::Measured::default();
    (entry.run)(&run.params, &Context::new(&run, &measured, &|| false)?)?;
    Ok(measured.0.into_inner().unwrap())
}

struct Place {
    root: tempfile::TempDir,
    data: PathBuf,
    encoder: PathBuf,
    features: PathBuf,
}

impl Place {
    /// A supervised encoder and its features.
    fn new() -> Self {
        let root = tempfile::tempdir().unwrap();
        let [data, folder, features] = ["data", "supervised", "features"].map(|name| root.path().join(name));
        tiny::write_dataset(&data);
        run("pretrain/supervised", &folder, json!({}), &[("data", &data)]).unwrap();
        let encoder = folder.join("out/encoder");
        run("features", &features, json!({}), &[("data", &data), ("encoder", &encoder)]).unwrap();
        Self { data, encoder, features: features.join("out/features"), root }
    }

    fn cluster(&self, params: Value, more: &[(&str, &Path)]) -> anyhow::Result<Vec<Measurement>> {
        let inputs: Vec<(&str, &Path)> =
            [("features", self.features.as_path())].into_iter().chain(more.iter().copied()).collect();
        run("eval/cluster", &self.root.path().join("cluster"), params, &inputs)
    }
}

fn of(measured: &[Measurement], name: &str, split: Split) -> f64 {
    measured.iter().find(|m| m.name == name && m.split == split.name()).unwrap().value
}

#[test]
fn more_restarts_have_no_larger_inertia_and_the_nearest_images_are_shown() {
    let place = Place::new();
    let runs =
        [1, 10].map(|restarts| place.cluster(json!({ "restarts": restarts }), &[("data", &place.data)]).unwrap());
    let [few, many] = runs.each_ref().map(|measured| of(measured, "inertia", Split::Train));
    assert!(many <= few && many > 0.0, "{few} {many}");
    // Centres are of train alone, and so is which class a cluster stands for.
    let set = FeatureSet::open(&place.features).unwrap();
    let standardiser = Standardiser::together(&set).unwrap();
    let x = |split: Split| standardiser.apply(set.split(split).unwrap(), &device("cpu").unwrap());
    let centres = kmeans(&x(Split::Train), 4, 10, 0, |_| true).unwrap().centres;
    let table =
        |split: Split| Contingency::new(&assign(&x(split), &centres).0, &set.split(split).unwrap().labels, 4, 4);
    let matching = table(Split::Train).matching();
    for split in Split::LABELLED {
        let figures = ["accuracy", "nmi", "ari"].map(|name| of(&runs[1], name, split));
        assert_eq!(figures, [table(split).accuracy(&matching), table(split).nmi(), table(split).ari()]);
    }
    let picture = image::open(place.root.path().join("cluster/side/nearest.png")).unwrap();
    // Twelve images of 16 pixels, of four clusters, and gaps of two.
    assert_eq!((picture.width(), picture.height()), (12 * 18 + 2, 4 * 18 + 2));
}

/// What the classifier of the encoder says, counted by hand.
#[test]
fn a_head_assigns_clusters() {
    let place = Place::new();
    let measured = place.cluster(json!({ "assignment": "classifier" }), &[("encoder", &place.encoder)]).unwrap();
    let device = device("cpu").unwrap();
    let artifact = EncoderArtifact::open(&place.encoder, &device).unwrap().artifact;
    let Some(Head::Mlp(head)) = artifact.open_head("classifier", &place.encoder, &device).unwrap() else { panic!() };
    let set = FeatureSet::open(&place.features).unwrap();
    let table = |split: Split| {
        let of_split = set.split(split).unwrap();
        let x = TensorData::new(of_split.values.clone(), [of_split.labels.len(), set.features]);
        let scores: Vec<f32> =
            head.forward(Tensor::from_data(x, &device), Mode::Eval).into_data().try_to_vec().unwrap();
        let largest = |row: &[f32]| (0..4u32).max_by(|&a, &b| row[a as usize].total_cmp(&row[b as usize])).unwrap();
        let clusters: Vec<u32> = scores.chunks_exact(4).map(largest).collect();
        Contingency::new(&clusters, &of_split.labels, 4, 4)
    };
    let matching = table(Split::Train).matching();
    for split in Split::LABELLED {
        assert_eq!(of(&measured, "accuracy", split), table(split).accuracy(&matching));
        assert_eq!(of(&measured, "nmi", split), table(split).nmi());
    }
    assert!(of(&measured, "accuracy", Split::Train) > 0.5);
}

#[test]
fn an_assignment_that_is_not_there_is_refused() {
    let place = Place::new();
    let refused = |params: Value, more: &[(&str, &Path)]| format!("{:#}", place.cluster(params, more).unwrap_err());
    let encoder = [("encoder", place.encoder.as_path())];
    let error = refused(json!({ "assignment": "prototypes" }), &encoder);
    assert!(error.starts_with("assignment is prototypes, and what the encoder has kept is classifier: "), "{error}");
    let error = refused(json!({ "assignment": "classifier" }), &[]);
    assert!(error.ends_with("connect the one that the features are of to the port `encoder`"), "{error}");
    let error = refused(json!({ "assignment": "classifier", "clusters": 3 }), &encoder);
    assert!(error.starts_with("clusters is 3, and with `assignment` the head says how many there are"), "{error}");
    let other = place.root.path().join("other");
    run("pretrain/supervised", &other, json!({ "seed": 7 }), &[("data", &place.data)]).unwrap();
    let other = other.join("out/encoder");
    let noted = |encoder: &Path| {
        let inputs = [("features", place.features.as_path()), ("encoder", encoder), ("data", &place.data)];
        let entry = catalog::find("eval/cluster").unwrap();
        let mut params = tiny::small_params(&entry, 4, 32);
        params.insert("assignment".into(), "classifier".into());
        let run = tiny::request(&entry, params, &place.root.path().join("noted"), &inputs);
        let notes = tiny::Noted::default();
        (entry.run)(&run.params, &Context::new(&run, &notes, &|| false).unwrap()).unwrap();
        notes.0.into_inner().unwrap().concat()
    };
    assert!(noted(&other).contains("it is not the encoder that they are of"));
    assert!(!noted(&place.encoder).contains("makes other numbers"));
    assert_eq!(refused(json!({ "clusters": 161 }), &[]), "161 clusters of 160 training images: lower `clusters`");
}

/// Pictures of other images would have their frames in the colours of these.
#[test]
fn images_that_features_are_not_of_are_refused() {
    let place = Place::new();
    let other = place.root.path().join("other_data");
    let mut pieces = tiny::pieces(tiny::SIZE);
    pieces.rotate_left(1);
    tiny::write_dataset_of(&other, pieces);
    let inputs = |data: &Path| {
        let inputs = [("features", place.features.as_path()), ("data", data)];
        run("eval/retrieve", &place.root.path().join("retrieve"), json!({}), &inputs)
    };
    let measured = inputs(&place.data).unwrap();
    assert!(of(&measured, "precision_at_1", Split::Test) > 0.5);
    let expected = "port `data` is not what the features are of, whose images are others: connect the data set that the stage \
                    `features` is given";
    assert_eq!(format!("{:#}", inputs(&other).unwrap_err()), expected);
    let cluster = place.cluster(json!({}), &[("data", &other)]).unwrap_err();
    assert_eq!(format!("{cluster:#}"), expected);
}

/// Ten images, and beside each the six that are nearest to the centre of its cluster.
#[test]
fn deep_embedded_clustering_shows_its_clusters() {
    let place = Place::new();
    let folder = place.root.path().join("dec");
    run("pretrain/dec", &folder, json!({ "clusters": 4 }), &[("data", &place.data), ("encoder", &place.encoder)])
        .unwrap();
    let picture = image::open(folder.join("side/drawn.png")).unwrap();
    let [across, down] = [picture.width(), picture.height()].map(|side| side / (picture.width() / 7));
    assert_eq!([across, down], [7, 10]);
}
