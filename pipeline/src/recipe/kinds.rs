//! Which kinds there are and who computes them.

use super::command;
use super::problem::{Problem, nearest_and};
use super::tree::Tree;
use super::workers::Allowed;
use crate::plan::{Program, WorkerName};
use pretext_protocol::{Catalogue, StageKind};
use std::collections::HashMap;
use std::sync::Arc;

/// A kind with what the nodes of it share.
#[derive(Debug, Clone)]
pub struct Kind {
    pub stage: Arc<StageKind>,
    pub numerics: Arc<str>,
    pub worker: WorkerName,
    pub program: Arc<Program>,
    /// False where only the name is known.
    pub is_checked: bool,
}

impl Kind {
    pub fn is_command(&self) -> bool {
        self.worker == WorkerName::Command
    }
}

pub struct Kinds<'a> {
    catalogue: &'a Catalogue,
    /// Those of other workers, and those that were asked for.
    found: HashMap<String, Arc<Kind>>,
}

/// What the numbers of a kind depend on: its own word, or else the catalogue's.
fn numerics(kind: &StageKind, catalogue: Option<&Catalogue>) -> Arc<str> {
    kind.numerics.as_deref().or(catalogue.map(|catalogue| catalogue.numerics.as_str())).unwrap_or_default().into()
}

impl<'a> Kinds<'a> {
    pub fn new(catalogue: &'a Catalogue, workers: &[Allowed]) -> Self {
        let mut found = HashMap::from([(command::KIND.to_owned(), Arc::new(command::undeclared()))]);
        for Allowed { worker, catalogue } in workers {
            for name in &worker.kinds {
                let known = catalogue.as_ref().and_then(|catalogue| catalogue.kind(name)).cloned();
                let is_checked = known.is_some();
                let stage = known.unwrap_or_else(|| StageKind { name: name.clone(), ..StageKind::default() });
                let kind = Kind {
                    is_checked,
                    numerics: numerics(&stage, catalogue.as_ref()),
                    stage: Arc::new(stage),
                    worker: WorkerName::Foreign(worker.name.clone()),
                    program: worker.program.clone(),
                };
                found.insert(name.clone(), Arc::new(kind));
            }
        }
        Self { catalogue, found }
    }

    /// The kind that a value names.
    pub fn named(&mut self, use_: &Tree, problems: &mut Vec<Problem>) -> Option<Arc<Kind>> {
        let name = use_.text().unwrap_or_default();
        if use_.is_broken() || self.found.contains_key(name) {
            return self.found.get(name).cloned();
        }
        let Some(stage) = self.catalogue.kind(name) else {
            let names = self.catalogue.kinds.iter().map(|kind| &kind.name).chain(self.found.keys());
            let mut names: Vec<&str> = names.map(String::as_str).collect();
            names.sort_unstable();
            let label = nearest_and(name, names, "`pretext stages` lists all kinds");
            problems.push(Problem::new(use_.span.clone(), format!("there is no kind {}", use_.describe()), label));
            return None;
        };
        let kind = Arc::new(Kind {
            stage: Arc::new(stage.clone()),
            numerics: numerics(stage, Some(self.catalogue)),
            worker: WorkerName::Stages,
            program: Arc::default(),
            is_checked: true,
        });
        self.found.insert(name.to_owned(), kind.clone());
        Some(kind)
    }
}
