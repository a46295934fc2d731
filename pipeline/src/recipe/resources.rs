//! `resources:` of a stage, or of all: where it is computed and what is reserved for it.

use super::problem::Problem;
use super::quantity::{A_SIZE, A_TIME, MEMORY, TIME, by_attempt};
use super::raw::known_names;
use super::tree::{Content, Tree};
use crate::plan::{Device, NodeResources};

const MOST_THREADS: u64 = 1024;
const MOST_GPUS: u64 = 64;

pub const WORDS: [&str; 5] = ["threads", "memory", "device", "gpus", "time"];

/// What a map says, over what holds otherwise.
pub fn read(tree: Option<&Tree>, otherwise: &NodeResources, problems: &mut Vec<Problem>) -> NodeResources {
    let mut resources = otherwise.clone();
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
    devices(tree, &mut resources, problems);
    if let Some(time) = tree.get("time") {
        resources.seconds = by_attempt(time, "time", &TIME, A_TIME, problems);
    }
    resources
}

/// `device` and `gpus`: what says one takes the place of what both were otherwise.
fn devices(tree: &Tree, resources: &mut NodeResources, problems: &mut Vec<Problem>) {
    let gpus = tree.get("gpus").and_then(|gpus| whole(gpus, "gpus", 0, MOST_GPUS, problems));
    if let Some(gpus) = gpus {
        (resources.device, resources.gpus) = (Device::Auto, gpus as usize);
    }
    let Some(tree) = tree.get("device") else { return };
    match tree.text().and_then(|text| text.parse().ok()) {
        None => problems.push(Problem::wrong_value("`device`", tree, Device::EXPECTED)),
        Some(device) if device != Device::Auto && gpus.is_some() => {
            let title = format!("`device` is {} and `gpus` says how many", tree.describe());
            let label = "one of the two: a certain GPU, or so many of those that are free";
            problems.push(Problem::new(tree.span.clone(), title, label));
        }
        Some(device) => {
            resources.device = device;
            resources.gpus = gpus.unwrap_or_default() as usize;
        }
    }
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
    let found = tree.value().as_u64().filter(|number| (least..=most).contains(number));
    if found.is_none() {
        problems.push(Problem::wrong_value(
            &format!("`{word}`"),
            tree,
            format!("a whole number from {least} to {most}"),
        ));
    }
    found
}
