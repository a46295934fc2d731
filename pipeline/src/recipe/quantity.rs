//! Numbers with a unit: `4GiB`, `30min`.

use super::problem::Problem;
use super::tree::{Content, Tree};
use crate::text::split_unit;

/// A unit and how many of the smallest it is.
pub type Unit = (&'static str, u64);

pub const MEMORY: [Unit; 4] = [("KiB", 1 << 10), ("MiB", 1 << 20), ("GiB", 1 << 30), ("TiB", 1 << 40)];
pub const TIME: [Unit; 4] = [("s", 1), ("min", 60), ("h", 3600), ("d", 86_400)];

pub const A_SIZE: &str = "a size with its unit: 512MiB, 4GiB";
pub const A_TIME: &str = "a time with its unit (s, min, h, d): 90s, 2h";

/// One quantity; more than nothing.
pub fn one(tree: &Tree, word: &str, units: &[Unit], expected: &str, problems: &mut Vec<Problem>) -> Option<u64> {
    let value = tree.text().and_then(|text| parse(text, units));
    if value.is_none() && !tree.is_broken() {
        problems.push(Problem::wrong_value(&format!("`{word}`"), tree, expected));
    }
    value
}

/// One quantity, or a list of them by attempt.
pub fn by_attempt(tree: &Tree, word: &str, units: &[Unit], expected: &str, problems: &mut Vec<Problem>) -> Vec<u64> {
    match &tree.content {
        Content::List(items) if items.is_empty() => {
            let title = format!("`{word}` has no values");
            let label = format!("{expected}; or a list of them, one for each attempt");
            problems.push(Problem::new(tree.span.clone(), title, label));
            vec![]
        }
        Content::List(items) => items.iter().filter_map(|item| one(item, word, units, expected, problems)).collect(),
        _ => one(tree, word, units, expected, problems).into_iter().collect(),
    }
}

fn parse(text: &str, units: &[Unit]) -> Option<u64> {
    let (number, size) = split_unit(text, units)?;
    let number = number.parse::<f64>().ok()? * size as f64;
    // Beyond this, floats do not count one by one.
    (1.0..9e15).contains(&number).then(|| number.round() as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantities_have_units() {
        let seconds =
            ["90s", "30min", "1.5h", "2 d", "2", "h", "-1h", "2hours", "0s", "1.5.2h"].map(|t| parse(t, &TIME));
        assert_eq!(seconds, [Some(90), Some(1800), Some(5400), Some(172_800), None, None, None, None, None, None]);
        assert_eq!([parse("4GiB", &MEMORY), parse("1.5 KiB", &MEMORY)], [Some(4 << 30), Some(1536)]);
        assert_eq!(parse("99999999999999TiB", &MEMORY), None);
    }
}
