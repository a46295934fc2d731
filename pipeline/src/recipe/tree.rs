//! A recipe's text as a tree in which every value and every name knows its place.

use super::scalar::Scalar;
use serde_json::Value;
use std::ops::Range;

/// Where something stands, in bytes: in the recipe's file, or behind it in what it extends and what the command line sets
/// (see `sources`).
pub type Span = Range<usize>;

#[derive(Debug, Clone, PartialEq)]
pub struct Tree {
    pub span: Span,
    pub content: Content,
}

#[derive(Debug, Clone, PartialEq)]
pub enum Content {
    Scalar(Scalar),
    List(Vec<Tree>),
    Map(Vec<(Name, Tree)>),
    /// An expression that stands for nothing; the mistake was told, and what needs the value says nothing more.
    Broken,
}

/// A key of a map.
#[derive(Debug, Clone, PartialEq)]
pub struct Name {
    pub text: String,
    pub span: Span,
}

/// A file's name has at most 255 bytes, of which some are for what stands around a name: an ending, a time.
pub const LONGEST_NAME: usize = 200;

impl Name {
    /// Whether expressions, node names and file names can hold it.
    pub fn is_plain(&self) -> bool {
        !self.text.is_empty() && self.text.chars().all(|c| c.is_alphanumeric() || c == '_' || c == '-')
    }
}

impl Tree {
    /// What it is where a text is wanted: numbers and truth values as they were written.
    pub fn text(&self) -> Option<&str> {
        match &self.content {
            Content::Scalar(scalar) => scalar.text(),
            _ => None,
        }
    }

    pub fn is_nothing(&self) -> bool {
        matches!(&self.content, Content::Scalar(scalar) if scalar.is_nothing())
    }

    /// What a person would call it.
    pub fn describe(&self) -> String {
        match &self.content {
            Content::Broken => "nothing".into(),
            Content::Scalar(scalar) => scalar.describe(),
            Content::List(items) if items.is_empty() => "an empty list".into(),
            Content::List(_) => "a list".into(),
            Content::Map(entries) if entries.is_empty() => "an empty map".into(),
            Content::Map(_) => "a map".into(),
        }
    }

    /// The value as it is written, expressions and all.
    pub fn value(&self) -> Value {
        match &self.content {
            Content::Scalar(scalar) => scalar.value(),
            Content::Broken => Value::Null,
            Content::List(items) => items.iter().map(Tree::value).collect(),
            Content::Map(entries) => entries.iter().map(|(name, value)| (name.text.clone(), value.value())).collect(),
        }
    }

    /// The text without comments and spaces: the same of trees that say the same in the same order. A number stays as it was written, which
    /// is how labels and names of files show it.
    pub fn said(&self) -> String {
        let quoted = |text: &str| Value::String(text.to_owned()).to_string();
        match &self.content {
            Content::Scalar(Scalar::Typed { written, .. }) => written.to_string(),
            Content::Scalar(scalar) => quoted(scalar.written()),
            Content::Broken => String::new(),
            Content::List(items) => format!("[{}]", items.iter().map(Self::said).collect::<Vec<_>>().join(",")),
            Content::Map(entries) => {
                let entry = |(name, value): &(Name, Self)| format!("{}:{}", quoted(&name.text), value.said());
                format!("{{{}}}", entries.iter().map(entry).collect::<Vec<_>>().join(","))
            }
        }
    }

    /// Whether it is the same value, wherever it stands.
    pub fn says_the_same(&self, other: &Tree) -> bool {
        self.value() == other.value()
    }

    /// The same tree, standing further behind.
    pub fn shifted(self, by: usize) -> Self {
        let content = match self.content {
            Content::List(items) => Content::List(items.into_iter().map(|item| item.shifted(by)).collect()),
            Content::Map(entries) => Content::Map(
                entries
                    .into_iter()
                    .map(|(name, value)| (Name { span: shifted(name.span, by), ..name }, value.shifted(by)))
                    .collect(),
            ),
            content => content,
        };
        Self { span: shifted(self.span, by), content }
    }

    pub fn is_broken(&self) -> bool {
        self.content == Content::Broken
    }

    pub fn entries(&self) -> Option<&[(Name, Tree)]> {
        match &self.content {
            Content::Map(entries) => Some(entries),
            _ => None,
        }
    }

    pub fn get(&self, name: &str) -> Option<&Tree> {
        self.entries()?.iter().find(|(key, _)| key.text == name).map(|(_, value)| value)
    }
}

pub fn shifted(span: Span, by: usize) -> Span {
    span.start + by..span.end + by
}
