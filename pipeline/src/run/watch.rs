//! A key says what was true when the run was planned. Whether it still is, is looked at before a stage starts and before
//! its result is published: a person edits programs and data while others of their stages run, and a stage may write to
//! what it was given.

use super::Job;
use crate::ids::Digest;
use crate::recipe::Contents;
use crate::store::{Sighting, Store};
use anyhow::{Context, Result, bail, ensure};
use std::path::{Path, PathBuf};

/// What a stage was started on.
pub(super) struct Watch {
    outside: Vec<Outside>,
    /// The artifact on each port.
    inputs: Vec<(String, Sighting)>,
}

/// Something that is not the store's and counts in the key.
struct Outside {
    /// As people know it: `train.sh`, `what lies at `path``.
    name: String,
    place: PathBuf,
    contents: Contents,
}

const AGAIN: &str = "run the same command again";

impl Watch {
    /// Looks at all that counts. An error where it is no longer what the key says.
    pub(super) fn begin(job: &Job, store: &Store) -> Result<Self> {
        let mut outside = vec![];
        for (path, file) in &job.node.program.code {
            let contents = Contents::read(&file.place, None).with_context(|| format!("cannot read {path}"))?;
            outside.push(Outside::of(path.clone(), &file.place, contents, file.digest, Contents::only)?);
        }
        for (name, place, digest) in job.node.paths() {
            let contents = store.contents_at(&place)?;
            outside.push(Outside::of(format!("what lies at `{name}`"), &place, contents, digest, Contents::digest)?);
        }
        let sight = |(port, digest): (&String, &Digest)| Ok((port.clone(), store.sight(digest)?));
        Ok(Self { outside, inputs: job.inputs.iter().map(sight).collect::<Result<_>>()? })
    }

    /// Looks once more, when the stage has ended. An error where its result may be that of something else than its key says.
    pub(super) fn end(&self, store: &Store) -> Result<()> {
        for (port, sighting) in &self.inputs {
            if let Some(change) = store.written_since(sighting)? {
                bail!(
                    "its input `{port}` was written to while it ran, by the stage itself or by something else: it {change}. Inputs \
                     are shared by all that read them, so that its result is not kept: have the stage copy what it changes, \
                     and {AGAIN}"
                );
            }
        }
        for Outside { name, place, contents } in &self.outside {
            let now =
                Contents::read(place, Some(contents)).with_context(|| format!("{name} cannot be read any more"))?;
            if let Some(change) = now.change_since(contents) {
                bail!("{name} changed while it ran ({change}): its result is not kept; {AGAIN}");
            }
        }
        Ok(())
    }
}

impl Outside {
    fn of(
        name: String,
        place: &Path,
        contents: Contents,
        planned: Digest,
        digest: fn(&Contents) -> Digest,
    ) -> Result<Self> {
        let found = digest(&contents);
        ensure!(
            found == planned,
            "{name} changed since this run was planned ({} -> {}): it was not started; {AGAIN}",
            planned.short(),
            found.short()
        );
        Ok(Self { name, place: place.to_owned(), contents })
    }
}
