//! YAML -> a checked recipe. Every mistake is found at once and carries its place in the file.
//!
//! [`load`] reads the text into a tree with positions (`yaml`, `tree`), checks sections and names (`raw`, `axes`,
//! `exclusions`, `resources`), lets axes propagate along edges (`spread`, `cycles`, `combinations`), makes a node of each
//! combination with its ports and parameters checked (`expand`, `with`, `expression`, `edges`, `schema`), and resolves
//! the tables (`table_specs`, `columns`).

mod axes;
mod columns;
mod combinations;
mod cycles;
mod edges;
mod exclusions;
mod expand;
mod expression;
mod problem;
mod raw;
mod resources;
pub mod schema;
mod spread;
mod table_specs;
mod tables;
mod tree;
mod with;
mod yaml;

pub use problem::{Problem, RecipeErrors, nearest};
pub use tables::*;

use crate::ids::Digest;
use crate::plan::Graph;
use anyhow::Context;
use pretext_protocol::Catalogue;
use std::collections::BTreeMap;
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// A recipe without mistakes.
#[derive(Debug)]
pub struct Recipe {
    pub name: String,
    /// As it was given.
    pub path: String,
    /// Of its text.
    pub digest: Digest,
    pub graph: Graph,
    /// Each axis with its labels, as declared.
    pub axes: Vec<(String, Vec<String>)>,
    pub tables: Vec<TableSpec>,
    /// Whether what does not need a failed stage is still computed.
    pub keep_going: bool,
    /// Those beside `pretext-worker`.
    pub workers: Vec<ForeignWorker>,
}

/// A program that the recipe names under `workers:`. It is started only after a person has allowed it.
#[derive(Debug, Clone, PartialEq)]
pub struct ForeignWorker {
    pub name: Arc<str>,
    /// Program and arguments.
    pub command: Vec<String>,
    /// The recipe's folder, where it is started.
    pub folder: PathBuf,
    /// Its kinds, as the recipe lists them.
    pub kinds: Vec<String>,
    /// Files that count in the keys of its stages: path as the recipe writes it, digest.
    pub code: Arc<BTreeMap<String, Digest>>,
}

/// Reads a recipe's file.
pub fn load(path: &Path, catalogue: &Catalogue) -> anyhow::Result<Recipe> {
    let cannot_read = || format!("cannot read the recipe {}", path.display());
    let mut source = vec![];
    // One byte more than a recipe may have: a larger file is refused, not read.
    let file = File::open(path).with_context(cannot_read)?;
    file.take(yaml::LARGEST as u64 + 1).read_to_end(&mut source).with_context(cannot_read)?;
    let source = match source.len() > yaml::LARGEST {
        true => String::from_utf8_lossy(&source).into_owned(),
        false => String::from_utf8(source).with_context(|| format!("{} is not text in UTF-8", path.display()))?,
    };
    Ok(parse(&path.to_string_lossy(), &source, catalogue)?)
}

/// Checks a recipe's text. `path` is how it is called in messages.
pub fn parse(path: &str, source: &str, catalogue: &Catalogue) -> Result<Recipe, RecipeErrors> {
    let fail = |problems| RecipeErrors::new(path, source, problems);
    let tree = yaml::parse(source).map_err(fail)?;
    let mut problems = vec![];
    let raw = raw::read(&tree, &mut problems);
    let spread = spread::spread(&raw, &mut problems);
    let graph = expand::expand(&raw, &spread, catalogue, &mut problems);
    let tables = table_specs::read(&raw, &graph, &mut problems);
    if problems.is_empty() {
        spread::unused_axes(&raw, &spread, &mut problems);
    }
    if !problems.is_empty() {
        return Err(fail(problems));
    }
    let labels = |axis: &axes::Axis| (axis.name.text.clone(), axis.labels().map(String::from).collect());
    let axes = raw.axes.iter().map(labels).collect();
    let digest = Digest::of(source.as_bytes());
    Ok(Recipe { name: raw.name, path: path.to_owned(), digest, graph, axes, tables, keep_going: true, workers: vec![] })
}
