//! What workers said they can do, so that `plan` starts none.

use super::error::{IoContext, Result};
use super::{Durability, Store, files};
use crate::ids::Digest;
use crate::recipe::ForeignWorker;
use pretext_protocol::Catalogue;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

impl Store {
    /// The catalogue of the worker at `path`, if it is the same file as when it was kept.
    pub fn catalogue(&self, worker: &Path) -> Result<Option<Catalogue>> {
        let place = self.catalogue_place(worker)?;
        // One that cannot be read is asked for again.
        Ok(files::read_json(&place).unwrap_or(None))
    }

    /// Keeps a catalogue until its worker's file changes.
    pub fn keep_catalogue(&self, worker: &Path, catalogue: &Catalogue) -> Result<()> {
        files::write_json(&self.catalogue_place(worker)?, catalogue, Durability::Quick)
    }

    /// What a worker that a recipe names said that it can do, if its command and its code are the same as then.
    pub fn foreign_catalogue(&self, worker: &ForeignWorker) -> Result<Option<Catalogue>> {
        Ok(files::read_json(&self.foreign_place(worker)).unwrap_or(None))
    }

    /// Keeps it until command or code change.
    pub fn keep_foreign_catalogue(&self, worker: &ForeignWorker, catalogue: &Catalogue) -> Result<()> {
        files::write_json(&self.foreign_place(worker), catalogue, Durability::Quick)
    }

    fn foreign_place(&self, worker: &ForeignWorker) -> PathBuf {
        let version = env!("CARGO_PKG_VERSION");
        let ForeignWorker { program, folder, .. } = worker;
        let identity = format!("{version}\0{:?}\0{}\0{:?}", program.command, folder.display(), program.digests());
        self.root.join("workers").join(Digest::of(identity.as_bytes()).to_string()).with_extension("json")
    }

    fn catalogue_place(&self, worker: &Path) -> Result<PathBuf> {
        let path = fs::canonicalize(worker).doing("find the worker", worker)?;
        let file = fs::metadata(&path).doing("look at", &path)?;
        let version = env!("CARGO_PKG_VERSION");
        let identity = format!(
            "{version}\0{}\0{}\0{}\0{}\0{}",
            path.display(),
            file.len(),
            file.ino(),
            file.mtime(),
            file.mtime_nsec()
        );
        Ok(self.root.join("workers").join(Digest::of(identity.as_bytes()).to_string()).with_extension("json"))
    }
}
