//! Rows for programs (`.npy`) and for tables (`.csv`), in the same order.

use crate::csv::quoted;
use crate::data::npy;
use anyhow::{Context, Result};
use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

/// `features.npy`, `[picture, feature]`, and `features.csv` with the names of the files.
pub fn write_features(folder: &Path, files: &[PathBuf], values: &[f32]) -> Result<()> {
    let width = values.len() / files.len();
    npy::write(folder.join("features.npy"), &[files.len(), width], values)?;
    let titles = (0..width).map(|feature| feature.to_string());
    let row = |number: usize| numbers(&values[number * width..(number + 1) * width]);
    write_csv(&folder.join("features.csv"), titles, files, row)
}

/// `predictions.npy`, `[picture, class]`, and `predictions.csv` with the names of the files and of the likeliest classes.
pub fn write_predictions(folder: &Path, files: &[PathBuf], values: &[f32], classes: &[String]) -> Result<()> {
    npy::write(folder.join("predictions.npy"), &[files.len(), classes.len()], values)?;
    let titles = ["class", "probability"].map(String::from).into_iter();
    let titles = titles.chain(classes.iter().map(|class| format!("p({class})")));
    let row = |number: usize| {
        let own = &values[number * classes.len()..(number + 1) * classes.len()];
        // Of equally likely ones the first.
        let best = (0..own.len()).rev().max_by(|&a, &b| own[a].total_cmp(&own[b])).unwrap_or(0);
        [vec![classes[best].clone(), own[best].to_string()], numbers(own)].concat()
    };
    write_csv(&folder.join("predictions.csv"), titles, files, row)
}

/// As short as they can be read back.
fn numbers(values: &[f32]) -> Vec<String> {
    values.iter().map(f32::to_string).collect()
}

fn write_csv(
    path: &Path,
    titles: impl Iterator<Item = String>,
    files: &[PathBuf],
    row: impl Fn(usize) -> Vec<String>,
) -> Result<()> {
    let failed = || format!("cannot write {}", path.display());
    let mut out = BufWriter::new(File::create(path).with_context(failed)?);
    let mut line = |first: &str, rest: Vec<String>| {
        let cells = std::iter::once(first).chain(rest.iter().map(String::as_str)).map(cell);
        writeln!(out, "{}", cells.collect::<Vec<_>>().join(",")).with_context(failed)
    };
    line("file", titles.collect())?;
    for (number, file) in files.iter().enumerate() {
        line(&file.to_string_lossy(), row(number))?;
    }
    out.flush().with_context(failed)
}

/// Quoted where it has commas, quotes or line breaks.
fn cell(text: &str) -> String {
    match text.contains([',', '"', '\n', '\r']) {
        true => quoted(text),
        false => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_files_and_classes_cannot_break_the_table() {
        let folder = tempfile::tempdir().unwrap();
        let files = ["a, b.png", "c \"d\".png"].map(PathBuf::from);
        let classes = ["cat", "x,y"].map(String::from);
        write_predictions(folder.path(), &files, &[0.5, 0.5, 0.25, 0.75], &classes).unwrap();
        let text = std::fs::read_to_string(folder.path().join("predictions.csv")).unwrap();
        let expected = "file,class,probability,p(cat),\"p(x,y)\"\n\"a, b.png\",cat,0.5,0.5,0.5\n\
                        \"c \"\"d\"\".png\",\"x,y\",0.75,0.25,0.75\n";
        assert_eq!(text, expected);
    }
}
