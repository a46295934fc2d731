//! `with`: maps merged from left to right, nested ones too.

use super::expression::Scope;
use super::problem::Problem;
use super::raw::RawStage;
use super::tree::{Content, Tree};

/// The parameters that a stage is given in one combination.
pub fn merged(stage: &RawStage, scope: &Scope, problems: &mut Vec<Problem>) -> Tree {
    let mut merged = Tree { span: stage.name.span.clone(), content: Content::Map(vec![]) };
    for tree in &stage.with {
        let resolved = scope.resolve(tree, problems);
        if resolved.entries().is_some() {
            merged = overlay(merged, resolved);
        } else if !resolved.is_broken() {
            let title = format!("`with` of `{}` has {}", stage.name.text, resolved.describe());
            problems.push(Problem::new(tree.span.clone(), title, "a map of parameters: { epochs: 10 }"));
        }
    }
    merged
}

fn overlay(under: Tree, over: Tree) -> Tree {
    match (under.content, over.content) {
        (Content::Map(mut entries), Content::Map(additions)) => {
            let before = entries.len();
            for (name, value) in additions {
                match entries[..before].iter_mut().find(|(other, _)| other.text == name.text) {
                    Some((_, existing)) => *existing = overlay(existing.clone(), value),
                    None => entries.push((name, value)),
                }
            }
            Tree { span: over.span, content: Content::Map(entries) }
        }
        (_, content) => Tree { span: over.span, content },
    }
}
