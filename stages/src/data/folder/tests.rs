mod faults;
mod told;

use super::*;
use crate::augment::{Batch, Source, Wants};
use crate::data::Dataset;
use image::{Rgb, RgbImage};
use pretext_protocol::{Reply, Resources, Run};
use std::path::Path;
use std::sync::Mutex;

/// A picture of one colour with a border that a central square cuts off.
fn paint(path: &Path, colour: u8, width: u32, height: u32) {
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    let side = width.min(height);
    let (left, top) = ((width - side) / 2, (height - side) / 2);
    let is_inside = |x: u32, y: u32| (left..left + side).contains(&x) && (top..top + side).contains(&y);
    RgbImage::from_fn(width, height, |x, y| Rgb(if is_inside(x, y) { [colour; 3] } else { [255, 0, 0] }))
        .save(path)
        .unwrap();
}

/// What a run yields.
struct Made {
    data: Dataset,
    /// Of the artifact.
    summary: String,
    note: String,
}

impl std::ops::Deref for Made {
    type Target = Dataset;

    fn deref(&self) -> &Dataset {
        &self.data
    }
}

/// Keeps notes.
struct Notes(Mutex<Vec<String>>);

impl crate::context::Outbox for Notes {
    fn send(&self, reply: &Reply) {
        if let Reply::Note { text, .. } = reply {
            self.0.lock().unwrap().push(text.clone());
        }
    }
}

/// Runs the stage on `root`, beside which it writes.
fn folder(root: &Path, change: impl Fn(&mut Params)) -> Result<Made> {
    watched(root, change, &|| false)
}

/// The same; `stops` is asked whether it should stop.
fn watched(root: &Path, change: impl Fn(&mut Params), stops: &(dyn Fn() -> bool + Sync)) -> Result<Made> {
    let mut params = Params { path: root.to_owned(), size: 16, ..Params::default() };
    change(&mut params);
    let place = tempfile::tempdir().unwrap();
    let part = |name: &str| place.path().join(name);
    let run = Run {
        id: 1,
        kind: "data/folder".into(),
        params: serde_json::Map::new(),
        inputs: BTreeMap::new(),
        out: part("out"),
        side: part("side"),
        scratch: part("scratch"),
        resume: None,
        cache: part("cache"),
        resources: Resources { threads: 1, device: "cpu".into() },
    };
    let notes = Notes(Mutex::new(vec![]));
    Folder::run(params, &Context::new(&run, &notes, stops)?)?;
    assert!(!part("out/dataset/decoded").exists());
    let summary = std::fs::read_to_string(part("out/dataset/summary.txt"))?;
    assert!(!summary.contains(root.to_str().unwrap()), "{summary}");
    let [note] = &notes.0.into_inner().unwrap()[..] else { panic!("there is one note") };
    Ok(Made { data: Dataset::open(&part("out/dataset"))?, summary, note: note.clone() })
}

/// What it says.
fn refused(root: &Path, change: impl Fn(&mut Params)) -> String {
    format!("{:#}", folder(root, change).err().expect("it is refused"))
}

/// Of each split that there is, the images of each class.
fn counts(data: &Dataset) -> Vec<Vec<usize>> {
    let of_class = |split, class| data.labels(split).iter().filter(|&&label| label == class as i32).count();
    let classes = data.manifest.classes.len();
    data.manifest.images.keys().map(|&split| (0..classes).map(|class| of_class(split, class)).collect()).collect()
}

/// 20 images of class `dark` and 10 of class `light`, whose colours are their numbers.
fn unbalanced(root: &Path) {
    for number in 0..20 {
        paint(&root.join(format!("dark/{number:02}.png")), number, 40, 24);
    }
    for number in 0..10 {
        paint(&root.join(format!("light/deep/{number}.png")), 200 + number, 20, 32);
    }
}

fn colours(data: &Dataset, split: Split) -> Vec<u8> {
    let image = |row: usize| {
        let pixels = data.image(row);
        assert!(pixels.iter().all(|&value| value == pixels[0]), "the border is cut off");
        pixels[0]
    };
    data.rows(split).map(image).collect()
}

#[test]
fn classes_are_folders_and_every_split_has_its_share_of_each() {
    let place = tempfile::tempdir().unwrap();
    unbalanced(place.path());
    let data = folder(place.path(), |_| {}).unwrap();
    assert_eq!(data.manifest.classes, ["dark", "light"]);
    // A fifth for the test, of the rest a tenth (2.4 images) for validation.
    assert_eq!(counts(&data), [[15, 7], [1, 1], [4, 2]]);
    let all: Vec<u8> = Split::LABELLED.iter().flat_map(|&split| colours(&data, split)).collect();
    let distinct: std::collections::BTreeSet<u8> = all.iter().copied().collect();
    assert_eq!((all.len(), distinct.len()), (30, 30), "each image is in one split");

    let fewer = folder(place.path(), |params| (params.train, params.validation) = (Some(9), Some(3))).unwrap();
    assert_eq!([fewer.len(Split::Train), fewer.len(Split::Validation)], [9, 3]);
    assert_eq!(colours(&fewer, Split::Test), colours(&data, Split::Test), "the test split depends on neither");
    let other = folder(place.path(), |params| params.seed = 1).unwrap();
    assert_ne!(colours(&other, Split::Test), colours(&data, Split::Test));
    let error = refused(place.path(), |params| params.train = Some(99));
    assert_eq!(error, "cannot draw the train split: 99 images were asked for and there are 22");
    let error = refused(place.path(), |params| params.train = Some(1));
    assert!(error.ends_with(": 1 images were asked for and there are 2 classes, each of which needs one"), "{error}");
}

#[test]
fn folders_of_splits_are_the_splits() {
    let place = tempfile::tempdir().unwrap();
    let root = place.path();
    unbalanced(&root.join("Training"));
    paint(&root.join("TEST/light/a.png"), 77, 16, 16);
    paint(&root.join("val/dark/a.png"), 78, 16, 16);
    let data = folder(root, |_| {}).unwrap();
    assert_eq!(Split::LABELLED.map(|split| data.len(split)), [30, 1, 1]);
    assert_eq!([colours(&data, Split::Validation), colours(&data, Split::Test)], [[78], [77]]);
    assert!(data.summary.contains("\ntrain is `Training`, validation is `val`, test is `TEST`\n"), "{}", data.summary);
    assert!(data.summary.ends_with("\nno image of 1 of 2 classes in the test split: dark\n"), "{}", data.summary);
    paint(&root.join("TEST/grey/a.png"), 100, 16, 16);
    let error = refused(root, |_| {});
    assert!(error.contains("TEST/grey/a.png: there is no image of class `grey` to train on: add some "), "{error}");
    std::fs::rename(root.join("TEST/grey"), root.join("grey")).unwrap();
    let error = refused(root, |_| {});
    assert!(error.contains("`TEST`, `Training`, `val` are named like splits, and `grey` is not"), "{error}");
    let data = folder(root, |params| params.splits = Splits::Classes).unwrap();
    assert_eq!(data.manifest.classes, ["TEST", "Training", "grey", "val"]);
}

#[test]
fn a_class_may_be_called_train() {
    let place = tempfile::tempdir().unwrap();
    for (class, name) in ["car", "train", "truck"].into_iter().enumerate() {
        (0..10).for_each(|number| paint(&place.path().join(format!("{name}/{number}.png")), 10 * class as u8, 16, 16));
    }
    let data = folder(place.path(), |_| {}).unwrap();
    assert_eq!(data.manifest.classes, ["car", "train", "truck"]);
    assert_eq!(Split::LABELLED.iter().map(|&split| data.len(split)).sum::<usize>(), 30);
    assert!(data.note.contains("\n`train` is taken as a class, since "), "{}", data.note);
    assert!(
        refused(place.path(), |params| params.splits = Splits::Folders).contains("`car` is not named like a split")
    );
}

/// A long tail: nothing can be learned of a class that is only tested.
#[test]
fn the_only_picture_of_a_class_is_trained_on() {
    let place = tempfile::tempdir().unwrap();
    for (class, count) in [10, 10, 1, 1, 1].into_iter().enumerate() {
        (0..count).for_each(|number| paint(&place.path().join(format!("{class}/{number}.png")), number, 16, 16));
    }
    for seed in 0..20 {
        let data = folder(place.path(), |params| params.seed = seed).unwrap();
        assert_eq!(counts(&data), [[6, 7, 1, 1, 1], [1, 1, 0, 0, 0], [3, 2, 0, 0, 0]]);
    }
    let data = folder(place.path(), |params| params.train = Some(5)).unwrap();
    assert_eq!(counts(&data)[0], [1; 5]);
    assert!(data.note.ends_with("\nno image of 3 of 5 classes in the test split: 2, 3, 4"), "{}", data.note);
    ["0", "1"].iter().for_each(|class| std::fs::remove_dir_all(place.path().join(class)).unwrap());
    let error = refused(place.path(), |_| {});
    assert!(
        error.starts_with("there is no image for the test split: of 3 that are left, one of each class "),
        "{error}"
    );
}

#[test]
fn what_train_leaves_may_be_used_without_its_classes() {
    let place = tempfile::tempdir().unwrap();
    unbalanced(place.path());
    let of = |unlabelled, group: Option<&str>| {
        folder(place.path(), |params| {
            (params.train, params.unlabelled, params.group) = (Some(6), unlabelled, group.map(str::to_owned));
        })
    };
    // A fifth of 30 is tested, a tenth of what that leaves validated.
    let all = of(None, None).unwrap();
    assert_eq!(Split::ALL.map(|split| all.len(split)), [6, 2, 6, 16]);
    assert!(all.labels(Split::Unlabelled).iter().all(|&label| label == -1));
    assert!(all.note.contains(", unlabelled is what `train` leaves"), "{}", all.note);
    assert_eq!(of(Some(5), None).unwrap().len(Split::Unlabelled), 5);
    assert_eq!(of(Some(0), None).unwrap().len(Split::Unlabelled), 0);
    let error = refused(place.path(), |params| (params.train, params.unlabelled) = (Some(6), Some(17)));
    assert!(error.starts_with("unlabelled is 17, and the other splits leave 16 images: lower one"), "{error}");
    // Groups of ten images and of one: they may be trained on with classes and without, and are in no split that is evaluated by.
    for seed in 0..5 {
        let grouped = folder(place.path(), |params| {
            (params.train, params.unlabelled, params.seed) = (Some(6), None, seed);
            params.group = Some(r"(\d)\d*\.png".to_owned());
        });
        let grouped = grouped.unwrap();
        let [train, validation, test, unlabelled] = Split::ALL.map(|split| grouped.len(split));
        assert_eq!([train, unlabelled], [6, 30 - 6 - validation - test]);
    }
}

#[test]
fn images_without_folders_have_no_labels() {
    let place = tempfile::tempdir().unwrap();
    for number in 0..10 {
        paint(&place.path().join(format!("{number}.png")), number, 16, 16);
    }
    let data = folder(place.path(), |_| {}).unwrap();
    assert_eq!(data.manifest.classes, ["unlabelled"]);
    assert_eq!(Split::LABELLED.map(|split| data.len(split)), [7, 1, 2]);
    let all = folder(place.path(), |params| params.test = 0.0).unwrap();
    assert_eq!(counts(&all), [[9], [1]]);
    assert!(
        all.note.contains("\ntrain is the folder, validation is drawn from it, there is no test split, "),
        "{}",
        all.note
    );
    paint(&place.path().join("class/a.png"), 9, 16, 16);
    let error = refused(place.path(), |_| {});
    assert!(error.contains("0.png lies beside folders of classes: move it into the one of its class"), "{error}");
}

#[test]
fn pictures_lie_as_their_cameras_noted() {
    let place = tempfile::tempdir().unwrap();
    let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/pictures/turned");
    for class in ["a", "b"] {
        std::fs::create_dir(place.path().join(class)).unwrap();
        for value in 1..=8 {
            let name = format!("{value}.png");
            std::fs::copy(fixtures.join(&name), place.path().join(class).join(&name)).unwrap();
        }
    }
    let distinct = |data: &Dataset| {
        let images = Split::LABELLED.into_iter().flat_map(|split| data.rows(split).map(|row| data.image(row)));
        images.collect::<std::collections::BTreeSet<_>>().len()
    };
    let turned = folder(place.path(), |_| {}).unwrap();
    assert_eq!(distinct(&turned), 8, "the same picture in eight ways");
    assert!(turned.note.contains("\nturned as their cameras noted: 14"), "{}", turned.note);
    let lying = folder(place.path(), |params| params.exif = false).unwrap();
    assert_eq!(distinct(&lying), 1);
    assert!(!lying.note.contains("turned"), "{}", lying.note);
}

/// Pictures whose colours say where in them one is, of two classes.
fn landscapes() -> tempfile::TempDir {
    let place = tempfile::tempdir().unwrap();
    for number in 0..24u8 {
        let file = place.path().join(["day", "night"][usize::from(number % 2)]).join(format!("{number}.png"));
        std::fs::create_dir_all(file.parent().unwrap()).unwrap();
        RgbImage::from_fn(40, 24, |x, y| Rgb([(6 * x) as u8, (9 * y) as u8, 10 * number])).save(file).unwrap();
    }
    place
}

#[test]
fn encoded_pictures_are_the_same_images_and_their_files_are_kept() {
    let place = landscapes();
    for fit in [Fit::Crop, Fit::Pad, Fit::Stretch] {
        let made = |encoded| folder(place.path(), |params| (params.encoded, params.fit) = (encoded, fit)).unwrap();
        let (files, pixels) = (made(Keep::Yes), made(Keep::No));
        let prepared = |encoded| Some(Preparation { fit, turns: true, encoded });
        assert_eq!((pixels.manifest.pictures, files.manifest.pictures), (prepared(false), prepared(true)));
        let same = |data: &Dataset| (data.manifest.mean.clone(), data.manifest.sd.clone(), data.digests.clone());
        assert_eq!(same(&files), same(&pixels));
        for row in 0..24 {
            assert_eq!(files.image(row), pixels.image(row));
            let whole = files.whole(row).unwrap();
            assert_eq!((whole.height, whole.width, whole.rgb[3..5].to_vec()), (24, 40, vec![6, 0]));
            assert!(pixels.whole(row).is_none());
        }
    }
    // 24 images of 16 x 16 pixels are little.
    assert!(folder(place.path(), |_| {}).unwrap().manifest.pictures.is_some_and(|pictures| !pictures.encoded));
    assert!(Params { size: 512, ..Params::default() }.preparation(3000).encoded);
    assert!(!Params { size: 512, ..Params::default() }.preparation(2000).encoded);
}

/// A crop of the whole picture sees what the largest square in its middle lacks; what does not begin with a crop sees that square.
#[test]
fn a_crop_of_an_encoded_picture_is_cut_from_all_of_it() {
    let place = landscapes();
    let reds = |encoded, policy: &str| {
        let data = folder(place.path(), |params| params.encoded = encoded).unwrap().data;
        let policy = serde_json::from_str(policy).unwrap();
        let source = Source::of_train(&data, &policy, Wants::views(2), 6, 3);
        let (mut least, mut most) = (f32::INFINITY, f32::NEG_INFINITY);
        let device = crate::nn::device("cpu").unwrap();
        let look = |_, batch: Batch| {
            for view in batch.views {
                assert_eq!(view.dims(), [6, 3, 16, 16]);
                let red = view.narrow(1, 0, 1) * data.manifest.sd[0] + data.manifest.mean[0];
                for value in red.into_data().iter::<f32>() {
                    (least, most) = (least.min(value * 255.0), most.max(value * 255.0));
                }
            }
            Ok(())
        };
        source.for_each(0..12, &device, look).unwrap();
        [least.round(), most.round()]
    };
    let crop = r#"{ "operations": [{ "op": "random_resized_crop", "scale": [0.1, 0.9], "ratio": [0.7, 1.5] }] }"#;
    let flip = r#"{ "operations": [{ "op": "horizontal_flip", "p": 0.5 }] }"#;
    // Columns 8 to 31 are the middle; at both ends values are mixed with their neighbours.
    let [least, most] = reds(Keep::No, crop);
    assert!(least >= 48.0 && most <= 186.0, "{least} to {most}");
    let [least, most] = reds(Keep::Yes, crop);
    assert!(least < 12.0 && most > 222.0, "{least} to {most}");
    assert_eq!(reds(Keep::Yes, flip), reds(Keep::No, flip));
}
