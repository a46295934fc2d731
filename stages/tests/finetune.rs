//! Fine-tuning at tiny size: that it learns what its labels say, from as many as it is given, and goes on after an interruption as if
//! there had been none.

mod tiny;

use pretext_protocol::{Measurement, Run};
use pretext_stages::artifact::EncoderArtifact;
use pretext_stages::augment::{Normaliser, channels_last};
use pretext_stages::catalog;
use pretext_stages::context::{Context, Stopped};
use pretext_stages::data::{Dataset, Split};
use pretext_stages::nn::layers::Mode;
use pretext_stages::nn::{self, Head, state};
use serde_json::{Value, json};
use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};

/// A data set and an encoder that was never trained.
struct Place {
    root: tempfile::TempDir,
}

impl Place {
    fn new(control: &str) -> Self {
        Self::of(tiny::pieces(tiny::SIZE), control, json!({}))
    }

    /// On images of one's own, `params` being those of the control.
    fn of(images: Vec<(Vec<u8>, i32)>, control: &str, change: Value) -> Self {
        tch::set_num_threads(tiny::THREADS as i32);
        let place = Self { root: tempfile::tempdir().unwrap() };
        tiny::write_dataset_of(&place.at("data"), images);
        let entry = catalog::find(control).unwrap();
        let mut params = tiny::small_params(&entry, 1, 32);
        params.extend(change.as_object().unwrap().clone());
        let run = tiny::request(&entry, params, &place.at("encoder"), &[("data", &place.at("data"))]);
        (entry.run)(&run.params, &Context::new(&run, &tiny::Nobody, &|| false).unwrap()).unwrap();
        place
    }

    fn at(&self, name: &str) -> PathBuf {
        self.root.path().join(name)
    }

    fn request(&self, name: &str, params: Value) -> Run {
        let entry = catalog::find("eval/finetune").unwrap();
        let mut all = tiny::small_params(&entry, 1, 32);
        all.extend(params.as_object().unwrap().clone());
        let (data, encoder) = (self.at("data"), self.at("encoder/out/encoder"));
        tiny::request(&entry, all, &self.at(name), &[("data", &data), ("encoder", &encoder)])
    }

    fn measured(&self, name: &str, params: Value) -> anyhow::Result<Vec<Measurement>> {
        let run = self.request(name, params);
        let measured = tiny::Measured::default();
        let entry = catalog::find("eval/finetune").unwrap();
        (entry.run)(&run.params, &Context::new(&run, &measured, &|| false)?)?;
        Ok(measured.0.into_inner().unwrap())
    }

    fn figure(&self, name: &str, figure: &str, params: Value) -> f64 {
        let measured = self.measured(name, params).unwrap();
        measured.iter().find(|m| m.name == figure && m.split != "test").unwrap().value
    }
}

/// Four photographs whose pieces differ in colour: chance is a quarter.
#[test]
fn it_learns_classes() {
    let place = Place::new("pretrain/random");
    let steps = json!({ "steps": 60 });
    let whole = place.figure("whole", "accuracy", steps.clone());
    assert!(whole > 0.6, "{whole}");
    let confusion = std::fs::read_to_string(place.at("whole/side/confusion-validation.csv")).unwrap();
    let lines: Vec<&str> = confusion.lines().collect();
    assert_eq!(lines[0], "class,\"astronaut\",\"cat\",\"coffee\",\"rocket\",recall");
    let counted: f64 =
        lines[1..].iter().flat_map(|line| line.split(',').skip(1).take(4)).map(|n| n.parse::<f64>().unwrap()).sum();
    assert_eq!((lines.len(), counted), (5, 28.0));
    let picture = std::fs::read_to_string(place.at("whole/side/confusion-validation.svg")).unwrap();
    assert_eq!(picture.matches("width=\"36\" height=\"36\"").count(), 16);
    // At a rate of nothing it is its first weights.
    let still = json!({ "steps": 2, "layers": 0, "optimiser": { "kind": "sgd", "lr": 0.0, "momentum": 0.9, "nesterov": false, "beta1": 0.9,
        "beta2": 0.999, "weight_decay": 0.0, "exclude": "auto", "trust": 1e-3, "clip_rate": false, "clip_norm": 0.0, "accumulate": 1, "warmup_epochs": 0.0 } });
    assert!(place.figure("still", "accuracy", still) < whole);
}

/// Features that were never trained are of any size: here a thousand times as large, and far from 0.
#[test]
fn a_fixed_encoder_has_a_classifier_of_its_features_as_they_are() {
    let place = Place::new("pretrain/random");
    let weights = place.at("encoder/out/encoder/weights.safetensors");
    let tensors = state::load(&weights).unwrap().into_iter().map(|(name, tensor)| match name.as_str() {
        "Conv.convs.3.bn.weight" => (name, tensor * 1000.0),
        "Conv.convs.3.bn.bias" => (name, tensor + 3000.0),
        _ => (name, tensor),
    });
    state::save(&weights, &tensors.collect::<Vec<_>>()).unwrap();
    let found = place.figure("fixed", "accuracy", json!({ "steps": 200, "layers": 0 }));
    assert!(found > 0.6, "{found}");

    let folder = place.at("fixed/out/encoder");
    let device = nn::device("cpu").unwrap();
    let encoder = EncoderArtifact::open(&folder, &device).unwrap();
    assert!(state::load(&folder.join("weights.safetensors")).unwrap() == state::load(&weights).unwrap(), "it is fixed");
    let Some(Head::Mlp(classifier)) = encoder.artifact.open_head("classifier", &folder, &device).unwrap() else {
        panic!("the classifier is kept")
    };
    let data = Dataset::open(&place.at("data")).unwrap();
    let normaliser = Normaliser::new(&encoder.artifact.mean, &encoder.artifact.sd);
    let is_right = |row: usize| {
        let mut values = vec![0.0; data.manifest.image_bytes()];
        normaliser.bytes(&data.image(row), &mut values);
        let image = channels_last(values, 16, 16, &device);
        let scores = classifier.forward(encoder.features(image), Mode::Eval);
        scores.argmax(1).into_scalar::<i64>() == i64::from(data.class(row))
    };
    let rows = data.rows(Split::Validation);
    let right = rows.clone().filter(|&row| is_right(row)).count();
    assert!((right as f64 / rows.len() as f64 - found).abs() < 0.5 / rows.len() as f64, "{right}");
}

/// White pictures, each with a dot in one of four colours, and a few pixels that are not quite white. The black border of the padded
/// views lies far outside of what such pictures show.
#[test]
fn what_only_views_show_is_known_to_the_classifier_of_a_fixed_encoder() {
    let side = tiny::SIZE as usize;
    let picture = |number: usize| {
        let (class, mut image) = (number % 4, vec![250 + (number % 5) as u8; side * side * 3]);
        let place = 5 + number / 4 % 5;
        for (row, column) in (0..9).map(|pixel| (place + pixel / 3, place + pixel % 3)) {
            image[(row * side + column) * 3..][..3]
                .copy_from_slice(&[[200, 0, 0], [0, 200, 0], [0, 0, 200], [0; 3]][class]);
        }
        (image, class as i32)
    };
    let place = Place::of((0..tiny::pieces(tiny::SIZE).len()).map(picture).collect(), "pretrain/random", json!({}));
    let found = place.figure("fixed", "accuracy", json!({ "steps": 300, "layers": 0 }));
    let curve = std::fs::read_to_string(place.at("fixed/side/curve.csv")).unwrap();
    let last: f64 = curve.lines().last().unwrap().split(',').nth(1).unwrap().parse().unwrap();
    assert!(found > 0.5 && last < 2.0, "accuracy {found}, loss {last}");
}

/// An mlp has no norms to train.
#[test]
fn an_encoder_of_which_nothing_is_trained_is_fixed_whatever_was_asked_for() {
    let mlp = json!({ "encoder": { "kind": "mlp", "width": 0, "stem": "small", "hidden": [24, 8] } });
    let place = Place::of(tiny::pieces(tiny::SIZE), "pretrain/random", mlp);
    let fixed =
        |name: &str, norms: bool| place.measured(name, json!({ "steps": 30, "layers": 0, "norms": norms })).unwrap();
    assert_eq!(fixed("with", true), fixed("without", false));
}

#[test]
fn as_many_labels_are_used_as_were_asked_for_and_one_of_each_class_at_least() {
    let place = Place::new("pretrain/random");
    let labels = |name: &str, fraction: f64| place.figure(name, "labels", json!({ "fraction": fraction, "steps": 2 }));
    assert_eq!([labels("all", 1.0), labels("some", 0.1), labels("least", 0.001)], [160.0, 16.0, 4.0]);
}

#[test]
fn an_interrupted_one_ends_as_an_undisturbed_one() {
    let place = Place::new("pretrain/random");
    let params = json!({ "steps": 20, "layers": 2, "norms": true, "layer_decay": 0.5, "class_weights": true });
    let undisturbed = place.measured("undisturbed", params.clone()).unwrap();
    let entry = catalog::find("eval/finetune").unwrap();
    let (mut before, mut stops): (Option<PathBuf>, usize) = (None, 0);
    loop {
        let name = format!("attempt-{stops}");
        let mut run = place.request(&name, params.clone());
        run.resume = before.map(|folder: PathBuf| folder.join("scratch"));
        let (looked, measured) = (AtomicUsize::new(0), tiny::Measured::default());
        // After three steps; in the end it looks while it judges too.
        let stopping = || looked.fetch_add(1, Ordering::Relaxed) + 1 >= 4;
        match (entry.run)(&run.params, &Context::new(&run, &measured, &stopping).unwrap()) {
            Ok(()) => {
                assert_eq!(measured.0.into_inner().unwrap(), undisturbed);
                break;
            }
            Err(error) => assert!(error.is::<Stopped>(), "{error:#}"),
        }
        (before, stops) = (Some(place.at(&name)), stops + 1);
    }
    assert!(stops >= 4, "stopped {stops} times only");
    let [last, undisturbed] = [&format!("attempt-{stops}"), "undisturbed"].map(|name| tiny::trained(&place.at(name)));
    assert_eq!(tiny::differing(&last, &undisturbed), [""; 0]);
}

#[test]
fn what_cannot_be_fine_tuned_is_refused() {
    let refused = |place: &Place, params: Value| format!("{:#}", place.measured("refused", params).unwrap_err());
    let pixels = Place::new("pretrain/pixels");
    assert!(refused(&pixels, json!({})).contains("raw pixels have no weights to train"));
    let place = Place::new("pretrain/random");
    assert_eq!(
        refused(&place, json!({ "layers": 9 })),
        "layers is 9, and this encoder has 4: write a number up to that, or null for all"
    );
    assert_eq!(
        refused(&place, json!({ "head_first": 20, "steps": 20 })),
        "head_first is 20 of 20 steps, in all of which the encoder would stay as it is: lower it, or write `layers: 0`"
    );
    tiny::change_manifest(&place.at("data"), |manifest| manifest.classes.truncate(1));
    assert!(refused(&place, json!({})).starts_with("the images have no labels (all are of one class)"));
    let place = Place::new("pretrain/random");
    tiny::remove_split(&place.at("data"), Split::Test);
    assert_eq!(refused(&place, json!({})), "the data set has no test images to judge by");
}
