//! A message about a part of a text points at that part, however the text is written.

mod common;

use common::catalogue;
use pretext::recipe::parse;
use proptest::prelude::*;

/// How a text may be written in YAML.
#[derive(Debug, Clone, Copy)]
enum Style {
    Literal,
    Folded,
    Single,
    Double,
    Plain,
}

const STYLES: [Style; 5] = [Style::Literal, Style::Folded, Style::Single, Style::Double, Style::Plain];

impl Style {
    /// A text of some lines as the value of `run`. What cannot stand in plain ones is left away.
    fn written(self, lines: &[String]) -> String {
        let indented = |indent: &str| lines.iter().map(|line| format!("\n{indent}{line}")).collect::<String>();
        match self {
            Self::Literal => format!("|- # $(x) is a comment{}", indented("        ")),
            Self::Folded => format!(">{}\n", indented("         ")),
            Self::Single => format!("'{}'", indented("        ").trim_start().replace('\'', "''")),
            Self::Double => {
                let escaped: Vec<String> =
                    lines.iter().map(|line| line.replace('\\', "\\\\").replace('"', "\\\"")).collect();
                format!("\"{}\"", escaped.join("\\n"))
            }
            Self::Plain => format!("echo {}", indented("        ").trim_start()),
        }
    }
}

/// The line and column that the first message names.
fn place(message: &str) -> (usize, usize) {
    let place = message.split_once("--> recipe.yaml:").unwrap_or_else(|| panic!("{message}")).1;
    let mut numbers = place.lines().next().unwrap().split(':').map(|number| number.parse().unwrap());
    (numbers.next().unwrap(), numbers.next().unwrap())
}

fn message_about(run: &str, line_end: &str) -> (String, String) {
    let text = format!(
        "name: places\naxes: {{ größe: [ä, ö] }} # ünïcode\nstages:\n  count:\n    use: tool/command\n    with:\n      \
         run: {run}\n      outputs: {{ few: dataset }}\n"
    );
    let text = text.replace('\n', line_end);
    let message = parse("recipe.yaml", &text, &catalogue()).unwrap_err().to_string();
    (text, message)
}

/// Where a text stands that is there once.
fn found(text: &str, part: &str) -> (usize, usize) {
    let at = text.find(part).unwrap_or_else(|| panic!("{part} stands in {text}"));
    let line = text[..at].rsplit('\n').next().unwrap();
    (text[..at].matches('\n').count() + 1, line.chars().count() + 1)
}

const FAULTY: [&str; 4] = ["$(sed s/a/b/ file)", "$(no-axis)", "$OUT_fex", "$(größe.feld)"];

proptest! {
    #![proptest_config(ProptestConfig { cases: 1500, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_faulty_part_is_pointed_at(
        before in prop::collection::vec("[a-zäß$(){}€ ]{0,12}", 0..4),
        after in "[a-z äß]{0,8}",
        faulty in 0..FAULTY.len(),
        style in 0..STYLES.len(),
        is_windows in any::<bool>(),
    ) {
        // References that are right, escaped ones and dollars that mean nothing, none of which begins a faulty one.
        let right = |line: &String| format!("x{} $(größe) $$(date) $IN", line.replace('(', "").replace('$', "$ ").trim());
        let mut lines: Vec<String> = before.iter().map(right).collect();
        lines.push(format!("last {} {after}.", FAULTY[faulty]));
        let line_end = if is_windows { "\r\n" } else { "\n" };
        let (text, message) = message_about(&STYLES[style].written(&lines), line_end);
        prop_assert_eq!(place(&message), found(&text, FAULTY[faulty]), "{:?}\n{}\n{}", STYLES[style], text, message);
        let marked = message.lines().nth(4).unwrap();
        prop_assert_eq!(marked.matches('^').count(), FAULTY[faulty].chars().count(), "{}", message);
        prop_assert!(message.ends_with("1 error; nothing was run"), "{}", message);
    }
}

#[test]
fn what_is_written_by_an_escape_is_found_as_far_as_it_can_be() {
    let (text, message) = message_about(r#""first\n$(sed \"s/a/b/\") last""#, "\n");
    assert_eq!(place(&message), found(&text, "$(sed"));
    let (text, message) = message_about(r#""first\n\x24(sed s/a/b/) last""#, "\n");
    assert_eq!(place(&message), found(&text, "\"first"), "the whole text");
    let (text, message) = message_about("|\n        echo $(sed\n          s/a/b/) last", "\n");
    assert_eq!(place(&message), found(&text, "$(sed"));
    let (text, message) = message_about("|\n        echo a\n        echo $$(date) $(", "\n");
    assert_eq!(place(&message), found(&text, "$(\n"));
}
