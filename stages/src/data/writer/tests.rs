use super::*;
use crate::data::Dataset;

fn grey(classes: usize) -> Format {
    let classes = (0..classes).map(|class| class.to_string()).collect();
    Format { name: "grey".into(), height: 8, width: 8, channels: 3, classes, labels: Labels::Images, pictures: None }
}

#[test]
fn images_are_grey_or_coloured() {
    let folder = tempfile::tempdir().unwrap();
    for channels in [0, 2, 4, 5] {
        let format = Format { channels, ..grey(1) };
        let error = DatasetWriter::create(folder.path(), format, 1).err().expect("it is refused").to_string();
        assert!(
            error.starts_with(&format!("the images of grey have {channels} channels: expected 1 (grey) or 3 ")),
            "{error}"
        );
    }
}

#[test]
fn texts_are_read_as_they_were_written() {
    let folder = tempfile::tempdir().unwrap();
    let texts = ["a cat", "", "zwei Bäume, 三只猫"];
    let mut writer = DatasetWriter::create(folder.path(), grey(1), 3).unwrap();
    for text in texts {
        writer.add(Sample { text: Some(text), ..Sample::new(Split::Train, &[0; 192], 0) }).unwrap();
    }
    writer.finish().unwrap();
    let read = |row| Dataset::open(folder.path()).map(|data| data.text(row).map(str::to_owned));
    for (row, text) in texts.iter().enumerate() {
        assert_eq!(read(row).unwrap().as_deref(), Some(*text));
    }
    let file = folder.path().join("text.bytes");
    let mut bytes = std::fs::read(&file).unwrap();
    // In the middle of a letter.
    bytes[11] = b'!';
    std::fs::write(&file, &bytes).unwrap();
    let error = format!("{:#}", read(0).unwrap_err());
    assert!(error.contains("text.bytes: the text of row 2 is not UTF-8"), "{error}");
    std::fs::write(&file, &bytes[1..]).unwrap();
    let error = read(0).unwrap_err().to_string();
    assert!(error.ends_with("text.bytes does not fit text.offsets.npy"), "{error}");
}

/// What workers of a sweep share of a data set is the system's page cache: none has images of its own.
#[test]
fn images_are_read_where_they_lie() {
    let folder = tempfile::tempdir().unwrap();
    let pixels: Vec<u8> = (0..=255).cycle().take(40 * 8 * 8 * 3).collect();
    let mut writer = DatasetWriter::create(folder.path(), grey(1), 40).unwrap();
    pixels.chunks(192).for_each(|image| writer.add(Sample::new(Split::Train, image, 0)).unwrap());
    writer.finish().unwrap();

    let data = Dataset::open(folder.path()).unwrap();
    assert_eq!(*data.image(39), pixels[39 * 192..]);
    let place = data.image(39).as_ptr() as usize;
    let file = folder.path().join("image.npy").display().to_string();
    let maps = std::fs::read_to_string("/proc/self/maps").unwrap();
    let map = maps.lines().find(|line| line.ends_with(&file)).expect("the file is mapped into memory");
    let (range, rest) = map.split_once(' ').unwrap();
    let (start, end) = range.split_once('-').unwrap();
    let number = |text: &str| usize::from_str_radix(text, 16).unwrap();
    assert!((number(start)..number(end)).contains(&place), "{map}");
    assert!(rest.starts_with("r--s "), "read only and shared with who else has it open: {map}");
}

/// Images `[8, 8, 3]`, a split's classes beside it.
fn written(splits: &[(Split, &[i32])]) -> Result<Counts, String> {
    let folder = tempfile::tempdir().unwrap();
    let rows = splits.iter().map(|(_, classes)| classes.len()).sum();
    let mut writer = DatasetWriter::create(folder.path(), grey(3), rows).unwrap();
    for (split, classes) in splits {
        classes.iter().for_each(|&class| writer.add(Sample::new(*split, &[0; 192], class)).unwrap());
    }
    let counts = writer.finish().map_err(|error| error.to_string())?;
    let data = Dataset::open(folder.path()).unwrap();
    for (split, classes) in splits {
        assert_eq!(data.labels(*split), *classes);
        assert!(data.rows(*split).map(|row| data.class(row)).eq(classes.iter().copied()));
    }
    Ok(counts)
}

#[test]
fn what_cannot_be_learned_is_refused() {
    let (train, test, unlabelled) = (Split::Train, Split::Test, Split::Unlabelled);
    let counts = written(&[(train, &[0, 1, 2, 0]), (test, &[0, 0]), (unlabelled, &[-1; 5])]).unwrap();
    let expected = [(train, vec![2, 1, 1]), (test, vec![2, 0, 0]), (unlabelled, vec![0; 3])];
    assert_eq!(counts.images, BTreeMap::from(expected));
    assert_eq!([train, Split::Validation, test, unlabelled].map(|split| counts.total(split)), [4, 0, 2, 5]);
    assert_eq!(counts.missing(test), ["1", "2"]);
    let error = written(&[(train, &[0, 0]), (test, &[1])]).unwrap_err();
    assert!(error.starts_with("2 of 3 classes have no image to train on (1, 2): "), "{error}");
    assert_eq!(written(&[(test, &[0, 1, 2])]).unwrap_err(), "there is no train split");
}

#[test]
fn no_group_is_in_two_splits() {
    let groups = |train: [u32; 3], test: [u32; 2]| {
        let folder = tempfile::tempdir().unwrap();
        let mut writer = DatasetWriter::create(folder.path(), grey(1), 5).unwrap();
        let rows = train.map(|group| (Split::Train, group)).into_iter().chain(test.map(|group| (Split::Test, group)));
        for (split, group) in rows {
            writer.add(Sample { group: Some(group), ..Sample::new(split, &[0; 192], 0) }).unwrap();
        }
        writer.finish().map(|_| ()).map_err(|error| error.to_string())
    };
    assert_eq!(groups([5, 1, 5], [2, 2]), Ok(()));
    assert_eq!(groups([5, 1, 5], [2, 1]), Err("group 1 has samples in two splits".to_owned()));
}

#[test]
fn masks_and_boxes_are_read_as_they_were_written() {
    let folder = tempfile::tempdir().unwrap();
    let boxed = |class: i32| Region { class, edges: [0.5, 1.0, 2.5, 7.0 + class as f32] };
    let regions = [vec![boxed(0), boxed(1)], vec![], vec![boxed(2)]];
    let mut writer = DatasetWriter::create(folder.path(), grey(1), 3).unwrap();
    for (number, regions) in regions.iter().enumerate() {
        let (mask, sample) = (vec![number as u8; 64], Sample::new(Split::Train, &[0; 192], 0));
        writer.add(Sample { mask: Some(&mask), regions: Some(regions), ..sample }).unwrap();
    }
    writer.finish().unwrap();
    let data = Dataset::open(folder.path()).unwrap();
    for (row, regions) in regions.iter().enumerate() {
        assert_eq!(data.regions(row).unwrap(), regions);
        assert_eq!(data.mask(row).unwrap(), [row as u8; 64]);
    }
}

/// Boxes are counted where there are some, and else images that show a class; every split may have images without a class.
#[test]
fn where_classes_are_of_places_images_have_none() {
    let written = |with_boxes: bool| {
        let folder = tempfile::tempdir().unwrap();
        let format = Format { labels: Labels::Places, ..grey(2) };
        let mut writer = DatasetWriter::create(folder.path(), format, 3).unwrap();
        for (split, shown) in [(Split::Train, vec![0, 1, 1]), (Split::Train, vec![]), (Split::Test, vec![1])] {
            let mut mask = vec![0; 64];
            shown.iter().zip(&mut mask).for_each(|(&class, pixel)| *pixel = class as u8 + 1);
            let regions: Vec<_> = shown.iter().map(|&class| Region { class, edges: [0.0, 0.0, 1.0, 1.0] }).collect();
            let sample = Sample { mask: Some(&mask), ..Sample::new(split, &[0; 192], -1) };
            writer.add(Sample { regions: with_boxes.then_some(&regions), ..sample }).unwrap();
        }
        let counts = writer.finish().unwrap();
        let data = Dataset::open(folder.path()).unwrap();
        assert_eq!((data.len(Split::Train), data.len(Split::Test)), (2, 1));
        let error = data.manifest.check_image_classes("a linear probe").unwrap_err().to_string();
        assert!(error.contains("a linear probe is by the class of an image: use eval/detect"), "{error}");
        counts.images.into_values().collect::<Vec<_>>()
    };
    assert_eq!(written(true), [[1, 2], [0, 1]]);
    assert_eq!(written(false), [[1, 1], [0, 1]]);
}

#[test]
fn of_anomalies_none_is_trained_on() {
    let written = |train: &[i32]| {
        let folder = tempfile::tempdir().unwrap();
        let format = Format { labels: Labels::Anomalies, ..grey(3) };
        let mut writer = DatasetWriter::create(folder.path(), format, train.len() + 2).unwrap();
        train.iter().for_each(|&class| writer.add(Sample::new(Split::Train, &[0; 192], class)).unwrap());
        [0, 2].iter().for_each(|&class| writer.add(Sample::new(Split::Test, &[0; 192], class)).unwrap());
        let counts = writer.finish().map_err(|error| error.to_string())?;
        let manifest = Dataset::open(folder.path()).unwrap().manifest;
        manifest.check_anomalies().unwrap();
        let error = manifest.check_image_classes("a linear probe").unwrap_err().to_string();
        assert!(error.contains("a linear probe needs images of every class: use eval/anomaly"), "{error}");
        Ok(counts.images.into_values().collect::<Vec<_>>())
    };
    assert_eq!(written(&[0, 0]), Ok(vec![vec![2, 0, 0], vec![1, 0, 1]]));
    let refused: Result<_, String> = written(&[0, 1]);
    assert!(refused.unwrap_err().starts_with("there are training images of the class 1, and only 0 ones"));
}
