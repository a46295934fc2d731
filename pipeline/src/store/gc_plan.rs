//! What can go from a store.

use super::census::{Extent, Mentions};
use super::error::Result;
use super::runs::{name_of, recipe_of};
use super::{Leftover, LeftoverKind, Store, Use};
use crate::ids::{Digest, Key, NodeId};
use rayon::prelude::*;
use std::collections::{BTreeSet, HashMap};

/// What a person no longer needs. Without any of it only that goes which nobody can need.
#[derive(Debug, Clone, Default)]
pub struct GcWishes {
    /// Results that no run has used for so many seconds, runs that ended before, and checkpoints that were written before.
    pub older: Option<u64>,
    /// Results that only runs of these recipes have used.
    pub recipes: BTreeSet<String>,
    /// Never results that runs of these recipes have used.
    pub keep_recipes: BTreeSet<String>,
    /// Only until the store is as small as this, what was used least recently first.
    pub to: Option<u64>,
}

/// What would go.
#[derive(Debug, Default)]
pub struct GcPlan {
    /// What was used least recently first.
    pub results: Vec<Going>,
    /// Artifacts that no result mentions now.
    pub unmentioned: Vec<(Digest, u64)>,
    /// Artifacts that no result will mention when those are gone.
    pub(super) freed: Vec<Digest>,
    pub leftovers: Vec<Leftover>,
    /// Records of runs, and their sizes.
    pub runs: Vec<(String, u64)>,
    /// Of the whole store as it is.
    pub store_bytes: u64,
}

/// A result that would go.
#[derive(Debug, Clone, PartialEq)]
pub struct Going {
    pub key: Key,
    /// As what it was last used, if a record of it is left.
    pub node: Option<NodeId>,
    pub recipe: String,
    /// Seconds since 1970.
    pub last_used: u64,
    /// With those of its artifacts that go with it.
    pub bytes: u64,
}

impl GcPlan {
    /// Whether nothing goes.
    pub fn is_empty(&self) -> bool {
        self.results.is_empty() && self.unmentioned.is_empty() && self.leftovers.is_empty() && self.runs.is_empty()
    }

    /// All that goes, together.
    pub fn bytes(&self) -> u64 {
        let results = self.results.iter().map(|going| going.bytes);
        let artifacts = self.unmentioned.iter().map(|(_, bytes)| *bytes);
        let leftovers = self.leftovers.iter().map(|leftover| leftover.bytes);
        let runs = self.runs.iter().map(|(_, bytes)| *bytes);
        results.chain(artifacts).chain(leftovers).chain(runs).sum()
    }
}

/// All results and artifacts with their sizes.
struct Inventory {
    mentions: Mentions,
    /// A result's own files.
    results: HashMap<Key, Extent>,
    artifacts: HashMap<Digest, u64>,
    uses: HashMap<Key, Use>,
}

impl Store {
    /// What can go, as of `now` (seconds since 1970).
    pub fn plan_gc(&self, wishes: &GcWishes, now: u64) -> Result<GcPlan> {
        let inventory = Inventory::of(self)?;
        let is_old = |time: u64| wishes.older.is_some_and(|limit| now.saturating_sub(time) >= limit);
        let mut leftovers = self.leftovers()?;
        leftovers.retain(|leftover| match leftover.what {
            LeftoverKind::Checkpoint(_) => is_old(leftover.changed),
            _ => leftover.is_waste(),
        });
        let mentioned = inventory.mentions.all();
        let unmentioned = inventory.artifacts.iter().filter(|(digest, _)| !mentioned.contains(digest));
        let mut plan = GcPlan {
            unmentioned: unmentioned.map(|(digest, bytes)| (*digest, *bytes)).collect(),
            leftovers,
            runs: self.old_runs(is_old)?,
            store_bytes: Extent::of(self.root()).bytes,
            ..GcPlan::default()
        };
        plan.unmentioned.sort();
        inventory.choose(wishes, is_old, &mut plan);
        Ok(plan)
    }

    fn old_runs(&self, is_old: impl Fn(u64) -> bool) -> Result<Vec<(String, u64)>> {
        let folders = self.run_folders()?.into_iter();
        let runs = folders.filter(|folder| !recipe_of(&name_of(folder)).is_empty() && is_old(self.run_time(folder)));
        let runs = runs.map(|folder| (name_of(&folder), Extent::of(&folder).bytes));
        Ok(runs.filter(|(id, _)| !self.run_is_alive(id)).collect())
    }
}

impl Inventory {
    fn of(store: &Store) -> Result<Self> {
        let mentions = Mentions::of(store)?;
        let keys: Vec<Key> = mentions.iter().map(|(key, _)| *key).collect();
        let results = keys.par_iter().map(|key| (*key, Extent::of(&store.result_folder(key)))).collect();
        let size = |digest: &Digest| (*digest, Extent::of(&store.artifact_place(digest)).bytes);
        let artifacts = store.all_artifacts()?.par_iter().map(size).collect();
        Ok(Self { mentions, results, artifacts, uses: store.uses()? })
    }

    /// Adds the results that go, and what goes with them.
    fn choose(&self, wishes: &GcWishes, is_old: impl Fn(u64) -> bool, plan: &mut GcPlan) {
        let mut left: HashMap<&Digest, usize> = HashMap::new();
        for (_, artifacts) in self.mentions.iter() {
            artifacts
                .iter()
                .collect::<BTreeSet<_>>()
                .into_iter()
                .for_each(|digest| *left.entry(digest).or_default() += 1);
        }
        let mut size = plan.store_bytes.saturating_sub(plan.bytes());
        for (last_used, key, artifacts) in self.candidates(wishes, is_old) {
            if wishes.to.is_some_and(|limit| size <= limit) {
                break;
            }
            let mut bytes = self.results[key].bytes;
            for digest in artifacts.iter().collect::<BTreeSet<_>>() {
                let mentions = left.get_mut(digest).expect("every mention was counted");
                *mentions -= 1;
                if *mentions == 0 {
                    bytes += self.artifacts.get(digest).copied().unwrap_or(0);
                    plan.freed.push(*digest);
                }
            }
            size = size.saturating_sub(bytes);
            let used = self.uses.get(key);
            let (node, recipe) = (used.map(|used| used.node.clone()), used.map(|used| used.recipe.clone()));
            plan.results.push(Going { key: *key, node, recipe: recipe.unwrap_or_default(), last_used, bytes });
        }
    }

    /// The results that may go, what was used least recently first.
    fn candidates(&self, wishes: &GcWishes, is_old: impl Fn(u64) -> bool) -> Vec<(u64, &Key, &[Digest])> {
        if wishes.older.is_none() && wishes.recipes.is_empty() && wishes.to.is_none() {
            return vec![];
        }
        let last_used = |key: &Key| self.uses.get(key).map_or(0, |used| used.last).max(self.results[key].changed);
        let may_go = |(last_used, key, _): &(u64, &Key, &[Digest])| {
            let nobody = BTreeSet::new();
            let used = self.uses.get(key);
            let recipes = used.map_or(&nobody, |used| &used.recipes);
            let is_named = wishes.recipes.is_empty() || (used.is_some() && recipes.is_subset(&wishes.recipes));
            let is_live = used.is_some_and(|used| used.is_live);
            is_named
                && !is_live
                && recipes.is_disjoint(&wishes.keep_recipes)
                && (wishes.older.is_none() || is_old(*last_used))
        };
        let all = self.mentions.iter().map(|(key, artifacts)| (last_used(key), key, artifacts));
        let mut candidates: Vec<_> = all.filter(may_go).collect();
        candidates.sort();
        candidates
    }
}
