//! A recipe as the command line changes it, against a store.

use super::choosing::Chooser;
use super::permission::Permission;
use super::places::Places;
use crate::plan::{Status, WorkerName};
use crate::recipe::{self, ForeignWorker, Recipe, Surroundings};
use crate::run::{Worker, WorkerSpec};
use crate::store::{Store, View};
use anyhow::{Context, Result};
use clap::Args;
use pretext_protocol::Catalogue;
use std::collections::BTreeMap;
use std::path::Path;

/// What a command that is about a recipe is told beside its file.
#[derive(Debug, Args)]
pub(super) struct Source {
    /// Change the recipe for this time: stages.pretrain.with.epochs=5, or 'axes.seed=[0, 1]'; a map is joined with the one
    /// that is there; may be repeated
    #[arg(long, value_name = "PATH=VALUE")]
    set: Vec<String>,
    #[command(flatten)]
    pub(super) permission: Permission,
    #[command(flatten)]
    places: Places,
}

impl Source {
    pub(super) fn store(&self) -> Result<Store> {
        self.places.store()
    }

    /// The program that computes the stages of no worker of a recipe's own.
    pub(super) fn worker(&self) -> Result<WorkerSpec> {
        self.places.worker()
    }

    /// What is changed for this time.
    pub(super) fn sets(&self) -> &[String] {
        &self.set
    }

    pub(super) fn look(&self) -> Result<Store> {
        self.places.look()
    }

    /// Reads and checks a recipe. The programs that it names are started only where that is allowed, to ask what they can do;
    /// what one said before is remembered.
    pub(super) fn recipe(&self, path: &Path, store: &Store) -> Result<Recipe> {
        let is_allowed = self.permission.is_given(path)?;
        let foreign = |worker: &ForeignWorker| match store.foreign_catalogue(worker)? {
            Some(catalogue) => Ok(Some(catalogue)),
            None if is_allowed => asked(worker, store).map(Some),
            None => Ok(None),
        };
        let (catalogue, digest_at) = (&self.places.catalogue(store)?, |path: &Path| store.digest_at(path));
        recipe::load(path, &self.set, Surroundings { catalogue, foreign: &foreign, digest_at: &digest_at })
    }

    /// Every program that computes stages of a recipe.
    pub(super) fn workers(&self, recipe: &Recipe) -> Result<BTreeMap<WorkerName, WorkerSpec>> {
        let mut workers = BTreeMap::from([(WorkerName::Stages, self.places.worker()?)]);
        let folder = Path::new(&recipe.path).parent().filter(|folder| !folder.as_os_str().is_empty());
        let folder =
            std::path::absolute(folder.unwrap_or(Path::new("."))).context("cannot find the recipe's folder")?;
        let commands = WorkerSpec::commands(folder).context("cannot tell where pretext is")?;
        workers.insert(WorkerName::Command, commands);
        for worker in &recipe.workers {
            workers.insert(WorkerName::Foreign(worker.name.clone()), spec(worker)?);
        }
        Ok(workers)
    }
}

/// A foreign worker's own account of what it can do, kept for the next time.
fn asked(worker: &ForeignWorker, store: &Store) -> Result<Catalogue> {
    let catalogue = spec(worker).and_then(|spec| Ok(Worker::ask(&spec)?));
    let catalogue =
        catalogue.with_context(|| format!("the recipe's worker `{}` cannot say what it can do", worker.name))?;
    // Only a cache: where the store cannot be written it is asked again.
    let _ = store.keep_foreign_catalogue(worker, &catalogue);
    Ok(catalogue)
}

fn spec(worker: &ForeignWorker) -> Result<WorkerSpec> {
    let (program, arguments) = worker.program.command.split_first().context("a worker's command has a program")?;
    let folder = std::path::absolute(&worker.folder).context("cannot find the recipe's folder")?;
    // A name without `/` is looked for in PATH, as a shell does.
    let program = if program.contains('/') { folder.join(program) } else { program.into() };
    Ok(WorkerSpec::new(program).started_with(arguments.to_vec(), folder))
}

/// A recipe against a store.
pub(super) struct Planned {
    pub(super) view: View,
    pub(super) recipe: Recipe,
    /// By the node's index in the graph.
    pub(super) statuses: Vec<Status>,
}

impl Planned {
    /// Reads a recipe and finds out what would become of its nodes.
    pub(super) fn load(path: &Path, source: &Source) -> Result<Self> {
        let store = source.look()?;
        let recipe = source.recipe(path, &store)?;
        let view = View::new(&store, &recipe.name);
        let statuses = Chooser::statuses(&recipe, &view, Chooser::of(&recipe).as_ref());
        // Only a cache: the next plan reads the plain files again.
        let _ = view.save();
        Ok(Self { view, recipe, statuses })
    }
}
