//! Of a sweep not every stage has a line.

use super::wording::{self, FAILURES};
use crate::ids::NodeId;
use crate::run::Update;
use crate::terminal::harmless;
use crate::text;
use std::collections::HashSet;
use std::time::{Duration, Instant};

/// Where more stages are to run, what happens to each is summed up.
const SMALL: usize = 40;
/// A stage that takes so long has lines of its own in any sweep.
const LONG: Duration = Duration::from_secs(10);

/// Picks the lines that stay on the screen. The first failures always do.
pub(super) struct Sweep {
    /// How often a short stage of a large sweep has a line; never where it is None.
    every: Option<Duration>,
    is_large: bool,
    /// When a short stage last had one.
    last: Option<Instant>,
    /// How often a stage has failed, tries that are followed by another included.
    failures: usize,
    /// The failures that were shown: the end does not repeat them.
    told: HashSet<NodeId>,
    /// Whether a stage of a large sweep has waited for a GPU, which is said once.
    has_waited: bool,
    /// Stages that were skipped for one reason, told together.
    skipped: Option<(NodeId, usize)>,
}

impl Sweep {
    pub(super) fn new(every: Option<Duration>) -> Self {
        let (is_large, last, failures) = (false, None, 0);
        Self { every, is_large, last, failures, told: HashSet::new(), has_waited: false, skipped: None }
    }

    /// Whether there are more stages than a person reads of.
    pub(super) fn is_large(&self) -> bool {
        self.is_large
    }

    /// The lines for an update, if it has any.
    pub(super) fn lines(&mut self, update: &Update) -> Option<String> {
        if let Update::Planned { to_run, .. } = update {
            self.is_large = *to_run > SMALL;
        }
        if let (true, Update::Skipped { needs, .. }) = (self.is_large, update) {
            return self.skip(needs);
        }
        let own = match update {
            Update::Finished(summary) => Some(wording::closing(summary, &self.told)),
            update if self.is_shown(update) => wording::lines(update),
            _ => None,
        };
        if let (Update::Failed { node, .. }, Some(_)) = (update, &own) {
            self.told.insert((*node).clone());
        }
        let lines: Vec<String> = self.told_skipped().into_iter().chain(own).collect();
        (!lines.is_empty()).then(|| harmless(&lines.join("\n")).into_owned())
    }

    fn is_shown(&mut self, update: &Update) -> bool {
        match update {
            Update::Done { seconds, .. } if self.is_large && *seconds < LONG.as_secs_f64() => {
                self.may_show_a_short_one()
            }
            Update::Failed { .. } | Update::Retried { .. } if self.is_large => {
                self.failures += 1;
                self.failures <= FAILURES
            }
            // Else nothing says why nothing happens.
            Update::WaitsForGpu { .. } => !std::mem::replace(&mut self.has_waited, self.is_large),
            Update::HeldElsewhere { .. } | Update::Started { .. } | Update::Dropped { .. } => !self.is_large,
            _ => true,
        }
    }

    fn may_show_a_short_one(&mut self) -> bool {
        let Some(every) = self.every else { return false };
        let may = self.last.is_none_or(|last| last.elapsed() >= every);
        if may {
            self.last = Some(Instant::now());
        }
        may
    }

    fn skip(&mut self, needs: &NodeId) -> Option<String> {
        if self.failures > FAILURES {
            return self.told_skipped();
        }
        if let Some((known, number)) = &mut self.skipped
            && known == needs
        {
            *number += 1;
            return None;
        }
        let before = self.told_skipped();
        self.skipped = Some((needs.clone(), 1));
        before
    }

    fn told_skipped(&mut self) -> Option<String> {
        let (needs, number) = self.skipped.take()?;
        let need = if number == 1 { "needs" } else { "need" };
        Some(format!("  {} skipped, which {need} {needs}", text::counted(number, "stage")))
    }
}
