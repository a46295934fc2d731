use super::*;
use crate::data::{Dataset, column, npy};
use pretext_protocol::Run;
use std::fs::File;
use std::io::Write;
use std::path::Path;
use std::sync::Mutex;

/// What the stage makes of arrays, and the folder where it lies.
fn made(path: &Path, change: impl Fn(&mut Params)) -> Result<(Dataset, tempfile::TempDir)> {
    let mut params = Params { path: path.to_owned(), ..Params::default() };
    change(&mut params);
    let place = tempfile::tempdir().unwrap();
    let run = Run::in_folder("data/arrays", serde_json::Map::new(), &[], place.path()).unwrap();
    let heard = Mutex::new(Vec::<u8>::new());
    Arrays::run(params, &Context::new(&run, &heard, &|| false).unwrap())?;
    Ok((Dataset::open(&run.out.join("dataset")).unwrap(), place))
}

fn refused(path: &Path) -> String {
    format!("{:#}", made(path, |_| ()).unwrap_err())
}

/// Images `[count, 2, 3]` of a value each.
fn grey(values: &[u8]) -> Vec<u8> {
    values.iter().flat_map(|&value| [value; 6]).collect()
}

/// A folder of arrays as `np.savez_compressed` packs them.
fn packed(folder: &Path, file: &Path) {
    let mut archive = zip::ZipWriter::new(File::create(file).unwrap());
    let options = zip::write::SimpleFileOptions::default().compression_method(zip::CompressionMethod::Deflated);
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        archive.start_file(path.file_name().unwrap().to_str().unwrap(), options).unwrap();
        archive.write_all(&std::fs::read(path).unwrap()).unwrap();
    }
    archive.finish().unwrap();
}

#[test]
fn splits_are_drawn_of_arrays_that_have_none() {
    let root = tempfile::tempdir().unwrap();
    let values: Vec<u8> = (0..100).collect();
    let labels: Vec<i64> = (0..100).map(|image| i64::from(image % 4 == 0)).collect();
    npy::write(root.path().join("images.npy"), &[100, 2, 3], &grey(&values)).unwrap();
    npy::write(root.path().join("labels.npy"), &[100], &labels).unwrap();
    let (data, _place) = made(root.path(), |_| ()).unwrap();
    let manifest = &data.manifest;
    assert_eq!([manifest.height, manifest.width, manifest.channels], [2, 3, 1]);
    assert_eq!(manifest.classes, ["0", "1"]);
    assert_eq!(Split::ALL.map(|split| data.len(split)), [72, 8, 20, 0]);
    assert_eq!(data.labels(Split::Test).iter().filter(|class| **class == 1).count(), 5);
    let mut seen = vec![];
    for row in 0..100 {
        let image = data.image(row);
        assert!(image.iter().all(|value| *value == image[0]));
        assert_eq!(data.class(row), i32::from(image[0] % 4 == 0));
        seen.push(image[0]);
    }
    seen.sort_unstable();
    assert_eq!(seen, values);
}

#[test]
fn no_group_of_an_archive_is_in_two_splits() {
    let root = tempfile::tempdir().unwrap();
    let folder = root.path().join("arrays");
    std::fs::create_dir(&folder).unwrap();
    let values: Vec<u8> = (0..60).collect();
    // Of whom an image is: a fifth of its number.
    let groups: Vec<i32> = values.iter().map(|&value| -i32::from(value / 5)).collect();
    npy::write(folder.join("images.npy"), &[60, 2, 3], &grey(&values)).unwrap();
    npy::write(folder.join("labels.npy"), &[60, 1], &values.iter().map(|value| value % 2).collect::<Vec<u8>>())
        .unwrap();
    npy::write(folder.join("groups.npy"), &[60], &groups).unwrap();
    let file = root.path().join("arrays.npz");
    packed(&folder, &file);
    let (data, place) = made(&file, |params| params.validation = 0.25).unwrap();
    assert_eq!(Split::ALL.map(|split| data.len(split)), [35, 10, 15, 0], "groups are of five images");
    let written: Vec<u32> = column(&place.path().join("out/dataset"), "group", 60).unwrap();
    let person = |row: usize| data.image(row)[0] / 5;
    assert!((0..60).all(|row| (0..60).all(|other| (written[row] == written[other]) == (person(row) == person(other)))));
    let of = |split: Split| data.rows(split).map(person).collect::<BTreeSet<_>>();
    assert_eq!(Split::LABELLED.map(|split| of(split).len()), [7, 2, 3]);
}

#[test]
fn splits_of_medmnist_stay_what_they_are() {
    let root = tempfile::tempdir().unwrap();
    let write = |part: &str, values: &[u8]| {
        let count = values.len() / 6;
        npy::write(root.path().join(format!("{part}_images.npy")), &[count, 1, 2, 3], values).unwrap();
        npy::write(root.path().join(format!("{part}_labels.npy")), &[count, 1], &vec![0u8; count]).unwrap();
    };
    write("train", &[1; 24]);
    write("test", &[3; 12]);
    let (data, _place) = made(root.path(), |_| ()).unwrap();
    assert_eq!(Split::ALL.map(|split| data.len(split)), [3, 1, 2, 0], "validation is drawn where there is none");
    write("val", &[2; 6]);
    let (data, _place) = made(root.path(), |_| ()).unwrap();
    assert_eq!(Split::ALL.map(|split| data.len(split)), [4, 1, 2, 0]);
    let values: Vec<u8> = (0..7).map(|row| data.image(row)[0]).collect();
    assert_eq!(values, [1, 1, 1, 1, 2, 3, 3]);
    assert_eq!(data.manifest.channels, 3);
}

#[test]
fn what_cannot_be_a_data_set_is_refused() {
    let root = tempfile::tempdir().unwrap();
    let named = |fault: &str| format!("{} cannot be used: {fault}", root.path().display());
    let names = "it holds neither `images` and `labels` nor `train_images` and `train_labels`: name the arrays so";
    assert_eq!(refused(root.path()), named(names));
    let (images, labels) = (root.path().join("images.npy"), root.path().join("labels.npy"));
    npy::write(images.clone(), &[2, 2, 3], &[0f32; 12]).unwrap();
    let bytes = "array `images`: it is '<f4', expected u8 from 0 to 255: for values from 0 to 1, (255 * \
                 images).round().astype(np.uint8)";
    assert_eq!(refused(root.path()), named(bytes));
    npy::write(images.clone(), &[2, 6], &[0u8; 12]).unwrap();
    let shape =
        "array `images`: it is '|u1' [2, 6], expected u8 [images, height, width] or [images, height, width, 1 or 3]";
    assert_eq!(refused(root.path()), named(shape));
    npy::write(images, &[2, 2, 3], &[0u8; 12]).unwrap();
    let missing = "there is no `labels` beside `images`: where nothing is known, np.zeros(2, int)";
    assert_eq!(refused(root.path()), named(missing));
    npy::write(labels.clone(), &[3], &[0i64; 3]).unwrap();
    let count = "array `labels`: it has the shape [3], expected [2] or [2, 1], a number for each image";
    assert_eq!(refused(root.path()), named(count));
    npy::write(labels.clone(), &[2], &[0f64; 2]).unwrap();
    assert_eq!(refused(root.path()), named("array `labels`: it is '<f8', expected whole numbers: .astype(np.int64)"));
    npy::write(labels.clone(), &[2], &[-1i64, 0]).unwrap();
    assert!(refused(root.path()).starts_with("labels are from -1 to 0, expected from 0 to 99999 at most: "));
    let error = refused(&labels);
    assert!(error.contains("it is neither a folder of .npy files nor an .npz file"), "{error}");
}

/// What the messages say is in the user's own numbers, and what they ask for can be typed.
#[test]
fn what_is_wrong_with_labels_groups_and_sides_is_said_in_ones_own_numbers() {
    let root = tempfile::tempdir().unwrap();
    let write = |part: &str, labels: &[i64], groups: &[i64]| {
        let count = labels.len();
        let file = |name: &str| root.path().join(format!("{part}_{name}.npy"));
        npy::write(file("images"), &[count, 2, 3], &grey(&vec![7; count])).unwrap();
        npy::write(file("labels"), &[count], labels).unwrap();
        npy::write(file("groups"), &[count], groups).unwrap();
    };
    let unique = "expected all from 0 on: np.unique(labels, return_inverse=True)[1] of all splits together";
    write("train", &[1, 2, 4, 4], &[10, 20, 30, 30]);
    write("test", &[1, 2], &[40, 50]);
    assert_eq!(refused(root.path()), format!("labels are from 1 to 4, and no image has 0, {unique}"));
    write("train", &[0, 1, 3, 3], &[10, 20, 30, 30]);
    write("test", &[0, 1], &[40, 50]);
    assert_eq!(refused(root.path()), format!("labels are from 0 to 3, and no image has 2, {unique}"));

    write("train", &[0, 1, 0, 1], &[10, 5000, 30, 30]);
    write("test", &[0, 1], &[40, 5000]);
    let error = refused(root.path());
    assert!(error.starts_with("group 5000 has images in ") && error.contains(" and in test: put all of a"), "{error}");
    write("test", &[0, 2], &[40, 50]);
    let error = refused(root.path());
    assert!(error.starts_with("1 of 3 classes have no image to train on (2): add some to the train split"), "{error}");

    npy::write(root.path().join("train_images.npy"), &[4, 0, 3], &[0u8; 0]).unwrap();
    let error = refused(root.path());
    assert!(error.ends_with("array `train_images`: its images have 3 x 0 pixels, expected one at least"), "{error}");
}

#[test]
fn arrays_stay_where_they_lie_and_one_that_ends_early_is_damaged() {
    let root = tempfile::tempdir().unwrap();
    let images = root.path().join("images.npy");
    npy::write(images.clone(), &[3, 2, 3], &grey(&[1, 2, 3])).unwrap();
    npy::write(root.path().join("labels.npy"), &[3], &[0i64; 3]).unwrap();
    let parts = read::parts(root.path()).unwrap();
    assert_eq!(*parts[0].image(2), [3; 6]);
    let place = parts[0].image(0).as_ptr() as usize;
    let maps = std::fs::read_to_string("/proc/self/maps").unwrap();
    let map = maps.lines().find(|line| line.ends_with(images.to_str().unwrap())).expect("it is mapped into memory");
    let (start, end) = map.split(' ').next().unwrap().split_once('-').unwrap();
    let number = |text: &str| usize::from_str_radix(text, 16).unwrap();
    assert!((number(start)..number(end)).contains(&place), "{map}");
    drop(parts);
    let whole = std::fs::read(&images).unwrap();
    std::fs::write(&images, &whole[..whole.len() - 5]).unwrap();
    let error = refused(root.path());
    assert!(error.ends_with("array `images`: it is damaged: it ends after 13 of 18 bytes"), "{error}");
}
