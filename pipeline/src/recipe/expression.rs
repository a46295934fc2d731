//! What expressions stand for.

use super::axes::{Axis, AxisValue};
use super::problem::Problem;
use super::raw::Raw;
use super::references::{ENV, Piece, Reference, part, pieces};
use super::scalar::Scalar;
use super::tree::{Content, Tree};
use std::collections::BTreeMap;

/// What expressions stand for in one combination.
pub struct Scope<'a> {
    /// The axes that the stage varies along, each with the number of its value.
    pub axes: Vec<(&'a Axis, usize)>,
    /// What the recipe declares under `env`, with the values of the environment.
    pub env: &'a BTreeMap<String, Tree>,
    /// The stage, for messages.
    pub stage: &'a str,
}

impl<'a> Scope<'a> {
    pub fn at(place: &[(usize, usize)], raw: &'a Raw, stage: &'a str) -> Self {
        let axes = place.iter().map(|&(axis, value)| (&raw.axes[axis], value)).collect();
        Self { axes, env: &raw.env, stage }
    }

    /// The tree with every expression replaced. A value that is one expression becomes what it stands for, with the
    /// place where that was written.
    pub fn resolve(&self, tree: &Tree, problems: &mut Vec<Problem>) -> Tree {
        let content = match &tree.content {
            Content::Scalar(Scalar::Text(text)) => {
                let resolved = self.resolve_text(text, tree, problems);
                return resolved.unwrap_or_else(|| Tree { span: tree.span.clone(), content: Content::Broken });
            }
            Content::Scalar(_) | Content::Broken => tree.content.clone(),
            Content::List(items) => Content::List(items.iter().map(|item| self.resolve(item, problems)).collect()),
            Content::Map(entries) => Content::Map(
                entries.iter().map(|(name, value)| (name.clone(), self.resolve(value, problems))).collect(),
            ),
        };
        Tree { span: tree.span.clone(), content }
    }

    /// None where a mistake was told.
    fn resolve_text(&self, text: &str, tree: &Tree, problems: &mut Vec<Problem>) -> Option<Tree> {
        let pieces = pieces(text);
        if let [Piece::Reference(only)] = pieces.as_slice() {
            return self.value(only, tree, problems).cloned();
        }
        let mut whole = Some(String::new());
        for piece in pieces {
            let part = match piece {
                Piece::Text(text) => Some(text),
                Piece::Reference(reference) => self.part(&reference, tree, problems),
                Piece::Wrong(mistake) => {
                    problems.push(mistake.in_tree(tree));
                    None
                }
            };
            match (&mut whole, part) {
                (Some(whole), Some(part)) => whole.push_str(part),
                (whole, _) => *whole = None,
            }
        }
        Some(Tree { span: tree.span.clone(), content: Content::Scalar(Scalar::Text(whole?)) })
    }

    /// What an expression stands for amid a text.
    fn part(&self, reference: &Reference, tree: &Tree, problems: &mut Vec<Problem>) -> Option<&str> {
        let value = self.value(reference, tree, problems)?;
        match &value.content {
            Content::Scalar(part) => Some(part.written()),
            Content::Broken => None,
            Content::List(_) | Content::Map(_) => {
                let path = reference.path();
                let title = format!("`$({path})` is {} and stands within a text", value.describe());
                let field = if value.get("name").is_some() { "name" } else { "FIELD" };
                let label = format!("only text and numbers can be part of a text: $({path}.{field})");
                problems.push(Problem::new(tree.span.clone(), title, label).at(part(tree, &reference.range)));
                None
            }
        }
    }

    fn value(&self, reference: &Reference, tree: &Tree, problems: &mut Vec<Problem>) -> Option<&Tree> {
        let mut wrong = |title: String, label: String| {
            problems.push(Problem::new(tree.span.clone(), title, label).at(part(tree, &reference.range)));
        };
        if reference.head == ENV {
            let [name] = reference.fields[..] else {
                wrong("`env` needs a name".into(), "write $(env.NAME)".into());
                return None;
            };
            let value = self.env.get(name);
            if value.is_none() {
                let title = format!("`{name}` is not declared under `env`");
                wrong(title, format!("add `env: {{ {name}: DEFAULT }}` to the recipe"));
            }
            return value;
        }
        // Of an axis that is not declared the stage as a whole tells.
        let (axis, number) = self.axes.iter().find(|(axis, _)| axis.name.text == reference.head)?;
        let AxisValue { label, tree: value } = &axis.values[*number];
        let mut fields = reference.fields.iter();
        let found = fields.try_fold(value, |value, field| value.get(field).ok_or(field));
        if let Err(field) = found {
            let title = format!("`{label}` of axis `{}` has no `{field}`, which `{}` uses", axis.name.text, self.stage);
            let example = if *field == "name" { String::new() } else { format!(", {field}: ...") };
            wrong(title, format!("give every value of the axis this field: {{ name: NAME{example} }}"));
        }
        found.ok()
    }
}
