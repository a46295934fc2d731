//! What is wrong with a recipe, and how it is shown.

use super::tree::Span;
use annotate_snippets::{AnnotationKind, Level, Renderer, Snippet};
use std::fmt;

/// One mistake.
#[derive(Debug, Clone, PartialEq)]
pub struct Problem {
    pub span: Span,
    /// What was found.
    pub title: String,
    /// What was expected, or what to type.
    pub label: String,
}

impl Problem {
    pub fn new(span: Span, title: impl Into<String>, label: impl Into<String>) -> Self {
        Self { span, title: title.into(), label: label.into() }
    }
}

/// Everything that is wrong with a recipe. Shown with file, line and column, the line itself, and what was expected.
#[derive(Debug)]
pub struct RecipeErrors {
    path: String,
    source: String,
    problems: Vec<Problem>,
}

impl RecipeErrors {
    pub fn new(path: &str, source: &str, mut problems: Vec<Problem>) -> Self {
        problems.sort_by(|a, b| (a.span.start, &a.title).cmp(&(b.span.start, &b.title)));
        // The same mistake at the same place, found for several kinds or combinations, is told once.
        problems.dedup_by(|later, earlier| later.span == earlier.span && later.label == earlier.label);
        Self { path: path.to_owned(), source: source.to_owned(), problems }
    }
}

impl std::error::Error for RecipeErrors {}

impl RecipeErrors {
    /// With colours where `styled`.
    pub fn render(&self, styled: bool) -> String {
        let renderer = if styled { Renderer::styled() } else { Renderer::plain() };
        let mut text = String::new();
        for problem in &self.problems {
            let annotation = AnnotationKind::Primary.span(problem.span.clone()).label(&*problem.label);
            let snippet = Snippet::source(&self.source).path(&self.path).annotation(annotation);
            text += &renderer.render(&[Level::ERROR.primary_title(&*problem.title).element(snippet)]);
            text.push('\n');
        }
        let count = self.problems.len();
        text + &format!("{count} error{}; nothing was run", if count == 1 { "" } else { "s" })
    }
}

impl fmt::Display for RecipeErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.render(false))
    }
}

/// `did you mean `NAME`?` for the nearest of the right names, or the list of them where none is near and they are few.
pub fn nearest<'a>(found: &str, names: impl IntoIterator<Item = &'a str>) -> String {
    let names: Vec<&str> = names.into_iter().collect();
    match nearest_name(found, &names) {
        Some(name) => format!("did you mean `{name}`?"),
        None if names.is_empty() => "there is none".into(),
        None if names.len() <= 12 => format!("there is: {}", names.join(", ")),
        None => "unknown".into(),
    }
}

/// The one that differs by few letters.
pub fn nearest_name<'a>(found: &str, names: &[&'a str]) -> Option<&'a str> {
    let distance = |name: &str| strsim::damerau_levenshtein(found, name);
    let best = names.iter().min_by_key(|name| distance(name))?;
    (distance(best) <= (found.chars().count().max(4)) / 3).then_some(*best)
}
