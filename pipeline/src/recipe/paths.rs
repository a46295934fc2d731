//! Parameters that are paths: found from the folder of the text in which they stand, and counted by what lies there.

use super::problem::Problem;
use super::sources::Sources;
use super::tree::Tree;
use crate::ids::Digest;
use serde_json::Value;
use std::cell::RefCell;
use std::collections::HashMap;
use std::path::{Path, PathBuf};

/// Gives the digest of what lies at a path that is there.
pub type DigestAt<'a> = &'a dyn Fn(&Path) -> anyhow::Result<Digest>;

pub struct Paths<'a> {
    pub sources: &'a Sources,
    digest_at: DigestAt<'a>,
    /// Each path is looked at once, however many stages name it.
    known: RefCell<HashMap<PathBuf, Result<Digest, String>>>,
}

impl<'a> Paths<'a> {
    pub fn new(sources: &'a Sources, digest_at: DigestAt<'a>) -> Self {
        Self { sources, digest_at, known: RefCell::default() }
    }

    /// Makes the paths in a parameter's value absolute, as the worker is given them. Returns the value that counts, where
    /// that is another one: with digests in the place of paths.
    pub fn resolve(
        &self,
        schema: &Value,
        tree: &Tree,
        value: &mut Value,
        problems: &mut Vec<Problem>,
    ) -> Option<Value> {
        if let (Some(properties), Some(values)) = (schema["properties"].as_object(), value.as_object_mut()) {
            let mut counted = None;
            for (name, property) in properties {
                let (Some(tree), Some(value)) = (tree.get(name), values.get_mut(name)) else { continue };
                let Some(digest) = self.resolve(property, tree, value, problems) else { continue };
                counted.get_or_insert_with(Vec::new).push((name, digest));
            }
            let mut whole = Value::Object(values.clone());
            counted?.into_iter().for_each(|(name, digest)| whole[name] = digest);
            return Some(whole);
        }
        if schema["x-path"] != true || tree.is_broken() {
            return None;
        }
        let written = value.as_str()?;
        let place = self.sources.folder(&tree.span).join(written);
        let place = std::path::absolute(&place).unwrap_or(place);
        match self.digest(&place) {
            Ok(digest) => {
                *value = place.to_string_lossy().into();
                Some(digest.to_string().into())
            }
            Err(why) => {
                problems.push(Problem::new(tree.span.clone(), format!("cannot read what lies at `{written}`"), why));
                None
            }
        }
    }

    fn digest(&self, place: &Path) -> Result<Digest, String> {
        if let Some(known) = self.known.borrow().get(place) {
            return known.clone();
        }
        let found = match place.exists() {
            true => (self.digest_at)(place).map_err(|error| format!("{error:#}")),
            false => Err("nothing is there; a path is relative to the folder of the file that it stands in".to_owned()),
        };
        self.known.borrow_mut().insert(place.to_owned(), found.clone());
        found
    }
}
