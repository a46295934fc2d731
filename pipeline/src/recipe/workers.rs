//! `workers:` programs beside `pretext-worker` that compute kinds of their own.

use super::code;
use super::command;
use super::problem::{Problem, nearest};
use super::raw::{known_names, map, plain_name};
use super::sources::Sources;
use super::tree::{Content, Name, Tree};
use super::{Foreign, ForeignWorker};
use crate::plan::Program;
use pretext_protocol::Catalogue;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

pub const WORDS: [&str; 3] = ["command", "kinds", "code"];

/// A worker and what it can do; `None` until a person has allowed it.
pub struct Allowed {
    pub worker: ForeignWorker,
    pub catalogue: Option<Catalogue>,
}

pub struct Reader<'a> {
    pub sources: &'a Sources,
    /// That of `pretext-worker`.
    pub catalogue: &'a Catalogue,
    pub foreign: Foreign<'a>,
    pub problems: &'a mut Vec<Problem>,
}

impl Reader<'_> {
    pub fn read(&mut self, tree: Option<&Tree>) -> Vec<Allowed> {
        let expected = "a map of workers: { mine: { command: [python3, my_stage.py], kinds: [pretrain/mine] } }";
        let entries = map(tree, "`workers`", expected, self.problems);
        let mut owners: BTreeMap<String, String> = BTreeMap::new();
        entries.iter().filter_map(|(name, tree)| self.worker(name, tree, &mut owners)).collect()
    }

    /// `owners`: the worker of each kind that was seen so far.
    fn worker(&mut self, name: &Name, tree: &Tree, owners: &mut BTreeMap<String, String>) -> Option<Allowed> {
        let before = self.problems.len();
        plain_name(name, "a worker", self.problems);
        if tree.entries().is_none() {
            let expected = "a map: { command: [python3, my_stage.py], kinds: [pretrain/mine] }";
            self.problems.push(Problem::wrong_value(&format!("worker `{}`", name.text), tree, expected));
            return None;
        }
        known_names(tree, &WORDS, "word", self.problems);
        let command = self.texts(name, tree, "command", "[python3, my_stage.py]");
        let kinds = self.texts(name, tree, "kinds", "[pretrain/mine]");
        for kind in &kinds {
            self.check_kind(kind, name, owners);
        }
        let code = code::digests(tree.get("code"), self.sources, self.problems);
        if self.problems.len() > before {
            return None;
        }
        let text = |tree: &&Tree| tree.text().unwrap_or_default().to_owned();
        let folder = started_in(self.sources.folder(&command.first()?.span));
        let command: Vec<String> = command.iter().map(text).collect();
        let unlisted = code::unlisted(command.iter().map(String::as_str), &folder, &code);
        let worker = ForeignWorker {
            name: Arc::from(name.text.as_str()),
            program: Arc::new(Program { command, code, unlisted }),
            kinds: kinds.iter().map(text).collect(),
            folder,
        };
        let catalogue = (self.foreign)(&worker).unwrap_or_else(|error| {
            let title = format!("worker `{}` does not say what it can do", name.text);
            self.problems.push(Problem::new(name.span.clone(), title, format!("{error:#}")));
            None
        });
        if let Some(catalogue) = &catalogue {
            kinds.iter().for_each(|kind| self.check_is_there(kind, name, catalogue));
        }
        Some(Allowed { worker, catalogue })
    }

    /// A list of texts that must be there and have something in it.
    fn texts<'t>(&mut self, name: &Name, tree: &'t Tree, word: &str, example: &str) -> Vec<&'t Tree> {
        let items = match tree.get(word) {
            Some(Tree { content: Content::List(items), .. }) if !items.is_empty() => items,
            Some(found) => {
                let expected = format!("a list with something in it: {example}");
                self.problems.push(Problem::wrong_value(&format!("`{word}`"), found, expected));
                return vec![];
            }
            None => {
                let title = format!("worker `{}` has no `{word}`", name.text);
                self.problems.push(Problem::new(name.span.clone(), title, format!("add `{word}: {example}`")));
                return vec![];
            }
        };
        for item in items.iter().filter(|item| item.text().is_none_or(str::is_empty)) {
            let title = format!("`{word}` has {}", item.describe());
            self.problems.push(Problem::new(item.span.clone(), title, format!("a text: {example}")));
        }
        items.iter().filter(|item| item.text().is_some()).collect()
    }

    /// A kind has one worker.
    fn check_kind(&mut self, kind: &Tree, name: &Name, owners: &mut BTreeMap<String, String>) {
        let text = kind.text().unwrap_or_default();
        let fits = !text.is_empty() && text.chars().all(|c| c.is_alphanumeric() || "_-/".contains(c));
        let (title, label) = if !fits {
            let label = "a kind is called FAMILY/NAME: pretrain/mine";
            (format!("{} is not a name for a kind", kind.describe()), label.to_owned())
        } else if self.catalogue.kind(text).is_some() || text == command::KIND {
            (format!("there is a kind `{text}` already"), "call this one otherwise".to_owned())
        } else if let Some(other) = owners.insert(text.to_owned(), name.text.clone()) {
            (format!("kind `{text}` is listed twice"), format!("worker `{other}` has it already"))
        } else {
            return;
        };
        self.problems.push(Problem::new(kind.span.clone(), title, label));
    }

    fn check_is_there(&mut self, kind: &Tree, name: &Name, catalogue: &Catalogue) {
        let text = kind.text().unwrap_or_default();
        if catalogue.kind(text).is_none() {
            let names = catalogue.kinds.iter().map(|kind| kind.name.as_str());
            let title = format!("worker `{}` has no kind `{text}`", name.text);
            self.problems.push(Problem::new(kind.span.clone(), title, nearest(text, names)));
        }
    }
}

/// The folder of `recipe.yaml` is written as nothing, and nothing can be started there.
fn started_in(folder: &Path) -> PathBuf {
    if folder.as_os_str().is_empty() { PathBuf::from(".") } else { folder.to_owned() }
}
