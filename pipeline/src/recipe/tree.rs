//! YAML with positions: what serde_yaml does not give for values.

use super::problem::Problem;
use saphyr_parser::{Event, Parser, ScalarStyle};
use serde_json::Value;
use std::ops::Range;

/// Where something stands in the file, in bytes.
pub type Span = Range<usize>;

#[derive(Debug, Clone, PartialEq)]
pub struct Tree {
    pub span: Span,
    pub content: Content,
}

#[derive(Debug, Clone, PartialEq)]
pub enum Content {
    /// Typed as YAML types it: `1`, `0.5`, `true`, `null`, else text.
    Scalar(Value),
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

/// A recipe larger than this is a mistake.
const LARGEST: usize = 1 << 20;
const DEEPEST: usize = 32;

impl Tree {
    pub fn text(&self) -> Option<&str> {
        match &self.content {
            Content::Scalar(Value::String(text)) => Some(text),
            _ => None,
        }
    }

    /// What a person would call it.
    pub fn describe(&self) -> String {
        match &self.content {
            Content::Scalar(Value::Null) => "nothing".into(),
            Content::Scalar(Value::String(text)) => format!("`{text}`"),
            Content::Scalar(value) => value.to_string(),
            Content::List(_) => "a list".into(),
            Content::Map(_) => "a map".into(),
            Content::Broken => "nothing".into(),
        }
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

/// Reads one YAML document.
pub fn parse(source: &str) -> Result<Tree, Vec<Problem>> {
    if source.len() > LARGEST {
        let size = source.len() >> 20;
        return Err(vec![Problem::new(
            0..0,
            format!("the file has {size} MB"),
            "a recipe has at most 1 MB; is it one?",
        )]);
    }
    if let Some(at) = tab_in_indentation(source) {
        return Err(vec![Problem::new(at..at + 1, "a tab in the indentation", "YAML is indented by spaces")]);
    }
    let mut reader =
        Reader { source, offsets: char_offsets(source), parser: Parser::new_from_str(source), problems: vec![] };
    match reader.document() {
        Ok(tree) if reader.problems.is_empty() => Ok(tree),
        Ok(_) => Err(reader.problems),
        Err(fatal) => {
            reader.problems.push(fatal);
            Err(reader.problems)
        }
    }
}

fn tab_in_indentation(source: &str) -> Option<usize> {
    let mut start = 0;
    for line in source.split_inclusive('\n') {
        let indentation = line.len() - line.trim_start_matches([' ', '\t']).len();
        if let Some(tab) = line[..indentation].find('\t').filter(|_| !line.trim().is_empty()) {
            return Some(start + tab);
        }
        start += line.len();
    }
    None
}

/// The parser counts characters. Empty when they are bytes anyway.
fn char_offsets(source: &str) -> Vec<usize> {
    if source.is_ascii() { vec![] } else { source.char_indices().map(|(at, _)| at).collect() }
}

/// The line before the place where the parser gave up, if it stands among items of a list and is none.
fn missing_dash(source: &str, at: usize) -> Option<Span> {
    let before = &source[..source[..at].rfind('\n').unwrap_or(0)];
    let mut lines = before.lines().rev().filter(|line| !line.trim().is_empty());
    let (line, above) = (lines.next()?, lines.next()?);
    let indentation = |line: &str| line.len() - line.trim_start().len();
    let is_item = |line: &str| line.trim_start().starts_with("- ");
    let lacks = is_item(above) && !is_item(line) && indentation(line) == indentation(above) && !line.contains(": ");
    let start = line.as_ptr() as usize - source.as_ptr() as usize;
    lacks.then(|| start + indentation(line)..start + line.trim_end().len())
}

struct Reader<'a> {
    source: &'a str,
    offsets: Vec<usize>,
    parser: Parser<'a, saphyr_parser::StrInput<'a>>,
    problems: Vec<Problem>,
}

impl<'a> Reader<'a> {
    fn at(&self, characters: usize) -> usize {
        let offset = if self.offsets.is_empty() {
            characters
        } else {
            self.offsets.get(characters).copied().unwrap_or(usize::MAX)
        };
        offset.min(self.source.len())
    }

    fn next(&mut self) -> Result<(Event<'a>, Span), Problem> {
        match self.parser.next() {
            Some(Ok((event, span))) => Ok((event, self.at(span.start.index())..self.at(span.end.index()))),
            Some(Err(error)) => {
                let at = self.at(error.marker().index());
                if let Some(span) = missing_dash(self.source, at) {
                    return Err(Problem::new(span, "an item of a list without its dash", "write `- ` before it"));
                }
                Err(Problem::new(at..(at + 1).min(self.source.len()), "this is not YAML", error.info().to_owned()))
            }
            None => Err(Problem::new(0..0, "the file ends early", "")),
        }
    }

    fn document(&mut self) -> Result<Tree, Problem> {
        loop {
            let (event, span) = self.next()?;
            match event {
                Event::StreamStart | Event::DocumentStart(_) | Event::Nothing => {}
                Event::StreamEnd => {
                    return Err(Problem::new(
                        0..0,
                        "the recipe is empty",
                        "`pretext stages` lists what it can hold; recipes/quickstart.yaml is one",
                    ));
                }
                event => return self.tree(event, span, 0),
            }
        }
    }

    fn tree(&mut self, event: Event<'a>, span: Span, depth: usize) -> Result<Tree, Problem> {
        if depth > DEEPEST {
            return Err(Problem::new(span, "nested too deeply", format!("at most {DEEPEST} levels")));
        }
        match event {
            Event::Scalar(text, style, anchor, _) => {
                if anchor != 0 {
                    self.refuse("an anchor", &span);
                }
                Ok(Tree { span, content: Content::Scalar(scalar(&text, style)) })
            }
            Event::SequenceStart(anchor, _) => {
                if anchor != 0 {
                    self.refuse("an anchor", &span);
                }
                self.list(span, depth)
            }
            Event::MappingStart(anchor, _) => {
                if anchor != 0 {
                    self.refuse("an anchor", &span);
                }
                self.map(span, depth)
            }
            Event::Alias(_) => {
                self.refuse("an alias", &span);
                Ok(Tree { span, content: Content::Scalar(Value::Null) })
            }
            _ => Err(Problem::new(span, "this is not YAML", "a value was expected")),
        }
    }

    /// Told once: where there is one there are many.
    fn refuse(&mut self, what: &str, span: &Span) {
        if !self.problems.iter().any(|problem| problem.label == NO_ANCHORS) {
            self.problems.push(Problem::new(span.clone(), what, NO_ANCHORS));
        }
    }

    fn list(&mut self, span: Span, depth: usize) -> Result<Tree, Problem> {
        let mut items = vec![];
        loop {
            let (event, item_span) = self.next()?;
            if event == Event::SequenceEnd {
                return Ok(Tree { span: span.start..item_span.end.max(span.end), content: Content::List(items) });
            }
            items.push(self.tree(event, item_span, depth + 1)?);
        }
    }

    fn map(&mut self, span: Span, depth: usize) -> Result<Tree, Problem> {
        let mut entries: Vec<(Name, Tree)> = vec![];
        loop {
            let (event, key_span) = self.next()?;
            let text = match event {
                Event::MappingEnd => {
                    return Ok(Tree { span: span.start..key_span.end.max(span.end), content: Content::Map(entries) });
                }
                Event::Scalar(text, ..) => text.into_owned(),
                _ => return Err(Problem::new(key_span, "a key that is not text", "keys are names")),
            };
            let (event, value_span) = self.next()?;
            let value = self.tree(event, value_span, depth + 1)?;
            if entries.iter().any(|(name, _)| name.text == text) {
                self.problems.push(Problem::new(key_span, format!("`{text}` stands here twice"), "keep one of them"));
            } else {
                entries.push((Name { text, span: key_span }, value));
            }
        }
    }
}

const NO_ANCHORS: &str = "anchors and aliases are not part of a recipe; axes and `$(...)` are";

fn scalar(text: &str, style: ScalarStyle) -> Value {
    let plain = style == ScalarStyle::Plain;
    let typed = plain.then(|| serde_yaml::from_str::<Value>(text).ok()).flatten();
    match typed {
        Some(value @ (Value::Null | Value::Bool(_) | Value::Number(_))) => value,
        _ => Value::String(text.to_owned()),
    }
}
