//! Pictures in a folder give the features and the predictions that the same images give in a data set, bit for bit.

mod tiny;

use pretext_protocol::{Measurement, Reply};
use pretext_stages::catalog;
use pretext_stages::context::{Context, Outbox};
use pretext_stages::data::{Dataset, Split, npy};
use pretext_stages::features::FeatureSet;
use serde_json::{Map, Value, json};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Mutex;

/// What a stage has measured and noted.
#[derive(Default)]
struct Heard(Mutex<(Vec<Measurement>, Vec<String>)>);

impl Outbox for Heard {
    fn send(&self, reply: &Reply) {
        let mut heard = self.0.lock().unwrap();
        match reply {
            Reply::Measure { measurement, .. } => heard.0.push(measurement.clone()),
            Reply::Note { text, .. } => heard.1.push(text.clone()),
            _ => {}
        }
    }
}

/// A data set, and the pictures of its test split in a folder, in their order.
struct Place {
    root: tempfile::TempDir,
}

impl Place {
    fn new() -> Self {
        tch::set_num_threads(tiny::THREADS as i32);
        let place = Self { root: tempfile::tempdir().unwrap() };
        tiny::write_dataset(&place.at("data"));
        let data = Dataset::open(&place.at("data")).unwrap();
        for (number, row) in data.rows(Split::Test).enumerate() {
            let file = place.at(&format!("pictures/{}/{number:03}.png", number / 10));
            fs::create_dir_all(file.parent().unwrap()).unwrap();
            image::save_buffer(file, &data.image(row), tiny::SIZE, tiny::SIZE, image::ColorType::Rgb8).unwrap();
        }
        place
    }

    fn at(&self, name: &str) -> PathBuf {
        self.root.path().join(name)
    }

    fn run(&self, kind: &str, name: &str, change: Value, inputs: &[(&str, &str)]) -> anyhow::Result<Heard> {
        let entry = catalog::find(kind).unwrap();
        let mut params = if kind == "embed" { Map::new() } else { tiny::small_params(&entry, 1, 32) };
        params.extend(change.as_object().unwrap().clone());
        let inputs: Vec<(&str, PathBuf)> = inputs.iter().map(|(port, input)| (*port, self.at(input))).collect();
        let inputs: Vec<(&str, &Path)> = inputs.iter().map(|(port, input)| (*port, input.as_path())).collect();
        let run = tiny::request(&entry, params, &self.at(name), &inputs);
        let heard = Heard::default();
        (entry.run)(&run.params, &Context::new(&run, &heard, &|| false)?)?;
        Ok(heard)
    }

    fn train(&self, kind: &str, name: &str) {
        self.run(kind, name, json!({}), &[("data", "data")]).unwrap();
    }

    /// Uses `encoder` on the pictures.
    fn embed(&self, encoder: &str, skip: bool, predict: bool) -> anyhow::Result<Heard> {
        let params = json!({ "folder": self.at("pictures"), "skip_damaged": skip, "predict": predict });
        self.run("embed", "used", params, &[("encoder", encoder)])
    }

    fn error(&self, encoder: &str, skip: bool, predict: bool) -> String {
        format!("{:#}", self.embed(encoder, skip, predict).err().expect("it is refused"))
    }

    fn lines(&self, file: &str) -> Vec<String> {
        let text = fs::read_to_string(self.at("used/out/pictures").join(file)).unwrap();
        text.lines().map(String::from).collect()
    }
}

#[test]
fn pictures_have_the_features_of_the_same_images_in_a_data_set() {
    let place = Place::new();
    place.train("pretrain/random", "random");
    place.embed("random/out/encoder", false, false).unwrap();
    let (shape, values) = npy::read::<f32>(&place.at("used/out/pictures/features.npy")).unwrap();
    let inputs = [("data", "data"), ("encoder", "random/out/encoder")];
    place.run("features", "features", json!({}), &inputs).unwrap();
    let set = FeatureSet::open(&place.at("features/out/features")).unwrap();
    let expected = &set.split(Split::Test).unwrap().values;
    assert_eq!((shape, &values), (vec![expected.len() / set.features, set.features], expected));
    let lines = place.lines("features.csv");
    let first: Vec<&str> = lines[1].split(',').collect();
    assert_eq!((lines.len(), first.len(), first[0]), (30, 1 + set.features, "0/000.png"));
    assert_eq!(first[1].parse::<f32>().unwrap(), values[0]);
}

/// An encoder that was trained on a folder takes pictures as that data set did: here whole, where by itself it would take their middle.
#[test]
fn pictures_are_prepared_as_those_that_the_encoder_was_trained_on() {
    let place = Place::new();
    let wide = image::open(place.at("pictures/0/000.png")).unwrap();
    fs::remove_dir_all(place.at("pictures")).unwrap();
    for number in 0..8 {
        let (width, height) = (2 * tiny::SIZE, tiny::SIZE);
        let turned = wide.huerotate(40 * number).resize_exact(width, height, image::imageops::FilterType::Nearest);
        let file = place.at(&format!("pictures/{}/{number}.png", number % 2));
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        turned.save(file).unwrap();
    }
    let features = |fit: &str| {
        let change = json!({ "path": place.at("pictures"), "size": tiny::SIZE, "fit": fit, "train": null, "validation": 1, "test": 0.3 });
        place.run("data/folder", fit, change, &[]).unwrap();
        place.run("pretrain/random", "random", json!({}), &[("data", &format!("{fit}/out/dataset"))]).unwrap();
        place.embed("random/out/encoder", false, false).unwrap();
        npy::read::<f32>(&place.at("used/out/pictures/features.npy")).unwrap().1
    };
    let [crop, stretch] = [features("crop"), features("stretch")];
    // Every pixel of the picture stands twice beside itself.
    place
        .run(
            "data/folder",
            "again",
            json!({ "path": place.at("pictures"), "size": tiny::SIZE, "fit": "stretch", "train": null, "validation": 1, "test": 0.3 }),
            &[],
        )
        .unwrap();
    place
        .run("features", "features", json!({}), &[("data", "again/out/dataset"), ("encoder", "random/out/encoder")])
        .unwrap();
    let set = FeatureSet::open(&place.at("features/out/features")).unwrap();
    let expected = &set.split(Split::Train).unwrap().values;
    let has =
        |values: &[f32]| expected.chunks(set.features).all(|row| values.chunks(set.features).any(|other| other == row));
    assert!(has(&stretch) && !has(&crop));
}

#[test]
fn a_classifier_predicts_what_its_fine_tuning_has_measured() {
    let place = Place::new();
    place.train("pretrain/random", "random");
    let inputs = [("data", "data"), ("encoder", "random/out/encoder")];
    let measured = place.run("eval/finetune", "tuned", json!({ "steps": 40 }), &inputs).unwrap();
    place.embed("tuned/out/encoder", false, true).unwrap();
    let lines = place.lines("predictions.csv");
    assert_eq!(lines[0], "file,class,probability,p(astronaut),p(cat),p(coffee),p(rocket)");
    let data = Dataset::open(&place.at("data")).unwrap();
    let classes = &data.manifest.classes;
    let mut right = 0;
    for (line, class) in lines[1..].iter().zip(data.labels(Split::Test)) {
        let cells: Vec<&str> = line.split(',').collect();
        let of: Vec<f32> = cells[3..].iter().map(|cell| cell.parse().unwrap()).collect();
        assert!((of.iter().sum::<f32>() - 1.0).abs() < 1e-5, "{line}");
        let best = of.iter().copied().fold(0.0, f32::max);
        assert_eq!(cells[2].parse::<f32>().unwrap(), best);
        assert_eq!(of[classes.iter().position(|name| name == cells[1]).unwrap()], best);
        right += usize::from(cells[1] == classes[*class as usize]);
    }
    let measured = measured.0.into_inner().unwrap().0;
    let accuracy = measured.iter().find(|m| m.name == "accuracy" && m.split == "test").unwrap().value;
    assert!(accuracy > 0.4, "it has learned something: {accuracy}");
    assert_eq!(right as f64 / data.labels(Split::Test).len() as f64, accuracy);
    let (shape, _) = npy::read::<f32>(&place.at("used/out/pictures/predictions.npy")).unwrap();
    assert_eq!(shape, [29, 4]);
}

#[test]
fn what_cannot_be_used_is_named() {
    let place = Place::new();
    place.train("pretrain/random", "random");
    let error = place.error("random/out/encoder", false, true);
    assert!(error.contains("has no classifier: use the encoder of eval/finetune"), "{error}");

    fs::write(place.at("pictures/0/000b.jpg"), "no picture").unwrap();
    fs::write(place.at("pictures/phone.heic"), "of a phone").unwrap();
    let error = place.error("random/out/encoder", false, false);
    let named = "2 pictures cannot be read: 0/000b.jpg (it begins as no picture does that is read: JPEG";
    assert!(error.starts_with(named) && error.contains("phone.heic (") && error.contains("--skip-damaged"), "{error}");
    let heard = place.embed("random/out/encoder", true, false).unwrap();
    let notes = heard.0.into_inner().unwrap().1;
    assert!(notes.len() == 1 && notes[0].starts_with("left out: 2 pictures cannot be read: 0/000b.jpg ("), "{notes:?}");
    let lines = place.lines("features.csv");
    assert_eq!((lines.len(), &lines[2][..10]), (30, "0/001.png,"));

    for folder in 0..3 {
        fs::remove_dir_all(place.at(&format!("pictures/{folder}"))).unwrap();
    }
    let error = place.error("random/out/encoder", true, false);
    assert!(error.starts_with("none of them can be used: 1 picture cannot be read: phone.heic ("), "{error}");
    fs::rename(place.at("pictures/phone.heic"), place.at("pictures/notes.txt")).unwrap();
    let error = place.error("random/out/encoder", true, false);
    assert!(error.ends_with("pictures has no pictures: it has 1 .txt"), "{error}");
}
