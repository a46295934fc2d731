//! What is wrong with a recipe, and how it is shown.

use super::sources::Sources;
use super::tree::{Span, Tree, shifted};
use crate::terminal::{visible, visible_but_colours};
use crate::text::count;
use annotate_snippets::{AnnotationKind, Level, Renderer, Snippet};
use std::fmt::{self, Write};
use std::ops::Range;

/// One mistake.
#[derive(Debug, Clone, PartialEq)]
pub struct Problem {
    pub span: Span,
    /// What was found.
    pub title: String,
    /// What was expected, or what to type.
    pub label: String,
    /// Whether every kind that an axis puts here would say it in its own words.
    pub of_each_kind: bool,
    /// What it is about of the text that stands there.
    part: Option<Part>,
}

/// A part of a scalar's text: of all its parts that begin alike, which one.
#[derive(Debug, Clone, PartialEq)]
pub struct Part {
    text: String,
    number: usize,
    of: usize,
}

/// So many letters of a part are enough to be shown.
const LONGEST_PART: usize = 200;

impl Part {
    pub fn new(whole: &str, range: Range<usize>) -> Self {
        let text: String = whole[range.clone()].chars().take(LONGEST_PART).collect();
        let count = |text: &str, of: &str| of.matches(text).count();
        let (number, of) = (count(beginning(&text), &whole[..range.start]), count(beginning(&text), whole));
        Self { text, number, of }
    }

    /// Where it stands in the source of the scalar, which may be folded, quoted and indented.
    fn place(&self, source: &str) -> Option<Range<usize>> {
        let mut places = source.match_indices(beginning(&self.text));
        if places.clone().count() != self.of {
            return None; // one is written by an escape
        }
        let (start, _) = places.nth(self.number)?;
        let alike = self.text.chars().zip(source[start..].chars()).take_while(|(a, b)| a == b);
        Some(start..start + alike.map(|(c, _)| c.len_utf8()).sum::<usize>())
    }
}

/// What a part is found by.
fn beginning(part: &str) -> &str {
    &part[..part.char_indices().nth(2).map_or(part.len(), |(at, _)| at)]
}

impl Problem {
    pub fn new(span: Span, title: impl Into<String>, label: impl Into<String>) -> Self {
        Self { span, title: title.into(), label: label.into(), of_each_kind: false, part: None }
    }

    /// It is about a part of the text that stands there.
    pub fn at(self, part: Option<Part>) -> Self {
        Self { part, ..self }
    }

    /// `axis `seed` is 2`: something else was expected of a value.
    pub fn wrong_value(what: &str, found: &Tree, expected: impl Into<String>) -> Self {
        Self::new(found.span.clone(), format!("{what} is {}", found.describe()), expected)
    }

    /// The same, further behind.
    pub fn shifted(self, by: usize) -> Self {
        Self { span: shifted(self.span, by), ..self }
    }

    /// A mistake of which one kind's account at a place is enough: that of a kind which knows a near name, if any does.
    pub fn of_each_kind(self) -> Self {
        Self { of_each_kind: true, ..self }
    }

    /// Where it is about a part of a text, that part's place.
    fn narrowed(mut self, sources: &Sources) -> Self {
        let (source, span) = sources.place(&self.span);
        if let Some(place) = self.part.take().and_then(|part| part.place(&source.text[span])) {
            self.span = self.span.start + place.start..self.span.start + place.end;
        }
        self
    }

    fn order(&self) -> (usize, usize, bool, bool, &str) {
        (self.span.start, self.span.end, self.of_each_kind, self.knows_no_better(), &self.title)
    }

    /// It is about a name that is near to none of a kind's.
    pub fn knows_no_better(&self) -> bool {
        self.of_each_kind && !self.label.starts_with(NEAR)
    }

    /// Whether it is the same mistake, found for another kind or combination.
    fn repeats(&self, earlier: &Self) -> bool {
        let both_of_kinds = self.of_each_kind && earlier.of_each_kind;
        self.span == earlier.span && (self.label == earlier.label || both_of_kinds)
    }
}

/// Everything that is wrong with a recipe. Shown with file, line and column, the line itself, and what was expected.
#[derive(Debug)]
pub struct RecipeErrors {
    sources: Sources,
    problems: Vec<Problem>,
    /// What was done though there are some.
    done: &'static str,
}

/// Nobody reads more, and each is shown with its line.
const MOST_SHOWN: usize = 100;

impl RecipeErrors {
    pub(super) fn new(sources: Sources, problems: Vec<Problem>) -> Self {
        let mut problems: Vec<Problem> = problems.into_iter().map(|problem| problem.narrowed(&sources)).collect();
        problems.sort_by(|a, b| a.order().cmp(&b.order()));
        problems.dedup_by(|later, earlier| later.repeats(earlier));
        Self { sources, problems, done: "nothing was run" }
    }

    /// The same, with what was done though there are mistakes.
    pub(super) fn after(self, done: &'static str) -> Self {
        Self { done, ..self }
    }

    /// With colours where `styled`.
    pub fn render(&self, styled: bool) -> String {
        let renderer = if styled { Renderer::styled() } else { Renderer::plain() };
        let mut text = String::new();
        for problem in self.problems.iter().take(MOST_SHOWN) {
            let (source, span) = self.sources.place(&problem.span);
            let (title, label, name) = (visible(&problem.title), visible(&problem.label), visible(&source.name));
            let annotation = AnnotationKind::Primary.span(first_line(&span, &source.text)).label(&*label);
            let snippet = Snippet::source(&source.text).path(&*name).annotation(annotation);
            let shown = renderer.render(&[Level::ERROR.primary_title(&*title).element(snippet)]);
            // Of the source the renderer itself leaves no escapes.
            text += &visible_but_colours(&shown);
            text.push('\n');
        }
        let count = self.problems.len();
        let _ = write!(text, "{}", crate::text::counted(count, "error"));
        if count > MOST_SHOWN {
            let _ = write!(text, ", of which the first {MOST_SHOWN} are shown");
        }
        text + "; " + self.done
    }
}

/// Of what takes several lines the first is enough to find it.
fn first_line(span: &Span, source: &str) -> Span {
    let length = source[span.clone()].find(['\r', '\n']).unwrap_or(span.len());
    span.start..span.start + length
}

impl std::error::Error for RecipeErrors {}

impl fmt::Display for RecipeErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.render(false))
    }
}

const NEAR: &str = "did you mean";

/// `did you mean `NAME`?` for the nearest of the right names, or the list of them where none is near and they are few.
pub fn nearest<'a>(found: &str, names: impl IntoIterator<Item = &'a str>) -> String {
    let names: Vec<&str> = names.into_iter().collect();
    match nearest_name(found, &names) {
        Some(name) => format!("{NEAR} `{name}`?"),
        None if names.is_empty() => "there is none".into(),
        None if names.len() <= 16 => format!("there is: {}", names.join(", ")),
        None => format!("there are {} and none is near it", count(names.len() as u64)),
    }
}

/// [`nearest`], and what else it may be.
pub fn nearest_and<'a>(found: &str, names: impl IntoIterator<Item = &'a str>, further: &str) -> String {
    let near = nearest(found, names);
    format!("{near}{} {further}", if near.ends_with('?') { "" } else { ";" })
}

/// [`nearest`], and where none is near what else it may be.
pub fn nearest_or<'a>(found: &str, names: impl IntoIterator<Item = &'a str>, further: &str) -> String {
    let near = nearest(found, names);
    if near.ends_with('?') { near } else { format!("{near}; {further}") }
}

/// The one that differs by few letters.
pub fn nearest_name<'a>(found: &str, names: &[&'a str]) -> Option<&'a str> {
    let allowed = found.chars().count().max(4) / 3;
    // Names of another length are further away than that, and need no comparing letter by letter.
    let near = names.iter().filter(|name| name.chars().count().abs_diff(found.chars().count()) <= allowed);
    // Of equally near ones that which begins alike.
    let alike = |name: &str| found.chars().zip(name.chars()).take_while(|(a, b)| a == b).count();
    let (distance, name) = near
        .map(|name| (strsim::damerau_levenshtein(found, name), *name))
        .min_by_key(|(distance, name)| (*distance, std::cmp::Reverse(alike(name))))?;
    (distance <= allowed).then_some(name)
}
