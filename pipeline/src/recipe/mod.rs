//! YAML -> a checked recipe. Every mistake is found at once and carries its place in the file.
//!
//! [`load`] reads the texts into one tree with positions (`sources`, `yaml`, `tree`, `scalar`, `extends`), checks sections and names
//! (`raw`, `stages`, `axes`, `zips`, `exclusions`, `inclusions`, `resources`, `policy`, `workers`), lets axes propagate along
//! edges (`spread`, `cycles`, `combinations`), makes a node of each combination with its ports and parameters checked
//! (`expand`, `kinds`, `command`, `with`, `references`, `expression`, `edges`, `schema`,
//! `paths`), and resolves the tables (`table_specs`,
//! `columns`, `choices`).

mod axes;
mod choices;
mod code;
mod columns;
mod combinations;
pub mod command;
mod contents;
mod cycles;
mod edges;
mod exclusions;
mod expand;
mod expression;
mod extends;
mod inclusions;
mod json_schema;
mod kinds;
mod paths;
mod policy;
mod problem;
mod quantity;
mod raw;
mod references;
mod resources;
mod scalar;
pub mod schema;
mod sources;
mod spread;
mod stages;
mod table_specs;
mod tables;
mod tree;
mod with;
mod workers;
mod yaml;
mod zips;

pub use contents::Contents;
pub use json_schema::json_schema;
pub use paths::DigestAt;
pub use problem::{Problem, RecipeErrors, nearest, nearest_and};
pub(crate) use scalar::spelling_of_number;
pub use tables::*;

use crate::ids::Digest;
use crate::plan::{Graph, Program};
use anyhow::{Context, ensure};
use paths::Paths;
use pretext_protocol::Catalogue;
use sources::Sources;
use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tree::Span;

/// A recipe without mistakes.
#[derive(Debug)]
pub struct Recipe {
    pub name: String,
    /// As it was given.
    pub path: String,
    /// Of what it says, with what it extends and what was set: comments and spaces do not count.
    pub digest: Digest,
    pub graph: Graph,
    /// Each axis with its labels: as declared, then those that only an `include` has.
    pub axes: Vec<(String, Vec<String>)>,
    pub tables: Vec<TableSpec>,
    /// Whether what does not need a failed stage is still computed.
    pub keep_going: bool,
    /// Those beside `pretext-worker`.
    pub workers: Vec<ForeignWorker>,
    /// What is declared under `env` and changes nothing.
    pub unused_variables: Vec<String>,
    /// Whether `pretext-worker` rehearses stages.
    pub rehearses: bool,
    sources: Sources,
    /// Where each stage's name stands.
    stage_spans: HashMap<String, Span>,
}

impl Recipe {
    /// What a person should know of it, beside what its graph tells.
    pub fn notes(&self) -> impl Iterator<Item = String> {
        let note =
            |name: &String| format!("no text of the recipe uses $(env.{name}): what is set there changes nothing");
        self.unused_variables.iter().map(note)
    }

    /// Whether it has this digest, or had it when comments still counted, as tables say that were published then.
    pub fn has_digest(&self, digest: &str) -> bool {
        [self.digest, self.sources.digest()].iter().any(|own| own.to_string() == digest)
    }

    /// Mistakes that showed when stages began: of each the stage, what is wrong, and a word on where. `done`: what was done before.
    pub fn found_later(
        &self,
        mistakes: impl IntoIterator<Item = (String, String, String)>,
        done: &'static str,
    ) -> RecipeErrors {
        let problem = |(stage, title, label)| Problem::new(self.stage_spans[&stage].clone(), title, label);
        RecipeErrors::new(self.sources.clone(), mistakes.into_iter().map(problem).collect()).after(done)
    }
}

/// A program that the recipe names under `workers:`. It is started only after a person has allowed it.
#[derive(Debug, Clone, PartialEq)]
pub struct ForeignWorker {
    pub name: Arc<str>,
    /// Its command, and what counts in the keys of its stages.
    pub program: Arc<Program>,
    /// The recipe's folder, where it is started.
    pub folder: PathBuf,
    /// Its kinds, as the recipe lists them.
    pub kinds: Vec<String>,
}

/// Gives the catalogue of a worker that a recipe names, or nothing where no person has allowed it yet.
pub type Foreign<'a> = &'a dyn Fn(&ForeignWorker) -> anyhow::Result<Option<Catalogue>>;

/// What a recipe is held against.
#[derive(Clone, Copy)]
pub struct Surroundings<'a> {
    /// That of `pretext-worker`.
    pub catalogue: &'a Catalogue,
    pub foreign: Foreign<'a>,
    pub digest_at: DigestAt<'a>,
}

/// Reads a recipe's file, with what it extends and what is set (`stages.pretrain.with.epochs=5`).
pub fn load(path: &Path, sets: &[String], surroundings: Surroundings) -> anyhow::Result<Recipe> {
    ensure!(path.exists(), "there is no recipe {}; {}", path.display(), instead(path));
    let text = extends::read(path).with_context(|| format!("cannot read the recipe {}", path.display()))?;
    Ok(check(&path.to_string_lossy(), text, sets, surroundings)?)
}

/// What to type where there is no file: the recipe that is called so, if there is one.
fn instead(path: &Path) -> String {
    let named = path.with_extension("yaml");
    let near = [named.clone(), Path::new("recipes").join(named)].into_iter().find(|near| near.is_file());
    match near {
        Some(near) => format!("did you mean {}?", near.display()),
        None => format!("`pretext init {}` writes one to start from", path.with_extension("yaml").display()),
    }
}

/// Checks a recipe's text; none of its workers is allowed. `path` is how it is called in messages, and what paths in it are
/// relative to.
pub fn parse(path: &str, source: &str, catalogue: &Catalogue) -> Result<Recipe, RecipeErrors> {
    let digest_at = |path: &Path| Ok(Contents::read(path, None)?.digest());
    let surroundings = Surroundings { catalogue, foreign: &|_| Ok(None), digest_at: &digest_at };
    check(path, source.to_owned(), &[], surroundings)
}

fn check(path: &str, text: String, sets: &[String], surroundings: Surroundings) -> Result<Recipe, RecipeErrors> {
    let Surroundings { catalogue, foreign, digest_at } = surroundings;
    let (mut sources, mut problems) = (Sources::default(), vec![]);
    let Some(tree) = extends::whole(path, text, sets, &mut sources, &mut problems) else {
        return Err(RecipeErrors::new(sources, problems));
    };
    let raw = raw::read(&tree, sources.are_several(), &mut problems);
    let mut reader = workers::Reader { sources: &sources, catalogue, foreign, problems: &mut problems };
    let workers = reader.read(tree.get("workers"));
    let spread = spread::spread(&raw, &mut problems);
    let kinds = kinds::Kinds::new(catalogue, &workers);
    let graph = expand::expand(&raw, &spread, &Paths::new(&sources, digest_at), kinds, &mut problems);
    let tables = table_specs::read(&raw, &graph, &mut problems);
    if problems.is_empty() {
        spread::unused_axes(&raw, &spread, &mut problems);
    }
    if !problems.is_empty() {
        return Err(RecipeErrors::new(sources, problems));
    }
    let used = references::variables_named(&tree);
    let unused_variables = raw.env.keys().filter(|name| !used.contains(name.as_str())).cloned().collect();
    let labels = |axis: &axes::Axis| (axis.name.text.clone(), axis.labels().map(String::from).collect());
    Ok(Recipe {
        stage_spans: raw.stages.iter().map(|stage| (stage.name.text.clone(), stage.name.span.clone())).collect(),
        rehearses: catalogue.rehearses,
        digest: Digest::of(tree.said().as_bytes()),
        sources,
        path: path.to_owned(),
        axes: raw.axes.iter().map(labels).collect(),
        name: raw.name,
        graph,
        tables,
        keep_going: raw.keep_going,
        workers: workers.into_iter().map(|allowed| allowed.worker).collect(),
        unused_variables,
    })
}
