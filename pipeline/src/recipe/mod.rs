//! YAML -> a checked recipe. Every mistake is found at once and carries its place in the file.
//!
//! [`load`] reads the text into a tree with positions (`tree`), checks sections and names (`raw`, `axes`), lets axes
//! propagate along edges (`spread`), makes a node of each combination with its parameters checked (`expand`, `schema`),
//! and resolves the tables (`table_specs`).

mod axes;
mod expand;
mod expression;
mod problem;
mod raw;
pub mod schema;
mod spread;
mod table_specs;
mod tables;
mod tree;

pub use problem::{Problem, RecipeErrors, nearest};
pub use tables::*;

use crate::ids::Digest;
use crate::plan::Graph;
use pretext_protocol::Catalogue;
use std::path::Path;

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
}

/// Reads a recipe's file.
pub fn load(path: &Path, catalogue: &Catalogue) -> anyhow::Result<Recipe> {
    use anyhow::Context;
    let source = std::fs::read(path).with_context(|| format!("cannot read the recipe {}", path.display()))?;
    let source = String::from_utf8(source).with_context(|| format!("{} is not text in UTF-8", path.display()))?;
    Ok(parse(&path.to_string_lossy(), &source, catalogue)?)
}

/// Checks a recipe's text. `path` is how it is called in messages.
pub fn parse(path: &str, source: &str, catalogue: &Catalogue) -> Result<Recipe, RecipeErrors> {
    let fail = |problems| RecipeErrors::new(path, source, problems);
    let tree = tree::parse(source).map_err(fail)?;
    let mut problems = vec![];
    let raw = raw::read(&tree, &mut problems);
    let spread = spread::spread(&raw, &mut problems);
    let graph =
        spread.as_ref().map(|spread| expand::expand(&raw, spread, catalogue, &mut problems)).unwrap_or_default();
    let tables = table_specs::read(&raw, &graph, &mut problems);
    if let Some(spread) = spread.filter(|_| problems.is_empty()) {
        spread::unused_axes(&raw, &spread, &mut problems);
    }
    if !problems.is_empty() {
        return Err(fail(problems));
    }
    let axes = raw
        .axes
        .iter()
        .map(|axis| (axis.name.text.clone(), axis.labels().into_iter().map(String::from).collect()))
        .collect();
    Ok(Recipe { name: raw.name, path: path.to_owned(), digest: Digest::of(source.as_bytes()), graph, axes, tables })
}
