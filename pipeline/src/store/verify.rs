//! Whether all that the store holds is still what it was.

use super::census::Mentions;
use super::error::Result;
use super::manifest::Look;
use super::results::ResultRecord;
use super::{ArtifactState, Leftover, Provenance, Store, files};
use crate::ids::{Digest, Key};
use rayon::prelude::*;
use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};

/// How much has been read of how much. Others may look on.
#[derive(Debug, Default)]
pub struct Reading {
    pub bytes: AtomicU64,
    pub total: AtomicU64,
}

/// What came of it.
#[derive(Debug, Default)]
pub struct Verified {
    pub results: usize,
    pub artifacts: usize,
    /// Of these, those whose files were dropped on purpose.
    pub dropped: usize,
    pub bytes: u64,
    pub damages: Vec<Damage>,
    /// Whole artifacts that no result mentions, with their sizes. No harm, and no use.
    pub unmentioned: Vec<(Digest, u64)>,
    pub leftovers: Vec<Leftover>,
}

/// Something that is not what it should be.
#[derive(Debug, Clone, PartialEq)]
pub struct Damage {
    pub what: Damaged,
    /// `holds value.txt with other contents`
    pub how: String,
    /// The results that cannot be used because of it.
    pub results: Vec<Key>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Damaged {
    Artifact(Digest),
    /// An artifact that a result mentions and that is not there.
    Missing(Digest),
    Result(Key),
    /// Of the result of this key.
    Provenance(Key),
}

impl Store {
    /// Reads every artifact and every result in full.
    pub fn verify(&self, reading: &Reading) -> Result<Verified> {
        // Artifacts first: whatever a result mentions that is published meanwhile is there when it is looked for.
        let artifacts = self.all_artifacts()?;
        let mentions = Mentions::of(self)?;
        let mut mentioned_by: HashMap<Digest, Vec<Key>> = HashMap::new();
        for (key, digests) in mentions.iter() {
            digests.iter().for_each(|digest| mentioned_by.entry(*digest).or_default().push(*key));
        }
        mentioned_by.values_mut().for_each(|keys| keys.sort());
        let mut verified = Verified { leftovers: self.leftovers()?, ..Verified::default() };
        self.verify_artifacts(&artifacts, &mentioned_by, reading, &mut verified)?;
        self.find_missing(&mentioned_by, &mut verified);
        self.verify_results(&mut verified)?;
        Ok(verified)
    }

    fn verify_artifacts(
        &self,
        artifacts: &[Digest],
        mentioned_by: &HashMap<Digest, Vec<Key>>,
        reading: &Reading,
        verified: &mut Verified,
    ) -> Result<()> {
        let size = |digest: &Digest| self.manifest(digest).ok().flatten().map_or(0, |manifest| manifest.bytes());
        let sizes: Vec<u64> = artifacts.par_iter().map(size).collect();
        reading.total.store(sizes.iter().sum(), Ordering::Relaxed);
        let states: Vec<ArtifactState> =
            artifacts.par_iter().map(|digest| self.look_at(digest, Look::Full(&reading.bytes))).collect();
        for ((digest, size), state) in artifacts.iter().zip(sizes).zip(states) {
            let results = mentioned_by.get(digest).cloned().unwrap_or_default();
            match state {
                ArtifactState::Dropped => verified.dropped += 1,
                ArtifactState::Whole if results.is_empty() => verified.unmentioned.push((*digest, size)),
                ArtifactState::Whole => {}
                // It was removed since it was listed.
                ArtifactState::Damaged(_) if !self.artifact_place(digest).exists() => continue,
                ArtifactState::Damaged(how) => {
                    verified.damages.push(Damage { what: Damaged::Artifact(*digest), how, results });
                }
            }
            verified.artifacts += 1;
        }
        verified.bytes = reading.bytes.load(Ordering::Relaxed);
        Ok(())
    }

    fn find_missing(&self, mentioned_by: &HashMap<Digest, Vec<Key>>, verified: &mut Verified) {
        let is_missing = |digest: &Digest| !self.artifact_place(digest).exists();
        let mut missing: Vec<&Digest> = mentioned_by.keys().filter(|digest| is_missing(digest)).collect();
        missing.sort();
        for digest in missing {
            let is_there = |key: &Key| self.result_place(key).exists();
            let results: Vec<Key> = mentioned_by[digest].iter().copied().filter(is_there).collect();
            if !results.is_empty() {
                let how = "is missing".to_owned();
                verified.damages.push(Damage { what: Damaged::Missing(*digest), how, results });
            }
        }
    }

    fn verify_results(&self, verified: &mut Verified) -> Result<()> {
        let keys = self.all_results()?;
        verified.results = keys.len();
        let damages = keys.par_iter().flat_map_iter(|key| self.damage_of_result(key));
        verified.damages.par_extend(damages);
        Ok(())
    }

    fn damage_of_result(&self, key: &Key) -> Vec<Damage> {
        let damage = |what, how: String| Damage { what, how, results: vec![*key] };
        let mut damages = Vec::new();
        match files::read_json::<ResultRecord>(&self.result_place(key)) {
            Ok(Some(record)) if record.belongs_to(key) => {}
            Ok(Some(_)) => damages.push(damage(Damaged::Result(*key), "holds what belongs to another key".to_owned())),
            Ok(None) if !self.result_folder(key).exists() => return vec![],
            Ok(None) => damages.push(damage(Damaged::Result(*key), "has no result.json".to_owned())),
            Err(error) => damages.push(damage(Damaged::Result(*key), error.to_string())),
        }
        if let Err(error) = files::read_json::<Provenance>(&self.provenance_place(key)) {
            damages.push(damage(Damaged::Provenance(*key), error.to_string()));
        }
        damages
    }

    /// Moves what is damaged aside, so that what needs it is computed again. Says where it is now; none where there is
    /// nothing to move, or where somebody is at work with it.
    pub fn repair(&self, damage: &Damage) -> Result<Option<PathBuf>> {
        match damage.what {
            Damaged::Missing(_) => Ok(None),
            Damaged::Artifact(digest) => match self.look_at(&digest, Look::Full(&AtomicU64::new(0))) {
                ArtifactState::Damaged(_) => self.move_artifact_aside(&digest),
                _ => Ok(None), // somebody has computed it again
            },
            Damaged::Result(key) => self.move_result_aside(&key, self.result_folder(&key)),
            Damaged::Provenance(key) => self.move_result_aside(&key, self.provenance_place(&key)),
        }
    }

    fn move_result_aside(&self, key: &Key, place: PathBuf) -> Result<Option<PathBuf>> {
        let Some(lease) = self.lease(key)? else { return Ok(None) };
        let aside = if place.exists() { Some(self.move_aside(&place, &key.to_string())?) } else { None };
        lease.give_back()?;
        Ok(aside)
    }
}
