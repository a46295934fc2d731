//! Which files a folder has, of which class and which split.

use super::super::dataset::Split;
use super::super::pictures;
use anyhow::{Result, bail, ensure};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// The class of images that have none.
const UNLABELLED: &str = "unlabelled";

/// What folders of splits are called.
const NAMES: [(&str, Split); 5] = [
    ("train", Split::Train),
    ("val", Split::Validation),
    ("valid", Split::Validation),
    ("validation", Split::Validation),
    ("test", Split::Test),
];

#[derive(Debug)]
pub struct Tree {
    /// In the order of their names.
    pub classes: Vec<String>,
    /// In the order of their paths.
    pub files: Vec<Labelled>,
}

#[derive(Debug)]
pub struct Labelled {
    pub path: PathBuf,
    pub split: Split,
    /// The number of its class.
    pub label: i32,
}

impl Tree {
    pub fn read(root: &Path) -> Result<Self> {
        let files = pictures::list(root)?;
        let has_splits = root.join("train").is_dir();
        let mut found = vec![];
        for path in files {
            let Some((split, class)) = place(root, &path, has_splits) else {
                bail!(
                    "{} lies beside folders of splits: move it into one of them; they are train, val and test",
                    path.display()
                )
            };
            found.push((path, split, class));
        }
        let classes: BTreeSet<&Option<String>> = found.iter().map(|(.., class)| class).collect();
        if classes.len() > 1
            && let Some((path, ..)) = found.iter().find(|(.., class)| class.is_none())
        {
            bail!("{} lies beside folders of classes: move it into the one of its class", path.display());
        }
        let classes: Vec<String> =
            classes.into_iter().map(|class| class.clone().unwrap_or_else(|| UNLABELLED.to_owned())).collect();
        let labelled = |(path, split, class): (PathBuf, Split, Option<String>)| {
            let name = class.as_deref().unwrap_or(UNLABELLED);
            let label = classes.iter().position(|class| class == name).expect("it is among the classes") as i32;
            Labelled { path, split, label }
        };
        let tree = Self { files: found.into_iter().map(labelled).collect(), classes };
        tree.check()?;
        Ok(tree)
    }

    /// The numbers of a split's files.
    pub fn of(&self, split: Split) -> Vec<usize> {
        (0..self.files.len()).filter(|&number| self.files[number].split == split).collect()
    }

    /// Whether a split has a folder of its own, with something in it.
    pub fn has(&self, split: Split) -> bool {
        self.files.iter().any(|file| file.split == split)
    }

    fn check(&self) -> Result<()> {
        let trained: BTreeSet<i32> = self.of(Split::Train).iter().map(|&number| self.files[number].label).collect();
        for Labelled { path, label, .. } in &self.files {
            let class = &self.classes[*label as usize];
            ensure!(trained.contains(label), "{}: there is no image of class `{class}` to train on", path.display());
        }
        Ok(())
    }
}

/// Split and class by the folders that a file lies in. None where it is in none of the splits.
fn place(root: &Path, path: &Path, has_splits: bool) -> Option<(Split, Option<String>)> {
    let inside = path.strip_prefix(root).unwrap_or(path).parent()?;
    let mut folders = inside.iter().map(|name| name.to_string_lossy().into_owned());
    let split = match has_splits {
        false => Split::Train,
        true => {
            let name = folders.next()?;
            NAMES.iter().find(|(known, _)| *known == name)?.1
        }
    };
    Some((split, folders.next()))
}
