//! Detection at tiny size: that it finds what its boxes say, and writes what it has found so that others read it. (Interruptions are
//! those of `resume.rs`.)

mod tiny;

use pretext_protocol::{Measurement, Run};
use pretext_stages::artifact::EncoderArtifact;
use pretext_stages::catalog;
use pretext_stages::context::Context;
use pretext_stages::data::{Dataset, Region, Split, npy};
use pretext_stages::metrics::detection::{Detections, Found, Scene, Truth};
use pretext_stages::nn::{self, Head, state};
use serde_json::{Value, json};
use std::path::{Path, PathBuf};

/// Scenes and an encoder that was never trained.
struct Place {
    root: tempfile::TempDir,
}

impl Place {
    fn new() -> Self {
        tch::set_num_threads(tiny::THREADS as i32);
        let place = Self { root: tempfile::tempdir().unwrap() };
        tiny::write_places(&place.at("data"));
        tiny::write_encoder("pretrain/random", &place.at("data"), &place.at("encoder"));
        place
    }

    fn at(&self, name: &str) -> PathBuf {
        self.root.path().join(name)
    }

    fn request(&self, name: &str, params: Value, shift: Option<&str>) -> Run {
        let entry = catalog::find("eval/detect").unwrap();
        let mut all = tiny::small_params(&entry, 1, 16);
        all["width"] = 16.into();
        all.extend(params.as_object().unwrap().clone());
        let (data, encoder) = (self.at("data"), self.at("encoder/out/encoder"));
        let shift = shift.map(|shift| self.at(shift));
        let inputs = [("data", data.as_path()), ("encoder", &encoder)].into_iter();
        let inputs: Vec<_> = inputs.chain(shift.iter().map(|shift| ("shift", shift.as_path()))).collect();
        tiny::request(&entry, all, &self.at(name), &inputs)
    }

    fn run(&self, name: &str, params: Value, shift: Option<&str>) -> anyhow::Result<Vec<Measurement>> {
        let run = self.request(name, params, shift);
        let measured = tiny::Measured::default();
        let entry = catalog::find("eval/detect").unwrap();
        (entry.run)(&run.params, &Context::new(&run, &measured, &|| false)?)?;
        Ok(measured.0.into_inner().unwrap())
    }

    fn measured(&self, name: &str, params: Value, shift: Option<&str>) -> Vec<Measurement> {
        self.run(name, params, shift).unwrap()
    }

    fn refused(&self, params: Value, shift: Option<&str>) -> String {
        format!("{:#}", self.run("refused", params, shift).unwrap_err())
    }
}

fn figure(measured: &[Measurement], name: &str, split: &str) -> f64 {
    let those: Vec<_> = measured.iter().filter(|m| m.name == name && m.split == split).collect();
    assert_eq!(those.len(), 1, "{name} of {split} is measured once");
    those[0].value
}

/// An encoder as it is in `in` is trained here to find red and blue squares.
#[test]
fn it_finds_objects_and_says_where() {
    let place = Place::new();
    let measured = place.measured("found", json!({ "steps": 150 }), Some("data"));
    let ap50 = figure(&measured, "ap50", "validation");
    assert!(ap50 > 0.5, "{ap50}");
    assert!(figure(&measured, "ap", "test") < figure(&measured, "ap50", "test"));
    assert_eq!(figure(&measured, "ap", "shift"), figure(&measured, "ap", "test"), "it is the same data set");
    assert!(figure(&measured, "ap_large", "test").is_nan(), "there is no such object");
    assert_eq!(figure(&measured, "labels", ""), 160.0);

    // What is written of it: of each image what was found, the surest first.
    let folder = place.at("found/out/predictions/test");
    let data = Dataset::open(&place.at("data")).unwrap();
    let ids: Vec<u32> = npy::read(&folder.join("ids.npy")).unwrap().1;
    assert!(ids.iter().map(|&id| id as usize).eq(data.rows(Split::Test)));
    let offsets: Vec<u64> = npy::read(&folder.join("offsets.npy")).unwrap().1;
    let (shape, boxes): (_, Vec<f32>) = npy::read(&folder.join("boxes.npy")).unwrap();
    let scores: Vec<f32> = npy::read(&folder.join("scores.npy")).unwrap().1;
    assert_eq!((shape, offsets.len()), (vec![*offsets.last().unwrap() as usize, 4], 30));
    let bounds = offsets.windows(2).map(|ends| ends[0] as usize..ends[1] as usize);
    assert!(bounds.into_iter().all(|range| scores[range].is_sorted_by(|a, b| a >= b)));
    assert!(boxes.iter().all(|edge| (0.0..=tiny::SIZE as f32).contains(edge)));
    let read = |file: &str| -> Value { serde_json::from_slice(&std::fs::read(folder.join(file)).unwrap()).unwrap() };
    let (truth, found) = (read("truth.json"), read("found.json"));
    let regions: Vec<Region> = data.rows(Split::Test).flat_map(|row| data.regions(row).unwrap().to_vec()).collect();
    let annotations = truth["annotations"].as_array().unwrap();
    assert_eq!((annotations.len(), found.as_array().unwrap().len()), (regions.len(), scores.len()));
    for (number, (annotation, region)) in annotations.iter().zip(&regions).enumerate() {
        let [left, top, right, bottom] = region.edges.map(f64::from);
        assert_eq!(annotation["bbox"], json!([left, top, right - left, bottom - top]));
        assert_eq!((&annotation["id"], &annotation["category_id"]), (&json!(number + 1), &json!(region.class + 1)));
    }

    for name in ["test", "shift"] {
        let picture = image::open(place.at(&format!("found/side/scenes-{name}.png"))).unwrap().into_rgb8();
        assert_eq!(picture.dimensions(), (4 * (18 * 16 + 4) + 4, 4 * (18 * 16 + 4) + 4));
        assert!(picture.pixels().filter(|pixel| pixel.0 == [86, 180, 233]).count() > 2000, "boxes that are right");
    }
    let classes = std::fs::read_to_string(place.at("found/side/classes-test.csv")).unwrap();
    assert!(classes.starts_with("class,objects,ap\n\"red\",") && classes.lines().count() == 3, "{classes}");
    let curves = std::fs::read_to_string(place.at("found/side/precision-recall-test.svg")).unwrap();
    assert_eq!(curves.matches("<polyline").count(), 2);

    // The head opens again with its weights, and knows its classes.
    let folder = place.at("found/out/encoder");
    let device = nn::device("cpu").unwrap();
    let encoder = EncoderArtifact::open(&folder, &device).unwrap();
    assert_eq!(encoder.artifact.classes, ["red", "blue"]);
    for name in ["fpn", "detector"] {
        let head = encoder.artifact.open_head(name, &folder, &device).unwrap().unwrap();
        assert!(matches!((name, &head), ("fpn", Head::Fpn(_)) | ("detector", Head::Detector(_))));
        let kept = state::load(&folder.join(format!("{name}.safetensors"))).unwrap();
        let named = state::named(head.part());
        assert!(!named.is_empty() && named.iter().all(|(name, tensor)| kept[name] == *tensor), "{name}");
    }
}

/// Predictions of results/detection (supervised, 1,000 scenes, seed 0, the first 20 of test), which pycocotools reads as they are
/// (`detect/generate.py`).
#[test]
fn figures_are_those_of_pycocotools() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/detect");
    let read = |file: &str| -> Value { serde_json::from_slice(&std::fs::read(folder.join(file)).unwrap()).unwrap() };
    let (truth, found, stats) = (read("truth.json"), read("found.json"), read("stats.json"));
    let edges = |of: &Value| {
        let [left, top, width, height] = [0, 1, 2, 3].map(|place| of["bbox"][place].as_f64().unwrap());
        [left, top, left + width, top + height]
    };
    let class = |of: &Value| of["category_id"].as_u64().unwrap() as usize - 1;
    let of_image = |all: &Value, id: &Value| -> Vec<Value> {
        all.as_array().unwrap().iter().filter(|one| one["image_id"] == *id).cloned().collect()
    };
    let scene = |image: &Value| Scene {
        truths: of_image(&truth["annotations"], &image["id"])
            .iter()
            .map(|one| Truth { class: class(one), edges: edges(one) })
            .collect(),
        found: of_image(&found, &image["id"])
            .iter()
            .map(|one| Found { class: class(one), edges: edges(one), score: one["score"].as_f64().unwrap() })
            .collect(),
    };
    let scenes: Vec<Scene> = truth["images"].as_array().unwrap().iter().map(scene).collect();
    let classes = truth["categories"].as_array().unwrap().len();
    let figures = Detections::new(&scenes, classes).figures().in_order();
    assert!(figures[0] > 0.0, "{figures:?}");
    for (number, (figure, expected)) in figures.into_iter().zip(stats.as_array().unwrap()).enumerate() {
        let expected = expected.as_f64().unwrap();
        assert!((figure - expected).abs() < 1e-12, "figure {number}: {figure} in place of {expected}");
    }
}

#[test]
fn a_fixed_encoder_stays_as_it_is_and_few_scenes_are_the_same_for_all() {
    let place = Place::new();
    let params = json!({ "steps": 2, "batch": 10, "layers": 0, "images": 20, "precision": "bfloat16" });
    let measured = place.measured("fixed", params, None);
    let weights = |folder: &str| state::load(&place.at(folder).join("out/encoder/weights.safetensors")).unwrap();
    assert!(weights("fixed") == weights("encoder"));
    assert_eq!(figure(&measured, "labels", ""), 20.0);
    assert!(figure(&measured, "ap", "shift").is_nan() && !figure(&measured, "ap", "test").is_nan());
    let seen: Vec<u64> = npy::read(&place.at("fixed/out/encoder/seen.npy")).unwrap().1;
    let again = place.measured("again", json!({ "steps": 2, "batch": 10, "images": 20, "layers": 2 }), None);
    assert_eq!(seen, npy::read::<u64>(&place.at("again/out/encoder/seen.npy")).unwrap().1);
    assert_eq!(figure(&again, "objects", ""), figure(&measured, "objects", ""));
}

/// Of one class, some images without it, and none with it in the test split.
#[test]
fn one_class_is_found_and_what_is_not_there_has_no_figure() {
    let place = Place::new();
    let data = place.at("data");
    tiny::keep_first_class(&data, |row| row % 3 > 0 && row < 188);
    let measured = place.measured("one", json!({ "steps": 4 }), None);
    assert!((0.0..=1.0).contains(&figure(&measured, "ap", "validation")));
    assert!(figure(&measured, "ap", "test").is_nan() && figure(&measured, "ar100", "test").is_nan());
    let objects = (0..160).filter(|row| row % 3 > 0).count();
    assert_eq!([figure(&measured, "labels", ""), figure(&measured, "objects", "")], [160.0, objects as f64]);
    let classes = std::fs::read_to_string(place.at("one/side/classes-test.csv")).unwrap();
    assert_eq!(classes, "class,objects,ap\n\"red\",0,\n");
}

/// As a program of somebody's own may have written them; loaders refuse such.
#[test]
fn a_box_that_is_none_is_refused() {
    let place = Place::new();
    let (boxes, classes) = (place.at("data/boxes.npy"), place.at("data/boxes.class.npy"));
    let (shape, edges): (_, Vec<f32>) = npy::read(&boxes).unwrap();
    let refused = |number: usize, wrong: [f32; 4]| {
        let mut edges = edges.clone();
        edges[4 * number..4 * number + 4].copy_from_slice(&wrong);
        npy::write(boxes.clone(), &shape, &edges).unwrap();
        place.refused(json!({}), None)
    };
    // Two an image.
    let expected = "expected one that has an area and lies within 16 x 16 pixels";
    let said = refused(7, [3.0, 4.0, 3.0, 9.0]);
    assert_eq!(said, format!("a box of row 3 (train) goes from 3 to 3 across and from 4 to 9 down: {expected}"));
    for wrong in [[3.0, 9.0, 5.0, 4.0], [-1.0, 4.0, 3.0, 9.0], [3.0, 4.0, 17.0, 9.0], [f32::NAN, 4.0, 5.0, 9.0]] {
        assert!(refused(2 * 170, wrong).starts_with("a box of row 170 (validation) goes from "), "{wrong:?}");
    }
    npy::write(boxes.clone(), &shape, &edges).unwrap();
    let (shape, mut all): (_, Vec<i32>) = npy::read(&classes).unwrap();
    all[2 * 200 + 1] = 2;
    npy::write(classes, &shape, &all).unwrap();
    assert_eq!(place.refused(json!({}), None), "a box of row 200 (test) is of class 2: expected 0 to 1");
}

#[test]
fn what_nothing_can_be_found_with_is_refused() {
    let place = Place::new();
    let error = place.refused(json!({ "images": 161 }), None);
    assert!(error.starts_with("images is 161, and the data set has 160 to train on"), "{error}");
    assert_eq!(place.refused(json!({ "images": 1 }), None), "batch norm needs two images with boxes: raise `images`");
    // Classes in another order.
    tiny::write_places(&place.at("other"));
    tiny::change_manifest(&place.at("other"), |manifest| manifest.classes.reverse());
    let error = place.refused(json!({}), Some("other"));
    assert!(
        error.starts_with("port `shift`: its classes are blue, red, and those of the data are red, blue"),
        "{error}"
    );
    // Another size.
    tiny::write_dataset(&place.at("photographs"));
    let error = place.refused(json!({}), Some("photographs"));
    assert!(error.starts_with("port `shift`: the data set pieces has no boxes"), "{error}");
    // Boxes that are all on other images.
    let offsets = place.at("data/boxes.offsets.npy");
    let (shape, values): (_, Vec<u64>) = npy::read(&offsets).unwrap();
    let first = values[160];
    let later: Vec<u64> = values.iter().map(|&offset| if offset <= first { 0 } else { offset }).collect();
    npy::write(offsets, &shape, &later).unwrap();
    let error = place.refused(json!({}), None);
    assert!(error.starts_with("there is no object on the 160 images that are trained on"), "{error}");
    std::fs::remove_file(place.at("data/boxes.npy")).unwrap();
    let error = place.refused(json!({}), None);
    assert!(error.starts_with("the data set places has no boxes, and detection learns from them"), "{error}");

    let place = Place::new();
    let entry = catalog::find("pretrain/random").unwrap();
    let mut params = tiny::small_params(&entry, 1, 16);
    (params["encoder"]["kind"], params["encoder"]["width"]) = ("mlp".into(), 0.into());
    let run = tiny::request(&entry, params, &place.at("encoder"), &[("data", &place.at("data"))]);
    (entry.run)(&run.params, &Context::new(&run, &tiny::Nobody, &|| false).unwrap()).unwrap();
    let error = place.refused(json!({}), None);
    assert!(error.starts_with("an mlp has no feature maps: choose an encoder of another kind"), "{error}");
}
