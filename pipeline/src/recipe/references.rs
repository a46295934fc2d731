//! `$(axis)`, `$(axis.field)`, `$(env.NAME)` in a text, and `$$(...)`, which stands for `$(...)` itself.

use super::problem::{Part, Problem};
use super::scalar::Scalar;
use super::tree::{Content, Tree};
use std::collections::HashSet;
use std::ops::Range;

/// What a text is made of.
#[derive(Debug, Clone, PartialEq)]
pub enum Piece<'a> {
    Text(&'a str),
    Reference(Reference<'a>),
    /// What begins like an expression and is none.
    Wrong(Mistake),
}

/// One `$(...)` in a text.
#[derive(Debug, Clone, PartialEq)]
pub struct Reference<'a> {
    /// Bytes of the text that it takes.
    pub range: Range<usize>,
    /// `method`, `env`
    pub head: &'a str,
    /// `with`, `NAME`
    pub fields: Vec<&'a str>,
}

impl Reference<'_> {
    /// `method.with`
    pub fn path(&self) -> String {
        [self.head].into_iter().chain(self.fields.iter().copied()).collect::<Vec<_>>().join(".")
    }
}

/// What is wrong with an expression.
#[derive(Debug, Clone, PartialEq)]
pub struct Mistake {
    range: Range<usize>,
    title: String,
    label: String,
}

impl Mistake {
    fn new(range: Range<usize>, title: String, shell: &str) -> Self {
        let label = format!(
            "`$(...)` is the recipe's: $(axis), $(axis.field) or $(env.NAME); the shell's own is written $$({shell})"
        );
        Self { range, title, label }
    }

    /// In a tree whose text it was found in.
    pub fn in_tree(self, tree: &Tree) -> Problem {
        Problem::new(tree.span.clone(), self.title, self.label).at(part(tree, &self.range))
    }
}

/// Where a part of its text stands in a tree.
pub fn part(tree: &Tree, range: &Range<usize>) -> Option<Part> {
    Some(Part::new(tree.text()?, range.clone()))
}

/// The pieces of a text. Of the dollars before a bracket two stand for one: `$$(` is `$(`, and `$$$(x)` a dollar before
/// what `$(x)` stands for.
pub fn pieces(text: &str) -> Vec<Piece<'_>> {
    let (mut pieces, mut from) = (vec![], 0);
    let mut look = 0;
    while let Some(bracket) = text[look..].find("$(").map(|at| look + at + 1) {
        let dollars = text[from..bracket].bytes().rev().take_while(|byte| *byte == b'$').count();
        let literal = bracket - dollars..bracket - dollars.div_ceil(2);
        pieces.extend([from..literal.start, literal].map(|range| Piece::Text(&text[range])));
        (from, look) = (bracket, bracket);
        if dollars % 2 == 1 {
            let piece = reference(text, bracket - 1);
            from = piece.as_ref().map_or_else(|mistake| mistake.range.end, |reference| reference.range.end);
            look = from;
            pieces.push(piece.map_or_else(Piece::Wrong, Piece::Reference));
        }
    }
    pieces.push(Piece::Text(&text[from..]));
    pieces.retain(|piece| *piece != Piece::Text(""));
    pieces
}

/// The reference that begins at a place.
fn reference(text: &str, start: usize) -> Result<Reference<'_>, Mistake> {
    let Some(end) = text[start..].find(')').map(|at| start + at) else {
        return Err(Mistake::new(start..text.len(), "`$(` is not closed".into(), "..."));
    };
    let inside = &text[start + 2..end];
    let is_name = |part: &str| !part.is_empty() && part.chars().all(|c| c.is_alphanumeric() || c == '_' || c == '-');
    if !inside.split('.').all(is_name) {
        let shown = short(inside);
        return Err(Mistake::new(start..end + 1, format!("`$({shown})` is not an expression"), &shown));
    }
    let mut parts = inside.split('.');
    let head = parts.next().unwrap_or_default();
    Ok(Reference { range: start..end + 1, head, fields: parts.collect() })
}

/// What is too long to be repeated, by its first word.
fn short(inside: &str) -> String {
    let first = inside.split_whitespace().next().unwrap_or_default();
    let is_short = inside.len() <= 24 && !inside.contains(char::is_control);
    if is_short { inside.to_owned() } else { format!("{} ...", first.chars().take(24).collect::<String>()) }
}

/// An axis that a tree names.
pub struct Named<'t> {
    pub axis: &'t str,
    /// Where it does.
    pub tree: &'t Tree,
    pub range: Range<usize>,
}

pub const ENV: &str = "env";

/// The axes that a tree names.
pub fn axes_named<'t>(tree: &'t Tree, found: &mut Vec<Named<'t>>) {
    each_reference(tree, &mut |Reference { range, head: axis, .. }, tree| {
        if axis != ENV {
            found.push(Named { axis, tree, range });
        }
    });
}

/// The variables of the environment that a tree names.
pub fn variables_named(tree: &Tree) -> HashSet<&str> {
    let mut found = HashSet::new();
    each_reference(tree, &mut |reference, _| {
        if reference.head == ENV {
            found.extend(reference.fields);
        }
    });
    found
}

fn each_reference<'t>(tree: &'t Tree, on: &mut dyn FnMut(Reference<'t>, &'t Tree)) {
    match &tree.content {
        Content::Scalar(Scalar::Text(text)) => {
            for piece in pieces(text) {
                if let Piece::Reference(reference) = piece {
                    on(reference, tree);
                }
            }
        }
        Content::Scalar(_) | Content::Broken => {}
        Content::List(items) => items.iter().for_each(|item| each_reference(item, on)),
        Content::Map(entries) => entries.iter().for_each(|(_, value)| each_reference(value, on)),
    }
}

/// A tree where values are declared, which has no expressions: one would stand for itself.
pub fn declared(tree: &Tree, problems: &mut Vec<Problem>) -> Tree {
    let content = match &tree.content {
        Content::Scalar(Scalar::Text(text)) => {
            let plain = |piece| match piece {
                Piece::Text(text) => Some(text),
                Piece::Reference(_) | Piece::Wrong(_) => None,
            };
            let plain: Option<String> = pieces(text).into_iter().map(plain).collect();
            if plain.is_none() {
                let title = format!("an expression where values are declared: `{text}`");
                let label = "only stages have expressions; write the value, and `$(` itself as `$$(`";
                problems.push(Problem::new(tree.span.clone(), title, label));
            }
            plain.map_or(Content::Broken, |text| Content::Scalar(Scalar::Text(text)))
        }
        Content::List(items) => Content::List(items.iter().map(|item| declared(item, problems)).collect()),
        Content::Map(entries) => {
            Content::Map(entries.iter().map(|(name, value)| (name.clone(), declared(value, problems))).collect())
        }
        content => content.clone(),
    };
    Tree { span: tree.span.clone(), content }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// With references in angle brackets.
    fn shown(text: &str) -> String {
        let shown = |piece: &Piece| match piece {
            Piece::Text(text) => (*text).to_owned(),
            Piece::Reference(reference) => format!("<{}>", reference.path()),
            Piece::Wrong(mistake) => format!("<{}>", mistake.title),
        };
        pieces(text).iter().map(shown).collect()
    }

    #[test]
    fn expressions_are_found_in_the_midst_of_a_text() {
        let found = pieces("m$(x.i)-$(env.N)");
        let reference = |range, head, field| Piece::Reference(Reference { range, head, fields: vec![field] });
        assert_eq!(
            found,
            [Piece::Text("m"), reference(1..7, "x", "i"), Piece::Text("-"), reference(8..16, "env", "N")]
        );
        assert_eq!(pieces("$(x)").len(), 1);
        assert_eq!(["$ (a) $5 $$ )", "", "a$"].map(shown), ["$ (a) $5 $$ )", "", "a$"]);
        assert_eq!(shown("$(a + 1) $(b) $(c"), "<`$(a + 1)` is not an expression> <b> <`$(` is not closed>");
        assert_eq!(shown("$()x"), "<`$()` is not an expression>x");
        assert_eq!(shown("$(sed -e 's/[0-9]*//g' < file)"), "<`$(sed ...)` is not an expression>");
    }

    #[test]
    fn of_the_dollars_before_a_bracket_two_stand_for_one() {
        for (text, expected) in [
            ("$$(date)", "$(date)"),
            ("a $$((1 + $(x)))", "a $((1 + <x>))"),
            ("$$$(x)", "$<x>"),
            ("$$$$(x)", "$$(x)"),
            ("$$$$$(x)", "$$<x>"),
            ("$(x)$$(y)$(z)", "<x>$(y)<z>"),
            ("echo $$ ${x} $$(tr a b | sed 's/(//')", "echo $$ ${x} $(tr a b | sed 's/(//')"),
            ("$$(a $$(b) $(c))", "$(a $(b) <c>)"),
        ] {
            assert_eq!(shown(text), expected);
        }
    }
}
