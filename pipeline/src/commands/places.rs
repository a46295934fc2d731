use crate::run::{Worker, WorkerSpec};
use crate::store::Store;
use anyhow::{Context, Result, bail};
use clap::Args;
use pretext_protocol::Catalogue;
use std::path::PathBuf;

/// Where results are.
#[derive(Debug, Args)]
pub(super) struct StorePlace {
    /// Folder with all results [default: PRETEXT_STORE, or .pretext]
    #[arg(long, value_name = "FOLDER")]
    store: Option<PathBuf>,
}

impl StorePlace {
    /// One that is there: a new one under a misspelt name would be called whole and empty.
    pub(super) fn open(&self) -> Result<Store> {
        let root = self.root();
        if !Store::is_at(&root) {
            let root = std::path::absolute(&root).unwrap_or(root);
            bail!("there is no store at {}: `pretext run` makes one, --store FOLDER names another", root.display());
        }
        Ok(Store::open(&root)?)
    }

    fn root(&self) -> PathBuf {
        Store::locate(self.store.as_deref())
    }
}

/// Where results are, and what computes them.
#[derive(Debug, Args)]
pub(super) struct Places {
    #[command(flatten)]
    store: StorePlace,
    /// Program that computes the stages [default: PRETEXT_WORKER, or pretext-worker beside pretext]
    #[arg(long, value_name = "PROGRAM")]
    worker: Option<PathBuf>,
}

impl Places {
    /// The store, which is created when it is not there.
    pub(super) fn store(&self) -> Result<Store> {
        Ok(Store::open(&self.store.root())?)
    }

    /// Where the store is or would be.
    pub(super) fn store_root(&self) -> PathBuf {
        self.store.root()
    }

    pub(super) fn worker(&self) -> Result<WorkerSpec> {
        let from_environment =
            || std::env::var_os("PRETEXT_WORKER").filter(|value| !value.is_empty()).map(PathBuf::from);
        let path = match self.worker.clone().or_else(from_environment) {
            Some(path) => path,
            None => std::env::current_exe().context("cannot tell where pretext is")?.with_file_name("pretext-worker"),
        };
        if !path.is_file() {
            bail!(
                "there is no worker at {}: `cargo xtask run RECIPE` builds it there, or name one with \
                 --worker PROGRAM",
                path.display()
            );
        }
        // What has no `/` would be looked for in PATH and not here.
        let path = std::path::absolute(&path).with_context(|| format!("cannot find {}", path.display()))?;
        Ok(WorkerSpec::new(path))
    }

    /// What the worker can do: as it said when it was last asked, unless its file has changed since.
    pub(super) fn catalogue(&self, store: &Store) -> Result<Catalogue> {
        let spec = self.worker()?;
        if let Some(catalogue) = store.catalogue(&spec.program)? {
            tracing::debug!(worker = %spec.program.display(), "catalogue kept in the store");
            return Ok(catalogue);
        }
        tracing::debug!(worker = %spec.program.display(), "asked for its catalogue");
        let catalogue = Worker::ask(&spec)?;
        // Only a cache: where the store cannot be written it is asked again.
        let _ = store.keep_catalogue(&spec.program, &catalogue);
        Ok(catalogue)
    }
}
