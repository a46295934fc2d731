//! What `pretext run` does before it computes for long.

use super::choosing::Chooser;
use crate::plan::{NodeIndex, Status, WorkerName, common_name};
use crate::recipe::{Recipe, RecipeErrors};
use crate::run::{LocalSettings, Refusal, Rehearsed, Wishes, Work, foundations, prepare, rehearse};
use crate::store::View;
use anyhow::Result;
use std::collections::{BTreeMap, HashSet};
use std::process::ExitCode;
use std::time::{Duration, Instant};

/// Rehearsals that take longer are announced.
const LONG: Duration = Duration::from_secs(2);

/// Has every stage that is to be computed begin, its data and views first if they are not there. Gives the exit code where it was
/// interrupted.
///
/// # Errors
/// [`RecipeErrors`] with what stages would refuse, unless `goes_on`, where it is only told.
pub(super) fn rehearse_all(
    recipe: &Recipe,
    chooser: Option<&Chooser>,
    work: &Work,
    view: &View,
    settings: &LocalSettings,
    goes_on: bool,
) -> Result<Option<ExitCode>> {
    let (graph, wishes) = (&recipe.graph, work.wishes);
    let statuses = || Chooser::statuses(recipe, view, chooser);
    let (mut known, wants) = (statuses(), |index: NodeIndex| wishes.wants(index));
    let first = foundations(graph, &known, wants);
    let is_computed = !first.is_empty();
    if is_computed {
        super::tell(
            "data and views first, so that what learns from them can be rehearsed (--no-rehearsal goes without)",
        );
        let wishes = Wishes { only: Some(first), forced: HashSet::new(), ..wishes.clone() };
        let outcome = prepare(&Work { wishes: &wishes, choosing: None, ..*work }, view, settings.clone())?;
        if outcome.summary.interrupted {
            return Ok(Some(ExitCode::from(outcome.summary.exit_code())));
        }
        known = statuses();
    }
    let refusals = match rehearsed(recipe, &known, wants, view, settings) {
        Ok(refusals) => refusals,
        Err(error) => {
            super::tell(&format!("note: {error:#}; going on without a rehearsal"));
            return Ok(None);
        }
    };
    if refusals.is_empty() {
        return Ok(None);
    }
    let done = match (goes_on, is_computed) {
        (true, _) => "what does not need them is computed (--keep-going)",
        (false, true) => "nothing was run but data and views",
        (false, false) => "nothing was run",
    };
    let mistakes = mistakes(recipe, refusals, done);
    if goes_on {
        super::tell(&mistakes.render(false));
        return Ok(None);
    }
    Err(mistakes.into())
}

fn rehearsed(
    recipe: &Recipe,
    statuses: &[Status],
    wants: impl Fn(NodeIndex) -> bool,
    view: &View,
    settings: &LocalSettings,
) -> Result<Vec<Refusal>> {
    let (began, mut is_told) = (Instant::now(), false);
    let on = |Rehearsed { nodes, of }: Rehearsed| {
        if !is_told && began.elapsed() >= LONG {
            super::tell(&format!(
                "rehearsing what is to be computed, {nodes} of {of} stages so far (--no-rehearsal goes without)"
            ));
            is_told = true;
        }
    };
    rehearse(&recipe.graph, statuses, wants, view.store(), &settings.workers[&WorkerName::Stages], on)
}

/// Each once for all instances of a stage that refuse the same.
fn mistakes(recipe: &Recipe, refusals: Vec<Refusal>, done: &'static str) -> RecipeErrors {
    let graph = &recipe.graph;
    let mut together: BTreeMap<(String, String), Vec<NodeIndex>> = BTreeMap::new();
    for Refusal { nodes, error } in refusals {
        together.entry((graph[nodes[0]].stage.clone(), error)).or_default().extend(nodes);
    }
    let mistake = |((stage, error), nodes): ((String, String), Vec<NodeIndex>)| {
        let name = common_name(&stage, nodes.iter().map(|index| &*graph[*index].axes));
        let title = format!("`{stage}` would fail: {error}");
        (stage, title, format!("so it was when {name} began in a rehearsal"))
    };
    recipe.found_later(together.into_iter().map(mistake), done)
}
