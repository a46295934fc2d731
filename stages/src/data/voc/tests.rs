use super::super::annotated::tests::{made, paint, refused, write};
use super::*;
use crate::data::palette::colour;
use crate::data::{Region, Split};
use serde_json::json;
use std::path::Path;

/// A picture of 20 x 10 pixels and its annotation: names, whether they are difficult, and edges.
fn annotated(root: &Path, name: &str, objects: &[(&str, u8, [u32; 4])]) {
    paint(&root.join(format!("JPEGImages/{name}.jpg")), [20, 10], &[]);
    let object = |(class, difficult, [left, top, right, bottom]): &(&str, u8, [u32; 4])| {
        format!(
            "<object><name>{class}</name><difficult>{difficult}</difficult>\n<bndbox><xmin>{left}</xmin><ymin>{top}</ymin>\
             <xmax>{right}</xmax><ymax>{bottom}</ymax></bndbox></object>"
        )
    };
    let objects: String = objects.iter().map(object).collect();
    let text = format!(
        "<annotation><filename>{name}.jpg</filename><size><width>20</width><height>10</height><depth>3</depth></size>{objects}\
         </annotation>"
    );
    write(&root.join(format!("Annotations/{name}.xml")), text);
}

/// As VOCdevkit has a year: lists, a difficult object, and a picture that no list has.
fn year(root: &Path) {
    annotated(root, "1", &[("dog", 0, [6, 1, 10, 5]), ("cat", 0, [11, 6, 15, 10]), ("cow", 1, [7, 7, 8, 8])]);
    annotated(root, "2", &[("cat", 0, [6, 1, 15, 10])]);
    annotated(root, "3", &[("dog", 0, [6, 1, 10, 10])]);
    annotated(root, "4", &[("dog", 0, [6, 1, 10, 10])]);
    for of in ["Main", "Segmentation"] {
        write(&root.join(format!("ImageSets/{of}/train.txt")), "1\n2\n");
        write(&root.join(format!("ImageSets/{of}/val.txt")), "3  1\n");
        write(&root.join(format!("ImageSets/{of}/cat_train.txt")), "1 -1\n2 1\n");
    }
}

#[test]
fn the_layout_of_pascal_voc_is_read() {
    let root = tempfile::tempdir().unwrap();
    year(root.path());
    let found = made::<Voc>(root.path(), json!({ "size": 10, "test": 0.0 })).unwrap();
    assert_eq!(found.data.manifest.classes, ["cat", "dog"]);
    assert_eq!(Split::ALL.map(|split| found.data.len(split)), [2, 1, 0, 0]);
    let expected =
        [Region { class: 1, edges: [0.0, 0.0, 5.0, 5.0] }, Region { class: 0, edges: [5.0, 5.0, 10.0, 10.0] }];
    assert_eq!(found.data.regions(0).unwrap(), expected);
    assert!(found.note.contains("objects left out, since they are marked as difficult: 1"), "{}", found.note);
    let with_all = made::<Voc>(root.path(), json!({ "size": 10, "test": 0.0, "difficult": true })).unwrap();
    assert_eq!(with_all.data.manifest.classes, ["cat", "cow", "dog"]);
    assert!(found.data.mask(0).is_none());
}

/// Their colours are numbers of the classes in the order of the alphabet, and void.
#[test]
fn masks_are_those_of_segmentation_class() {
    let root = tempfile::tempdir().unwrap();
    let root = root.path();
    year(root);
    annotated(root, "1", &[("cat", 0, [11, 1, 14, 10]), ("cow", 1, [15, 1, 15, 10])]);
    ["2", "4"].iter().for_each(|name| annotated(root, name, &[("dog", 0, [11, 1, 15, 10])]));
    // Of cats, cows, of which there is a difficult one only, and dogs.
    for (name, class) in [("1", 1), ("2", 3), ("4", 3)] {
        let last = if name == "1" { 2 } else { class };
        let rectangles =
            [([6, 0, 10, 10], colour(255)), ([10, 0, 14, 10], colour(class)), ([14, 0, 15, 10], colour(last))];
        paint(&root.join(format!("SegmentationClass/{name}.png")), [20, 10], &rectangles);
    }
    write(&root.join("ImageSets/Segmentation/val.txt"), "3\n4\n");
    let found = made::<Voc>(root, json!({ "size": 10, "test": 0.0, "masks": true })).unwrap();
    assert_eq!(Split::ALL.map(|split| found.data.len(split)), [2, 1, 0, 0]);
    let row = |row: usize| found.data.mask(row).unwrap()[..10].to_vec();
    assert_eq!(
        [row(0), row(1), row(2)],
        [[1, 2], [3, 3], [3, 3]].map(|[class, last]| [&[0, 255, 255, 255, 255][..], &[class; 4], &[last]].concat())
    );
    assert!(found.note.contains("pictures left out, since there is no mask of them: 1"), "{}", found.note);
    // A name that is misspelt is a class of its own, and moves all that come behind it.
    annotated(root, "1", &[("cat", 0, [11, 1, 14, 10]), ("bow", 1, [15, 1, 15, 10])]);
    let error = refused::<Voc>(root, json!({ "size": 10, "test": 0.0, "masks": true }));
    assert!(error.contains("no pixel of the mask is of their class: masks number classes by the order"), "{error}");
}

#[test]
fn annotations_may_lie_beside_their_pictures() {
    let root = tempfile::tempdir().unwrap();
    let root = root.path();
    for split in ["train", "valid", "test"] {
        let within = root.join("unpacked");
        annotated(&within, split, &[("dog", 0, [5, 0, 15, 10])]);
        for (from, ending) in [("JPEGImages", "jpg"), ("Annotations", "xml")] {
            std::fs::create_dir_all(root.join(split)).unwrap();
            let file = format!("{split}.{ending}");
            std::fs::rename(within.join(from).join(&file), root.join(split).join(&file)).unwrap();
        }
    }
    std::fs::remove_dir_all(root.join("unpacked")).unwrap();
    let error = refused::<Voc>(root, json!({}));
    let expected =
        "line 2: a box of `dog` begins at 5, 0, and the picture at 1: if edges count from 0, say `first_pixel: 0`";
    assert!(error.contains(expected), "{error}");
    let data = made::<Voc>(root, json!({ "size": 10, "first_pixel": 0 })).unwrap().data;
    assert_eq!(Split::ALL.map(|split| data.len(split)), [1, 1, 1, 0]);
    assert_eq!(data.regions(2).unwrap(), [Region { class: 0, edges: [0.0, 0.0, 10.0, 10.0] }]);
}

#[test]
fn what_cannot_be_is_named_or_left_out() {
    type Change = fn(&Path);
    let changes: [(Change, &str); 5] = [
        (
            |root| annotated(root, "2", &[("cat", 0, [6, 1, 25, 10])]),
            "JPEGImages/2.jpg: Annotations/2.xml: line 2: a box of `cat` lies outside of its 20 x 10 pixels: left 5, top 0, right 25, bottom 10",
        ),
        (
            |root| paint(&root.join("JPEGImages/2.jpg"), [10, 20], &[]),
            "JPEGImages/2.jpg: it has 10 x 20 pixels, and its annotation says 20 x 10",
        ),
        (
            |root| write(&root.join("Annotations/2.xml"), "<annotation>\n<object/></annotation>"),
            "Annotations/2.xml: line 2: an object has no <name>",
        ),
        (|root| write(&root.join("JPEGImages/2.jpg"), ""), "JPEGImages/2.jpg: it is empty"),
        (
            |root| std::fs::remove_file(root.join("JPEGImages/2.jpg")).unwrap(),
            "Annotations/2.xml: there is no picture of it: expected JPEGImages/2.jpg",
        ),
    ];
    for (change, expected) in changes {
        let root = tempfile::tempdir().unwrap();
        year(root.path());
        change(root.path());
        let error = refused::<Voc>(root.path(), json!({ "test": 0.0 }));
        assert!(
            error.starts_with("1 of 3 pictures beneath ") && error.contains(&format!("\n    {expected}")),
            "{error}"
        );
        let data = made::<Voc>(root.path(), json!({ "test": 0.0, "skip_damaged": true })).unwrap().data;
        assert_eq!(Split::LABELLED.map(|split| data.len(split)), [1, 1, 0]);
    }
}

#[test]
fn lists_that_do_not_fit_are_refused() {
    let root = tempfile::tempdir().unwrap();
    let root = root.path();
    year(root);
    write(&root.join("ImageSets/Main/val.txt"), "3\n2\n");
    let error = refused::<Voc>(root, json!({}));
    assert!(error.ends_with("ImageSets/Main/val.txt: 2 is in the list of the train split too"), "{error}");
    write(&root.join("ImageSets/Main/val.txt"), "3\n17\n");
    let error = refused::<Voc>(root, json!({}));
    assert!(
        error.contains("of 1 pictures that ImageSets lists there is no file in Annotations (17): add them"),
        "{error}"
    );
    let found = made::<Voc>(root, json!({ "test": 0.0, "skip_damaged": true })).unwrap();
    assert!(found.note.contains("which ImageSets lists and no annotation tells of: 1"), "{}", found.note);
    write(&root.join("ImageSets/Segmentation/val.txt"), "18\n");
    let error = refused::<Voc>(root, json!({ "masks": true }));
    assert!(error.contains("there is no file in Annotations (18): add them"), "{error}");
    std::fs::remove_dir_all(root.join("Annotations")).unwrap();
    assert!(refused::<Voc>(root, json!({})).ends_with("there is no .xml file of annotations beneath it"));
}
