use super::*;
use crate::data::Dataset;
use image::Rgb;
use pretext_protocol::{Reply, Resources, Run};
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

/// Runs the stage on `root`, beside which it writes.
fn folder(root: &Path, change: impl Fn(&mut Params)) -> Result<Dataset> {
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
    struct Nobody(Mutex<()>);
    impl crate::context::Outbox for Nobody {
        fn send(&self, _: &Reply) {
            drop(self.0.lock());
        }
    }
    let nobody = Nobody(Mutex::new(()));
    Folder::run(params, &Context::new(&run, &nobody, &|| false)?)?;
    assert!(!part("out/dataset/decoded").exists());
    Dataset::open(&part("out/dataset"))
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
    let image = |number: usize| {
        let pixels = data.image(split, number);
        assert!(pixels.iter().all(|&value| value == pixels[0]), "the border is cut off");
        pixels[0]
    };
    (0..data.len(split)).map(image).collect()
}

#[test]
fn classes_are_folders_and_every_split_has_its_share_of_each() {
    let place = tempfile::tempdir().unwrap();
    unbalanced(place.path());
    let data = folder(place.path(), |_| {}).unwrap();
    assert_eq!(data.manifest.classes, ["dark", "light"]);
    let of_class = |split, class| data.labels(split).iter().filter(|&&label| label == class).count();
    // A fifth for the test, of the rest a tenth (2.4 images) for validation.
    assert_eq!([of_class(Split::Test, 0), of_class(Split::Test, 1)], [4, 2]);
    assert_eq!([of_class(Split::Validation, 0), of_class(Split::Validation, 1)], [1, 1]);
    assert_eq!([of_class(Split::Train, 0), of_class(Split::Train, 1)], [15, 7]);
    let all: Vec<u8> = Split::ALL.iter().flat_map(|&split| colours(&data, split)).collect();
    let distinct: std::collections::BTreeSet<u8> = all.iter().copied().collect();
    assert_eq!((all.len(), distinct.len()), (30, 30), "each image is in one split");

    let fewer = folder(place.path(), |params| (params.train, params.validation) = (Some(9), Some(3))).unwrap();
    assert_eq!([fewer.len(Split::Train), fewer.len(Split::Validation)], [9, 3]);
    assert_eq!(colours(&fewer, Split::Test), colours(&data, Split::Test), "the test split depends on neither");
    let other = folder(place.path(), |params| params.seed = 1).unwrap();
    assert_ne!(colours(&other, Split::Test), colours(&data, Split::Test));
    let error = format!("{:#}", folder(place.path(), |params| params.train = Some(99)).unwrap_err());
    assert_eq!(error, "cannot draw the train split: 99 images were asked for and there are 22");
}

#[test]
fn folders_of_splits_are_the_splits() {
    let place = tempfile::tempdir().unwrap();
    unbalanced(&place.path().join("train"));
    paint(&place.path().join("test/light/a.png"), 77, 16, 16);
    paint(&place.path().join("val/dark/a.png"), 78, 16, 16);
    let data = folder(place.path(), |_| {}).unwrap();
    assert_eq!(Split::ALL.map(|split| data.len(split)), [30, 1, 1]);
    assert_eq!([colours(&data, Split::Validation), colours(&data, Split::Test)], [[78], [77]]);
    paint(&place.path().join("test/grey/a.png"), 100, 16, 16);
    let error = folder(place.path(), |_| {}).unwrap_err().to_string();
    assert!(error.ends_with("test/grey/a.png: there is no image of class `grey` to train on"), "{error}");
    std::fs::rename(place.path().join("test/grey"), place.path().join("grey")).unwrap();
    let error = folder(place.path(), |_| {}).unwrap_err().to_string();
    assert!(error.contains("grey/a.png lies beside folders of splits: "), "{error}");
}

#[test]
fn images_without_folders_have_no_labels() {
    let place = tempfile::tempdir().unwrap();
    for number in 0..10 {
        paint(&place.path().join(format!("{number}.png")), number, 16, 16);
    }
    let data = folder(place.path(), |_| {}).unwrap();
    assert_eq!(data.manifest.classes, ["unlabelled"]);
    assert_eq!(Split::ALL.map(|split| data.len(split)), [7, 1, 2]);
    paint(&place.path().join("class/a.png"), 9, 16, 16);
    let error = folder(place.path(), |_| {}).unwrap_err().to_string();
    assert!(error.contains("0.png lies beside folders of classes: move it into the one of its class"), "{error}");
}

#[test]
fn damaged_files_are_named_or_left_out() {
    let place = tempfile::tempdir().unwrap();
    unbalanced(place.path());
    for number in 0..12 {
        std::fs::write(place.path().join(format!("dark/{number:02}.png")), "torn").unwrap();
    }
    let error = folder(place.path(), |_| {}).unwrap_err().to_string();
    assert!(error.starts_with("12 of 30 files cannot be decoded: mend or remove them, or say `skip_damaged: true`\n"));
    assert!(error.contains("dark/00.png: ") && error.ends_with("\n    and 2 more"), "{error}");
    let data = folder(place.path(), |params| params.skip_damaged = true).unwrap();
    assert_eq!(Split::ALL.iter().map(|&split| data.len(split)).sum::<usize>(), 18);
}
