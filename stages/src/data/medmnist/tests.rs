use super::super::annotated::tests::{made, refused};
use super::super::npy;
use super::*;
use serde_json::json;
use std::io::Write;

/// A file as MedMNIST packs it: images of one value each, of the classes 0, 1, ... in turn.
fn packed(file: &Path, side: usize, channels: usize, counts: [usize; 3], classes: usize) {
    let place = tempfile::tempdir().unwrap();
    let mut archive = zip::ZipWriter::new(File::create(file).unwrap());
    for (split, count) in ["train", "val", "test"].into_iter().zip(counts) {
        let images: Vec<u8> = (0..count).flat_map(|number| vec![number as u8; side * side * channels]).collect();
        let labels: Vec<u8> = (0..count).map(|number| (number % classes) as u8).collect();
        let shape = [count, side, side, channels];
        let at = |of: &str| place.path().join(format!("{split}_{of}.npy"));
        npy::write(at("images"), if channels == 1 { &shape[..3] } else { &shape[..] }, &images).unwrap();
        npy::write(at("labels"), &[count, 1], &labels).unwrap();
        for path in [at("images"), at("labels")] {
            let name = path.file_name().unwrap().to_str().unwrap().to_owned();
            archive.start_file(name, zip::write::SimpleFileOptions::default()).unwrap();
            archive.write_all(&std::fs::read(path).unwrap()).unwrap();
        }
    }
    archive.finish().unwrap();
}

#[test]
fn splits_and_classes_are_the_files_and_another_file_is_told_of() {
    let root = tempfile::tempdir().unwrap();
    let file = root.path().join("pneumoniamnist.npz");
    packed(&file, 28, 1, [6, 3, 4], 2);
    let found = made::<MedMnist>(&file, json!({ "set": "pneumoniamnist" })).unwrap();
    let data = &found.data;
    assert_eq!(data.manifest.classes, ["normal", "pneumonia"]);
    assert_eq!((data.manifest.input(), &data.manifest.name[..]), ([1, 28, 28], "pneumoniamnist"));
    assert_eq!(Split::ALL.map(|split| data.len(split)), [6, 3, 4, 0]);
    assert_eq!(data.labels(Split::Train), [0, 1, 0, 1, 0, 1]);
    let values: Vec<u8> = (0..13).map(|row| data.image(row)[0]).collect();
    assert_eq!(values, [0, 1, 2, 3, 4, 5, 0, 1, 2, 0, 1, 2, 3]);
    let told = format!("WARNING: the file's MD5 is {:x}, and that", md5::compute(std::fs::read(&file).unwrap()));
    assert!(found.note.contains(&told) && found.note.contains("28209eda62fecd6e6a2d98b1501bb15f"), "{}", found.note);

    packed(&file, 32, 3, [9, 1, 1], 8);
    let found = made::<MedMnist>(&file, json!({ "set": "bloodmnist" })).unwrap();
    assert_eq!((found.data.manifest.input(), found.data.manifest.classes.len()), ([3, 32, 32], 8));
    assert!(found.note.contains("WARNING: MedMNIST v2 publishes no bloodmnist of 32 x 32 pixels"), "{}", found.note);
}

/// What is published is no other file.
#[test]
fn a_published_file_is_known_by_its_digest() {
    let root = tempfile::tempdir().unwrap();
    let file = root.path().join("a.npz");
    std::fs::write(&file, "abc").unwrap();
    let published = |digest| Published { set: Set::Blood, channels: 3, classes: &["a"], digests: ["", digest, "", ""] };
    let warned = |digest, shape| published(digest).warning(&file, shape, "bloodmnist").unwrap().is_some();
    // RFC 1321, A.5.
    assert!(!warned("900150983cd24fb0d6963f7d28e17f72", [64, 64, 3]));
    assert!(warned("900150983cd24fb0d6963f7d28e17f73", [64, 64, 3]));
    assert!(warned("900150983cd24fb0d6963f7d28e17f72", [28, 28, 3]));
    let digests: Vec<&str> = SETS.iter().flat_map(|set| set.digests).collect();
    assert!(digests.iter().all(|digest| digest.len() == 32) && digests.len() == 44);
}

#[test]
fn another_sets_file_is_refused() {
    let root = tempfile::tempdir().unwrap();
    let file = root.path().join("a.npz");
    packed(&file, 28, 1, [9, 9, 9], 3);
    let refused = |set: &str| refused::<MedMnist>(&file, json!({ "set": set }));
    assert!(refused("pathmnist").contains("its images have 1 channels, and those of the set 3: is `set` another one?"));
    assert!(refused("breastmnist").contains("its train labels hold 2, and those of the set go from 0 to 1"));
    assert!(refused("octmnist").contains("1 of 4 classes have no image to train on (normal)"));
    let folder = root.path().join("arrays");
    std::fs::create_dir(&folder).unwrap();
    npy::write(folder.join("images.npy"), &[1, 28, 28], &[0u8; 784]).unwrap();
    npy::write(folder.join("labels.npy"), &[1], &[0u8]).unwrap();
    let error = super::super::annotated::tests::refused::<MedMnist>(&folder, json!({ "set": "breastmnist" }));
    assert!(error.contains("it holds `images` without splits"), "{error}");
}
