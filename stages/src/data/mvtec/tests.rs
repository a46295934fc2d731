use super::super::annotated::tests::{made, paint, refused, write};
use super::*;
use serde_json::json;

const SIZE: [u32; 2] = [20, 10];

/// A category as MVTec AD has it: pictures that are wider than high, with a white square where something is wrong.
fn category(root: &Path) {
    let black = |path: &str| paint(&root.join(path), SIZE, &[]);
    (0..10).for_each(|number| black(&format!("train/good/{number:03}.png")));
    (0..2).for_each(|number| black(&format!("test/good/{number:03}.png")));
    for (defect, left) in [("cut", 6), ("broken_large", 10)] {
        for number in 0..2 {
            let square = [([left, 2, left + 3, 5], [255; 3])];
            paint(&root.join(format!("test/{defect}/{number:03}.png")), SIZE, &square);
            paint(&root.join(format!("ground_truth/{defect}/{number:03}_mask.png")), SIZE, &square);
        }
    }
}

#[test]
fn a_category_is_read_with_its_masks() {
    let root = tempfile::tempdir().unwrap();
    category(root.path());
    paint(&root.path().join("ground_truth/cut/007_mask.png"), SIZE, &[]);
    let found = made::<Mvtec>(root.path(), json!({ "size": 10 })).unwrap();
    let data = &found.data;
    assert_eq!(
        (&data.manifest.classes.join(" ")[..], data.manifest.labels),
        ("good broken_large cut", Labels::Anomalies)
    );
    assert_eq!(Split::ALL.map(|split| data.len(split)), [9, 1, 6, 0]);
    assert_eq!(data.labels(Split::Test), [1, 1, 2, 2, 0, 0]);
    assert!(found.note.contains("masks without a picture: 1 (ground_truth/cut/007_mask.png)"), "{}", found.note);
    // The largest central square begins 5 pixels from the left.
    let shown = |row: usize| -> Vec<usize> { (0..100).filter(|&place| data.mask(row).unwrap()[place] == 1).collect() };
    let square =
        |left: usize| -> Vec<usize> { (2..5).flat_map(|y| (left..left + 3).map(move |x| y * 10 + x)).collect() };
    let first = data.rows(Split::Test).start;
    assert_eq!([shown(0), shown(first), shown(first + 2), shown(first + 5)], [vec![], square(5), square(1), vec![]]);
    assert!(shown(first).iter().all(|place| data.image(first)[3 * place] == 255));
}

/// As many programs write them.
#[test]
fn masks_of_zeros_and_ones_are_read_as_those_of_black_and_white() {
    let root = tempfile::tempdir().unwrap();
    category(root.path());
    let whole = made::<Mvtec>(root.path(), json!({ "size": 10 })).unwrap();
    for (defect, left) in [("cut", 6), ("broken_large", 10)] {
        for number in 0..2 {
            let square = [([left, 2, left + 3, 5], [1; 3])];
            paint(&root.path().join(format!("ground_truth/{defect}/{number:03}_mask.png")), SIZE, &square);
        }
    }
    let ones = made::<Mvtec>(root.path(), json!({ "size": 10 })).unwrap();
    assert!(whole.data.rows(Split::Test).all(|row| whole.data.mask(row) == ones.data.mask(row)));
}

#[test]
fn a_defect_that_fills_no_pixel_is_told_by_those_that_it_touches() {
    let root = tempfile::tempdir().unwrap();
    category(root.path());
    let (larger, white) = ([200, 100], [255; 3]);
    for place in ["test/cut/000.png", "ground_truth/cut/000_mask.png"] {
        paint(&root.path().join(place), larger, &[([121, 31, 123, 33], white), ([0, 50, 50, 100], white)]);
    }
    let shown = |fit: &str| -> (Vec<usize>, String) {
        let found = made::<Mvtec>(root.path(), json!({ "size": 8, "fit": fit })).unwrap();
        let first = found.data.rows(Split::Test).find(|&row| found.data.class(row) == 2).unwrap();
        ((0..64).filter(|&place| found.data.mask(first).unwrap()[place] == 1).collect(), found.note)
    };
    let (places, _) = shown("stretch");
    // Columns 121 and 122 of 200 lie in the fifth of eight, rows 31 and 32 of 100 in the third; beside it a large defect.
    let large = (4..8).flat_map(|row| (0..2).map(move |column| row * 8 + column));
    assert_eq!(places, [2 * 8 + 4].into_iter().chain(large).collect::<Vec<_>>());
    for place in ["test/cut/000.png", "ground_truth/cut/000_mask.png"] {
        paint(&root.path().join(place), larger, &[([0, 50, 20, 100], white)]);
    }
    let (places, note) = shown("crop");
    assert!(places.is_empty());
    assert!(
        note.contains("masks with objects of which none is left at 8 x 8 pixels, by size or by `fit`: 1"),
        "{note}"
    );
}

#[test]
fn a_person_is_told_which_file_a_row_was_made_of() {
    let root = tempfile::tempdir().unwrap();
    category(root.path());
    let found = made::<Mvtec>(root.path(), json!({ "size": 10 })).unwrap();
    let text = std::fs::read_to_string(found.place.path().join("side/files.csv")).unwrap();
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!((lines[0], lines.len()), ("row,file", 1 + 10 + 6));
    let first = found.data.rows(Split::Test).start;
    assert_eq!(lines[1 + first], format!("{first},\"test/broken_large/000.png\""));
    assert!(lines[1].starts_with("0,\"train/good/0"), "{}", lines[1]);
}

#[test]
fn validation_has_a_folder_of_its_own_or_is_drawn_and_masks_may_be_missing_altogether() {
    let root = tempfile::tempdir().unwrap();
    category(root.path());
    (0..3).for_each(|number| paint(&root.path().join(format!("validation/good/{number}.png")), SIZE, &[]));
    std::fs::remove_dir_all(root.path().join("ground_truth")).unwrap();
    let data = made::<Mvtec>(root.path(), json!({ "size": 10, "train": 5 })).unwrap().data;
    assert_eq!(Split::ALL.map(|split| data.len(split)), [5, 3, 6, 0]);
    assert!(data.mask(0).is_none());
}

#[test]
fn what_is_no_category_is_refused() {
    type Change = fn(&Path);
    let remove = |root: &Path, folder: &str| std::fs::remove_dir_all(root.join(folder)).unwrap();
    let changes: [(Change, &str); 9] = [
        (|root| paint(&root.join("train/cut/0.png"), SIZE, &[]), "train/cut/0.png: expected pictures in train/good, "),
        (|root| paint(&root.join("capsule/train/good/0.png"), SIZE, &[]), "name the folder of one category"),
        (
            |root| std::fs::remove_file(root.join("ground_truth/cut/001_mask.png")).unwrap(),
            "test/cut/001.png: there is no mask: expected ground_truth/cut/001_mask.png",
        ),
        (
            |root| paint(&root.join("ground_truth/cut/001_mask.png"), [10, 10], &[]),
            "001_mask.png has 10 x 10 pixels, and the picture 20 x 10",
        ),
        (
            |root| paint(&root.join("ground_truth/cut/001_mask.png"), SIZE, &[]),
            "001_mask.png shows nothing: all of it is dark",
        ),
        (|root| write(&root.join("test/cut/001.png"), "torn"), "test/cut/001.png: it begins as no picture does"),
        (|root| std::fs::write(root.join("test/good/000.png"), "").unwrap(), "test/good/000.png: it is empty"),
        (
            |root| write(&root.join("test/good/003.heic"), "of a phone"),
            "test/good/003.heic: no .heic files are read: convert it to JPEG or PNG",
        ),
        (
            |root| {
                std::fs::remove_dir_all(root.join("ground_truth")).unwrap();
                write(&root.join("ground_truth/cut/000_mask.npy"), "of numpy");
            },
            "no mask is read in ground_truth, where ground_truth/cut/000_mask.npy lies",
        ),
    ];
    for (change, expected) in changes {
        let root = tempfile::tempdir().unwrap();
        category(root.path());
        change(root.path());
        let error = refused::<Mvtec>(root.path(), json!({ "size": 10 }));
        assert!(error.contains(expected), "{error}");
    }
    for (folders, expected) in [
        (&["train"][..], "there is no picture in train/good to train on"),
        (&["test"], "there is no picture in test, in folders test/good and test/DEFECT"),
        (&["test/cut", "test/broken_large"], "there is no folder test/DEFECT, so that all is good"),
    ] {
        let root = tempfile::tempdir().unwrap();
        category(root.path());
        folders.iter().for_each(|folder| remove(root.path(), folder));
        let error = refused::<Mvtec>(root.path(), json!({ "size": 10 }));
        assert!(error.ends_with(expected), "{error}");
    }
}
