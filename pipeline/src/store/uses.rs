//! Who used a result, and when: what the records of runs say.

use super::error::Result;
use super::runs::{name_of, node_lines, recipe_of};
use super::{Store, census::Extent};
use crate::ids::{Key, NodeId};
use serde::Deserialize;
use std::collections::{BTreeSet, HashMap, HashSet};
use std::path::Path;

/// The uses of a result.
#[derive(Debug, Clone, PartialEq)]
pub struct Use {
    /// The recipes whose runs computed or reused it.
    pub recipes: BTreeSet<String>,
    /// As what it was last used.
    pub node: NodeId,
    pub recipe: String,
    /// Seconds since 1970.
    pub last: u64,
    /// Whether a recipe used it of which a run goes on.
    pub is_live: bool,
}

/// What is read of a line of `nodes.jsonl`.
#[derive(Deserialize)]
struct Line {
    node: NodeId,
    key: Option<Key>,
}

impl Store {
    /// Every key that a run has computed or looked up.
    pub fn uses(&self) -> Result<HashMap<Key, Use>> {
        let folders = self.run_folders()?;
        let live = folders.iter().map(|folder| name_of(folder)).filter(|id| self.run_is_alive(id));
        let live: HashSet<String> = live.map(|id| recipe_of(&id).to_owned()).collect();
        let mut uses = HashMap::new();
        // The newest come last, and stay.
        for folder in folders {
            let at = self.run_time(&folder);
            let id = name_of(&folder);
            for Line { node, key } in node_lines::<Line>(&folder)? {
                let Some(key) = key else { continue };
                let recipe = recipe_of(&id);
                let used = uses.entry(key).or_insert_with(|| Use {
                    recipes: BTreeSet::new(),
                    node: node.clone(),
                    recipe: recipe.to_owned(),
                    last: at,
                    is_live: false,
                });
                if !used.recipes.contains(recipe) {
                    used.recipes.insert(recipe.to_owned());
                }
                if at >= used.last {
                    (used.node, used.recipe, used.last) = (node, recipe.to_owned(), at);
                }
                used.is_live |= live.contains(recipe);
            }
        }
        Ok(uses)
    }

    /// When a run last did something.
    pub(super) fn run_time(&self, folder: &Path) -> u64 {
        let record = self.run_record(&name_of(folder));
        let told = record.map_or(0, |record| record.finished.unwrap_or(record.started));
        told.max(Extent::of(&folder.join("nodes.jsonl")).changed)
    }

    /// `probe[seed=0] of small-labels`: how people know a result, or else its key.
    pub fn name_of_result(&self, key: &Key, uses: &HashMap<Key, Use>) -> String {
        match uses.get(key) {
            Some(used) => format!("{} of {}", used.node, used.recipe),
            None => match self.provenance(key) {
                Some(provenance) => format!("{} of {}", provenance.node, provenance.recipe),
                None => format!("the result {}", key.0.short()),
            },
        }
    }
}
