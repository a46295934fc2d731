use super::super::annotated::tests::{made, paint, refused, write};
use super::*;
use crate::data::{Labels, Region, Split};
use serde_json::{Value, json};
use std::path::Path;

const RED: [u8; 3] = [250, 0, 0];

/// A category, and left, top, width and height.
type Object = (i64, [f64; 4]);

/// A file of annotations of pictures of 20 x 10 pixels by their names, each with objects: category and box.
fn annotations(images: &[(&str, &[Object])]) -> Value {
    let mut objects = vec![];
    for (image, (_, of_image)) in images.iter().enumerate() {
        for (category, [left, top, width, height]) in *of_image {
            let polygon = [left, top, &(left + width), top, &(left + width), &(top + height), left, &(top + height)];
            objects.push(json!({
                "id": objects.len(), "image_id": image, "category_id": category, "iscrowd": 0,
                "bbox": [left, top, width, height], "segmentation": [polygon],
            }));
        }
    }
    let files: Vec<Value> = images
        .iter()
        .enumerate()
        .map(|(id, (name, _))| json!({ "id": id, "file_name": name, "height": 10, "width": 20 }))
        .collect();
    let categories = [(0, "nothing"), (18, "dog"), (3, "car")].map(|(id, name)| json!({ "id": id, "name": name }));
    json!({ "images": files, "annotations": objects, "categories": categories })
}

/// Pictures of a folder and what is told of them.
fn folder(root: &Path, file: &str, pictures: &str, images: &[(&str, &[Object])]) {
    write(&root.join(file), annotations(images).to_string());
    images.iter().for_each(|(name, _)| paint(&root.join(pictures).join(name), [20, 10], &[]));
}

/// Ten pictures with a car and a dog each, told of by one file.
fn ten(root: &Path) {
    let names: Vec<String> = (0..10).map(|number| format!("{number}.png")).collect();
    let objects: &[Object] = &[(3, [6.0, 1.0, 4.0, 3.0]), (18, [10.0, 5.0, 2.5, 2.0])];
    folder(root, "all.json", ".", &names.iter().map(|name| (name.as_str(), objects)).collect::<Vec<_>>());
}

#[test]
fn the_layout_of_coco_is_read() {
    let root = tempfile::tempdir().unwrap();
    let root = root.path();
    let all: &[(&str, &[Object])] =
        &[("a.png", &[(18, [5.0, 0.0, 5.0, 5.0]), (3, [10.0, 5.0, 5.0, 5.0])]), ("b.png", &[])];
    folder(root, "annotations/instances_train2017.json", "train2017", all);
    folder(root, "annotations/instances_val2017.json", "val2017", &[("a.png", &[(3, [5.0, 0.0, 10.0, 10.0])])]);
    write(&root.join("annotations/captions_train2017.json"), "[]");
    let found = made::<Coco>(root, json!({ "size": 10, "test": 0.0, "masks": true })).unwrap();
    let data = &found.data;
    assert_eq!(
        (&data.manifest.classes[..], data.manifest.labels),
        (&["car".to_owned(), "dog".to_owned()][..], Labels::Places)
    );
    assert_eq!(Split::ALL.map(|split| data.len(split)), [2, 1, 0, 0]);
    let dog = Region { class: 1, edges: [0.0, 0.0, 5.0, 5.0] };
    assert_eq!(data.regions(0).unwrap(), [dog, Region { class: 0, edges: [5.0, 5.0, 10.0, 10.0] }]);
    assert_eq!((data.class(0), data.regions(1).unwrap().len(), data.regions(2).unwrap().len()), (-1, 0, 1));
    let expected = |x: usize, y: usize| if x < 5 && y < 5 { 2 } else { u8::from(x >= 5 && y >= 5) };
    let mask: Vec<u8> = (0..100).map(|place| expected(place % 10, place / 10)).collect();
    assert_eq!(data.mask(0).unwrap(), mask);
    assert!(
        data.mask(1).unwrap().iter().all(|&shown| shown == 0) && data.mask(2).unwrap().iter().all(|&shown| shown == 1)
    );
    assert!(found.note.starts_with("images of 10 x 10 pixels with boxes and masks of 2 classes"), "{}", found.note);
}

#[test]
fn a_folder_a_split_is_read() {
    let root = tempfile::tempdir().unwrap();
    for split in ["train", "valid", "test"] {
        let of: &[(&str, &[Object])] = &[("same.png", &[(3, [6.0, 1.0, 4.0, 3.0])])];
        folder(root.path(), &format!("{split}/_annotations.coco.json"), split, of);
    }
    let data = made::<Coco>(root.path(), json!({})).unwrap().data;
    assert_eq!(Split::ALL.map(|split| data.len(split)), [1, 1, 1, 0]);
    assert!(data.mask(0).is_none());
}

#[test]
fn splits_are_drawn_where_nothing_says_them() {
    let root = tempfile::tempdir().unwrap();
    ten(root.path());
    let data = made::<Coco>(root.path(), json!({ "size": 10 })).unwrap().data;
    assert_eq!(Split::ALL.map(|split| data.len(split)), [7, 1, 2, 0]);
    let half: Region = data.regions(0).unwrap()[1];
    assert_eq!(half, Region { class: 1, edges: [5.0, 5.0, 7.5, 7.0] });
}

/// A rectangle of red, its box and its mask, in each way in which a picture becomes a square: by hand, and by where the red is.
#[test]
fn boxes_and_masks_go_where_pictures_go() {
    let root = tempfile::tempdir().unwrap();
    let root = root.path();
    paint(&root.join("a.png"), [80, 40], &[([38, 10, 58, 30], RED)]);
    paint(&root.join("b.png"), [20, 10], &[]);
    let mut told = annotations(&[("a.png", &[(3, [38.0, 10.0, 20.0, 20.0])])]);
    (told["images"][0]["width"], told["images"][0]["height"]) = (80.into(), 40.into());
    write(&root.join("train.json"), told.to_string());
    write(&root.join("val.json"), annotations(&[("b.png", &[])]).to_string());
    for (fit, expected) in
        [("crop", [14.4, 8.0, 30.4, 24.0]), ("pad", [15.2, 12.0, 23.2, 20.0]), ("stretch", [15.2, 8.0, 23.2, 24.0])]
    {
        let data = made::<Coco>(root, json!({ "size": 32, "fit": fit, "masks": true, "test": 0.0 })).unwrap().data;
        let [Region { edges, .. }] = data.regions(0).unwrap()[..] else { panic!("there is one") };
        assert!(
            edges.iter().zip(expected).all(|(found, expected)| (found - expected).abs() < 1e-4),
            "{fit}: {edges:?}"
        );
        let (image, mask) = (data.image(0), data.mask(0).unwrap());
        for (place, &shown) in mask.iter().enumerate() {
            let [x, y] = [place % 32, place / 32].map(|pixel| pixel as f32 + 0.5);
            let is_near = |[left, top, right, bottom]: [f32; 4], by: f32| {
                x > left - by && x < right + by && y > top - by && y < bottom + by
            };
            let is_empty = fit == "pad" && !(8.0..24.0).contains(&y);
            let expected = if is_empty { 255 } else { u8::from(is_near(edges, 0.0)) };
            assert_eq!(shown, expected, "{fit}: {x}, {y}");
            // Borders are blended over as many places as a pixel has become, and more.
            if is_near(edges, -2.5) {
                assert_eq!(image[3 * place], RED[0], "{fit}: {x}, {y}");
            } else if !is_near(edges, 2.5) {
                assert_eq!(image[3 * place], 0, "{fit}: {x}, {y}");
            }
        }
    }
}

#[test]
fn crowds_are_no_objects_and_overlaps_are_unknown() {
    let root = tempfile::tempdir().unwrap();
    let root = root.path();
    ten(root);
    let mut told =
        annotations(&[("0.png", &[(3, [5.0, 0.0, 4.0, 4.0]), (18, [7.0, 2.0, 4.0, 4.0]), (3, [5.0, 3.0, 1.0, 3.0])])]);
    let crowd = json!({
        "id": 9, "image_id": 0, "category_id": 0, "iscrowd": 1, "bbox": [14.0, 0.0, 1.0, 10.0],
        "segmentation": { "counts": [140, 10, 50], "size": [10, 20] },
    });
    let flat = json!({ "id": 10, "image_id": 0, "category_id": 3, "bbox": [5.0, 1.0, 3.0, 0.0], "segmentation": [] });
    told["annotations"].as_array_mut().unwrap().extend([crowd, flat]);
    write(&root.join("train/few.json"), told.to_string());
    write(&root.join("test/rest.json"), annotations(&[("1.png", &[(3, [5.0, 0.0, 4.0, 4.0])])]).to_string());
    std::fs::remove_file(root.join("all.json")).unwrap();
    write(&root.join("val/rest.json"), annotations(&[("2.png", &[(3, [5.0, 0.0, 4.0, 4.0])])]).to_string());
    let found = made::<Coco>(root, json!({ "size": 10, "masks": true })).unwrap();
    for left_out in ["regions of crowds left out: 1", "objects whose boxes have no area left out: 1"] {
        assert!(found.note.contains(left_out), "{}", found.note);
    }
    assert_eq!(found.data.regions(0).unwrap().len(), 3);
    let mask = found.data.mask(0).unwrap();
    let at = |x: usize, y: usize| mask[y * 10 + x];
    assert_eq!(
        [at(0, 0), at(1, 1), at(2, 1), at(2, 2), at(3, 3), at(4, 4), at(0, 3), at(0, 5)],
        [1, 1, 1, 255, 255, 2, 1, 1]
    );
    assert!((0..10).all(|y| at(9, y) == 255) && at(8, 0) == 0);
}

#[test]
fn what_cannot_be_is_named_or_left_out() {
    type Change = fn(&mut Value, &Path);
    let changes: [(Change, &str); 7] = [
        (
            |told, _| told["annotations"][6]["bbox"][2] = 17.0.into(),
            "3.png: all.json: annotation 6: a box of `car` lies outside of its 20 x 10 pixels: left 6, top 1, right 23, bottom 4",
        ),
        (
            |told, _| told["annotations"][6]["bbox"][3] = (-1.0).into(),
            "3.png: all.json: annotation 6: a box of `car` has no area: left 6, top 1, right 10, bottom 0",
        ),
        (
            |told, _| told["annotations"][7]["category_id"] = 7.into(),
            "3.png: all.json: annotation 7 is of category 7, which is none of the file's",
        ),
        (
            |told, _| told["images"][3]["height"] = 11.into(),
            "3.png: it has 20 x 10 pixels, and its annotation says 20 x 11",
        ),
        (|_, root| write(&root.join("3.png"), "torn"), "3.png: it begins as no picture does"),
        (
            |_, root| std::fs::remove_file(root.join("3.png")).unwrap(),
            "3.png: there is no such picture, of which all.json tells",
        ),
        (
            |told, _| told["annotations"][6]["segmentation"] = json!([]),
            "3.png: all.json: annotation 6 has no segmentation, of which a mask is made: say `masks: false`",
        ),
    ];
    for (change, expected) in changes {
        let root = tempfile::tempdir().unwrap();
        let root = root.path();
        ten(root);
        let mut told: Value = serde_json::from_slice(&std::fs::read(root.join("all.json")).unwrap()).unwrap();
        change(&mut told, root);
        write(&root.join("all.json"), told.to_string());
        let error = refused::<Coco>(root, json!({ "masks": true }));
        assert!(
            error.starts_with("1 of 10 pictures beneath ") && error.contains(&format!("\n    {expected}")),
            "{error}"
        );
        let found = made::<Coco>(root, json!({ "masks": true, "skip_damaged": true })).unwrap();
        assert_eq!(Split::LABELLED.map(|split| found.data.len(split)), [6, 1, 2]);
        assert!(found.note.contains("pictures left out, since they cannot be used: 1"), "{}", found.note);
    }
}

#[test]
fn a_folder_that_is_none_of_coco_is_refused() {
    let root = tempfile::tempdir().unwrap();
    let root = root.path();
    ten(root);
    let said = |text: &str| {
        write(&root.join("all.json"), text);
        refused::<Coco>(root, json!({}))
    };
    assert!(
        said(&annotations(&[("0.png", &[])]).to_string())
            .ends_with("no objects at all are told, and there is nothing to learn from it")
    );
    let error = said("{ \"images\": 3 }");
    assert!(
        error.contains("all.json is not as COCO's object detection has it") && error.contains("at line 1 column"),
        "{error}"
    );
    let mut told = annotations(&[("0.png", &[(3, [0.0, 0.0, 4.0, 4.0])])]);
    told["annotations"][0]["iscrowd"] = 2.into();
    assert!(said(&told.to_string()).ends_with("all.json: `iscrowd` of annotation 0 is 2, expected 0 or 1"));
    told["annotations"][0]["iscrowd"] = 0.into();
    told["categories"][1]["id"] = 3.into();
    assert!(said(&told.to_string()).contains("all.json: two of its categories have the id 3: give each"));
    told["categories"][1]["id"] = 18.into();
    let strange = told.to_string().replacen("4.0", "NaN", 1);
    assert!(said(&strange).contains("is NaN or infinite in it, of which JSON knows nothing: expected value at line 1"));
    assert!(said("[]").contains("it is a list, as results are"));
    assert!(!said(&format!("\u{feff}{told}")).contains("is not as COCO's"));
    told["annotations"][0]["image_id"] = 5.into();
    assert!(said(&told.to_string()).ends_with("all.json: annotation 0 is of image 5, which is not among its images"));
    write(&root.join("train.json"), "");
    assert!(refused::<Coco>(root, json!({})).contains("neither the name nor the folder of all.json says a split"));
    std::fs::rename(root.join("all.json"), root.join("training.json")).unwrap();
    let error = refused::<Coco>(root, json!({}));
    assert!(
        error.contains("train.json, training.json are of one split, train: expected one file of a split"),
        "{error}"
    );
    ["train.json", "training.json"].iter().for_each(|file| std::fs::remove_file(root.join(file)).unwrap());
    assert!(refused::<Coco>(root, json!({})).ends_with("there is no .json file of annotations beneath it"));
}
