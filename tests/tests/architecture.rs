//! The rules of ARCHITECTURE.md that a program can check.

use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Package -> the packages that it depends on, for building and testing as well.
type Graph = BTreeMap<String, BTreeSet<String>>;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("tests/ lies in the repository")
}

/// What cargo resolved. For one platform: of the others, cargo would have to fetch packages first.
fn graph() -> Graph {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let output = Command::new(cargo)
        .args(["metadata", "--format-version", "1", "--locked", "--filter-platform", "x86_64-unknown-linux-gnu"])
        .current_dir(root())
        .output()
        .expect("cargo starts");
    assert!(output.status.success(), "cargo metadata: {}", String::from_utf8_lossy(&output.stderr));
    let metadata: Value = serde_json::from_slice(&output.stdout).expect("cargo metadata prints JSON");
    let name_of: BTreeMap<&str, &str> =
        list(&metadata["packages"]).iter().map(|package| (text(&package["id"]), text(&package["name"]))).collect();
    let mut graph = Graph::new();
    for node in list(&metadata["resolve"]["nodes"]) {
        let needed = list(&node["dependencies"]).iter().map(|id| name_of[text(id)].to_owned());
        // Two versions of a package count as one.
        graph.entry(name_of[text(&node["id"])].to_owned()).or_default().extend(needed);
    }
    graph
}

fn list(value: &Value) -> &[Value] {
    value.as_array().expect("a list in cargo's metadata")
}

fn text(value: &Value) -> &str {
    value.as_str().expect("a text in cargo's metadata")
}

/// The first path found, shortest first, as `a -> b -> c`.
fn path(graph: &Graph, from: &str, to: &str) -> Option<String> {
    assert!(graph.contains_key(from), "there is no package {from}");
    let mut paths = std::collections::VecDeque::from([vec![from]]);
    let mut seen = BTreeSet::from([from]);
    while let Some(way) = paths.pop_front() {
        let last = way[way.len() - 1];
        if last == to {
            return Some(way.join(" -> "));
        }
        for next in graph[last].iter().filter(|next| seen.insert(next)) {
            paths.push_back(way.iter().copied().chain([next.as_str()]).collect());
        }
    }
    None
}

fn assert_apart(graph: &Graph, packages: &[&str], never: &[&str]) {
    for (package, target) in packages.iter().flat_map(|package| never.iter().map(move |target| (package, target))) {
        assert!(graph.contains_key(*target), "there is no package {target}: is this rule still about something?");
        assert_eq!(path(graph, package, target), None);
    }
}

#[test]
fn the_pipeline_does_not_know_what_a_tensor_is() {
    assert_apart(&graph(), &["pretext-pipeline", "pretext-protocol"], &["burn", "tch", "torch-sys"]);
}

#[test]
fn the_stages_do_not_know_what_a_recipe_or_a_table_is() {
    assert_apart(&graph(), &["pretext-stages"], &["pretext-pipeline", "polars", "petgraph"]);
}

#[test]
fn xtask_has_no_dependencies() {
    assert_eq!(graph()["xtask"], BTreeSet::new());
}

#[test]
fn only_tables_use_polars() {
    let graph = graph();
    let ours = graph.keys().filter(|name| name.starts_with("pretext-") && graph[*name].contains("polars"));
    assert_eq!(ours.collect::<Vec<_>>(), ["pretext-pipeline"]);

    let tables = root().join("pipeline/src/table");
    let elsewhere = |(file, text): &(PathBuf, String)| {
        file.extension().is_some_and(|end| end == "rs") && !file.starts_with(&tables) && text.contains("polars")
    };
    assert_eq!(named(texts(&root().join("pipeline")), elsewhere), [""; 0]);
}

/// The parts of the worker, each of which may use those before it.
const PARTS: [&str; 19] = [
    "csv", "json", "random", "memory", "metrics", "nn", "context", "stage", "data", "doctor", "artifact", "foreign",
    "augment", "features", "train", "tasks", "methods", "catalog", "worker",
];
/// These stand side by side: methods do not use evaluations either.
const APART: [&str; 2] = ["tasks", "methods"];

#[test]
fn the_parts_of_the_worker_use_each_other_one_way() {
    let stages = root().join("stages/src");
    let mut backwards = vec![];
    for (file, text) in texts(&stages) {
        let inside = file.strip_prefix(&stages).unwrap();
        let first = inside.iter().next().unwrap().to_str().unwrap().trim_end_matches(".rs");
        let Some(rank) = PARTS.iter().position(|part| *part == first) else { continue };
        if is_of_tests(inside) {
            continue;
        }
        for name in used_parts(&text) {
            let is_beside = first != name && APART.contains(&first) && APART.contains(&name.as_str());
            if is_beside || PARTS.iter().position(|part| *part == name).is_some_and(|used| used > rank) {
                backwards.push(format!("{} uses {name}", inside.display()));
            }
        }
    }
    let unranked = texts(&stages).into_iter().filter_map(|(file, _)| {
        let first = file.strip_prefix(&stages).ok()?.iter().next()?.to_str()?.trim_end_matches(".rs").to_owned();
        Some(first).filter(|first| !PARTS.contains(&first.as_str()) && !["lib", "main"].contains(&first.as_str()))
    });
    assert_eq!((backwards, unranked.collect::<BTreeSet<_>>()), (vec![], BTreeSet::new()));
}

/// The parts of the own crate that a file names, alone (`crate::data::Split`) or in a group (`crate::{data, nn::Init}`). What stands in
/// comments and tests uses nothing.
fn used_parts(text: &str) -> BTreeSet<String> {
    let code = code(text);
    let name = |path: &str| -> String {
        path.trim_start().chars().take_while(|letter| letter.is_ascii_lowercase() || *letter == '_').collect()
    };
    let names = |path: &str| match path.strip_prefix('{') {
        Some(group) => outermost(group).into_iter().map(name).collect(),
        None => vec![name(path)],
    };
    code.split("crate::").skip(1).flat_map(names).filter(|name| !name.is_empty()).collect()
}

/// A file without its comments and tests.
fn code(text: &str) -> String {
    let code = text.split("#[cfg(test)]\nmod tests {").next().unwrap();
    let code: Vec<&str> = code.lines().filter(|line| !line.trim_start().starts_with("//")).collect();
    code.join("\n")
}

/// Whether a file has nothing but tests.
fn is_of_tests(inside: &Path) -> bool {
    inside.iter().any(|part| matches!(part.to_str(), Some("tests" | "tests.rs" | "checks.rs")))
}

/// The items of a group, up to the brace that closes it.
fn outermost(group: &str) -> Vec<&str> {
    let (mut items, mut start, mut depth) = (vec![], 0, 0);
    for (place, letter) in group.char_indices() {
        match letter {
            '{' => depth += 1,
            '}' if depth > 0 => depth -= 1,
            ',' if depth > 0 => {}
            ',' | '}' => {
                items.push(&group[start..place]);
                start = place + 1;
                if letter == '}' {
                    break;
                }
            }
            _ => {}
        }
    }
    items
}

#[test]
fn what_a_file_uses_is_seen_in_groups_and_behind_a_file_of_tests() {
    let text = "mod config;\n#[cfg(test)]\nmod tests;\nuse crate::nn::ops;\n// crate::worker\nuse crate::{\n    data, train::{Rates, fit}, \
                tasks,\n};\nfn f() -> crate::json::Value {}\n#[cfg(test)]\nmod tests {\n    use crate::catalog;\n}\n";
    assert_eq!(used_parts(text).into_iter().collect::<Vec<_>>(), ["data", "json", "nn", "tasks", "train"]);
}

/// Outside of `nn/ops` tensors of libtorch are held, copied, read and written, and nothing is calculated with them. What calculates on
/// them in place, without gradients, or to one number leaves these traces.
#[test]
fn only_our_operations_calculate_with_libtorch() {
    const TRACES: [&str; 3] = [".g_", "tch::no_grad(", "_value(&[])"];
    // They copy into a network's tensors.
    const COPY: [&str; 2] = ["nn/state.rs", "foreign/matching.rs"];
    let stages = root().join("stages/src");
    let mut found = vec![];
    for (file, text) in texts(&stages) {
        let inside = file.strip_prefix(&stages).unwrap();
        if inside.starts_with("nn/ops") || is_of_tests(inside) {
            continue;
        }
        let copies = COPY.iter().any(|file| Path::new(file) == inside);
        let traces = TRACES.into_iter().filter(|trace| !copies || *trace != "tch::no_grad(");
        let traces = traces.filter(|trace| code(&text).contains(trace));
        found.extend(traces.map(|trace| format!("{}: {trace}", inside.display())));
    }
    assert_eq!(found, [""; 0]);
}

#[test]
fn no_loop_names_a_method() {
    // What is no method, or an ordinary word.
    const OTHER: [&str; 7] = ["checks", "imported", "mod", "pixels", "random", "shared", "tests"];
    let folder = root().join("stages/src/methods");
    let files = texts(&folder).into_iter().map(|(file, _)| root().join(file));
    let methods: BTreeSet<String> = files
        .filter(|file| file.parent() == Some(&folder))
        .filter_map(|file| Some(file.file_stem()?.to_str()?.to_owned()))
        .filter(|m| !OTHER.contains(&&**m))
        .collect();
    assert!(methods.contains("simclr") && methods.contains("moco"), "{methods:?}");
    let names_one = |(_, text): &(PathBuf, String)| methods.iter().any(|method| text.contains(method.as_str()));
    let loops = ["stages/src/train", "pipeline/src/run", "pipeline/src/plan", "pipeline/src/store"];
    assert_eq!(named(loops.iter().flat_map(|folder| texts(&root().join(folder))).collect(), names_one), [""; 0]);
}

/// Addresses of packages come from the user's own configuration of cargo, pip and npm.
#[test]
fn no_file_names_the_host_of_a_package_registry() {
    // Joined here, so that this file is not the first to be found.
    let hosts = [["files.", "pythonhosted"], ["artif", "actory"], ["index.", "crates"], ["static.", "crates"]]
        .map(|halves| halves.concat());
    let names_one = |(_, text): &(PathBuf, String)| hosts.iter().any(|host| text.contains(host));
    let files = visible(root()).into_iter().flat_map(|entry| texts(&entry)).collect();
    assert_eq!(named(files, names_one), [""; 0]);
}

/// What lies in the repository's root and is not ignored by git; `.gitignore` has one `/name` a line.
fn visible(root: &Path) -> Vec<PathBuf> {
    let ignored = fs::read_to_string(root.join(".gitignore")).expect(".gitignore is there");
    let ignored: BTreeSet<&str> = ignored.lines().map(|line| line.trim_matches('/')).chain([".git"]).collect();
    let entries = fs::read_dir(root).expect("the root can be read").map(|entry| entry.expect("an entry").path());
    entries.filter(|path| !path.file_name().is_some_and(|name| ignored.contains(&*name.to_string_lossy()))).collect()
}

/// A text file, or all of those in a folder, with their content. Links are not followed.
fn texts(path: &Path) -> Vec<(PathBuf, String)> {
    if path.is_symlink() {
        return Vec::new();
    }
    if path.is_dir() {
        let entries = fs::read_dir(path).expect("a folder can be read").map(|entry| entry.expect("an entry").path());
        return entries.flat_map(|entry| texts(&entry)).collect();
    }
    let content = fs::read(path).ok().and_then(|bytes| String::from_utf8(bytes).ok());
    content.map(|text| (path.to_owned(), text)).into_iter().collect()
}

/// The files that a rule finds, as they are written from the root, in order.
fn named(files: Vec<(PathBuf, String)>, rule: impl Fn(&(PathBuf, String)) -> bool) -> Vec<String> {
    let found = files.iter().filter(|file| rule(file));
    let mut names: Vec<String> =
        found.map(|(file, _)| file.strip_prefix(root()).unwrap_or(file).display().to_string()).collect();
    names.sort();
    names
}
