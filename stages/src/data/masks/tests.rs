use super::super::annotated::tests::{made, paint, refused, write};
use super::*;
use crate::data::palette::colour;
use crate::data::{Labels, Split};
use image::GrayImage;
use serde_json::json;

/// A mask of values, of which the left half is one and the right half another.
fn halves(path: &Path, [left, right]: [u8; 2]) {
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    GrayImage::from_fn(10, 10, |x, _| image::Luma([if x < 5 { left } else { right }])).save(path).unwrap();
}

/// Ten pictures and their masks.
fn ten(root: &Path, values: [u8; 2]) {
    for number in 0..10 {
        paint(&root.join(format!("images/{number}.jpg")), [10, 10], &[([0, 0, 5, 10], [200, 100, 0])]);
        halves(&root.join(format!("masks/{number}.png")), values);
    }
}

#[test]
fn masks_lie_beside_their_pictures() {
    let root = tempfile::tempdir().unwrap();
    ten(root.path(), [2, 255]);
    halves(&root.path().join("masks/alone.png"), [0, 1]);
    let found = made::<Masks>(root.path(), json!({ "size": 10, "classes": ["wall", "door"] }))
        .err()
        .map(|error| error.to_string());
    assert!(found.unwrap().contains("1 of 2 classes have no image to train on (wall)"));
    (0..10).for_each(|number| halves(&root.path().join(format!("masks/{number}.png")), [2, 1]));
    let found = made::<Masks>(root.path(), json!({ "size": 10, "classes": ["wall", "door"] })).unwrap();
    let data = &found.data;
    assert_eq!(
        (&data.manifest.classes[..], data.manifest.labels),
        (&["wall".to_owned(), "door".to_owned()][..], Labels::Places)
    );
    assert_eq!(Split::ALL.map(|split| data.len(split)), [7, 1, 2, 0]);
    assert!(data.regions(0).is_none() && data.class(0) == -1);
    assert!(
        data.mask(0).unwrap().iter().enumerate().all(|(place, &shown)| shown == if place % 10 < 5 { 2 } else { 1 })
    );
    assert!(found.note.contains("masks without a picture: 1"), "{}", found.note);
    let unnamed = made::<Masks>(root.path(), json!({ "size": 10 })).unwrap().data;
    assert_eq!(unnamed.manifest.classes, ["1", "2"]);
}

/// Grey values, colours of the palette, and light on dark; splits by folders above or below.
#[test]
fn masks_are_read_by_value_by_colour_and_by_light() {
    let root = tempfile::tempdir().unwrap();
    let root = root.path();
    for (folder, split) in [("train", "train"), ("val", "val"), ("test", "test")] {
        let at = |of: &str| root.join(format!("{folder}/{of}/{split}.png"));
        paint(&at("images"), [10, 10], &[]);
        paint(
            &at("masks"),
            [10, 10],
            &[([0, 0, 10, 10], colour(2)), ([0, 0, 5, 10], colour(1)), ([9, 0, 10, 10], colour(255))],
        );
    }
    let data = made::<Masks>(root, json!({ "size": 10 })).unwrap().data;
    assert_eq!(Split::LABELLED.map(|split| data.len(split)), [1, 1, 1]);
    assert_eq!(data.mask(2).unwrap()[..10], [1, 1, 1, 1, 1, 2, 2, 2, 2, 255]);

    let root = tempfile::tempdir().unwrap();
    for split in ["train", "val"] {
        paint(&root.path().join(format!("images/{split}/a.png")), [10, 10], &[]);
        halves(&root.path().join(format!("masks/{split}/a.png")), [255, 127]);
    }
    let data =
        made::<Masks>(root.path(), json!({ "size": 10, "reading": "binary", "classes": ["vessel"], "test": 0.0 }))
            .unwrap()
            .data;
    assert_eq!(Split::LABELLED.map(|split| data.len(split)), [1, 1, 0]);
    assert_eq!(data.mask(0).unwrap()[..10], [1, 1, 1, 1, 1, 0, 0, 0, 0, 0]);
}

#[test]
fn what_cannot_be_is_named_or_left_out() {
    type Change = fn(&Path);
    let changes: [(Change, &str); 5] = [
        (
            |root| halves(&root.join("masks/3.png"), [7, 0]),
            "images/3.jpg: its mask holds 7: expected 0 for the background, 1 to 1 for the classes, 255 where nobody knows",
        ),
        (
            |root| GrayImage::new(11, 10).save(root.join("masks/3.png")).unwrap(),
            "/masks/3.png has 11 x 10 pixels, and the picture 10 x 10",
        ),
        (
            |root| std::fs::remove_file(root.join("masks/3.png")).unwrap(),
            "images/3.jpg: there is no mask: expected masks/3.png",
        ),
        (|root| write(&root.join("masks/3.png"), "torn"), "/masks/3.png: it begins as no picture does"),
        (
            |root| paint(&root.join("masks/3.png"), [10, 10], &[([0, 0, 1, 1], [1, 2, 3])]),
            "/masks/3.png: it has the colour 1, 2, 3, which is no class's in PASCAL VOC's palette",
        ),
    ];
    for (change, expected) in changes {
        let root = tempfile::tempdir().unwrap();
        ten(root.path(), [1, 0]);
        change(root.path());
        let params = |skips: bool| json!({ "classes": ["wall"], "skip_damaged": skips });
        let error = refused::<Masks>(root.path(), params(false));
        assert!(error.starts_with("1 of 10 pictures beneath ") && error.contains(expected), "{error}");
        let data = made::<Masks>(root.path(), params(true)).unwrap().data;
        assert_eq!(Split::LABELLED.map(|split| data.len(split)), [6, 1, 2]);
    }
}

/// What nothing reads is no reason to go on with fewer, and a binary mask that may mean something else is none.
#[test]
fn what_is_not_read_and_what_may_mean_something_else_is_named() {
    let root = tempfile::tempdir().unwrap();
    let root = root.path();
    ten(root, [0, 255]);
    let binary = |skips: bool| json!({ "size": 10, "reading": "binary", "skip_damaged": skips });
    write(&root.join("images/phone.heic"), "of a phone");
    std::os::unix::fs::symlink("nowhere.png", root.join("images/link.png")).unwrap();
    std::fs::rename(root.join("masks/4.png"), root.join("masks/4.tga")).unwrap();
    write(&root.join("masks/notes.txt"), "of a person");
    // Beside what was made of it, that is passed over.
    write(&root.join("masks/7.xcf"), "of a program that draws");
    halves(&root.join("masks/5.png"), [5, 0]);
    GrayImage::from_fn(10, 10, |x, _| image::Luma([[0, 1, 255][x as usize % 3]]))
        .save(root.join("masks/6.png"))
        .unwrap();
    let error = refused::<Masks>(root, binary(false));
    for expected in [
        "3 of 12 pictures beneath ",
        "images/phone.heic: no .heic files are read: convert it to JPEG or PNG",
        "images/link.png: a link to what is not there",
        "images/4.jpg: its mask masks/4.tga: no .tga files are read",
    ] {
        assert!(error.contains(expected), "{error}");
    }
    for name in ["images/phone.heic", "images/link.png", "masks/4.tga", "images/4.jpg"] {
        std::fs::remove_file(root.join(name)).unwrap();
    }
    let numbered = image::ImageBuffer::from_fn(10, 10, |x, _| image::Luma([x as u16]));
    image::DynamicImage::ImageLuma16(numbered).save(root.join("masks/8.png")).unwrap();
    let error = refused::<Masks>(root, binary(false));
    for expected in [
        "/masks/8.png: it is L16, expected 8 bits of grey",
        "/masks/5.png: its lightest value is 5: expected black and white",
        "/masks/6.png: it holds 1, 255 beside 0: ",
    ] {
        assert!(error.contains(expected), "{error}");
    }
    let found = made::<Masks>(root, binary(true)).unwrap();
    assert_eq!(Split::LABELLED.map(|split| found.data.len(split)).iter().sum::<usize>(), 6);
    assert!(found.note.contains("passed over, since they are no pictures: 1 .txt"), "{}", found.note);
    // All pictures are alike.
    assert!(found.note.contains("images of the test split that are in the train split too"), "{}", found.note);
}

#[test]
fn what_is_of_one_group_is_in_one_split() {
    let root = tempfile::tempdir().unwrap();
    for (person, picture) in (0..5).flat_map(|person| (0..4).map(move |picture| (person, picture))) {
        let name = format!("person{person}_{picture}");
        let shade = [40 * person as u8, 10 * picture as u8, 0];
        paint(&root.path().join(format!("images/{name}.png")), [10, 10], &[([0, 0, 10, 10], shade)]);
        halves(&root.path().join(format!("masks/{name}.png")), [1, 0]);
    }
    let data = made::<Masks>(root.path(), json!({ "size": 10, "group": r"(person\d+)_" })).unwrap().data;
    assert_eq!(Split::LABELLED.map(|split| data.len(split)), [12, 4, 4]);
    let people = |split: Split| data.rows(split).map(|row| data.image(row)[0] / 40).collect::<BTreeSet<u8>>();
    assert_eq!(Split::LABELLED.map(|split| people(split).len()), [3, 1, 1]);
    let error = refused::<Masks>(root.path(), json!({ "group": r"(patient\d+)" }));
    assert!(error.contains("finds no group in the paths of 20 of 20 files (images/person0_0.png, "), "{error}");
}

#[test]
fn a_folder_without_masks_is_refused() {
    let root = tempfile::tempdir().unwrap();
    let root = root.path();
    ten(root, [0, 0]);
    assert!(
        refused::<Masks>(root, json!({}))
            .ends_with("no objects at all are told, and there is nothing to learn from it")
    );
    ten(root, [0, 255]);
    let error = refused::<Masks>(root, json!({}));
    assert!(error.ends_with("hold 0 and 255 only, which are the background and what nobody knows: if what is light is the class, write `reading: binary`"), "{error}");
    ten(root, [5, 90]);
    assert!(refused::<Masks>(root, json!({})).contains("its masks hold 5, 90 beside the background: expected 1, 2, 3"));
    (0..10)
        .for_each(|number| paint(&root.join(format!("masks/{number}.png")), [10, 10], &[([0, 0, 5, 10], [0, 0, 5])]));
    let error = refused::<Masks>(root, json!({}));
    assert!(
        error.ends_with("masks/0.png: it has the colour 0, 0, 5, which is no class's in PASCAL VOC's palette"),
        "{error}"
    );
    let error = refused::<Masks>(root, json!({ "reading": "binary", "classes": ["a", "b"] }));
    assert_eq!(error, "classes has 2 names, and a binary mask tells one class: write one");
    std::fs::rename(root.join("images"), root.join("pictures")).unwrap();
    assert!(refused::<Masks>(root, json!({})).contains("there is no picture in a folder `images`"));
}
