//! What workers said they can do, so that `plan` starts none.

use super::error::{IoContext, Result};
use super::{Durability, Store, files};
use crate::ids::Digest;
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

    fn catalogue_place(&self, worker: &Path) -> Result<PathBuf> {
        let path = fs::canonicalize(worker).doing("find the worker", worker)?;
        let file = fs::metadata(&path).doing("look at", &path)?;
        let version = env!("CARGO_PKG_VERSION");
        let identity =
            format!("{version}\0{}\0{}\0{}\0{}", path.display(), file.len(), file.mtime(), file.mtime_nsec());
        Ok(self.root.join("workers").join(Digest::of(identity.as_bytes()).to_string()).with_extension("json"))
    }
}
