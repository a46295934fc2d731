use super::super::annotated::tests::{made, refused, write};
use super::*;
use crate::data::{column, npy};
use serde_json::json;

fn fixture() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("src/data/nifti/fixture")
}

/// The five heads in a folder of one's own.
fn heads() -> tempfile::TempDir {
    let root = tempfile::tempdir().unwrap();
    for of in ["images", "labels"] {
        std::fs::create_dir(root.path().join(of)).unwrap();
        for number in 0..5 {
            let name = format!("{of}/{number}.nii.gz");
            std::fs::copy(fixture().join("heads").join(&name), root.path().join(name)).unwrap();
        }
    }
    std::fs::copy(fixture().join("heads/labels.txt"), root.path().join("labels.txt")).unwrap();
    root
}

/// Regions are balls whose values are above all noise: what the mask says is light in the image, however the file lies.
#[test]
fn slices_of_a_head_have_their_masks_and_no_head_is_in_two_splits() {
    let root = heads();
    write(&root.path().join("images/notes.txt"), "of a scanner");
    let found = made::<Nifti>(root.path(), json!({ "size": 12, "validation": 0.25 })).unwrap();
    let data = &found.data;
    assert_eq!(
        (&data.manifest.classes.join(", ")[..], data.manifest.labels),
        ("left side, right side", Labels::Places)
    );
    assert_eq!(data.manifest.input(), [1, 12, 12]);
    assert_eq!(Split::ALL.map(|split| data.len(split)), [18, 6, 6, 0], "of eight slices of a head two show nothing");
    assert!(found.note.contains("slices without anything to see, left out: 10"), "{}", found.note);
    assert!(found.note.contains("5 volumes, each in one split"), "{}", found.note);
    assert!(found.note.contains("files that are no .nii or .nii.gz, left out: 1"), "{}", found.note);
    let mut places = [[0; 2]; 2];
    for row in 0..30 {
        let (image, mask) = (data.image(row), data.mask(row).unwrap());
        assert!(mask[..12] == [255; 12] && mask[132..] == [255; 12], "of ten rows, two are padded");
        for (place, (&value, &class)) in image.iter().zip(mask).enumerate().filter(|(_, (_, class))| **class < 255) {
            assert_eq!(value > 180, class == 2, "row {row}, place {place}: {value}");
            if class > 0 {
                places[usize::from(class) - 1][usize::from(place % 12 >= 6)] += 1;
            }
        }
    }
    let [left, right] = places;
    assert!(left[0] > 4 * left[1] && right[1] > 4 * right[0], "left is left: {places:?}");
}

#[test]
fn volumes_are_groups_and_axes_are_chosen() {
    let root = heads();
    for (axis, slices) in [("coronal", 50), ("sagittal", 60)] {
        let data = made::<Nifti>(root.path(), json!({ "axis": axis, "size": 16 })).unwrap().data;
        assert_eq!(Split::ALL.map(|split| data.len(split)).iter().sum::<usize>(), slices);
    }
    std::fs::remove_file(root.path().join("labels.txt")).unwrap();
    let place = tempfile::tempdir().unwrap();
    let run = pretext_protocol::Run::in_folder("data/nifti", serde_json::Map::new(), &[], place.path()).unwrap();
    let params = Params { path: root.path().into(), ..Params::default() };
    let heard = std::sync::Mutex::new(Vec::<u8>::new());
    Nifti::run(params, &Context::new(&run, &heard, &|| false).unwrap()).unwrap();
    let folder = run.out.join("dataset");
    let groups: Vec<u32> = column(&folder, "group", 30).unwrap();
    assert_eq!(groups.iter().collect::<BTreeSet<_>>().len(), 5);
    assert_eq!(crate::data::Dataset::open(&folder).unwrap().manifest.classes, ["7", "12"], "called by their values");
    let (shape, _) = npy::read::<u8>(&folder.join("mask.npy")).unwrap();
    assert_eq!(shape, [30, 64, 64]);
}

#[test]
fn few_volumes_are_in_every_split_that_is_asked_for() {
    let root = heads();
    let of_heads = |left: usize, params: serde_json::Value| {
        let place = tempfile::tempdir().unwrap();
        for folder in ["images", "labels"] {
            std::fs::create_dir(place.path().join(folder)).unwrap();
            for number in 0..left {
                let name = format!("{folder}/{number}.nii.gz");
                std::fs::copy(root.path().join(&name), place.path().join(&name)).unwrap();
            }
        }
        made::<Nifti>(place.path(), params).map(|found| Split::ALL.map(|split| found.data.len(split)))
    };
    assert_eq!(of_heads(3, json!({ "size": 12 })).unwrap(), [6, 6, 6, 0]);
    let error = format!("{:#}", of_heads(2, json!({ "size": 12 })).unwrap_err());
    assert!(error.contains("validation is 0.1, and of 2 whole volumes none is left for it"), "{error}");
    assert_eq!(of_heads(2, json!({ "size": 12, "validation": 0 })).unwrap(), [6, 0, 6, 0]);
}

#[test]
fn what_cannot_be_read_is_named() {
    type Change = fn(&Path);
    let changes: [(Change, &str); 9] = [
        (
            |root| {
                std::fs::copy(fixture().join("orientation/ras.nii.gz"), root.join("labels/2.nii.gz")).unwrap();
            },
            "labels/2.nii.gz has [4, 3, 5] voxels (right, anterior, superior), and its image [12, 10, 8]",
        ),
        (
            |root| write(&root.join("labels.txt"), "7 left\n"),
            ".nii.gz: it holds 12, expected 0 or one of 7: add a line `12 NAME` to labels.txt",
        ),
        (
            |root| write(&root.join("labels.txt"), "7 left\nright\n"),
            "labels.txt:2: `right`: expected a number and a name",
        ),
        (
            |root| write(&root.join("labels.txt"), "seven left\n"),
            "labels.txt:1: `seven left`: `seven` is no whole number",
        ),
        (
            |root| write(&root.join("labels.txt"), "7 a\n7 b\n"),
            "labels.txt:2: `7 b`: a line before has the same number or name",
        ),
        (
            |root| {
                let file = root.join("images/4.nii.gz");
                let bytes = std::fs::read(&file).unwrap();
                std::fs::write(file, &bytes[..bytes.len() / 2]).unwrap();
            },
            "images/4.nii.gz is damaged, or no NIfTI-1 file",
        ),
        (|root| write(&root.join("images/4.nii.gz"), "no volume"), "images/4.nii.gz is damaged, or no NIfTI-1 file"),
        (
            |root| std::fs::remove_file(root.join("labels/1.nii.gz")).unwrap(),
            "images/1.nii.gz: there are no labels, expected labels/1.nii or 1.nii.gz",
        ),
        (
            |root| std::fs::remove_file(root.join("images/1.nii.gz")).unwrap(),
            "labels/1.nii.gz: there is no image of these labels in images",
        ),
    ];
    for (change, expected) in changes {
        let root = heads();
        change(root.path());
        let error = refused::<Nifti>(root.path(), json!({ "size": 12 }));
        assert!(error.contains(expected), "{error}");
    }
    let root = tempfile::tempdir().unwrap();
    assert!(refused::<Nifti>(root.path(), json!({})).contains("expected folders `images` and `labels`"));
}

/// All at once, so that one look mends them.
#[test]
fn every_volume_that_cannot_be_used_is_named() {
    let root = heads();
    write(&root.path().join("images/1.nii.gz"), "no volume");
    std::fs::copy(fixture().join("orientation/ras.nii.gz"), root.path().join("labels/2.nii.gz")).unwrap();
    let error = refused::<Nifti>(root.path(), json!({ "size": 12 }));
    for expected in
        ["2 files beneath ", "images/1.nii.gz is damaged, or no NIfTI-1 file", "labels/2.nii.gz has [4, 3, 5] voxels"]
    {
        assert!(error.contains(expected), "{error}");
    }
}

#[test]
fn volumes_of_one_person_are_in_one_split() {
    let root = heads();
    for of in ["images", "labels"] {
        for (from, to) in [
            ("0", "sub-1_ses-1"),
            ("1", "sub-1_ses-2"),
            ("2", "sub-2_ses-1"),
            ("3", "sub-2_ses-2"),
            ("4", "sub-3_ses-1"),
        ] {
            let name = |of_file: &str| root.path().join(of).join(format!("{of_file}.nii.gz"));
            std::fs::rename(name(from), name(to)).unwrap();
        }
    }
    let found = made::<Nifti>(root.path(), json!({ "size": 12, "group": r"(sub-\d+)_", "validation": 0.4 })).unwrap();
    assert!(found.note.contains("5 volumes, 3 whole groups, each in one split"), "{}", found.note);
    let lines = std::fs::read_to_string(found.place.path().join("side/files.csv")).unwrap();
    let of = |row: usize| lines.lines().nth(row + 1).unwrap().split_once("sub-").unwrap().1[..1].to_owned();
    let people = Split::LABELLED.map(|split| found.data.rows(split).map(of).collect::<BTreeSet<_>>());
    assert!(people.iter().all(|people| people.len() == 1), "{people:?}");
    assert_eq!(people.iter().flatten().collect::<BTreeSet<_>>().len(), 3);
}

#[test]
fn labels_that_lie_elsewhere_than_their_image_are_refused() {
    let root = tempfile::tempdir().unwrap();
    let put = |from: &str, to: &str, change: &dyn Fn(&mut Vec<u8>)| {
        let mut bytes = std::fs::read(fixture().join("orientation").join(from)).unwrap();
        change(&mut bytes);
        write(&root.path().join(to), bytes);
    };
    put("scaled.nii", "images/a.nii", &|_| ());
    // The last of sform's first row: where the volume begins.
    put("scaled.nii", "labels/a.nii", &|bytes| bytes[292..296].copy_from_slice(&7f32.to_le_bytes()));
    let error = refused::<Nifti>(root.path(), json!({ "size": 8 }));
    assert!(
        error.contains("labels/a.nii has a corner at [7.0, 0.0, 0.0] mm by its header, and its image at [0.0"),
        "{error}"
    );
    // Of the second row of sform what leads along the file's second axis: voxels of two millimetres.
    put("scaled.nii", "labels/a.nii", &|bytes| bytes[300..304].copy_from_slice(&2f32.to_le_bytes()));
    let error = refused::<Nifti>(root.path(), json!({ "size": 8 }));
    assert!(
        error.contains("labels/a.nii has voxels of [1.0, 2.0, 1.0] mm by its header, and its image of [1.0"),
        "{error}"
    );
    // Of the first row what leads along the file's third axis: turned a little, so that the first voxel stays where it is.
    put("scaled.nii", "labels/a.nii", &|bytes| bytes[288..292].copy_from_slice(&0.14f32.to_le_bytes()));
    let error = refused::<Nifti>(root.path(), json!({ "size": 8 }));
    assert!(
        error.contains(
            "labels/a.nii has a corner at [0.56, 0.0, 4.0] mm by its header, and its image at [0.0, 0.0, 4.0]"
        ),
        "{error}"
    );
    // Halves of whole numbers.
    put("scaled.nii", "labels/a.nii", &|bytes| bytes[352] = 1);
    let error = refused::<Nifti>(root.path(), json!({ "size": 8 }));
    assert!(error.ends_with("labels/a.nii holds 1.5, expected whole numbers from 0 on"), "{error}");
}
