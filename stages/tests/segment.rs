//! Segmentation at tiny size: that it learns what its masks say, and that what it keeps is what it measured.

mod tiny;

use pretext_protocol::{Measurement, Run};
use pretext_stages::artifact::EncoderArtifact;
use pretext_stages::augment::{Normaliser, channels_last};
use pretext_stages::catalog;
use pretext_stages::context::{Context, Stopped};
use pretext_stages::data::{Dataset, Split, npy};
use pretext_stages::metrics::Overlap;
use pretext_stages::nn::layers::Mode;
use pretext_stages::nn::{self, Head, state};
use pretext_stages::random::{Purpose, Rng};
use serde_json::{Value, json};
use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};

/// A data set with masks, an encoder that was never trained, and what is done with them.
struct Place {
    root: tempfile::TempDir,
    kind: &'static str,
}

impl Place {
    fn new(encoder: Value) -> Self {
        Self::of("eval/segment", "pretrain/random", encoder)
    }

    fn of(kind: &'static str, pretrain: &str, encoder: Value) -> Self {
        tch::set_num_threads(tiny::THREADS as i32);
        let place = Self { root: tempfile::tempdir().unwrap(), kind };
        tiny::write_places(&place.at("data"));
        let entry = catalog::find(pretrain).unwrap();
        let mut params = tiny::small_params(&entry, 1, 32);
        params["encoder"].as_object_mut().unwrap().extend(encoder.as_object().unwrap().clone());
        let run = tiny::request(&entry, params, &place.at("encoder"), &[("data", &place.at("data"))]);
        (entry.run)(&run.params, &Context::new(&run, &tiny::Nobody, &|| false).unwrap()).unwrap();
        place
    }

    fn at(&self, name: &str) -> PathBuf {
        self.root.path().join(name)
    }

    fn request(&self, name: &str, params: Value, shift: Option<PathBuf>) -> Run {
        let entry = catalog::find(self.kind).unwrap();
        let mut all = tiny::small_params(&entry, 1, 32);
        all.extend(params.as_object().unwrap().clone());
        let (data, encoder) = (self.at("data"), self.at("encoder/out/encoder"));
        let mut inputs = vec![("data", data.as_path()), ("encoder", &encoder)];
        inputs.extend(shift.iter().map(|folder| ("shift", folder.as_path())));
        tiny::request(&entry, all, &self.at(name), &inputs)
    }

    fn measured(&self, name: &str, params: Value, shift: Option<PathBuf>) -> anyhow::Result<Vec<Measurement>> {
        let run = self.request(name, params, shift);
        let measured = tiny::Measured::default();
        let entry = catalog::find(self.kind).unwrap();
        (entry.run)(&run.params, &Context::new(&run, &measured, &|| false)?)?;
        Ok(measured.0.into_inner().unwrap())
    }

    fn refused(&self, params: Value) -> String {
        format!("{:#}", self.measured("refused", params, None).unwrap_err())
    }
}

fn figure(measured: &[Measurement], name: &str, split: &str) -> f64 {
    measured.iter().find(|m| m.name == name && m.split == split).unwrap().value
}

/// To say that all is background has a mean IoU below a third.
#[test]
fn every_head_learns_where_things_are() {
    let place = Place::new(json!({}));
    for (head, layers, least, least_right) in
        [("fcn", None, 0.8, 0.9), ("unet", None, 0.8, 0.9), ("linear", Some(0), 0.6, 0.85)]
    {
        let optimiser = json!({ "lr": 0.06 });
        let params = json!({ "head": head, "layers": layers, "width": 16, "steps": 80, "optimiser": optimiser });
        let measured = place.measured(head, params, None).unwrap();
        let found = figure(&measured, "mean_iou", "test");
        assert!(found > least, "{head}: {found}");
        let right = figure(&measured, "pixel_accuracy", "test");
        assert!(right > least_right, "{head}: {right}");
        assert!(figure(&measured, "mean_iou", "shift").is_nan());
        let lines = std::fs::read_to_string(place.at(head).join("side/iou-test.csv")).unwrap();
        let ious: Vec<f64> =
            lines.lines().skip(1).map(|line| line.split(',').nth(1).unwrap().parse().unwrap()).collect();
        assert!(ious.len() == 3 && (ious.iter().sum::<f64>() / 3.0 - found).abs() < 1e-12, "{lines}");
        let picture = image::open(place.at(head).join("side/masks.png")).unwrap();
        assert_eq!([picture.width(), picture.height()], [2 * (3 * 194 + 2), 4 * 194 + 2]);
    }
    let weights = |folder: &str| state::load(&place.at(folder).join("out/encoder/weights.safetensors")).unwrap();
    assert!(weights("linear") == weights("encoder"), "it is fixed");
}

/// Where all images show the same in the same places it learns that, and says the same of every image.
#[test]
fn the_control_sees_places_only() {
    let place = Place::new(json!({}));
    let halves = |mask: &mut [u8]| (1..256).for_each(|pixel| mask[pixel] = if pixel % 16 < 8 { 1 } else { 2 });
    (0..217).for_each(|row| change_mask(&place, row, halves));
    let params = json!({ "head": "coordinates", "layers": 0, "width": 16, "steps": 80 });
    let measured = place.measured("control", params, None).unwrap();
    let (shape, predicted) = npy::read::<u8>(&place.at("control/out/predictions/test.npy")).unwrap();
    let (first, rest) = predicted.split_at(256);
    assert!(shape[0] == 29 && rest.chunks(256).all(|mask| mask == first));
    let found = figure(&measured, "mean_dice", "test");
    assert!(found > 0.9, "{found}");
    let error = place.refused(json!({ "head": "coordinates" }));
    assert!(error.starts_with("head is coordinates, which looks at no image"), "{error}");
}

/// By hand: the cosine of normalised pixels, image by image.
#[test]
fn a_copied_mask_is_that_of_the_most_alike_of_the_images_that_have_one() {
    let place = Place::of("eval/mask_transfer", "pretrain/pixels", json!({}));
    (0..217).filter(|row| row % 3 == 0).for_each(|row| change_mask(&place, row, |mask| mask[..40].fill(255)));
    let other = place.at("other");
    tiny::write_places(&other);
    let (shape, images) = npy::read::<u8>(&other.join("image.npy")).unwrap();
    let darker: Vec<u8> = images.iter().rev().map(|&value| value / 2 + 20).collect();
    npy::write(other.join("image.npy"), &shape, &darker).unwrap();
    tiny::change_manifest(&other, |manifest| manifest.mean[0] += 0.2);
    let params = json!({ "images": 30, "seed": 1 });
    let measured = place.measured("copied", params.clone(), Some(other.clone())).unwrap();
    assert_eq!(figure(&measured, "labels", ""), 30.0);
    let [data, other] = [place.at("data"), other].map(|folder| Dataset::open(&folder).unwrap());
    let normaliser = Normaliser::new(&data.manifest.mean, &data.manifest.sd);
    let values = |of: &Dataset, row: usize| {
        let mut values = vec![0.0; data.manifest.image_bytes()];
        normaliser.bytes(&of.image(row), &mut values);
        values
    };
    let product = |a: &[f32], b: &[f32]| a.iter().zip(b).map(|(&a, &b)| f64::from(a) * f64::from(b)).sum::<f64>();
    let cosine = |a: &[f32], b: &[f32]| product(a, b) / (product(a, a) * product(b, b)).sqrt();
    let mut drawn: Vec<usize> = data.rows(Split::Train).collect();
    Rng::new(1, Purpose::Split, &[]).shuffle(&mut drawn);
    drawn.truncate(30);
    for (name, judged) in [("test", &data), ("shift", &other)] {
        let (_, predicted) = npy::read::<u8>(&place.at(&format!("copied/out/predictions/{name}.npy"))).unwrap();
        let mut overlap = Overlap::new(3);
        for (row, predicted) in judged.rows(Split::Test).zip(predicted.chunks(256)) {
            let image = values(judged, row);
            let near = |&own: &usize| cosine(&image, &values(&data, own));
            let nearest = drawn.iter().max_by(|a, b| near(a).total_cmp(&near(b))).unwrap();
            let mask: Vec<u8> = data.mask(*nearest).unwrap().iter().map(|&m| if m == 255 { 0 } else { m }).collect();
            assert!(predicted == mask, "{name}, row {row}");
            overlap.add(judged.mask(row).unwrap(), predicted);
        }
        assert_eq!(figure(&measured, "mean_iou", name), overlap.mean_iou());
        assert_eq!(figure(&measured, "mean_dice", name), overlap.mean_dice());
    }
    assert_ne!(figure(&measured, "mean_dice", "test"), figure(&measured, "mean_dice", "shift"));
    assert_eq!(figure(&measured, "seen", "test"), 0.0);
    assert!(place.at("copied/side/masks-shift.png").exists());

    std::fs::remove_file(place.at("data/mask.npy")).unwrap();
    assert!(place.refused(json!({})).starts_with("the data set has no masks, which segmentation learns from"));
}

/// By hand: from the artifact to masks, which are those that were written, and from those to what was measured.
#[test]
fn what_is_kept_predicts_what_was_measured() {
    let place = Place::new(json!({}));
    let shift = place.at("other");
    tiny::write_places(&shift);
    let measured =
        place.measured("kept", json!({ "head": "unet", "width": 8, "images": 40, "steps": 10 }), Some(shift));
    let measured = measured.unwrap();
    assert_eq!(figure(&measured, "labels", ""), 40.0);
    for name in ["mean_iou", "mean_dice", "pixel_accuracy"] {
        assert_eq!(figure(&measured, name, "shift"), figure(&measured, name, "test"), "it is the same data set");
    }
    let (device, folder) = (nn::device("cpu").unwrap(), place.at("kept/out/encoder"));
    let encoder = EncoderArtifact::open(&folder, &device).unwrap();
    let artifact = &encoder.artifact;
    assert_eq!(artifact.classes, ["red", "blue"]);
    let Some(Head::Segmenter(segmenter)) = artifact.open_head("segmenter", &folder, &device).unwrap() else {
        panic!("the segmenter is kept")
    };
    let data = Dataset::open(&place.at("data")).unwrap();
    let normaliser = Normaliser::new(&artifact.mean, &artifact.sd);
    let rows: Vec<usize> = data.rows(Split::Test).collect();
    let predictions = place.at("kept/out/predictions");
    let (shape, predicted) = npy::read::<u8>(&predictions.join("test.npy")).unwrap();
    let (_, ids) = npy::read::<u32>(&predictions.join("test.ids.npy")).unwrap();
    assert!(shape == [rows.len(), 16, 16] && ids.iter().map(|&id| id as usize).eq(rows.iter().copied()));
    let mut overlap = Overlap::new(3);
    for (&row, predicted) in rows.iter().zip(predicted.chunks(256)) {
        let mut values = vec![0.0; data.manifest.image_bytes()];
        normaliser.bytes(&data.image(row), &mut values);
        let maps = encoder.encoder().unwrap().maps(channels_last(values, 16, 16, &device), Mode::Eval).unwrap();
        let scores = segmenter.forward(maps, [16, 16], Mode::Eval);
        let alone: Vec<u8> = scores.argmax(1).into_data().iter::<i64>().map(|class| class as u8).collect();
        // Batches of another size may round otherwise where two scores are nearly equal.
        assert!(alone.iter().zip(predicted).filter(|(a, b)| a != b).count() <= 1, "row {row}");
        overlap.add(data.mask(row).unwrap(), predicted);
    }
    assert_eq!(figure(&measured, "mean_iou", "test"), overlap.mean_iou());
    assert_eq!(figure(&measured, "mean_dice", "test"), overlap.mean_dice());
}

#[test]
fn an_interrupted_one_ends_as_an_undisturbed_one() {
    let place = Place::new(json!({}));
    let params = json!({ "width": 8, "steps": 12, "layers": 2, "norms": true, "layer_decay": 0.5 });
    place.measured("undisturbed", params.clone(), None).unwrap();
    let entry = catalog::find(place.kind).unwrap();
    let (mut before, mut stops): (Option<PathBuf>, usize) = (None, 0);
    loop {
        let name = format!("attempt-{stops}");
        let mut run = place.request(&name, params.clone(), None);
        run.resume = before.map(|folder: PathBuf| folder.join("scratch"));
        let looked = AtomicUsize::new(0);
        // After four steps; in the end it looks while it judges too.
        let stopping = || looked.fetch_add(1, Ordering::Relaxed) + 1 >= 5;
        match (entry.run)(&run.params, &Context::new(&run, &tiny::Nobody, &stopping).unwrap()) {
            Ok(()) => break,
            Err(error) => assert!(error.is::<Stopped>(), "{error:#}"),
        }
        (before, stops) = (Some(place.at(&name)), stops + 1);
    }
    assert!(stops >= 2, "stopped {stops} times only");
    for file in [
        "out/encoder/weights.safetensors",
        "out/encoder/segmenter.safetensors",
        "out/predictions/test.npy",
        "side/curve.csv",
    ] {
        let bytes = |name: &str| std::fs::read(place.at(name).join(file)).unwrap();
        assert!(bytes(&format!("attempt-{stops}")) == bytes("undisturbed"), "{file}");
    }
}

/// Beside the background; there is none of it in the test split, which has the figure of what there is.
#[test]
fn one_class_is_told_from_the_background() {
    let place = Place::new(json!({}));
    tiny::keep_first_class(&place.at("data"), |row| row % 3 > 0 && row < 188);
    let params = json!({ "width": 8, "steps": 40, "optimiser": { "lr": 0.06 } });
    let measured = place.measured("one", params, None).unwrap();
    assert!(figure(&measured, "mean_iou", "validation") > 0.6, "{}", figure(&measured, "mean_iou", "validation"));
    assert!(figure(&measured, "pixel_accuracy", "test") > 0.9);
    let lines = std::fs::read_to_string(place.at("one/side/iou-test.csv")).unwrap();
    assert_eq!(lines.lines().count(), 3, "{lines}");
}

/// Changes the mask of a row.
fn change_mask(place: &Place, row: usize, change: impl FnOnce(&mut [u8])) {
    let file = place.at("data/mask.npy");
    let (shape, mut masks) = npy::read::<u8>(&file).unwrap();
    change(&mut masks[row * 256..(row + 1) * 256]);
    npy::write(file, &shape, &masks).unwrap();
}

#[test]
fn what_cannot_be_segmented_is_refused() {
    let place = Place::new(json!({}));
    let few = "images is 161, and the data set has 160 to train on: write a number up to that, or 0 for all";
    assert_eq!(place.refused(json!({ "images": 161 })), few);
    assert!(place.refused(json!({ "images": 1 })).contains("two images with labels: raise `images`"));
    change_mask(&place, 3, |mask| mask[7] = 9);
    let wrong = "the mask of row 3 (train) holds 9: expected 0 for the background, 1 to 2 for the classes, 255 where nobody knows";
    assert_eq!(place.refused(json!({})), wrong);
    (0..160).for_each(|row| change_mask(&place, row, |mask| mask.fill(0)));
    assert!(place.refused(json!({})).starts_with("the masks of all 160 images with labels show the background only"));
    std::fs::remove_file(place.at("data/mask.npy")).unwrap();
    assert!(place.refused(json!({})).starts_with("the data set has no masks, which segmentation learns from"));

    let shift = Place::new(json!({ "kind": "mlp" }));
    assert!(shift.refused(json!({})).starts_with("an mlp has no feature maps"));
    tiny::write_places(&shift.at("other"));
    tiny::change_manifest(&shift.at("other"), |manifest| manifest.classes[1] = "green".into());
    let error = shift.measured("refused", json!({}), Some(shift.at("other"))).unwrap_err().to_string();
    assert!(
        error.starts_with("port `shift`: its classes are red, green, and those of the data are red, blue"),
        "{error}"
    );
}
