//! `code:` files that count in keys.

use super::problem::Problem;
use super::sources::Sources;
use super::tree::{Content, Tree};
use crate::ids::Digest;
use crate::plan::CodeFile;
use std::collections::BTreeMap;
use std::path::Path;

/// The digest of each file of a list, by its path as the recipe writes it.
pub fn digests(tree: Option<&Tree>, sources: &Sources, problems: &mut Vec<Problem>) -> BTreeMap<String, CodeFile> {
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
        let place = sources.folder(&item.span).join(written);
        let place = std::path::absolute(&place).unwrap_or(place);
        match digest(&place) {
            Ok(digest) => Some((written.to_owned(), CodeFile { place, digest })),
            Err(cause) => {
                problems.push(Problem::new(item.span.clone(), format!("cannot read `{written}`"), cause));
                None
            }
        }
    };
    items.iter().filter_map(digest).collect()
}

/// The files among words of a command, in `folder`, that are not among those that count. What belongs to the system is no
/// part of an experiment.
pub fn unlisted<'a>(
    words: impl Iterator<Item = &'a str>,
    folder: &Path,
    code: &BTreeMap<String, CodeFile>,
) -> Vec<String> {
    const OF_THE_SYSTEM: [&str; 8] = ["/usr", "/bin", "/sbin", "/lib", "/etc", "/dev", "/proc", "/sys"];
    let mut found: Vec<String> = vec![];
    for word in words {
        let place = folder.join(word);
        let place = std::path::absolute(&place).unwrap_or(place);
        let counts = code.values().any(|file| is_same(&file.place, &place));
        let is_ours = !OF_THE_SYSTEM.iter().any(|system| place.starts_with(system));
        if place.is_file() && is_ours && !counts && !found.iter().any(|known| known == word) {
            found.push(word.to_owned());
        }
    }
    found
}

fn is_same(one: &Path, other: &Path) -> bool {
    one == other
        || std::fs::canonicalize(one)
            .ok()
            .is_some_and(|one| std::fs::canonicalize(other).is_ok_and(|other| one == other))
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
