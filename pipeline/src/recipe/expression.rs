//! `$(axis)`, `$(axis.field)`, `$(env.NAME)`: all that a value can say beyond itself.

use super::axes::Axis;
use super::problem::{Problem, nearest};
use super::raw::Raw;
use super::scalar::Scalar;
use super::tree::{Content, Span, Tree};
use std::collections::BTreeMap;

/// One `$(...)` in a text.
#[derive(Debug, PartialEq)]
struct Reference<'a> {
    /// Bytes of the text that it takes.
    range: std::ops::Range<usize>,
    /// `method`, `env`
    head: &'a str,
    /// `with`, `NAME`
    fields: Vec<&'a str>,
}

/// The references of a text, or what is wrong with one.
fn references(text: &str) -> Result<Vec<Reference<'_>>, String> {
    let (mut found, mut from) = (vec![], 0);
    while let Some(start) = text[from..].find("$(").map(|at| from + at) {
        let Some(end) = text[start..].find(')').map(|at| start + at) else {
            return Err("`$(` is not closed".into());
        };
        let inside = &text[start + 2..end];
        let mut parts = inside.split('.');
        let well_formed = inside
            .split('.')
            .all(|part| !part.is_empty() && part.chars().all(|c| c.is_alphanumeric() || c == '_' || c == '-'));
        if !well_formed {
            return Err(format!("`$({inside})` is not an expression"));
        }
        let head = parts.next().unwrap_or_default();
        found.push(Reference { range: start..end + 1, head, fields: parts.collect() });
        from = end + 1;
    }
    Ok(found)
}

/// The axes that a tree names, with the places where it does.
pub fn axes_named(tree: &Tree, found: &mut Vec<(String, Span)>) {
    match &tree.content {
        Content::Scalar(Scalar::Text(text)) => {
            for reference in references(text).unwrap_or_default() {
                if reference.head != ENV {
                    found.push((reference.head.to_owned(), tree.span.clone()));
                }
            }
        }
        Content::Scalar(_) | Content::Broken => {}
        Content::List(items) => items.iter().for_each(|item| axes_named(item, found)),
        Content::Map(entries) => entries.iter().for_each(|(_, value)| axes_named(value, found)),
    }
}

/// Complains of an expression where values are declared: it would stand for itself.
pub fn refuse_expressions(tree: &Tree, problems: &mut Vec<Problem>) {
    match &tree.content {
        Content::Scalar(Scalar::Text(text)) if text.contains("$(") => {
            let title = format!("an expression where values are declared: `{text}`");
            problems.push(Problem::new(tree.span.clone(), title, "only stages have expressions; write the value"));
        }
        Content::Scalar(_) | Content::Broken => {}
        Content::List(items) => items.iter().for_each(|item| refuse_expressions(item, problems)),
        Content::Map(entries) => entries.iter().for_each(|(_, value)| refuse_expressions(value, problems)),
    }
}

const ENV: &str = "env";
const EXPRESSION: &str =
    "an expression is $(axis), $(axis.field) or $(env.NAME); a shell's own $(...) is written `...`";

/// What expressions stand for in one combination.
pub struct Scope<'a> {
    /// The value of each axis that the stage varies along.
    pub axes: Vec<(&'a Axis, &'a Tree)>,
    /// The names of all axes.
    pub declared: &'a [&'a str],
    /// What the recipe declares under `env`, with the values of the environment.
    pub env: &'a BTreeMap<String, Tree>,
    /// The stage, for messages.
    pub stage: &'a str,
}

impl<'a> Scope<'a> {
    pub fn at(place: &[(usize, usize)], raw: &'a Raw, declared: &'a [&'a str], stage: &'a str) -> Self {
        let axes = place.iter().map(|&(axis, value)| (&raw.axes[axis], &raw.axes[axis].values[value].tree)).collect();
        Self { axes, declared, env: &raw.env, stage }
    }

    /// The tree with every expression replaced. A value that is one expression becomes what it stands for, with the
    /// place where that was written.
    pub fn resolve(&self, tree: &Tree, problems: &mut Vec<Problem>) -> Tree {
        let content = match &tree.content {
            Content::Scalar(Scalar::Text(text)) => {
                return self.resolve_text(text, tree).unwrap_or_else(|problem| {
                    problems.push(problem);
                    Tree { span: tree.span.clone(), content: Content::Broken }
                });
            }
            Content::Scalar(_) | Content::Broken => tree.content.clone(),
            Content::List(items) => Content::List(items.iter().map(|item| self.resolve(item, problems)).collect()),
            Content::Map(entries) => Content::Map(
                entries.iter().map(|(name, value)| (name.clone(), self.resolve(value, problems))).collect(),
            ),
        };
        Tree { span: tree.span.clone(), content }
    }

    fn resolve_text(&self, text: &str, tree: &Tree) -> Result<Tree, Problem> {
        let wrong = |title: String| Problem::new(tree.span.clone(), title, EXPRESSION);
        let references = references(text).map_err(wrong)?;
        if let [only] = references.as_slice()
            && only.range == (0..text.len())
        {
            return self.value(only, tree).cloned();
        }
        let (mut result, mut from) = (String::new(), 0);
        for reference in &references {
            result.push_str(&text[from..reference.range.start]);
            result.push_str(&self.part(reference, tree)?);
            from = reference.range.end;
        }
        result.push_str(&text[from..]);
        Ok(Tree { span: tree.span.clone(), content: Content::Scalar(Scalar::Text(result)) })
    }

    /// What an expression stands for amid a text.
    fn part(&self, reference: &Reference, tree: &Tree) -> Result<String, Problem> {
        let value = self.value(reference, tree)?;
        match &value.content {
            Content::Scalar(part) => Ok(part.written().to_owned()),
            _ => {
                let path: Vec<&str> = [reference.head].into_iter().chain(reference.fields.iter().copied()).collect();
                let path = path.join(".");
                let title = format!("`$({path})` is {} and stands within a text", value.describe());
                let field = if value.get("name").is_some() { "name" } else { "FIELD" };
                let label = format!("only text and numbers can be part of a text: $({path}.{field})");
                Err(Problem::new(tree.span.clone(), title, label))
            }
        }
    }

    fn value(&self, reference: &Reference, tree: &Tree) -> Result<&Tree, Problem> {
        if reference.head == ENV {
            let [name] = reference.fields[..] else {
                return Err(Problem::new(tree.span.clone(), "`env` needs a name", "write $(env.NAME)"));
            };
            return self.env.get(name).ok_or_else(|| {
                let title = format!("`{name}` is not declared under `env`");
                Problem::new(tree.span.clone(), title, format!("add `env: {{ {name}: DEFAULT }}` to the recipe"))
            });
        }
        let Some((axis, mut value)) = self.axes.iter().find(|(axis, _)| axis.name.text == reference.head).copied()
        else {
            let title = format!("axis `{}` is used by `{}` and not declared", reference.head, self.stage);
            return Err(Problem::new(tree.span.clone(), title, nearest(reference.head, self.declared.iter().copied())));
        };
        for field in &reference.fields {
            value = value.get(field).ok_or_else(|| {
                let title = format!(
                    "{} of axis `{}` has no `{field}`, which `{}` uses",
                    value.describe(),
                    axis.name.text,
                    self.stage
                );
                Problem::new(value.span.clone(), title, "give every value of the axis this field")
            })?;
        }
        Ok(value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn expressions_are_found_in_the_midst_of_a_text() {
        let found = references("m$(x.i)-$(env.N)").unwrap();
        assert_eq!(found[0], Reference { range: 1..7, head: "x", fields: vec!["i"] });
        assert_eq!(found[1], Reference { range: 8..16, head: "env", fields: vec!["N"] });
        assert_eq!(references("$(a").unwrap_err(), "`$(` is not closed");
        assert_eq!(references("$(a + 1)").unwrap_err(), "`$(a + 1)` is not an expression");
        assert_eq!(references("$ (a) $5").unwrap(), []);
    }
}
