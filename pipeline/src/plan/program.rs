use crate::ids::Digest;
use serde::{Serialize, Serializer};
use std::collections::BTreeMap;
use std::path::PathBuf;

/// What is started for a stage that a recipe's own program computes.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Program {
    /// Of a worker that the recipe names: program and arguments. That of `tool/command` is a parameter.
    pub command: Vec<String>,
    /// The files that count, by their paths as the recipe writes them.
    pub code: BTreeMap<String, CodeFile>,
    /// Files that the command names and that do not count: a change of them is not noticed.
    pub unlisted: Vec<String>,
}

/// A file that counts by what is in it. It is serialised as its digest.
#[derive(Debug, Clone, PartialEq)]
pub struct CodeFile {
    pub place: PathBuf,
    pub digest: Digest,
}

impl Program {
    /// What of it counts in keys, beside the command.
    pub fn digests(&self) -> BTreeMap<String, Digest> {
        self.code.iter().map(|(path, file)| (path.clone(), file.digest)).collect()
    }
}

impl Serialize for CodeFile {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.digest.serialize(serializer)
    }
}
