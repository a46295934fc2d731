//! Which files a folder has, of which class and which split.

use super::super::dataset::Split;
use super::super::pictures::{self, Listing};
use super::layout::{Folders, Layout, Splits};
use anyhow::{Result, bail, ensure};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// The class of images that have none.
const UNLABELLED: &str = "unlabelled";

#[derive(Debug)]
pub struct Tree {
    pub root: PathBuf,
    pub layout: Layout,
    /// In the order of their names.
    pub classes: Vec<String>,
    /// All that are pictures by their names, in the order of their paths.
    pub files: Vec<Labelled>,
    /// Files that are none.
    pub others: Vec<PathBuf>,
    /// Folders in which there is nothing.
    pub empty: Vec<PathBuf>,
}

#[derive(Debug)]
pub struct Labelled {
    /// From the root on.
    pub path: PathBuf,
    pub split: Split,
    /// The number of its class; -1 where it is in the unlabelled split.
    pub label: i32,
    /// Why it cannot be read, as far as that is known.
    pub fault: Option<String>,
}

impl Tree {
    pub fn read(root: &Path, wanted: Splits) -> Result<Self> {
        let listing = pictures::list(root)?;
        let Listing { pictures, unread, .. } = &listing;
        ensure!(
            !pictures.is_empty(),
            "no picture beneath {}: expected files that end in .{}{}",
            root.display(),
            pictures::ENDINGS.join(", ."),
            if unread.is_empty() {
                String::new()
            } else {
                format!("; found {}", pictures::by_ending(unread.iter().map(PathBuf::as_path)))
            }
        );
        let found = listing.all();
        let Listing { others, empty, .. } = listing;
        let folders: BTreeSet<Folders> = found.iter().map(folders).collect();
        let layout = Layout::of(root, &folders, wanted)?;
        let mut tree = Self { root: root.to_owned(), layout, classes: vec![], files: vec![], others, empty };
        tree.label(found)?;
        tree.check()?;
        Ok(tree)
    }

    fn label(&mut self, found: Vec<(PathBuf, Option<String>)>) -> Result<()> {
        let places: Vec<_> = found.iter().map(|file| self.layout.place(&folders(file))).collect();
        let has_class = |split: Split| split != Split::Unlabelled;
        let classes: BTreeSet<&Option<String>> =
            places.iter().filter(|(split, _)| has_class(*split)).map(|(_, class)| class).collect();
        let without = places.iter().position(|(split, class)| has_class(*split) && class.is_none());
        if let Some(without) = without
            && classes.len() > 1
        {
            bail!(
                "{} lies beside folders of classes: move it into the one of its class, into `unlabelled`, or away",
                self.root.join(&found[without].0).display()
            );
        }
        let classes: Vec<&Option<String>> = classes.into_iter().collect();
        let label = |(split, class): &(Split, Option<String>)| {
            if has_class(*split) { classes.binary_search(&class).expect("it is among the classes") as i32 } else { -1 }
        };
        let labels: Vec<i32> = places.iter().map(label).collect();
        self.classes = classes.into_iter().map(|class| class.clone().unwrap_or_else(|| UNLABELLED.into())).collect();
        let labelled = found.into_iter().zip(&places).zip(labels);
        self.files = labelled
            .map(|(((path, fault), (split, _)), label)| Labelled { path, split: *split, label, fault })
            .collect();
        Ok(())
    }

    /// Of the files, from the root on.
    pub fn paths(&self) -> Vec<&Path> {
        self.files.iter().map(|file| file.path.as_path()).collect()
    }

    /// Where a file lies.
    pub fn place(&self, number: usize) -> PathBuf {
        self.root.join(&self.files[number].path)
    }

    /// The numbers of a split's files.
    pub fn of(&self, split: Split) -> Vec<usize> {
        let is_there = |file: &Labelled| file.split == split && file.fault.is_none();
        (0..self.files.len()).filter(|&number| is_there(&self.files[number])).collect()
    }

    /// Whether a split has a folder of its own.
    pub fn has(&self, split: Split) -> bool {
        self.layout.folder(split).is_some()
    }

    /// Files that cannot be read.
    pub fn faulty(&self) -> Vec<(&Path, &str)> {
        self.files.iter().filter_map(|file| Some((file.path.as_path(), file.fault.as_deref()?))).collect()
    }

    /// That no class and no split has vanished, and that all classes can be learned.
    pub fn check(&self) -> Result<()> {
        let labels = |numbers: Vec<usize>| numbers.into_iter().map(|number| self.files[number].label).collect();
        let trained: BTreeSet<i32> = labels(self.of(Split::Train));
        let whole: BTreeSet<i32> = Split::ALL.into_iter().flat_map(|split| labels(self.of(split))).collect();
        for (class, label) in self.classes.iter().zip(0..) {
            ensure!(whole.contains(&label), self.lost(&format!("class `{class}`"), |file| file.label == label));
            if !trained.contains(&label) {
                let file = self.files.iter().find(|file| file.label == label && file.fault.is_none());
                bail!(
                    "{}: there is no image of class `{class}` to train on: add some to the folder of the train split, or move \
                     this one's folder away",
                    self.root.join(&file.expect("one is whole").path).display()
                );
            }
        }
        for split in Split::ALL {
            let Some(name) = self.layout.folder(split) else { continue };
            let is_there = !self.of(split).is_empty();
            ensure!(is_there, self.lost(&format!("the folder `{name}`"), |file| file.split == split));
        }
        Ok(())
    }

    /// What to say of that of which nothing is left.
    fn lost(&self, what: &str, belongs: impl Fn(&Labelled) -> bool) -> String {
        let all: Vec<&Labelled> = self.files.iter().filter(|file| belongs(file)).collect();
        format!(
            "{}: no file of {what} can be read ({}; {}: {}): mend or convert them, or move the folder away",
            self.root.display(),
            pictures::by_ending(all.iter().map(|file| file.path.as_path())),
            all[0].path.display(),
            all[0].fault.as_deref().unwrap_or_default()
        )
    }
}

/// The folders that a picture lies in. A link to nowhere without an ending may have been one itself.
fn folders((path, fault): &(PathBuf, Option<String>)) -> Folders {
    let may_be_a_folder = fault.as_deref() == Some(pictures::NOWHERE) && pictures::ending(path).is_empty();
    let inside = if may_be_a_folder { Some(path.as_path()) } else { path.parent() };
    inside.into_iter().flat_map(Path::iter).map(|name| name.to_string_lossy().into_owned()).collect()
}
