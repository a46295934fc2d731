//! The recipe as it is written: its sections and stages, names checked, nothing resolved.

use super::axes::{Axis, Exclusions, read as read_axes};
use super::problem::{Problem, nearest};
use super::tree::{Content, Name, Span, Tree};
use serde_json::Value;
use std::collections::BTreeMap;

pub struct Raw {
    pub name: String,
    pub axes: Vec<Axis>,
    pub exclusions: Exclusions,
    pub env: BTreeMap<String, Tree>,
    pub stages: Vec<RawStage>,
    pub tables: Vec<(Name, Tree)>,
}

pub struct RawStage {
    pub name: Name,
    pub use_: Tree,
    pub needs: Vec<(Name, Tree)>,
    /// Maps, or expressions that stand for maps; later ones win.
    pub with: Vec<Tree>,
    pub threads: usize,
    pub memory_bytes: u64,
}

/// A stage computes with one thread unless it says otherwise: several such stages side by side do more than one with
/// several threads.
const THREADS: usize = 1;
const MEMORY: u64 = 1 << 30;

pub fn read(tree: &Tree, problems: &mut Vec<Problem>) -> Raw {
    let sections = ["name", "axes", "exclude", "env", "stages", "tables"];
    if tree.entries().is_none() {
        problems.push(Problem::new(
            tree.span.clone(),
            format!("the recipe is {}", tree.describe()),
            "a map with name, axes, stages, tables",
        ));
        return Raw {
            name: String::new(),
            axes: vec![],
            exclusions: Exclusions::default(),
            env: BTreeMap::new(),
            stages: vec![],
            tables: vec![],
        };
    }
    known_names(tree, &sections, "section", problems);
    let axes = read_axes(tree.get("axes"), problems);
    Raw {
        name: recipe_name(tree, problems),
        exclusions: Exclusions::read(tree.get("exclude"), &axes, problems),
        axes,
        env: environment(tree.get("env"), problems),
        stages: stages(tree, problems),
        tables: named_maps(tree.get("tables"), "tables", problems),
    }
}

/// Complains of every name of a map that is not among `names`.
pub fn known_names(tree: &Tree, names: &[&str], what: &str, problems: &mut Vec<Problem>) {
    for (name, _) in tree.entries().unwrap_or_default() {
        if !names.contains(&name.text.as_str()) {
            problems.push(Problem::new(
                name.span.clone(),
                format!("unknown {what} `{}`", name.text),
                nearest(&name.text, names.iter().copied()),
            ));
        }
    }
}

fn recipe_name(tree: &Tree, problems: &mut Vec<Problem>) -> String {
    let allowed =
        |text: &str| !text.is_empty() && text.chars().all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '_');
    match tree.get("name") {
        Some(name) => match name.text().filter(|text| allowed(text)) {
            Some(text) => return text.to_owned(),
            None => problems.push(Problem::new(
                name.span.clone(),
                format!("the recipe's name is {}", name.describe()),
                "letters, digits, - and _: its tables go to a folder of this name",
            )),
        },
        None => {
            let start = tree.span.start;
            problems.push(Problem::new(start..start, "the recipe has no name", "add `name: NAME` at the top"));
        }
    }
    String::new()
}

/// Declared defaults, or what the environment says in their place.
fn environment(tree: Option<&Tree>, problems: &mut Vec<Problem>) -> BTreeMap<String, Tree> {
    let Some(tree) = tree else { return BTreeMap::new() };
    let Some(entries) = tree.entries() else {
        problems.push(Problem::new(
            tree.span.clone(),
            format!("`env` is {}", tree.describe()),
            "a map of names and defaults: { IMAGES: photos }",
        ));
        return BTreeMap::new();
    };
    let value = |name: &Name, default: &Tree| match std::env::var(&name.text) {
        Ok(text) => {
            let typed = serde_yaml::from_str(&text).unwrap_or(Value::String(text));
            Tree { span: default.span.clone(), content: Content::Scalar(typed) }
        }
        Err(_) => default.clone(),
    };
    entries.iter().map(|(name, default)| (name.text.clone(), value(name, default))).collect()
}

fn named_maps(tree: Option<&Tree>, section: &str, problems: &mut Vec<Problem>) -> Vec<(Name, Tree)> {
    let Some(tree) = tree else { return vec![] };
    let Some(entries) = tree.entries() else {
        problems.push(Problem::new(
            tree.span.clone(),
            format!("`{section}` is {}", tree.describe()),
            format!("a map of {section} by their names"),
        ));
        return vec![];
    };
    let (maps, others): (Vec<_>, Vec<_>) = entries.iter().cloned().partition(|(_, value)| value.entries().is_some());
    for (name, value) in others {
        problems.push(Problem::new(value.span.clone(), format!("`{}` is {}", name.text, value.describe()), "a map"));
    }
    maps
}

fn stages(tree: &Tree, problems: &mut Vec<Problem>) -> Vec<RawStage> {
    let stages = named_maps(tree.get("stages"), "stages", problems);
    if stages.is_empty() && problems.is_empty() {
        let span = tree.get("stages").map_or(tree.span.start..tree.span.start, |stages| stages.span.clone());
        problems.push(Problem::new(
            span,
            "the recipe has no stages",
            "add `stages:`; `pretext stages` lists the kinds",
        ));
    }
    stages.into_iter().filter_map(|(name, tree)| stage(name, &tree, problems)).collect()
}

fn stage(name: Name, tree: &Tree, problems: &mut Vec<Problem>) -> Option<RawStage> {
    known_names(tree, &["use", "needs", "with", "resources"], "word", problems);
    let (threads, memory_bytes) = resources(tree.get("resources"), problems);
    let needs = match tree.get("needs") {
        None => vec![],
        Some(needs) => match needs.entries() {
            Some(entries) => entries.to_vec(),
            None => {
                problems.push(Problem::new(
                    needs.span.clone(),
                    format!("`needs` is {}", needs.describe()),
                    "a map of ports and stages: { data: photos }",
                ));
                vec![]
            }
        },
    };
    let with = match tree.get("with") {
        None => vec![],
        Some(Tree { content: Content::List(items), .. }) => items.clone(),
        Some(one) => vec![one.clone()],
    };
    let Some(use_) = tree.get("use").cloned() else {
        problems.push(Problem::new(
            name.span.clone(),
            format!("stage `{}` does not say what it is", name.text),
            "add `use: KIND`; `pretext stages` lists the kinds",
        ));
        return None;
    };
    Some(RawStage { name, use_, needs, with, threads, memory_bytes })
}

fn resources(tree: Option<&Tree>, problems: &mut Vec<Problem>) -> (usize, u64) {
    let Some(tree) = tree else { return (THREADS, MEMORY) };
    known_names(tree, &["threads", "memory"], "resource", problems);
    let mut wrong =
        |span: &Span, found: String, expected: &str| problems.push(Problem::new(span.clone(), found, expected));
    let threads = tree.get("threads").map_or(THREADS, |threads| match &threads.content {
        Content::Scalar(Value::Number(number)) if number.as_u64().is_some_and(|n| (1..=1024).contains(&n)) => {
            number.as_u64().unwrap_or(1) as usize
        }
        _ => {
            wrong(&threads.span, format!("`threads` is {}", threads.describe()), "a whole number from 1 on");
            THREADS
        }
    });
    let memory = tree.get("memory").map_or(MEMORY, |memory| {
        memory.text().and_then(bytes).unwrap_or_else(|| {
            wrong(&memory.span, format!("`memory` is {}", memory.describe()), "a size with its unit: 512MiB, 4GiB");
            MEMORY
        })
    });
    (threads, memory)
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
