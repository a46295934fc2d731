//! What lay at the paths that recipes name, so that only files that have changed since are read.

use super::{Durability, Store, files};
use crate::ids::Digest;
use crate::recipe::Contents;
use anyhow::{Context, Result};
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

impl Store {
    /// The digest of what lies at a path.
    pub fn digest_at(&self, path: &Path) -> Result<Digest> {
        Ok(self.contents_at(path)?.digest())
    }

    /// What lies at a path.
    pub fn contents_at(&self, path: &Path) -> Result<Contents> {
        let name = Digest::of(path.as_os_str().as_bytes()).to_string();
        let kept = self.root.join("paths").join(name);
        // Only a cache: one that is not there or cannot be understood means that all is read.
        let earlier = fs::read(&kept).ok().and_then(|bytes| rmp_serde::from_slice::<Contents>(&bytes).ok());
        let contents =
            Contents::read(path, earlier.as_ref()).with_context(|| format!("cannot read {}", path.display()))?;
        if contents.is_news_to(earlier.as_ref()) && Self::is_at(&self.root) {
            let bytes = rmp_serde::to_vec(&contents).context("cannot write down what lies there")?;
            // Only a cache: where the store cannot be written all is read the next time too.
            let _ = files::write_whole(&kept, &bytes, Durability::Quick);
        }
        Ok(contents)
    }
}
