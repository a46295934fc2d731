//! The texts that a recipe is made of: its file, what it extends, what the command line sets.
//!
//! A span is a place in all of them, one behind the other, so that a tree may hold values of several and each is still found.

use super::tree::Span;
use crate::ids::Digest;
use std::path::{Path, PathBuf};

/// One text.
#[derive(Debug, Clone)]
pub struct Source {
    /// As messages call it: a file's path, or `--set`.
    pub name: String,
    pub text: String,
    /// What paths in it are relative to.
    pub folder: PathBuf,
    start: usize,
}

#[derive(Debug, Clone, Default)]
pub struct Sources(Vec<Source>);

impl Sources {
    /// Adds a text and says where it begins.
    pub fn add(&mut self, name: impl Into<String>, text: impl Into<String>, folder: impl Into<PathBuf>) -> usize {
        // One byte between two texts: what ends with one does not stand in the next.
        let start = self.0.last().map_or(0, |last| last.start + last.text.len() + 1);
        self.0.push(Source { name: name.into(), text: text.into(), folder: folder.into(), start });
        start
    }

    /// The text in which a span stands, and where in it.
    pub fn place(&self, span: &Span) -> (&Source, Span) {
        let number = self.0.partition_point(|source| source.start <= span.start).saturating_sub(1);
        let source = &self.0[number];
        (source, span.start - source.start..span.end - source.start)
    }

    /// What a path that is written at a place is relative to.
    pub fn folder(&self, span: &Span) -> &Path {
        &self.place(span).0.folder
    }

    /// Whether values may change what another text says.
    pub fn are_several(&self) -> bool {
        self.0.len() > 1
    }

    /// Of the file, where it is all there is; else of all texts, each with its length.
    pub fn digest(&self) -> Digest {
        if let [only] = self.0.as_slice() {
            return Digest::of(only.text.as_bytes());
        }
        let mut hasher = blake3::Hasher::new();
        for Source { text, .. } in &self.0 {
            hasher.update(&(text.len() as u64).to_le_bytes()).update(text.as_bytes());
        }
        hasher.finalize().into()
    }
}
