use super::*;
use crate::context::Outbox;
use pretext_protocol::{Reply, Run};
use serde_json::Map;
use std::path::Path;

struct Nobody;

impl Outbox for Nobody {
    fn send(&self, _: &Reply) {}
}

/// Images of 2 x 3 pixels whose value is their number, of the classes cat, 2 and dog in turn; unlabelled ones at the end.
fn write(folder: &Path, splits: &[(Split, usize)]) {
    std::fs::create_dir_all(folder).unwrap();
    let format = Format {
        name: "animals".into(),
        height: 2,
        width: 3,
        channels: 1,
        classes: ["cat", "2", "dog"].map(String::from).to_vec(),
        labels: Labels::Images,
        pictures: None,
    };
    let mut writer = DatasetWriter::create(folder, format, splits.iter().map(|(_, images)| images).sum()).unwrap();
    let mut number = 0;
    for &(split, images) in splits {
        for place in 0..images {
            let class = if split == Split::Unlabelled { -1 } else { place as i32 % 3 };
            writer.add(Sample::new(split, &[number; 6], class)).unwrap();
            number += 1;
        }
    }
    writer.finish().unwrap();
}

fn made(splits: &[(Split, usize)], params: Params) -> Result<Dataset> {
    let root = tempfile::tempdir()?;
    let data = root.path().join("data");
    write(&data, splits);
    let run = Run::in_folder(OneClass::ABOUT.name, Map::new(), &[("data", &data)], &root.path().join("run")).unwrap();
    OneClass::run(params, &Context::new(&run, &Nobody, &|| false)?)?;
    Dataset::open(&run.out.join("dataset"))
}

fn normal(class: &str) -> Params {
    Params { normal: class.into(), ..Params::default() }
}

const SPLITS: [(Split, usize); 4] =
    [(Split::Train, 9), (Split::Validation, 6), (Split::Test, 4), (Split::Unlabelled, 5)];

/// By name before number: the class that is called 2 is the second one.
#[test]
fn only_the_normal_class_is_trained_on_and_all_are_judged() {
    for (name, class, classes) in [
        ("cat", 0, ["cat", "2", "dog"]),
        ("0", 0, ["cat", "2", "dog"]),
        ("1", 1, ["2", "cat", "dog"]),
        ("2", 1, ["2", "cat", "dog"]),
        ("dog", 2, ["dog", "cat", "2"]),
    ] {
        let data = made(&SPLITS, normal(name)).unwrap();
        assert_eq!(Split::ALL.map(|split| data.len(split)), [3, 2, 4, 0], "{name}");
        assert_eq!(
            (data.manifest.labels, &data.manifest.classes[..]),
            (Labels::Anomalies, &classes.map(String::from)[..])
        );
        let values: Vec<u8> = (0..9).map(|row| data.image(row)[0]).collect();
        let of_class =
            |first: usize, images: usize| (first + class..first + images).step_by(3).map(|number| number as u8);
        let expected: Vec<u8> = of_class(0, 9).chain(of_class(9, 6)).chain(15..19).collect();
        assert_eq!(values, expected, "{name}");
        let shown = data.labels(Split::Test).iter().map(|&label| classes[label as usize]);
        assert_eq!(shown.collect::<Vec<_>>(), ["cat", "2", "dog", "cat"], "{name}");
        assert!(data.labels(Split::Train).iter().all(|&label| label == 0));
    }
}

#[test]
fn black_is_put_around_images() {
    let data = made(&SPLITS, Params { pad: 1, ..normal("cat") }).unwrap();
    assert_eq!([data.manifest.height, data.manifest.width], [4, 5]);
    let image = data.image(1);
    let inside = |place: usize| (1..3).contains(&(place / 5)) && (1..4).contains(&(place % 5));
    assert!((0..20).all(|place| image[place] == if inside(place) { 3 } else { 0 }), "{image:?}");
}

#[test]
fn grey_has_three_channels_where_that_is_asked_for() {
    let data = made(&SPLITS, Params { rgb: true, pad: 1, ..normal("dog") }).unwrap();
    assert_eq!(data.manifest.input(), [3, 4, 5]);
    assert_eq!(data.image(0)[3 * 6..][..9], [2; 9], "the first dog is the third image");
}

#[test]
fn what_says_nothing_of_anomalies_is_refused() {
    let refused = |splits: &[(Split, usize)], class: &str| made(splits, normal(class)).unwrap_err().to_string();
    assert_eq!(
        refused(&SPLITS, "3"),
        "normal is 3, which is no class: expected one of cat, 2, dog, or a number below 3"
    );
    let train = (Split::Train, 9);
    let error = refused(&[train, (Split::Test, 1)], "dog");
    assert!(error.starts_with("the test split has no image of dog, "), "{error}");
    let error = refused(&[train, (Split::Test, 1)], "cat");
    assert!(error.starts_with("the test split has images of cat only, "), "{error}");
    assert!(refused(&[train], "cat").starts_with("the test split has no image of cat, "));
}
