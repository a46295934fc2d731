//! Anomalies: every method on small images, beside slow readings of the papers; what it does with labels, and what it refuses.

#[path = "anomaly/literal.rs"]
mod literal;
mod tiny;

use pretext_protocol::Measurement;
use pretext_stages::catalog;
use pretext_stages::context::{Context, Stopped};
use pretext_stages::data::{Dataset, DatasetWriter, Format, Labels, Sample, Split, npy};
use pretext_stages::nn::state;
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};

const METHODS: [&str; 4] = ["reconstruction", "knn", "padim", "patchcore"];

struct Place {
    root: tempfile::TempDir,
    data: PathBuf,
    encoder: PathBuf,
}

impl Place {
    /// Anomalies, and an autoencoder of what is normal.
    fn new() -> Self {
        tch::set_num_threads(tiny::THREADS as i32);
        let root = tempfile::tempdir().unwrap();
        let data = root.path().join("data");
        tiny::write_anomalies(&data);
        let entry = catalog::find("pretrain/autoencoder").unwrap();
        let params = tiny::small_params(&entry, 4, 8);
        let run = tiny::request(&entry, params, &root.path().join("autoencoder"), &[("data", &data)]);
        (entry.run)(&run.params, &Context::new(&run, &tiny::Nobody, &|| false).unwrap()).unwrap();
        Self { data, encoder: run.out.join("encoder"), root }
    }

    /// Defaults, and others in place of some.
    fn params(&self, over: Value) -> Map<String, Value> {
        let mut all = tiny::small_params(&catalog::find("eval/anomaly").unwrap(), 1, 1);
        all.insert("k".into(), 2.into());
        all.extend(over.as_object().unwrap().clone());
        all
    }

    fn try_run(&self, params: Value, data: &Path, encoder: &Path) -> anyhow::Result<Found> {
        let entry = catalog::find("eval/anomaly").unwrap();
        let folder = tempfile::tempdir_in(&self.root).unwrap().keep();
        let run = tiny::request(&entry, self.params(params), &folder, &[("data", data), ("encoder", encoder)]);
        let measured = tiny::Measured::default();
        (entry.run)(&run.params, &Context::new(&run, &measured, &|| false)?)?;
        let measured = measured.0.into_inner().unwrap();
        let scores = npy::read::<f32>(&run.out.join("scores/test.npy"))?.1;
        Ok(Found { measured: named(measured), scores, side: folder.join("side") })
    }

    fn run(&self, params: Value) -> Found {
        self.try_run(params, &self.data, &self.encoder).unwrap()
    }

    fn refusal(&self, params: Value) -> String {
        format!("{:#}", self.try_run(params, &self.data, &self.encoder).unwrap_err())
    }
}

#[derive(Debug)]
struct Found {
    measured: BTreeMap<String, f64>,
    scores: Vec<f32>,
    side: PathBuf,
}

fn named(measured: Vec<Measurement>) -> BTreeMap<String, f64> {
    assert!(measured.iter().all(|measurement| measurement.split == "test"));
    measured.into_iter().map(|Measurement { name, value, .. }| (name, value)).collect()
}

/// The same data set with other classes and masks in its test split.
fn with_other_labels(data: &Path, to: &Path) {
    let old = Dataset::open(data).unwrap();
    let manifest = old.manifest.clone();
    let rows: Vec<usize> = old.rows(Split::Train).chain(old.rows(Split::Test)).collect();
    let format = Format {
        name: manifest.name,
        height: manifest.height,
        width: manifest.width,
        channels: manifest.channels,
        classes: manifest.classes,
        labels: Labels::Anomalies,
        pictures: None,
    };
    std::fs::create_dir_all(to).unwrap();
    let mut writer = DatasetWriter::create(to, format, rows.len()).unwrap();
    let test = old.rows(Split::Test);
    for row in rows {
        let split = if test.contains(&row) { Split::Test } else { Split::Train };
        // Those of the next test image.
        let told = if split == Split::Test { test.start + (row + 1 - test.start) % test.len() } else { row };
        let sample = Sample::new(split, &[], old.class(told));
        let image = old.image(row);
        let pixels = Sample::new(split, &image, 0).pixels;
        writer.add(Sample { pixels, mask: old.mask(told), ..sample }).unwrap();
    }
    writer.finish().unwrap();
}

/// A bright square on images that have none in training is found, and where it lies.
#[test]
fn squares_are_found_and_where_they_lie() {
    let place = Place::new();
    // Features of the whole image tell it worse than those of its places.
    for (method, least) in METHODS.into_iter().zip([0.9, 0.75, 0.9, 0.9]) {
        let found = place.run(json!({ "method": method, "share": 0.2, "sigma": 1.0 }));
        let measure = |name: &str| found.measured[name];
        assert!(measure("auroc") > least && measure("average_precision") > least, "{method}: {:?}", found.measured);
        if method == "knn" {
            assert!(measure("pixel_auroc").is_nan() && measure("aupro").is_nan());
        } else {
            assert!(measure("pixel_auroc") > 0.85 && measure("aupro") > 0.6, "{method}: {:?}", found.measured);
            assert!(found.side.join("heatmaps.png").is_file());
        }
        for file in ["scores.csv", "histogram.svg", "extremes.png"] {
            assert!(found.side.join(file).is_file(), "{method}: {file}");
        }
    }
}

#[test]
fn labels_and_masks_of_test_change_no_score() {
    let place = Place::new();
    let other = place.root.path().join("other");
    with_other_labels(&place.data, &other);
    for method in METHODS {
        let params = || json!({ "method": method, "share": 0.2 });
        let (found, shuffled) = (place.run(params()), place.try_run(params(), &other, &place.encoder).unwrap());
        assert_eq!(found.scores, shuffled.scores, "{method}");
        assert_ne!(found.measured["auroc"], shuffled.measured["auroc"], "{method}");
    }
}

/// Near what is computed in float64 place by place as the papers have it.
#[test]
fn scores_are_those_of_slow_readings_of_the_papers() {
    let place = Place::new();
    let maps = literal::maps(&place.data, &place.encoder);
    let check = |params: Value, expected: Vec<f64>| {
        let found = place.run(params.clone()).scores;
        assert_eq!(found.len(), expected.len());
        for (image, (&found, expected)) in found.iter().zip(expected).enumerate() {
            let off = (f64::from(found) - expected).abs();
            assert!(off < 1e-3 * expected, "{params}, image {image}: {found} in place of {expected}");
        }
    };
    check(
        json!({ "method": "padim", "layers": [3, 2], "channels": 4096, "sigma": 0.0 }),
        literal::padim(&maps, &[1, 2], tiny::SIZE as usize),
    );
    check(json!({ "method": "patchcore", "share": 0.1, "seed": 5 }), literal::patchcore(&maps, &[1, 2], 0.1, 9, 5));
    let knn = |distance: &str| json!({ "method": "knn", "k": 3, "distance": distance });
    check(knn("mean"), literal::knn(&maps, 3).iter().map(|near| near.iter().sum::<f64>() / 3.0).collect());
    check(knn("kth"), literal::knn(&maps, 3).iter().map(|near| near[2]).collect());
}

/// What an encoder makes of images that is always the same tells nothing, and is said to.
#[test]
fn constant_features_have_scores_that_tell_nothing() {
    let place = Place::new();
    let constant = spoilt(&place, |tensor| tensor.zeros_like());
    for method in ["knn", "padim", "patchcore"] {
        let found = place.try_run(json!({ "method": method }), &place.data, &constant).unwrap();
        assert_eq!(found.measured["auroc"], 0.5, "{method}");
        assert!(found.scores.iter().all(|&score| score == found.scores[0]), "{method}");
    }
}

#[test]
fn what_is_no_number_becomes_no_score() {
    let place = Place::new();
    let broken = spoilt(&place, |tensor| tensor * f64::NAN);
    for method in METHODS {
        let error = place.try_run(json!({ "method": method }), &place.data, &broken).expect_err(method).to_string();
        assert!(error.contains("NaN"), "{method}: {error}");
    }
}

/// The encoder with other weights in all its layers.
fn spoilt(place: &Place, change: fn(&tch::Tensor) -> tch::Tensor) -> PathBuf {
    let folder = tempfile::tempdir_in(&place.root).unwrap().keep();
    for file in std::fs::read_dir(&place.encoder).unwrap().map(|entry| entry.unwrap().path()) {
        std::fs::copy(&file, folder.join(file.file_name().unwrap())).unwrap();
    }
    let weights = folder.join("weights.safetensors");
    let entries = state::load(&weights).unwrap().into_iter();
    let changed = entries.map(|(name, tensor)| (name, change(&tensor)));
    state::save(&weights, &changed.collect::<Vec<_>>()).unwrap();
    folder
}

#[test]
fn what_cannot_be_is_refused() {
    let place = Place::new();
    for (params, expected) in [
        (
            json!({ "method": "padim", "layers": [2, 5] }),
            "layers are 2, 5 and the encoder has 4 maps: write numbers from 1",
        ),
        (json!({ "method": "patchcore", "layers": [2, 2] }), "layers are 2, 2: write each once"),
        (json!({ "method": "knn", "k": 41 }), "k is 41 and there are 40 training images"),
        (json!({ "method": "patchcore", "share": 1e-4 }), "neighbours is 9, and the coreset has 1 patches"),
    ] {
        let error = place.refusal(params);
        assert!(error.starts_with(expected), "{error}");
    }
    let root = place.root.path();
    let refusal = |method: &str, data: &Path, encoder: &Path| {
        format!("{:#}", place.try_run(json!({ "method": method }), data, encoder).err().unwrap())
    };
    let random = tiny::write_encoder("pretrain/random", &place.data, &root.join("random"));
    let error = refusal("reconstruction", &place.data, &random);
    assert!(error.starts_with("method is reconstruction, and the encoder has kept no head `decoder`"), "{error}");
    let pixels = tiny::write_encoder("pretrain/pixels", &place.data, &root.join("pixels"));
    assert!(refusal("padim", &place.data, &pixels).starts_with("raw pixels have no maps"));
    assert!(place.try_run(json!({ "method": "knn" }), &place.data, &pixels).is_ok());
    let classes = root.join("classes");
    tiny::write_dataset(&classes);
    let error = refusal("knn", &classes, &random);
    assert!(
        error.starts_with("pieces does not say which images are normal: put `use: data/one_class` between"),
        "{error}"
    );
}

/// Between two batches of images, and while a coreset is chosen.
#[test]
fn it_ends_where_it_is_asked_to() {
    let place = Place::new();
    let entry = catalog::find("eval/anomaly").unwrap();
    for method in METHODS {
        let params = place.params(json!({ "method": method }));
        let inputs = [("data", place.data.as_path()), ("encoder", &place.encoder)];
        let run = tiny::request(&entry, params, &place.root.path().join(method), &inputs);
        for looks in [1, 2, 3] {
            let looked = AtomicUsize::new(0);
            let stopping = || looked.fetch_add(1, Ordering::Relaxed) + 1 >= looks;
            let error = (entry.run)(&run.params, &Context::new(&run, &tiny::Nobody, &stopping).unwrap()).err();
            // Of reconstruction nothing is fitted, and all test images are one batch.
            let ends = method != "reconstruction" && looks < 3 || looks == 1 || method == "patchcore";
            assert_eq!(error.is_some_and(|error| error.is::<Stopped>()), ends, "{method}, {looks}");
        }
    }
}

/// Few patches to choose from are drawn by the seed, and the memory is as much as they take.
#[test]
fn a_coreset_is_chosen_from_as_many_patches_as_may_be() {
    let place = Place::new();
    let scores = |patches: u32, seed: u32| {
        place.run(json!({ "method": "patchcore", "share": 0.02, "patches": patches, "seed": seed })).scores
    };
    // 40 images of 8 x 8 places.
    assert_eq!(scores(2560, 0), scores(1_000_000, 0));
    assert!(scores(500, 0) != scores(2560, 0) && scores(500, 0) != scores(500, 1));
    assert_eq!(scores(500, 1), scores(500, 1));
}
