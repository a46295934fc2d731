//! Files that cannot be read.

use super::*;
use std::os::unix::fs::symlink;
use std::sync::atomic::{AtomicUsize, Ordering};

#[test]
fn damaged_files_are_named_or_left_out() {
    let place = tempfile::tempdir().unwrap();
    let root = place.path();
    unbalanced(root);
    for number in 0..12 {
        std::fs::write(root.join(format!("dark/{number:02}.png")), "torn").unwrap();
    }
    let error = refused(root, |_| {});
    assert!(
        error.starts_with("12 of 30 pictures beneath ") && error.contains("or say `skip_damaged: true`"),
        "{error}"
    );
    assert!(error.contains("\n    dark/00.png: it begins as no picture does") && error.ends_with("\n    and 2 more"));
    let data = folder(root, |params| params.skip_damaged = true).unwrap();
    assert!(data.summary.contains("\nleft out, since they cannot be read: 12 .png\n"), "{}", data.summary);
    assert!(data.summary.contains("\nleft out: dark/11.png: it begins as no picture does"), "{}", data.summary);
    assert!(!data.note.contains("dark/11.png"), "{}", data.note);
    (0..12).for_each(|number| std::fs::remove_file(root.join(format!("dark/{number:02}.png"))).unwrap());
    let without = folder(root, |_| {}).unwrap();
    for split in Split::ALL {
        assert_eq!(colours(&data, split), colours(&without, split), "as if they had not been there");
    }
}

#[test]
fn a_class_of_which_little_is_whole_is_trained_on_and_one_without_is_an_error() {
    let place = tempfile::tempdir().unwrap();
    let root = place.path();
    unbalanced(root);
    (1..20).for_each(|number| std::fs::write(root.join(format!("dark/{number:02}.png")), "torn").unwrap());
    let data = folder(root, |params| params.skip_damaged = true).unwrap();
    assert_eq!(counts(&data), [[1, 7], [0, 1], [0, 2]]);
    std::fs::write(root.join("dark/00.png"), "torn").unwrap();
    let error = refused(root, |params| params.skip_damaged = true);
    let expected = "no file of class `dark` can be read (20 .png; dark/00.png: it begins as no picture does";
    assert!(error.contains(expected) && error.contains("or move the folder away"), "{error}");
}

#[test]
fn pictures_that_are_not_read_do_not_vanish() {
    let place = tempfile::tempdir().unwrap();
    let root = place.path();
    unbalanced(root);
    std::fs::write(root.join("labels.csv"), "").unwrap();
    std::fs::write(root.join("dark/Thumbs.db"), "").unwrap();
    std::fs::write(root.join("dark/phone.HEIC"), "").unwrap();
    let error = refused(root, |_| {});
    assert!(error.starts_with("1 of 31 pictures beneath "), "{error}");
    assert!(error.ends_with("\n    dark/phone.HEIC: no .heic files are read: convert it to JPEG or PNG"), "{error}");
    let data = folder(root, |params| params.skip_damaged = true).unwrap();
    assert!(data.note.contains("\nleft out, since they cannot be read: 1 .heic\n"), "{}", data.note);
    assert!(data.note.ends_with("\npassed over, since they are no pictures: 1 .csv, 1 .db"), "{}", data.note);
    std::fs::create_dir(root.join("boxes")).unwrap();
    std::fs::write(root.join("boxes/a.xml"), "").unwrap();
    let data = folder(root, |params| params.skip_damaged = true).unwrap();
    assert!(data.note.ends_with("\nno picture lies in `boxes` (1 .xml)"), "{}", data.note);
    std::fs::create_dir_all(root.join("lorries/old")).unwrap();
    let data = folder(root, |params| params.skip_damaged = true).unwrap();
    assert!(data.note.ends_with("\nno picture lies in `boxes` (1 .xml), `lorries` (it is empty)"), "{}", data.note);
    std::fs::create_dir(root.join("scans")).unwrap();
    std::fs::write(root.join("scans/a.dcm"), "").unwrap();
    let error = refused(root, |params| params.skip_damaged = true);
    assert!(error.contains("no file of class `scans` can be read (1 .dcm; scans/a.dcm: no .dcm files are"), "{error}");
}

#[test]
fn a_split_does_not_vanish() {
    let place = tempfile::tempdir().unwrap();
    let root = place.path();
    unbalanced(&root.join("train"));
    std::fs::create_dir_all(root.join("test/dark")).unwrap();
    std::fs::write(root.join("test/dark/a.png"), "torn").unwrap();
    let error = refused(root, |params| params.skip_damaged = true);
    assert!(error.contains("no file of the folder `test` can be read (1 .png; test/dark/a.png: "), "{error}");
}

#[test]
fn links_are_followed_and_one_to_nowhere_is_named() {
    let place = tempfile::tempdir().unwrap();
    let (root, elsewhere) = (place.path().join("images"), place.path().join("elsewhere"));
    unbalanced(&elsewhere);
    std::fs::create_dir_all(root.join("abnormal")).unwrap();
    symlink(elsewhere.join("dark"), root.join("normal")).unwrap();
    for number in 0..10 {
        symlink(elsewhere.join(format!("light/deep/{number}.png")), root.join(format!("abnormal/{number}.png")))
            .unwrap();
    }
    let data = folder(&root, |_| {}).unwrap();
    assert_eq!(
        (&data.manifest.classes[..], counts(&data)[0].clone()),
        (&["abnormal".into(), "normal".into()][..], vec![7, 15])
    );
    symlink("/nowhere/x.png", root.join("abnormal/gone.png")).unwrap();
    let error = refused(&root, |_| {});
    assert!(error.ends_with("\n    abnormal/gone.png: a link to what is not there"), "{error}");
    let without = folder(&root, |params| params.skip_damaged = true).unwrap();
    assert_eq!(counts(&without), counts(&data));
    symlink("/nowhere/class", root.join("lost")).unwrap();
    let error = refused(&root, |params| params.skip_damaged = true);
    assert!(
        error.contains("no file of class `lost` can be read (1 without an ending; lost: a link to what is "),
        "{error}"
    );
}

/// A picture that stays encoded is read a second time, when it is written.
#[test]
fn a_file_that_vanishes_on_the_way_is_named() {
    let place = tempfile::tempdir().unwrap();
    let root = place.path();
    unbalanced(root);
    let looked = AtomicUsize::new(0);
    // It looks once while it decodes so few, and then before each picture that it writes.
    let removes = || {
        if looked.fetch_add(1, Ordering::Relaxed) == 1 {
            std::fs::remove_dir_all(root.join("dark")).unwrap();
        }
        false
    };
    let error = watched(root, |params| params.encoded = Keep::Yes, &removes).err().expect("a file is not there");
    let error = format!("{error:#}");
    assert!(error.starts_with(&format!("cannot read {}", root.join("dark").display())), "{error}");
}
