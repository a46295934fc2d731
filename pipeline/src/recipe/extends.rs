//! `extends` and `--set`: one tree out of several texts, the later ones laid over the earlier ones.

use super::problem::{Problem, nearest_name};
use super::sources::Sources;
use super::tree::{Content, Name, Span, Tree};
use super::yaml;
use std::collections::HashMap;
use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};

/// The tree of a recipe's text, over what it extends, beneath what is set. `None` where a text is not YAML.
pub fn whole(
    path: &str,
    text: String,
    sets: &[String],
    sources: &mut Sources,
    problems: &mut Vec<Problem>,
) -> Option<Tree> {
    let path = Path::new(path);
    let folder = folder_of(path);
    let own = parsed(path.to_string_lossy(), text, &folder, yaml::parse, sources, problems);
    let mut addition = |set: &String| parsed("--set", set.clone(), &folder, setting, sources, problems);
    let additions: Vec<Option<Tree>> = sets.iter().map(&mut addition).collect();
    let mut chain = vec![real(path)];
    let whole = over_what_it_extends(own?, &mut chain, sources, problems)?;
    additions.into_iter().try_fold(whole, |tree, addition| Some(laid_over(tree, addition?)))
}

/// Reads a file that may be a recipe. One byte more than a recipe may have: a larger file is refused, not read.
pub fn read(path: &Path) -> io::Result<String> {
    let mut bytes = vec![];
    File::open(path)?.take(yaml::LARGEST as u64 + 1).read_to_end(&mut bytes)?;
    match String::from_utf8(bytes) {
        Ok(text) => Ok(text),
        Err(error) if error.as_bytes().len() > yaml::LARGEST => {
            Ok(String::from_utf8_lossy(error.as_bytes()).into_owned())
        }
        Err(_) => Err(io::Error::new(io::ErrorKind::InvalidData, "it is not text in UTF-8")),
    }
}

fn folder_of(path: &Path) -> PathBuf {
    path.parent().unwrap_or(Path::new("")).to_owned()
}

fn real(path: &Path) -> PathBuf {
    fs::canonicalize(path).unwrap_or_else(|_| path.to_owned())
}

/// Adds a text to the sources and gives its tree, at its place among all.
fn parsed(
    name: impl Into<String>,
    text: String,
    folder: &Path,
    read: impl Fn(&str) -> Result<Tree, Vec<Problem>>,
    sources: &mut Sources,
    problems: &mut Vec<Problem>,
) -> Option<Tree> {
    let tree = read(&text);
    let start = sources.add(name, text, folder);
    match tree {
        Ok(tree) if start == 0 => Some(tree),
        Ok(tree) => Some(tree.shifted(start)),
        Err(found) => {
            problems.extend(found.into_iter().map(|problem| problem.shifted(start)));
            None
        }
    }
}

/// `chain`: the files that led here, the last of which has `own`.
fn over_what_it_extends(
    own: Tree,
    chain: &mut Vec<PathBuf>,
    sources: &mut Sources,
    problems: &mut Vec<Problem>,
) -> Option<Tree> {
    let Some(found) = own.get("extends").cloned() else { return Some(own) };
    let Some(name) = found.text() else {
        problems.push(Problem::wrong_value("`extends`", &found, "the path of another recipe: base.yaml"));
        return None;
    };
    let path = sources.folder(&found.span).join(name);
    let mut wrong = |title: String, label: String| problems.push(Problem::new(found.span.clone(), title, label));
    if let Some(first) = chain.iter().position(|earlier| *earlier == real(&path)) {
        let cycle = chain[first..].iter().chain([&chain[first]]).map(|path| file_name(path));
        let title = format!("recipes extend each other in a cycle: {}", cycle.collect::<Vec<_>>().join(" extends "));
        wrong(title, "one of them must stand alone".into());
        return None;
    }
    let text = match path.is_dir() || !path.exists() || path.is_file() {
        true => read(&path),
        false => Err(io::Error::other("it is not a file")), // a terminal would be read for ever
    };
    match text {
        Ok(text) => {
            let folder = folder_of(&path);
            let base = parsed(path.to_string_lossy(), text, &folder, yaml::parse, sources, problems)?;
            chain.push(real(&path));
            let base = over_what_it_extends(base, chain, sources, problems)?;
            let span = own.span.clone();
            Some(Tree { span, ..laid_over(without_name(base), own) })
        }
        Err(error) => {
            wrong(format!("cannot read the recipe `{name}`, which this one extends"), reason(&error, &path));
            None
        }
    }
}

/// A recipe's tables go to a folder of its name: two that share it would overwrite each other's.
fn without_name(mut base: Tree) -> Tree {
    if let Content::Map(entries) = &mut base.content {
        entries.retain(|(name, _)| name.text != "name");
    }
    base
}

fn file_name(path: &Path) -> String {
    path.file_name().unwrap_or_default().to_string_lossy().into_owned()
}

/// The cause, and the file beside it that may have been meant.
fn reason(error: &io::Error, path: &Path) -> String {
    let folder = Some(folder_of(path)).filter(|folder| !folder.as_os_str().is_empty()).unwrap_or_else(|| ".".into());
    let files = fs::read_dir(folder).into_iter().flatten().flatten();
    let mut names: Vec<String> = files.map(|file| file.file_name().to_string_lossy().into_owned()).collect();
    names.sort();
    let names: Vec<&str> = names.iter().map(String::as_str).filter(|name| name.ends_with("ml")).collect();
    match nearest_name(&file_name(path), &names).filter(|_| error.kind() == io::ErrorKind::NotFound) {
        Some(near) => format!("there is no such file; did you mean `{near}`?"),
        None if error.kind() == io::ErrorKind::NotFound => {
            "there is no such file; the path is relative to this one".into()
        }
        None => error.to_string(),
    }
}

/// `stages.pretrain.with.epochs=5` as the tree that a recipe would have for it.
fn setting(set: &str) -> Result<Tree, Vec<Problem>> {
    let wrong = |span: Span, title: &str, label: &str| Err(vec![Problem::new(span, title, label)]);
    let Some((path, written)) = set.split_once('=') else {
        return wrong(0..set.len(), "a setting without a value", "PATH=VALUE: stages.pretrain.with.epochs=5");
    };
    let mut names: Vec<Name> = vec![];
    for part in path.split('.') {
        let from = names.last().map_or(0, |name| name.span.end + 1);
        names.push(Name { text: part.to_owned(), span: from..from + part.len() });
    }
    if let Some(name) = names.iter().find(|name| name.text.trim().is_empty()) {
        return wrong(name.span.clone(), "a name is missing in a path", "names with dots between: axes.seed=[0, 1]");
    }
    if names.len() > yaml::DEEPEST {
        return wrong(0..path.len(), "a path with too many names", "a recipe is nested less deeply");
    }
    if names[0].text == "extends" {
        return wrong(names[0].span.clone(), "a setting cannot extend a recipe", "write `extends:` into one");
    }
    let behind =
        |found: Vec<Problem>| found.into_iter().map(|problem| problem.shifted(path.len() + 1)).collect::<Vec<_>>();
    match yaml::value(written).map_err(behind)? {
        Some(value) => Ok(names.into_iter().rev().fold(value.shifted(path.len() + 1), |value, name| Tree {
            span: name.span.clone(),
            content: Content::Map(vec![(name, value)]),
        })),
        None => wrong(0..set.len(), "a setting without a value", "a value as a recipe has it: 5, [0, 1], null"),
    }
}

/// Maps are merged by their keys, everything else is replaced; only `with` of a stage, which may be a list of maps, gets a
/// further one.
fn laid_over(under: Tree, over: Tree) -> Tree {
    merged(under, over, &mut vec![])
}

fn merged(under: Tree, over: Tree, path: &mut Vec<String>) -> Tree {
    let is_with = matches!(&path[..], [stages, _, with] if stages == "stages" && with == "with");
    match (under.content, over.content) {
        (Content::Map(mut entries), Content::Map(additions)) => {
            let places: HashMap<String, usize> =
                entries.iter().enumerate().map(|(place, (name, _))| (name.text.clone(), place)).collect();
            for (name, value) in additions {
                match places.get(&name.text).map(|&place| &mut entries[place].1) {
                    Some(existing) => {
                        path.push(name.text);
                        let taken = std::mem::replace(existing, Tree { span: 0..0, content: Content::Broken });
                        *existing = merged(taken, value, path);
                        path.pop();
                    }
                    None => entries.push((name, value)),
                }
            }
            Tree { span: under.span, content: Content::Map(entries) }
        }
        (below, above) if is_with => {
            let items = |content, span| match content {
                Content::List(items) => items,
                content => vec![Tree { span, content }],
            };
            let mut maps = items(below, under.span.clone());
            maps.extend(items(above, over.span));
            Tree { span: under.span, content: Content::List(maps) }
        }
        (_, content) => Tree { span: over.span, content },
    }
}
