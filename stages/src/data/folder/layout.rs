//! Whether the folders at the top are splits or classes.

use super::super::dataset::Split;
use super::spelling::{known, named_as_splits, split_of};
use anyhow::{Result, bail, ensure};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

/// What the folders at the top are said to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Splits {
    Auto,
    Classes,
    Folders,
}

/// What they are.
#[derive(Debug, Clone, PartialEq)]
pub enum Layout {
    Classes,
    /// A class is named like a split, since what lies around it is no split.
    ClassNamedAsSplit(String),
    Splits(BTreeMap<String, Split>),
}

/// The folders that a picture lies in, from the root on.
pub type Folders = Vec<String>;

/// Folders that a message names.
const NAMED: usize = 5;

impl Layout {
    /// `folders`: of all pictures beneath `root`.
    pub fn of(root: &Path, folders: &BTreeSet<Folders>, wanted: Splits) -> Result<Self> {
        let tops: BTreeSet<&str> = folders.iter().filter_map(|folders| folders.first()).map(String::as_str).collect();
        let tops: Vec<&str> = tops.into_iter().collect();
        match wanted {
            Splits::Classes => Ok(Self::Classes),
            Splits::Folders => splits(root, folders, &tops),
            Splits::Auto => {
                check_below(root, folders)?;
                guessed(root, folders, &tops)
            }
        }
    }

    /// Of what lies in such folders the split, and the name of the class.
    pub fn place(&self, folders: &Folders) -> (Split, Option<String>) {
        match self {
            Self::Splits(splits) => {
                let split = folders.first().and_then(|name| splits.get(name));
                (*split.expect("every folder at the top is a split"), folders.get(1).cloned())
            }
            _ => (Split::Train, folders.first().cloned()),
        }
    }
}

fn guessed(root: &Path, folders: &BTreeSet<Folders>, tops: &[&str]) -> Result<Layout> {
    let named = named_as_splits(tops);
    let others: Vec<&str> = tops.iter().copied().filter(|name| !named.contains(name)).collect();
    if !tops.is_empty() && others.is_empty() {
        check_within(root, folders)?;
        return splits(root, folders, tops);
    }
    // `train_clean` beside `test_other`: each says a split and something else.
    let said: BTreeSet<Split> = tops.iter().filter_map(|name| Some(split_of(name)?.0)).collect();
    ensure!(
        said.len() < 2 || tops.iter().any(|name| split_of(name).is_none()),
        "{}: {}, each of a kind of its own. If they are splits, call them {}; if each is a class, say `splits: classes`",
        root.display(),
        like_splits(tops),
        known()
    );
    if named.is_empty() {
        return Ok(Layout::Classes);
    }
    // Trains beside cars and trucks. What is named like a test split may be one that has no labels, and so may one other folder beside
    // that of a train split: nothing is trained on it unasked.
    if let [name] = named[..]
        && others.len() > 1
        && split_of(name).is_some_and(|(split, _)| split == Split::Train)
        && folders.iter().all(|folders| folders.first().is_some_and(|top| top != name || folders.len() == 1))
    {
        return Ok(Layout::ClassNamedAsSplit(name.to_owned()));
    }
    bail!(
        "{}: {}, and {} not. If they are splits, move the others away or into the split that they belong to; if each is a \
         class, say `splits: classes`",
        root.display(),
        like_splits(&named),
        are(&others)
    )
}

fn splits(root: &Path, folders: &BTreeSet<Folders>, tops: &[&str]) -> Result<Layout> {
    let root = root.display();
    ensure!(!tops.is_empty(), "{root}: there is no folder of a split: {}", known());
    ensure!(
        !folders.contains(&vec![]),
        "{root}: pictures lie beside the folders of splits ({}): move them into one of these, or away",
        quoted(tops)
    );
    let mut found = BTreeMap::new();
    for name in tops {
        let Some((split, _)) = split_of(name) else {
            bail!("{root}: `{name}` is not named like a split: {}", known());
        };
        if let Some((other, _)) = found.iter().find(|(_, known)| **known == split) {
            bail!(
                "{root}: `{other}` and `{name}` are both named like the {} split: join them, or say `splits: classes` if each \
                 is a class",
                split.name()
            );
        }
        found.insert((*name).to_owned(), split);
    }
    ensure!(
        found.values().any(|split| *split == Split::Train),
        "{root}: {}, and there is none to train on: add `train`, or say `splits: classes` if each is a class",
        like_splits(tops)
    );
    Ok(Layout::Splits(found))
}

/// An archive unpacked within a folder of its own name: what is a split in it would be the only class.
fn check_within(root: &Path, folders: &BTreeSet<Folders>) -> Result<()> {
    let classes: BTreeSet<&str> = folders.iter().filter_map(|folders| folders.get(1)).map(String::as_str).collect();
    let deeper = folders.iter().filter(|folders| folders.len() > 2).find(|folders| split_of(&folders[1]).is_some());
    let all = !classes.is_empty() && classes.iter().all(|class| split_of(class).is_some());
    match deeper.filter(|_| all) {
        Some(folders) => bail!(
            "{}/{}: `{}` in it is named like a split too, and would be a class. Move what lies in it up into `{}`, or say \
             `splits: folders` if it is one",
            root.display(),
            folders[0],
            folders[1],
            folders[0]
        ),
        None => Ok(()),
    }
}

/// Splits that lie within a folder would all be trained on.
fn check_below(root: &Path, folders: &BTreeSet<Folders>) -> Result<()> {
    let mut below: BTreeMap<&[String], BTreeSet<&str>> = BTreeMap::new();
    for folders in folders {
        for depth in 1..folders.len() {
            below.entry(&folders[..depth]).or_default().insert(&folders[depth]);
        }
    }
    let tops = folders.iter().filter_map(|folders| folders.first()).collect::<BTreeSet<_>>().len();
    for (above, names) in below {
        let named = named_as_splits(&names.iter().copied().collect::<Vec<_>>());
        // One alone may be a part of a class; if there is nothing else, it is what the folder was unpacked to.
        let is_all = above.len() == 1 && tops == 1 && named.len() == names.len() && !named.is_empty();
        if named.len() > 1 || is_all && split_of(&above[0]).is_none() {
            let above = above.join("/");
            bail!(
                "{}/{above}: {}. Splits are expected at the top: bring them there (or say `path: {}/{above}`); if all of them \
                 are parts of a class, say `splits: classes`",
                root.display(),
                like_splits(&named),
                root.display()
            );
        }
    }
    Ok(())
}

/// "`test`, `train` are named like splits"
fn like_splits(names: &[&str]) -> String {
    format!("{} named like {}", are(names), if names.len() == 1 { "a split" } else { "splits" })
}

/// "`car`, `truck` are"
fn are(names: &[&str]) -> String {
    format!("{} {}", quoted(names), if names.len() == 1 { "is" } else { "are" })
}

fn quoted(names: &[&str]) -> String {
    let mut quoted: Vec<String> = names.iter().take(NAMED).map(|name| format!("`{name}`")).collect();
    if names.len() > NAMED {
        quoted.push(format!("{} more", names.len() - NAMED));
    }
    quoted.join(", ")
}

#[cfg(test)]
mod tests {
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
        assert_eq!(layout(&["car", "plane"], Splits::Auto), Ok(Layout::Classes));
        assert_eq!(layout(&["."], Splits::Auto), Ok(Layout::Classes));
        assert_eq!(layout(&["train station", "bus station/near"], Splits::Auto), Ok(Layout::Classes));
    }

    #[test]
    fn a_class_may_be_called_train() {
        let folders = ["car", "train", "truck"];
        assert_eq!(layout(&folders, Splits::Auto), Ok(Layout::ClassNamedAsSplit("train".into())));
        assert_eq!(layout(&["test", "train"], Splits::Classes), Ok(Layout::Classes));
        let error = layout(&["."], Splits::Folders).unwrap_err();
        assert!(error.starts_with("root: there is no folder of a split: train (train, training, "), "{error}");
        let error = layout(&folders, Splits::Folders).unwrap_err();
        assert!(error.starts_with("root: `car` is not named like a split: train (train, training, "), "{error}");
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
            (
                &["train", "test_public"],
                "root: `test_public`, `train` are named like splits, each of a kind of its own. ",
            ),
            (
                &["x_train/a", "y_test/a"],
                "root: `x_train`, `y_test` are named like splits, each of a kind of its own. ",
            ),
            (&["train", "unlabeled"], "root: `train` is named like a split, and `unlabeled` is not. If "),
            (&["data/train/a", "data/train/b"], "root/data: `train` is named like a split. Splits are "),
            (&["train/train/a", "train/train/b"], "root/train: `train` in it is named like a split too, "),
            (
                &["train_set/training/a", "test_set/testing/a"],
                "root/test_set: `testing` in it is named like a split too, ",
            ),
            (&["archive/train/a", "archive/test/a"], "root/archive: `test`, `train` are named like splits. Splits "),
            (&["cat/train", "cat/test", "dog/train"], "root/cat: `test`, `train` are named like splits. Splits "),
        ] {
            let error = refused(folders);
            assert!(error.starts_with(start), "{folders:?}: {error}");
        }
        assert_eq!(layout(&["cat/train", "cat/test", "dog/train"], Splits::Classes), Ok(Layout::Classes));
        let wide = refused(&["a", "b", "c", "d", "e", "f", "g", "test"]);
        assert!(wide.contains("`a`, `b`, `c`, `d`, `e`, 2 more are not"), "{wide}");
    }
}
