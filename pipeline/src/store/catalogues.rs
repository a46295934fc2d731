//! What workers said they can do, so that `plan` starts none.

use super::error::{IoContext, Result};
use super::{Durability, Store, files};
use crate::ids::Digest;
use crate::recipe::ForeignWorker;
use crate::user;
use pretext_protocol::Catalogue;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

impl Store {
    /// The catalogue of the worker at `path`, if it is the same file as when it was kept.
    pub fn catalogue(&self, worker: &Path) -> Result<Option<Catalogue>> {
        Ok(self.kept(self.catalogue_place(worker)?))
    }

    /// Keeps a catalogue until its worker's file changes.
    pub fn keep_catalogue(&self, worker: &Path, catalogue: &Catalogue) -> Result<()> {
        self.keep(self.catalogue_place(worker)?, catalogue)
    }

    /// What a worker that a recipe names said that it can do, if its command and its code are the same as then.
    pub fn foreign_catalogue(&self, worker: &ForeignWorker) -> Result<Option<Catalogue>> {
        Ok(self.kept(self.foreign_place(worker)))
    }

    /// Keeps it until command or code change.
    pub fn keep_foreign_catalogue(&self, worker: &ForeignWorker, catalogue: &Catalogue) -> Result<()> {
        self.keep(self.foreign_place(worker), catalogue)
    }

    /// One that cannot be read is asked for again.
    fn kept(&self, place: Option<PathBuf>) -> Option<Catalogue> {
        files::read_json(&place?).unwrap_or(None)
    }

    fn keep(&self, place: Option<PathBuf>, catalogue: &Catalogue) -> Result<()> {
        place.map_or(Ok(()), |place| files::write_json(&place, catalogue, Durability::Quick))
    }

    /// Where there is no store, since a plan makes none, catalogues are among the user's own caches. None where that is nowhere.
    fn catalogue_of(&self, identity: &str) -> Option<PathBuf> {
        let folder = match Self::is_at(&self.root) {
            true => self.root.join("workers"),
            false => user::folder("XDG_CACHE_HOME", ".cache")?.join("pretext/workers"),
        };
        Some(folder.join(Digest::of(identity.as_bytes()).to_string()).with_extension("json"))
    }

    fn foreign_place(&self, worker: &ForeignWorker) -> Option<PathBuf> {
        let version = env!("CARGO_PKG_VERSION");
        let ForeignWorker { program, folder, .. } = worker;
        let identity = format!("{version}\0{:?}\0{}\0{:?}", program.command, folder.display(), program.digests());
        self.catalogue_of(&identity)
    }

    fn catalogue_place(&self, worker: &Path) -> Result<Option<PathBuf>> {
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
        Ok(self.catalogue_of(&identity))
    }
}
