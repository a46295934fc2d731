use super::*;

/// Of folders as `train/cat`, and `.` where pictures lie at the top.
fn layout(folders: &[&str], wanted: Splits) -> Result<Layout, String> {
    let parts = |folder: &&str| folder.split('/').filter(|part| *part != ".").map(str::to_owned).collect();
    let folders = folders.iter().map(parts).collect();
    Layout::of(Path::new("root"), &folders, wanted).map_err(|error| error.to_string())
}

fn names(layout: Layout) -> [Option<String>; 3] {
    let Layout::Splits(splits) = layout else { panic!("{layout:?} is none of splits") };
    Split::LABELLED.map(|split| splits.iter().find(|(_, known)| **known == split).map(|(name, _)| name.clone()))
}

#[test]
fn folders_named_as_splits_are_splits() {
    let some = |name: &str| Some(name.to_owned());
    let found = |folders: &[&str]| names(layout(folders, Splits::Auto).unwrap());
    assert_eq!(found(&["Training/a", "Training/b", "Testing/a"]), [some("Training"), None, some("Testing")]);
    assert_eq!(found(&["train", "val", "test1"]), [some("train"), some("val"), some("test1")]);
    assert_eq!(found(&["seg_train/a", "seg_test/a"]), [some("seg_train"), None, some("seg_test")]);
    assert_eq!(found(&["train"]), [some("train"), None, None]);
    assert_eq!(layout(&["car", "plane"], Splits::Auto), Ok(Layout::CLASSES));
    assert_eq!(layout(&["."], Splits::Auto), Ok(Layout::CLASSES));
    assert_eq!(layout(&["train station", "bus station/near"], Splits::Auto), Ok(Layout::CLASSES));
}

#[test]
fn a_class_may_be_called_train() {
    let folders = ["car", "train", "truck"];
    let named_as_split = Some("train".to_owned());
    assert_eq!(layout(&folders, Splits::Auto), Ok(Layout::Classes { named_as_split, unlabelled: None }));
    assert_eq!(layout(&["test", "train"], Splits::Classes), Ok(Layout::CLASSES));
    let error = layout(&["."], Splits::Folders).unwrap_err();
    assert!(error.starts_with("root: there is no folder of a split: train (train, training, "), "{error}");
    let error = layout(&folders, Splits::Folders).unwrap_err();
    assert!(error.starts_with("root: `car` is not named like a split: train (train, training, "), "{error}");
}

#[test]
fn pictures_without_a_class_have_a_folder_beside_splits_or_classes() {
    let place = |layout: &Layout, folders: &[&str]| {
        let (split, class) = layout.place(&folders.iter().map(|&name| name.to_owned()).collect());
        (split, class.unwrap_or_default())
    };
    let splits = layout(&["train/a", "test/a", "unlabeled/x"], Splits::Auto).unwrap();
    assert_eq!(layout(&["train/a", "test/a", "unlabeled/x"], Splits::Folders), Ok(splits.clone()));
    assert_eq!(splits.folder(Split::Unlabelled), Some("unlabeled"));
    assert_eq!(place(&splits, &["unlabeled", "x"]), (Split::Unlabelled, String::new()));
    assert_eq!(place(&splits, &["test", "a"]), (Split::Test, "a".to_owned()));
    let classes = layout(&["cat", "dog", "Unlabelled"], Splits::Auto).unwrap();
    assert_eq!(classes.folder(Split::Unlabelled), Some("Unlabelled"));
    assert_eq!(place(&classes, &["Unlabelled", "x"]), (Split::Unlabelled, String::new()));
    assert_eq!(place(&classes, &["dog"]), (Split::Train, "dog".to_owned()));
    assert_eq!(layout(&["cat", "unlabelled"], Splits::Classes), Ok(Layout::CLASSES));
}

#[test]
fn what_may_be_either_is_refused() {
    let refused = |folders: &[&str]| layout(folders, Splits::Auto).unwrap_err();
    for (folders, start) in [
        (&["cat", "dog", "test"][..], "root: `test` is named like a split, and `cat`, `dog` are not. If "),
        (&["train/a", "extra/a"], "root: `train` is named like a split, and `extra` is not. If "),
        (&["train/a", "test/a", "extra"], "root: `test`, `train` are named like splits, and `extra` is not. If "),
        (&["train", "car", "."], "root: `train` is named like a split, and `car` is not. If "),
        (&["train/a", "."], "root: pictures lie beside the folders of splits (`train`): "),
        (&["train/a", "val/a", "valid/a"], "root: `val` and `valid` are both named like the validation split: "),
        (&["Train/a", "train/a"], "root: `Train` and `train` are both named like the train split: "),
        (&["test/a", "val/a"], "root: `test`, `val` are named like splits, and there is none to train on: "),
        (&["testA", "testB", "trainA", "trainB"], "root: `testA` and `testB` are both named like the test split: "),
        (
            &["train_clean/a", "test_other/a"],
            "root: `test_other`, `train_clean` are named like splits, each of a kind of its own. ",
        ),
        (
            &["train_a", "val_b", "test_c"],
            "root: `test_c`, `train_a`, `val_b` are named like splits, each of a kind of its own. ",
        ),
        (&["train", "test_public"], "root: `test_public`, `train` are named like splits, each of a kind of its own. "),
        (&["x_train/a", "y_test/a"], "root: `x_train`, `y_test` are named like splits, each of a kind of its own. "),
        (
            &["unlabeled/a", "test/a"],
            "root: `test`, `unlabeled` are named like splits, and there is none to train on: ",
        ),
        (&["unlabeled", "."], "root: pictures lie beside the folders of splits (`unlabeled`): "),
        (&["a", "unlabeled", "unlabelled"], "root: `unlabeled` and `unlabelled` are both named like the unlabelled "),
        (&["data/train/a", "data/train/b"], "root/data: `train` is named like a split. Splits are "),
        (&["train/train/a", "train/train/b"], "root/train: `train` in it is named like a split too, "),
        (&["train_set/training/a", "test_set/testing/a"], "root/test_set: `testing` in it is named like a split too, "),
        (&["archive/train/a", "archive/test/a"], "root/archive: `test`, `train` are named like splits. Splits "),
        (&["cat/train", "cat/test", "dog/train"], "root/cat: `test`, `train` are named like splits. Splits "),
    ] {
        let error = refused(folders);
        assert!(error.starts_with(start), "{folders:?}: {error}");
    }
    assert_eq!(layout(&["cat/train", "cat/test", "dog/train"], Splits::Classes), Ok(Layout::CLASSES));
    let wide = refused(&["a", "b", "c", "d", "e", "f", "g", "test"]);
    assert!(wide.contains("`a`, `b`, `c`, `d`, `e`, 2 more are not"), "{wide}");
}
