//! What is written of pictures, in a CSV file among them.

use super::tree::Tree;
use anyhow::{Context as _, Result, anyhow, ensure};
use std::collections::BTreeMap;
use std::path::{Component, Path, PathBuf};

/// Columns of Hugging Face's `metadata.csv`.
const PICTURE: &str = "file_name";
const TEXT: &str = "text";

/// Of each file of the tree that can be read, by its number. `file`: beneath the tree's root.
pub fn captions(tree: &Tree, file: &Path) -> Result<BTreeMap<usize, String>> {
    // What lies elsewhere counts in no key.
    let is_within = file.components().all(|part| matches!(part, Component::Normal(_)));
    ensure!(is_within, "`captions: {}` is not within `path`: expected a path from there on", file.display());
    let path = tree.root.join(file);
    let captions = read(tree, &path).with_context(|| format!("captions of {}", path.display()))?;
    check_all(tree, &captions).with_context(|| format!("captions of {}", path.display()))?;
    Ok(captions)
}

fn read(tree: &Tree, path: &Path) -> Result<BTreeMap<usize, String>> {
    let numbers: BTreeMap<&Path, usize> = tree.files.iter().map(|file| file.path.as_path()).zip(0..).collect();
    let mut rows = csv::Reader::from_path(path).map_err(explained)?;
    let columns = rows.headers().map_err(explained)?.clone();
    let column = |name: &str| {
        columns.iter().position(|column| column == name).with_context(|| {
            let found: Vec<String> = columns.iter().map(|column| format!("`{column}`")).collect();
            format!("its columns are {}: expected `{PICTURE}` and `{TEXT}` in the first line", found.join(", "))
        })
    };
    let (picture, text) = (column(PICTURE)?, column(TEXT)?);
    let mut captions = BTreeMap::new();
    for row in rows.records() {
        let row = row.map_err(explained)?;
        let line = row.position().map_or(0, csv::Position::line);
        let name = PathBuf::from(&row[picture]);
        let number = *numbers.get(name.as_path()).with_context(|| {
            format!("line {line}: there is no picture `{}`: expected a path from the folder on", name.display())
        })?;
        let is_first = captions.insert(number, row[text].to_owned()).is_none();
        ensure!(is_first, "line {line}: `{}` has a caption already: leave one of them", name.display());
    }
    Ok(captions)
}

/// Errors in our words: the crate's speak of bytes and records.
fn explained(error: csv::Error) -> anyhow::Error {
    let line = error.position().map_or(0, csv::Position::line);
    match error.kind() {
        csv::ErrorKind::Utf8 { .. } => anyhow!("line {line}: it is not UTF-8: save the file as UTF-8"),
        csv::ErrorKind::UnequalLengths { expected_len, len, .. } => {
            anyhow!(
                "line {line}: it has {len} values, and the first line {expected_len}: put a text with commas in \"\""
            )
        }
        _ => anyhow!(error),
    }
}

fn check_all(tree: &Tree, captions: &BTreeMap<usize, String>) -> Result<()> {
    const NAMED: usize = 3;
    let without = || {
        let files = tree.files.iter().enumerate();
        files.filter(|(number, file)| file.fault.is_none() && !captions.contains_key(number))
    };
    let count = without().count();
    let named: Vec<String> = without().take(NAMED).map(|(_, file)| file.path.display().to_string()).collect();
    ensure!(
        count == 0,
        "{count} of {} pictures have none ({}{}): add a line for each (the text may be empty), or move them away",
        tree.files.len(),
        named.join(", "),
        if count > NAMED { ", ..." } else { "" }
    );
    Ok(())
}
