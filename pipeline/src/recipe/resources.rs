//! `resources:` of a stage: what is reserved for it.

use super::problem::Problem;
use super::raw::known_names;
use super::tree::{Content, Tree};
use crate::plan::NodeResources;
use serde_json::Value;

/// One thread: several such stages side by side do more than one with several threads.
const DEFAULT_THREADS: usize = 1;
const DEFAULT_MEMORY: u64 = 1 << 30;
const MOST_THREADS: u64 = 1024;

pub fn read(tree: Option<&Tree>, problems: &mut Vec<Problem>) -> NodeResources {
    let of = |threads: Option<usize>, memory: Option<u64>| NodeResources {
        threads: threads.unwrap_or(DEFAULT_THREADS),
        memory_bytes: vec![memory.unwrap_or(DEFAULT_MEMORY)],
        gpus: 0,
        seconds: vec![],
    };
    let Some(tree) = tree else { return of(None, None) };
    if tree.entries().is_none() {
        problems.push(Problem::wrong_value("`resources`", tree, "a map: { threads: 2, memory: 4GiB }"));
    }
    known_names(tree, &["threads", "memory"], "resource", problems);
    let given = |word: &str| tree.get(word);
    let threads = given("threads").map_or(Some(DEFAULT_THREADS), threads);
    let memory = given("memory").map_or(Some(DEFAULT_MEMORY), |memory| memory.text().and_then(bytes));
    if let (None, Some(found)) = (threads, given("threads")) {
        let expected = format!("a whole number from 1 to {MOST_THREADS}");
        problems.push(Problem::wrong_value("`threads`", found, expected));
    }
    if let (None, Some(found)) = (memory, given("memory")) {
        problems.push(Problem::wrong_value("`memory`", found, "a size with its unit: 512MiB, 4GiB"));
    }
    of(threads, memory)
}

fn threads(tree: &Tree) -> Option<usize> {
    match &tree.content {
        Content::Scalar(Value::Number(number)) => {
            number.as_u64().filter(|threads| (1..=MOST_THREADS).contains(threads)).map(|threads| threads as usize)
        }
        _ => None,
    }
}

/// `4GiB`, `512MiB`
fn bytes(text: &str) -> Option<u64> {
    let digits = text.find(|c: char| !c.is_ascii_digit())?;
    let unit = match text[digits..].trim() {
        "KiB" => 1 << 10,
        "MiB" => 1 << 20,
        "GiB" => 1u64 << 30,
        _ => return None,
    };
    text[..digits].parse::<u64>().ok()?.checked_mul(unit)
}
