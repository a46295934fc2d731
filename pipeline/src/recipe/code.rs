//! `code:` files that count in keys.

use super::problem::Problem;
use super::sources::Sources;
use super::tree::{Content, Tree};
use crate::ids::Digest;
use std::collections::BTreeMap;
use std::path::Path;

/// The digest of each file of a list, by its path as the recipe writes it.
pub fn digests(tree: Option<&Tree>, sources: &Sources, problems: &mut Vec<Problem>) -> BTreeMap<String, Digest> {
    let Some(tree) = tree else { return BTreeMap::new() };
    let Content::List(items) = &tree.content else {
        problems.push(Problem::wrong_value("`code`", tree, "a list of files: [my_stage.py]"));
        return BTreeMap::new();
    };
    let digest = |item: &Tree| {
        let Some(written) = item.text() else {
            problems.push(Problem::wrong_value("a file of `code`", item, "a path, relative to this file's folder"));
            return None;
        };
        match digest(&sources.folder(&item.span).join(written)) {
            Ok(digest) => Some((written.to_owned(), digest)),
            Err(cause) => {
                problems.push(Problem::new(item.span.clone(), format!("cannot read `{written}`"), cause));
                None
            }
        }
    };
    items.iter().filter_map(digest).collect()
}

fn digest(path: &Path) -> Result<Digest, String> {
    if path.exists() && !path.is_file() {
        return Err("it is not a file; name each file that counts".into());
    }
    match std::fs::read(path) {
        Ok(bytes) => Ok(Digest::of(&bytes)),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            Err("there is no such file; the path is relative to this file's folder".into())
        }
        Err(error) => Err(error.to_string()),
    }
}
