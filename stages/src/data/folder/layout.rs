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
    Classes {
        /// A class that is named like a split, since what lies around it is no split.
        named_as_split: Option<String>,
        /// The folder beside them of pictures without a class.
        unlabelled: Option<String>,
    },
    Splits(BTreeMap<String, Split>),
}

/// The folders that a picture lies in, from the root on.
pub type Folders = Vec<String>;

/// Folders that a message names.
const NAMED: usize = 5;

impl Layout {
    const CLASSES: Self = Self::Classes { named_as_split: None, unlabelled: None };

    /// `folders`: of all pictures beneath `root`.
    pub fn of(root: &Path, folders: &BTreeSet<Folders>, wanted: Splits) -> Result<Self> {
        let tops: BTreeSet<&str> = folders.iter().filter_map(|folders| folders.first()).map(String::as_str).collect();
        let tops: Vec<&str> = tops.into_iter().collect();
        match wanted {
            Splits::Classes => Ok(Self::CLASSES),
            Splits::Folders => splits(root, folders, &tops),
            Splits::Auto => {
                check_below(root, folders)?;
                guessed(root, folders, &tops)
            }
        }
    }

    /// Of what lies in such folders the split, and the name of the class.
    pub fn place(&self, folders: &Folders) -> (Split, Option<String>) {
        let top = folders.first();
        match self {
            Self::Splits(splits) => {
                let split = top.and_then(|name| splits.get(name)).expect("every folder at the top is a split");
                (*split, folders.get(1).filter(|_| *split != Split::Unlabelled).cloned())
            }
            Self::Classes { unlabelled, .. } if unlabelled.is_some() && top == unlabelled.as_ref() => {
                (Split::Unlabelled, None)
            }
            Self::Classes { .. } => (Split::Train, top.cloned()),
        }
    }

    /// The folder at the top that is a split.
    pub fn folder(&self, split: Split) -> Option<&str> {
        match self {
            Self::Splits(splits) => splits.iter().find(|(_, known)| **known == split).map(|(name, _)| name.as_str()),
            Self::Classes { unlabelled, .. } => unlabelled.as_deref().filter(|_| split == Split::Unlabelled),
        }
    }
}

fn guessed(root: &Path, folders: &BTreeSet<Folders>, all_tops: &[&str]) -> Result<Layout> {
    // Pictures without a class lie beside classes as well as beside splits.
    let is_unlabelled = |name: &&str| split_of(name).is_some_and(|(split, _)| split == Split::Unlabelled);
    let (unlabelled, tops): (Vec<&str>, Vec<&str>) = all_tops.iter().copied().partition(is_unlabelled);
    let tops = &tops[..];
    let named = named_as_splits(tops);
    let others: Vec<&str> = tops.iter().copied().filter(|name| !named.contains(name)).collect();
    if !all_tops.is_empty() && others.is_empty() {
        check_within(root, folders)?;
        return splits(root, folders, all_tops);
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
    if let [one, another, ..] = unlabelled[..] {
        bail!("{}: `{one}` and `{another}` are both named like the unlabelled split: join them", root.display());
    }
    let unlabelled = unlabelled.first().map(|name| (*name).to_owned());
    if named.is_empty() {
        return Ok(Layout::Classes { named_as_split: None, unlabelled });
    }
    // Trains beside cars and trucks. What is named like a test split may be one that has no labels, and so may one other folder beside
    // that of a train split: nothing is trained on it unasked.
    if let [name] = named[..]
        && others.len() > 1
        && split_of(name).is_some_and(|(split, _)| split == Split::Train)
        && folders.iter().all(|folders| folders.first().is_some_and(|top| top != name || folders.len() == 1))
    {
        return Ok(Layout::Classes { named_as_split: Some(name.to_owned()), unlabelled });
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
mod tests;
