//! Removes what can go, beside processes that compute. The order keeps the store whole at every moment: first results, then
//! the artifacts that none of those that are left mentions.

use super::census::Mentions;
use super::error::Result;
use super::{GcPlan, Leftover, LeftoverKind, Store, files};
use crate::ids::{Digest, Key};
use std::fs::File;

/// So many artifacts are locked at once: a process may have only so many files open.
const BATCH: usize = 200;

/// What is gone.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Collected {
    pub results: usize,
    pub artifacts: usize,
    pub leftovers: usize,
    pub runs: usize,
    /// What was to go and is in use now.
    pub in_use: usize,
}

impl Store {
    /// Removes what a plan names, but for what has come into use since.
    pub fn collect(&self, plan: &GcPlan) -> Result<Collected> {
        let mut collected = Collected::default();
        let uses = self.uses()?;
        for going in &plan.results {
            let was_used = uses.get(&going.key).is_some_and(|used| used.is_live || used.last > going.last_used);
            match !was_used && self.collect_result(&going.key)? {
                true => collected.results += 1,
                false => collected.in_use += 1,
            }
        }
        let artifacts: Vec<Digest> =
            plan.unmentioned.iter().map(|(digest, _)| *digest).chain(plan.freed.clone()).collect();
        self.collect_artifacts(&artifacts, &mut collected)?;
        for leftover in &plan.leftovers {
            match self.collect_leftover(leftover)? {
                true => collected.leftovers += 1,
                false => collected.in_use += 1,
            }
        }
        for (id, _) in plan.runs.iter().filter(|(id, _)| !self.run_is_alive(id)) {
            files::remove_at_once(&self.run_folder(id))?;
            collected.runs += 1;
        }
        Ok(collected)
    }

    fn collect_result(&self, key: &Key) -> Result<bool> {
        let Some(lease) = self.lease(key)? else { return Ok(false) };
        let is_there = self.result_folder(key).exists();
        if is_there {
            self.remove_result(key, &lease)?;
        }
        lease.give_back()?;
        Ok(is_there)
    }

    fn collect_artifacts(&self, artifacts: &[Digest], collected: &mut Collected) -> Result<()> {
        let mut mentions = Mentions::default();
        for batch in artifacts.chunks(BATCH) {
            let mut locked: Vec<(Digest, Option<File>)> = Vec::new();
            for digest in batch {
                match self.lock_to_remove(digest)? {
                    None if self.has_manifest(digest) => collected.in_use += 1,
                    lock => locked.push((*digest, lock)),
                }
            }
            // Only now: whoever publishes one of these as part of a result holds it from before the result is there until
            // after, so that a result that mentions one that is locked is there already.
            mentions.refresh(self)?;
            let mentioned = mentions.all();
            for (digest, lock) in locked {
                let is_removed = !mentioned.contains(&digest)
                    && self.artifact_place(&digest).exists()
                    && self.remove_artifact(&digest, lock.as_ref())?;
                collected.artifacts += usize::from(is_removed);
            }
        }
        Ok(())
    }

    fn collect_leftover(&self, leftover: &Leftover) -> Result<bool> {
        match leftover.what {
            LeftoverKind::Attempt(key) | LeftoverKind::Checkpoint(key) => {
                let Some(lease) = self.lease(&key)? else { return Ok(false) };
                // Somebody may have gone on from it, and left another checkpoint.
                let is_the_same = self.is_resumable(&key)? == matches!(leftover.what, LeftoverKind::Checkpoint(_));
                if is_the_same {
                    lease.clear()?
                } else {
                    lease.give_back()?
                }
                Ok(is_the_same)
            }
            LeftoverKind::Partial | LeftoverKind::Download | LeftoverKind::Damaged => {
                files::remove(&leftover.path).map(|()| true)
            }
        }
    }
}
