//! What `pretext run` does before it computes for long.

use crate::plan::{NodeIndex, Status, WorkerName, common_name};
use crate::recipe::Recipe;
use crate::run::{LocalSettings, NodeOutcome, Rehearsed, Wishes, Work, execute, foundations, rehearse};
use crate::store::View;
use anyhow::Result;
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::process::ExitCode;
use std::time::{Duration, Instant};

/// Rehearsals that take longer are announced.
const LONG: Duration = Duration::from_secs(2);

/// Every stage that is to be computed begins, its data and views first if they are not there.
pub(super) struct Rehearsal<'a> {
    pub recipe: &'a Recipe,
    pub work: Work<'a>,
    pub view: &'a View,
    pub settings: &'a LocalSettings,
    /// Of each node, by its index, as it is now.
    pub statuses: &'a dyn Fn() -> Vec<Status>,
}

/// What is known to fail, and why.
type Refused = HashMap<NodeIndex, String>;

impl Rehearsal<'_> {
    /// What would fail, or has. `Err`: it was interrupted.
    ///
    /// # Errors
    /// [`crate::recipe::RecipeErrors`] where all instances of a stage would fail, which is a mistake of the recipe, unless a person
    /// `insists` on the others.
    pub(super) fn refused(&self, insists: bool) -> Result<Result<Refused, ExitCode>> {
        let mut statuses = (self.statuses)();
        let first = foundations(&self.recipe.graph, &statuses, |index| self.work.wishes.wants(index));
        let (mut refused, is_computed) = (Refused::new(), !first.is_empty());
        if is_computed {
            match self.compute(first)? {
                Ok(failed) => refused = failed,
                Err(interrupted) => return Ok(Err(interrupted)),
            }
            statuses = (self.statuses)();
        }
        let rehearsed = match self.rehearse(&statuses) {
            Ok(rehearsed) => rehearsed,
            Err(error) => {
                super::tell(&format!("note: {error:#}; going on without a rehearsal"));
                return Ok(Ok(refused));
            }
        };
        let told = told(self.recipe, &rehearsed);
        if told.is_empty() {
            return Ok(Ok(refused));
        }
        let goes_on = insists || (self.work.wishes.keep_going && !self.is_mistaken(&statuses, &rehearsed));
        let mistakes = self.recipe.found_later(told, done(goes_on, is_computed));
        if !goes_on {
            return Err(mistakes.into());
        }
        super::tell(&mistakes.render(false));
        let failing = rehearsed.into_iter().filter_map(|Rehearsed { nodes, error }| Some((nodes, error?)));
        refused.extend(failing.flat_map(|(nodes, error)| nodes.into_iter().map(move |node| (node, error.clone()))));
        Ok(Ok(refused))
    }

    /// Computes some nodes, and says which have failed. `Err`: it was interrupted.
    fn compute(&self, first: HashSet<NodeIndex>) -> Result<Result<Refused, ExitCode>> {
        super::tell(
            "data and views first, so that what learns from them can be rehearsed (--no-rehearsal goes without)",
        );
        let wishes = Wishes { only: Some(first), forced: HashSet::new(), ..self.work.wishes.clone() };
        let work = Work { wishes: &wishes, choosing: None, ..self.work };
        let outcome = execute(&work, self.view, self.settings.clone())?;
        if outcome.summary.interrupted {
            return Ok(Err(ExitCode::from(outcome.summary.exit_code())));
        }
        let failed = self.recipe.graph.node_indices().zip(outcome.nodes).filter_map(|(index, outcome)| match outcome {
            NodeOutcome::Failed { error } => Some((index, error)),
            _ => None,
        });
        Ok(Ok(failed.collect()))
    }

    fn rehearse(&self, statuses: &[Status]) -> Result<Vec<Rehearsed>> {
        let (began, mut is_told) = (Instant::now(), false);
        let on = |done: usize, of: usize| {
            if !is_told && began.elapsed() >= LONG {
                super::tell(&format!(
                    "rehearsing what is to be computed, {done} of {of} stages so far (--no-rehearsal goes without)"
                ));
                is_told = true;
            }
        };
        let worker = &self.settings.workers[&WorkerName::Stages];
        rehearse(&self.recipe.graph, statuses, self.work.wishes, self.view.store(), worker, on)
    }

    /// Whether a stage has no instance that is there or would not fail.
    fn is_mistaken(&self, statuses: &[Status], rehearsed: &[Rehearsed]) -> bool {
        let graph = &self.recipe.graph;
        let is_there = |index: &NodeIndex| statuses[index.index()].is_hit();
        let there = graph.node_indices().filter(is_there).map(|index| &graph[index].stage);
        let begun = rehearsed.iter().filter(|act| act.error.is_none()).map(|act| &graph[act.nodes[0]].stage);
        let fine: BTreeSet<&String> = there.chain(begun).collect();
        rehearsed.iter().any(|act| !fine.contains(&graph[act.nodes[0]].stage))
    }
}

fn done(goes_on: bool, is_computed: bool) -> &'static str {
    match (goes_on, is_computed) {
        (true, _) => "the rest is computed",
        (false, true) => "nothing was run but data and views (--keep-going computes what does not need it)",
        (false, false) => "nothing was run (--keep-going computes what does not need it)",
    }
}

/// Each once for all instances of a stage that refuse the same: stage, what, and a word on where.
fn told(recipe: &Recipe, rehearsed: &[Rehearsed]) -> Vec<(String, String, String)> {
    let graph = &recipe.graph;
    let mut together: BTreeMap<(&str, &str), Vec<NodeIndex>> = BTreeMap::new();
    for Rehearsed { nodes, error } in rehearsed {
        let Some(error) = error else { continue };
        together.entry((&graph[nodes[0]].stage, error)).or_default().extend(nodes);
    }
    let told = |((stage, error), nodes): ((&str, &str), Vec<NodeIndex>)| {
        let name = common_name(stage, nodes.iter().map(|index| &*graph[*index].axes));
        // Two refusals may have the same name in common.
        let first = if nodes.len() > 1 { format!(", {} the first", graph[nodes[0]].id) } else { String::new() };
        let title = format!("`{stage}` would fail: {error}");
        (stage.to_owned(), title, format!("so it was when {name} began in a rehearsal{first}"))
    };
    together.into_iter().map(told).collect()
}
