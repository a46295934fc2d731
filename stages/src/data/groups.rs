//! Whom or what pictures show, by their paths.

use super::dataset::Split;
use anyhow::{Context as _, Result, ensure};
use regex::Regex;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

/// Groups that no split may divide.
pub struct Groups {
    /// In the order of their names.
    names: Vec<String>,
    /// Of each file, by its number.
    pub of: Vec<u32>,
}

impl Groups {
    /// By what a regular expression captures of the path of each file beneath the root.
    pub fn find(pattern: &str, root: &Path, files: &[&Path]) -> Result<Self> {
        const NAMED: usize = 3;
        let regex = Regex::new(pattern).context("`group` is no regular expression")?;
        ensure!(
            regex.captures_len() == 2,
            "`group: {pattern}` has {} pairs of parentheses: expected one, around what names the group, as in `(patient\\d+)`; others \
             are written (?:...)",
            regex.captures_len() - 1
        );
        let named: Vec<Option<String>> = files.iter().map(|file| name(&regex, file)).collect();
        let without = || files.iter().zip(&named).filter(|(_, name)| name.is_none()).map(|(file, _)| file);
        let count = without().count();
        ensure!(
            count == 0,
            "{}: `group: {pattern}` finds no group in the paths of {count} of {} files ({}{}): each is of one",
            root.display(),
            named.len(),
            without().take(NAMED).map(|path| path.display().to_string()).collect::<Vec<_>>().join(", "),
            if count > NAMED { ", ..." } else { "" }
        );
        let named: Vec<String> = named.into_iter().flatten().collect();
        let names: Vec<String> = named.iter().cloned().collect::<BTreeSet<_>>().into_iter().collect();
        let of = named.iter().map(|name| names.binary_search(name).expect("it is among the names") as u32).collect();
        Ok(Self { names, of })
    }

    /// That no group is in two splits, each of which has files by their numbers: those that have folders of their own may share some. Train
    /// and unlabelled are both trained on, and count as one.
    pub fn check(&self, root: &Path, files: &[&Path], images: &BTreeMap<Split, Vec<usize>>) -> Result<()> {
        let mut first: BTreeMap<u32, (Split, usize)> = BTreeMap::new();
        for (&split, numbers) in images {
            for &number in numbers {
                let group = self.of[number];
                let &mut (other, one) = first.entry(group).or_insert((split, number));
                let both_train = [other, split].iter().all(|one| [Split::Train, Split::Unlabelled].contains(one));
                ensure!(
                    other == split || both_train,
                    "{}: group `{}` has pictures in {} ({}) and in {} ({}): put all of a group into one split, or leave `group` out",
                    root.display(),
                    self.names[group as usize],
                    other.name(),
                    files[one].display(),
                    split.name(),
                    files[number].display()
                );
            }
        }
        Ok(())
    }

    /// How many there are among these files.
    pub fn count(&self, files: impl Iterator<Item = usize>) -> usize {
        files.map(|number| self.of[number]).collect::<BTreeSet<_>>().len()
    }
}

fn name(regex: &Regex, path: &Path) -> Option<String> {
    Some(regex.captures(&path.to_string_lossy())?.get(1)?.as_str().to_owned())
}
