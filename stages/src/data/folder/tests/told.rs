//! What is told of pictures beside their classes: groups, captions, and that some have no class; and which are in two splits.

use super::*;

/// The groups of each split, by what is left of each picture's colour.
fn groups_of(data: &Dataset, group: impl Fn(u8) -> u8) -> Vec<std::collections::BTreeSet<u8>> {
    data.manifest.images.keys().map(|&split| colours(data, split).into_iter().map(&group).collect()).collect()
}

/// Patients 0 to 5, of each five pictures of both classes, whose colours are ten times the patient's number and more.
fn patients(root: &Path) {
    for number in 0..30u8 {
        let class = ["healthy", "ill"][usize::from(number % 2)];
        paint(&root.join(format!("{class}/patient{}_{number}.png", number / 5)), number / 5 * 10 + number % 5, 16, 16);
    }
}

#[test]
fn no_group_is_in_two_splits() {
    let place = tempfile::tempdir().unwrap();
    patients(place.path());
    let by_patient = |params: &mut Params| params.group = Some(r"patient(\d+)_".into());
    for seed in 0..5 {
        let data = folder(place.path(), |params| {
            by_patient(params);
            params.seed = seed;
        });
        let data = data.unwrap();
        let [train, validation, test] = &groups_of(&data, |colour| colour / 10)[..] else { panic!("three splits") };
        assert_eq!([train.len(), validation.len(), test.len()], [4, 1, 1]);
        assert!(train.is_disjoint(validation) && train.is_disjoint(test) && validation.is_disjoint(test));
        assert!(data.summary.contains("\n6 groups, each in one split\n"), "{}", data.summary);
    }
    let data =
        folder(place.path(), |params| (params.group, params.train) = (Some("patient(.)".into()), Some(7))).unwrap();
    assert_eq!(data.len(Split::Train), 7, "fewer are drawn of what is left");
    // Without, pictures of one patient are in all splits.
    let data = folder(place.path(), |_| {}).unwrap();
    let [train, _, test] = &groups_of(&data, |colour| colour / 10)[..] else { panic!("three splits") };
    assert!(!train.is_disjoint(test));
}

#[test]
fn groups_that_are_none_are_refused() {
    let place = tempfile::tempdir().unwrap();
    let root = place.path();
    patients(&root.join("train"));
    let error = |pattern: &str| refused(root, |params| params.group = Some(pattern.into()));
    assert!(error("(p").starts_with("`group` is no regular expression: regex parse error"), "{}", error("(p"));
    for (pattern, pairs) in [("patient", 0), ("(patient)(.)", 2)] {
        let start =
            format!("`group: {pattern}` has {pairs} pairs of parentheses: expected one, around what names the group");
        assert!(error(pattern).starts_with(&start), "{}", error(pattern));
    }
    let expected = "`group: ill/(.+)_` finds no group in the paths of 15 of 30 files (train/healthy/patient0_0.png, \
                    train/healthy/patient0_2.png, train/healthy/patient0_4.png, ...): each is of one";
    assert!(error("ill/(.+)_").ends_with(expected), "{}", error("ill/(.+)_"));
    // A validation split of its own, so that none is drawn of train.
    paint(&root.join("val/ill/patient9_y.png"), 98, 16, 16);
    paint(&root.join("test/ill/patient3_x.png"), 99, 16, 16);
    let expected = "group `patient3` has pictures in train (train/healthy/patient3_16.png) and in test \
                    (test/ill/patient3_x.png): put all of a group into one split, or leave `group` out";
    assert!(error("(patient.)_").ends_with(expected), "{}", error("(patient.)_"));
}

#[test]
fn pictures_without_a_class_are_a_split_of_their_own() {
    let place = tempfile::tempdir().unwrap();
    let root = place.path();
    unbalanced(root);
    let without = folder(root, |_| {}).unwrap();
    for number in 0..5 {
        paint(&root.join(format!("unlabelled/scan/{number}.png")), 100 + number, 16, 16);
    }
    let data = folder(root, |_| {}).unwrap();
    assert_eq!(data.manifest.classes, ["dark", "light"]);
    assert_eq!(colours(&data, Split::Unlabelled), [100, 101, 102, 103, 104]);
    assert_eq!(data.labels(Split::Unlabelled), [-1; 5]);
    for split in Split::LABELLED {
        assert_eq!(colours(&data, split), colours(&without, split), "the others are drawn as without them");
    }
    let splits =
        "\ntrain is the folder, validation is drawn from it, test is drawn from it, unlabelled is `unlabelled`\n";
    assert!(data.summary.contains(splits), "{}", data.summary);
    assert_eq!(folder(root, |params| params.splits = Splits::Classes).unwrap().manifest.classes.len(), 3);

    let place = tempfile::tempdir().unwrap();
    let root = place.path();
    unbalanced(&root.join("train"));
    paint(&root.join("Unlabeled/a.png"), 100, 16, 16);
    let data = folder(root, |_| {}).unwrap();
    assert_eq!(Split::ALL.map(|split| data.len(split)), [22, 2, 6, 1]);
    std::fs::write(root.join("Unlabeled/a.png"), "torn").unwrap();
    let error = refused(root, |params| params.skip_damaged = true);
    assert!(error.contains("no file of the folder `Unlabeled` can be read (1 .png; Unlabeled/a.png: "), "{error}");
}

/// Of a folder with `a/0.png`, `a/1.png`, `b/2.png` what its captions come to.
fn captioned(csv: &[u8]) -> Result<Vec<String>> {
    let place = tempfile::tempdir().unwrap();
    for (number, class) in ["a", "a", "b"].into_iter().enumerate() {
        paint(&place.path().join(format!("{class}/{number}.png")), number as u8, 16, 16);
    }
    std::fs::write(place.path().join("metadata.csv"), csv).unwrap();
    let change = |params: &mut Params| {
        (params.captions, params.test, params.validation) = (Some("metadata.csv".into()), 0.0, Some(1));
    };
    let data = folder(place.path(), change)?;
    assert!(!data.summary.contains("passed over"), "{}", data.summary);
    let rows = [Split::Train, Split::Validation].into_iter().flat_map(|split| data.rows(split));
    let mut texts: Vec<(u8, String)> =
        rows.map(|row| (data.image(row)[0], data.text(row).unwrap().to_owned())).collect();
    texts.sort();
    Ok(texts.into_iter().map(|(_, text)| text).collect())
}

#[test]
fn captions_go_with_their_pictures() {
    let csv = "text,file_name,more\n\"a cat, asleep\",a/1.png,x\nzwei Bäume,b/2.png,\n,a/0.png,\n";
    assert_eq!(captioned(csv.as_bytes()).unwrap(), ["", "a cat, asleep", "zwei Bäume"]);
    let place = tempfile::tempdir().unwrap();
    unbalanced(place.path());
    let data = folder(place.path(), |_| {}).unwrap();
    assert_eq!(data.text(0), None);
}

#[test]
fn captions_that_fit_no_picture_are_refused() {
    let refused = |csv: &[u8]| {
        let error = format!("{:#}", captioned(csv).expect_err("it is refused"));
        error.split_once("metadata.csv: ").expect("the file is named").1.to_owned()
    };
    let whole = "file_name,text\na/0.png,x\na/1.png,y\nb/2.png,z\n";
    for (csv, expected) in [
        ("path,text\na/0.png,x\n", "its columns are `path`, `text`: expected `file_name` and `text` in the first line"),
        (&whole.replace("a/1", "a/7"), "line 3: there is no picture `a/7.png`: expected a path from the folder on"),
        (&format!("{whole}a/0.png,w\n"), "line 5: `a/0.png` has a caption already: leave one of them"),
        (
            &whole.replace(",y", ",y, too"),
            "line 3: it has 3 values, and the first line 2: put a text with commas in \"\"",
        ),
        (
            "file_name,text\nb/2.png,z\n",
            "2 of 3 pictures have none (a/0.png, a/1.png): add a line for each (the text may be empty), or move them away",
        ),
    ] {
        assert_eq!(refused(csv.as_bytes()), expected);
    }
    assert_eq!(refused(b"file_name,text\na/0.png,\xff\n"), "line 2: it is not UTF-8: save the file as UTF-8");

    let place = tempfile::tempdir().unwrap();
    unbalanced(place.path());
    let elsewhere = super::refused(place.path(), |params| params.captions = Some("../metadata.csv".into()));
    assert!(elsewhere.starts_with("`captions: ../metadata.csv` is not within `path`"), "{elsewhere}");
}

#[test]
fn the_same_image_in_two_splits_is_told_and_stays() {
    let place = tempfile::tempdir().unwrap();
    let root = place.path();
    unbalanced(&root.join("train"));
    for (file, colour) in [("test/dark/a", 3), ("test/dark/b", 3), ("test/light/c", 77), ("val/dark/d", 3)] {
        paint(&root.join(format!("{file}.png")), colour, 16, 16);
    }
    paint(&root.join("unlabelled/e.png"), 77, 16, 16);
    paint(&root.join("unlabelled/f.png"), 4, 16, 16);
    let data = folder(root, |_| {}).unwrap();
    assert_eq!(Split::ALL.map(|split| data.len(split)), [30, 1, 3, 2]);
    let lines: Vec<&str> = data
        .summary
        .lines()
        .filter(|line| line.contains("pixel for pixel") || line.contains("the same image"))
        .collect();
    let expected = [
        "images of the validation split that are in the train split too, pixel for pixel: 1",
        "images of the test split that are in the train split too, pixel for pixel: 2",
        "images of the test split that are in the validation split too, pixel for pixel: 2",
        "images of the unlabelled split that are in the test split too, pixel for pixel: 1",
        "the same image: train/dark/03.png (train), val/dark/d.png (validation)",
        "the same image: train/dark/03.png (train), test/dark/a.png (test)",
        "the same image: train/dark/03.png (train), test/dark/b.png (test)",
        "the same image: val/dark/d.png (validation), test/dark/a.png (test)",
        "the same image: val/dark/d.png (validation), test/dark/b.png (test)",
        "the same image: test/light/c.png (test), unlabelled/e.png (unlabelled)",
    ];
    assert_eq!(lines, expected);
    assert!(data.note.contains(expected[1]) && !data.note.contains("03.png"), "{}", data.note);
}
