//! YAML with positions: what serde_yaml does not give for values. Of YAML only what a recipe needs: one document of maps,
//! lists and scalars, without anchors, aliases and tags, so that a file of a megabyte is a tree of a megabyte.

use super::problem::Problem;
use super::scalar::Scalar;
use super::tree::{Content, Name, Span, Tree};
use saphyr_parser::{Event, Parser, ScalarStyle};
use std::collections::HashSet;

/// A recipe larger than this is a mistake.
pub const LARGEST: usize = 1 << 20;
/// How deeply maps and lists may stand in each other.
pub const DEEPEST: usize = 32;

const NO_ANCHORS: &str = "anchors and aliases are not part of a recipe; axes and `$(...)` are";
const NO_TAGS: &str = "tags are not part of a recipe; where a text is wanted, a number is one as it is written";

/// Reads a recipe.
pub fn parse(source: &str) -> Result<Tree, Vec<Problem>> {
    let label = "`pretext stages` lists what it can hold; recipes/quickstart.yaml is one";
    value(source)?
        .filter(|tree| !tree.is_nothing())
        .ok_or_else(|| vec![Problem::new(0..0, "the recipe is empty", label)])
}

/// Reads one YAML document, if there is one.
pub fn value(source: &str) -> Result<Option<Tree>, Vec<Problem>> {
    if source.len() > LARGEST {
        let label = "a recipe has at most 1 MB; is it one?";
        return Err(vec![Problem::new(0..0, "the file is larger than 1 MB", label)]);
    }
    if let Some(at) = tab_in_indentation(source) {
        return Err(vec![Problem::new(at..at + 1, "a tab in the indentation", "YAML is indented by spaces")]);
    }
    let parser = Parser::new_from_str(source);
    let mut reader = Reader { source, offsets: char_offsets(source), parser, problems: vec![] };
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

/// `${seed}` on the line where the parser gave up, as shells write it.
fn shell_variable(source: &str, at: usize) -> Option<Span> {
    let begin = source[..at].rfind('\n').map_or(0, |end| end + 1);
    let line = source[begin..].lines().next()?;
    let start = begin + line.find("${")?;
    let end = source[start..].find(['}', '\n']).map_or(source.len(), |length| start + length + 1);
    Some(start..end)
}

struct Reader<'a> {
    source: &'a str,
    offsets: Vec<usize>,
    parser: Parser<'a, saphyr_parser::StrInput<'a>>,
    problems: Vec<Problem>,
}

impl<'a> Reader<'a> {
    fn at(&self, characters: usize) -> usize {
        let offset = match self.offsets.is_empty() {
            true => characters,
            false => self.offsets.get(characters).copied().unwrap_or(usize::MAX),
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
                if let Some(span) = shell_variable(self.source, at) {
                    let label = "a value of the recipe is written in round brackets: $(seed)";
                    return Err(Problem::new(span, "this is not YAML", label));
                }
                let end = self.source[at..].chars().next().map_or(at, |c| at + c.len_utf8());
                Err(Problem::new(at..end, "this is not YAML", error.info().to_owned()))
            }
            None => Err(Problem::new(0..0, "the file ends early", "it is not whole YAML")),
        }
    }

    /// The first document, read to the end of the file: what stands behind it is a mistake too.
    fn document(&mut self) -> Result<Option<Tree>, Problem> {
        let mut tree = None;
        loop {
            let (event, span) = self.next()?;
            match event {
                Event::StreamEnd => return Ok(tree),
                Event::DocumentStart(_) if tree.is_some() => {
                    return Err(Problem::new(span, "a second document", "a recipe is one; remove the line `---`"));
                }
                Event::StreamStart | Event::DocumentStart(_) | Event::DocumentEnd | Event::Nothing => {}
                event => tree = Some(self.tree(event, span, 0)?),
            }
        }
    }

    fn tree(&mut self, event: Event<'a>, span: Span, depth: usize) -> Result<Tree, Problem> {
        if depth > DEEPEST {
            return Err(Problem::new(span, "nested too deeply", format!("at most {DEEPEST} levels")));
        }
        match event {
            Event::Scalar(text, style, anchor, tag) => {
                self.refuse(anchor, tag.is_some(), &span);
                let is_plain = style == ScalarStyle::Plain;
                let scalar = if is_plain { Scalar::plain(&text) } else { Scalar::Text(text.into_owned()) };
                Ok(Tree { span, content: Content::Scalar(scalar) })
            }
            Event::SequenceStart(anchor, tag) => {
                self.refuse(anchor, tag.is_some(), &span);
                self.list(span, depth)
            }
            Event::MappingStart(anchor, tag) => {
                self.refuse(anchor, tag.is_some(), &span);
                self.map(span, depth)
            }
            Event::Alias(_) => {
                self.tell_once("an alias", NO_ANCHORS, &span);
                Ok(Tree { span, content: Content::Broken })
            }
            _ => Err(Problem::new(span, "this is not YAML", "a value was expected")),
        }
    }

    fn refuse(&mut self, anchor: usize, tagged: bool, span: &Span) {
        if anchor != 0 {
            self.tell_once("an anchor", NO_ANCHORS, span);
        }
        if tagged {
            self.tell_once("a tag", NO_TAGS, span);
        }
    }

    /// Where there is one there are many.
    fn tell_once(&mut self, what: &str, label: &str, span: &Span) {
        if !self.problems.iter().any(|problem| problem.label == label) {
            self.problems.push(Problem::new(span.clone(), what, label));
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
        let mut taken = HashSet::new();
        loop {
            let (event, key_span) = self.next()?;
            let text = match event {
                Event::MappingEnd => {
                    let span = span.start..key_span.end.max(span.end);
                    return Ok(Tree { span, content: Content::Map(entries) });
                }
                Event::Scalar(text, _, anchor, tag) => {
                    self.refuse(anchor, tag.is_some(), &key_span);
                    text.into_owned()
                }
                _ => return Err(Problem::new(key_span, "a key that is not text", "keys are names")),
            };
            let (event, value_span) = self.next()?;
            let value = self.tree(event, value_span, depth + 1)?;
            if taken.insert(text.clone()) {
                entries.push((Name { text, span: key_span }, value));
            } else {
                self.problems.push(Problem::new(key_span, format!("`{text}` stands here twice"), "keep one of them"));
            }
        }
    }
}
