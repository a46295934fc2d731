//! Tables as files, each written under another name and renamed when whole.

use super::about::{About, Computed};
use super::build::Table;
use super::{TableError, terminal};
use serde::Serialize;
use std::collections::HashSet;
use std::fs::{self, Permissions};
use std::io::{self, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

/// All tables of a recipe, and their files' texts.
#[derive(Debug)]
pub struct Tables {
    pub tables: Vec<Table>,
    pub(super) measurements: String,
    pub(super) costs: String,
    /// NAME.csv of each table.
    pub(super) values: Vec<String>,
    /// NAME.md of each table.
    pub(super) pages: Vec<String>,
    pub(super) about: About,
    pub(super) computed: Computed,
}

impl Tables {
    /// What the run prints at its end. `dir` is where [`Tables::write_all`] wrote, as the person would type it;
    /// `width` how wide the terminal is, where it is one.
    pub fn terminal(&self, dir: Option<&str>, width: Option<usize>) -> String {
        let mut told = HashSet::new();
        let pages = self.tables.iter().map(|table| terminal::page(table, dir, width, &mut told));
        pages.collect::<Vec<_>>().join("\n")
    }

    /// Writes `measurements.csv`, `NAME.csv` and `NAME.md` of each table, and `costs.csv` into `dir`, which is
    /// created. Yields the paths written.
    pub fn write_all(&self, dir: &Path) -> Result<Vec<PathBuf>, TableError> {
        let files = self.files();
        files.iter().map(|(name, text)| write(dir, name, text)).collect()
    }

    /// [`Tables::write_all`], with `about.json` and `computed.json` beside the tables. Of these files `costs.csv`
    /// and `computed.json` differ from run to run, and nothing else does.
    pub fn publish(&self, dir: &Path) -> Result<Vec<PathBuf>, TableError> {
        let mut written = self.write_all(dir)?;
        written.push(write(dir, "about.json", &json(&self.about))?);
        written.push(write(dir, "computed.json", &json(&self.computed))?);
        Ok(written)
    }

    fn files(&self) -> Vec<(String, &str)> {
        let named =
            |extension: &'static str| self.tables.iter().map(move |table| format!("{}.{extension}", table.name));
        let values = named("csv").zip(self.values.iter().map(String::as_str));
        let pages = named("md").zip(self.pages.iter().map(String::as_str));
        let all = [("measurements.csv".to_owned(), self.measurements.as_str())].into_iter();
        all.chain(values).chain(pages).chain([("costs.csv".to_owned(), self.costs.as_str())]).collect()
    }
}

fn json(value: &impl Serialize) -> String {
    serde_json::to_string_pretty(value).expect("plain data serialises") + "\n"
}

fn write(dir: &Path, name: &str, text: &str) -> Result<PathBuf, TableError> {
    let path = dir.join(name);
    write_whole(dir, &path, text).map_err(|source| TableError::Write { path: path.clone(), source })?;
    Ok(path)
}

fn write_whole(dir: &Path, path: &Path, text: &str) -> io::Result<()> {
    fs::create_dir_all(dir)?;
    // Readable as any other file of the person's, not for the owner alone as temporary files are.
    let mut file = tempfile::Builder::new().permissions(Permissions::from_mode(0o666)).tempfile_in(dir)?;
    file.write_all(text.as_bytes())?;
    file.persist(path).map_err(|e| e.error)?;
    Ok(())
}
