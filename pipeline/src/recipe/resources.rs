//! `resources:` of a stage: what is reserved for it.

use super::problem::Problem;
use super::quantity::{A_SIZE, A_TIME, MEMORY, TIME, by_attempt};
use super::raw::known_names;
use super::tree::{Content, Tree};
use crate::plan::NodeResources;
use serde_json::Value;

/// One thread: several such stages side by side do more than one with several threads.
const DEFAULT_THREADS: usize = 1;
const DEFAULT_MEMORY: u64 = 1 << 30;
const MOST_THREADS: u64 = 1024;
const MOST_GPUS: u64 = 64;

pub const WORDS: [&str; 4] = ["threads", "memory", "gpus", "time"];

pub fn read(tree: Option<&Tree>, problems: &mut Vec<Problem>) -> NodeResources {
    let mut resources =
        NodeResources { threads: DEFAULT_THREADS, memory_bytes: vec![DEFAULT_MEMORY], gpus: 0, seconds: vec![] };
    let Some(tree) = tree else { return resources };
    if tree.entries().is_none() {
        problems.push(Problem::wrong_value("`resources`", tree, "a map: { threads: 2, memory: 4GiB }"));
    }
    known_names(tree, &WORDS, "resource", problems);
    if let Some(threads) = tree.get("threads").and_then(|threads| whole_threads(threads, problems)) {
        resources.threads = threads;
    }
    if let Some(memory) = tree.get("memory") {
        resources.memory_bytes = by_attempt(memory, "memory", &MEMORY, A_SIZE, problems);
    }
    if let Some(gpus) = tree.get("gpus").and_then(|gpus| whole(gpus, "gpus", 0, MOST_GPUS, problems)) {
        resources.gpus = gpus as usize;
    }
    if let Some(time) = tree.get("time") {
        resources.seconds = by_attempt(time, "time", &TIME, A_TIME, problems);
    }
    resources
}

fn whole_threads(tree: &Tree, problems: &mut Vec<Problem>) -> Option<usize> {
    if let Content::List(_) = tree.content {
        let label = "one number for all attempts: another number of threads changes the last bits of a result";
        problems.push(Problem::wrong_value("`threads`", tree, label));
        return None;
    }
    whole(tree, "threads", 1, MOST_THREADS, problems).map(|threads| threads as usize)
}

/// A whole number between two bounds.
pub fn whole(tree: &Tree, word: &str, least: u64, most: u64, problems: &mut Vec<Problem>) -> Option<u64> {
    let found = match &tree.content {
        Content::Scalar(Value::Number(number)) => number.as_u64().filter(|number| (least..=most).contains(number)),
        _ => None,
    };
    if found.is_none() {
        problems.push(Problem::wrong_value(
            &format!("`{word}`"),
            tree,
            format!("a whole number from {least} to {most}"),
        ));
    }
    found
}
