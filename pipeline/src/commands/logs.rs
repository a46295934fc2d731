use super::places::StorePlace;
use super::print;
use crate::store::{LatestNode, Store};
use anyhow::{Context, Result, bail};
use clap::Args;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

#[derive(Debug, Args)]
#[command(override_usage = "pretext logs [OPTIONS] [RECIPE] <STAGE>")]
pub(super) struct LogsArgs {
    /// The stage, as it is shown: 'probe[method=simclr,seed=0]'; before it the recipe's name, where several have it
    #[arg(num_args = 1..=2, required = true, value_names = ["RECIPE", "STAGE"])]
    names: Vec<String>,
    #[command(flatten)]
    store: StorePlace,
}

pub(super) fn logs(args: &LogsArgs) -> Result<ExitCode> {
    let store = args.store.open()?;
    let (recipe, node) = match args.names.as_slice() {
        [recipe, node] => (Some(recipe_name(recipe)), node),
        names => (None, &names[0]),
    };
    let record = find(store.latest_nodes()?, recipe.as_deref(), node)?;
    let log = latest_log(&store, &record)?;
    print(&fs::read(&log).with_context(|| format!("cannot read {}", log.display()))?)?;
    Ok(ExitCode::SUCCESS)
}

/// A recipe may be given by its file, whose name is usually its own.
fn recipe_name(text: &str) -> String {
    let path = Path::new(text);
    let is_file = path.extension().is_some_and(|extension| extension == "yaml" || extension == "yml");
    path.file_stem().filter(|_| is_file).map_or_else(|| text.to_owned(), |stem| stem.to_string_lossy().into_owned())
}

fn find(records: Vec<LatestNode>, recipe: Option<&str>, node: &str) -> Result<LatestNode> {
    let nearest = records.iter().map(|record| (strsim::jaro_winkler(&record.node.0, node), record.node.0.clone()));
    let nearest = nearest.max_by(|one, other| one.0.total_cmp(&other.0));
    let of_recipe = |record: &LatestNode| recipe.is_none_or(|recipe| record.recipe == recipe);
    if let Some(record) = records.into_iter().find(|record| record.node.0 == node && of_recipe(record)) {
        return Ok(record);
    }
    let recipe = recipe.map_or(String::new(), |recipe| format!(" of `{recipe}`"));
    match nearest {
        Some((_, name)) => bail!("no stage `{node}`{recipe} has run in this store; the nearest name is `{name}`"),
        None => bail!("no stage has run in this store"),
    }
}

/// That of an attempt that came to nothing, if there is one, since it is what people ask about.
fn latest_log(store: &Store, record: &LatestNode) -> Result<PathBuf> {
    if let Some(log) = store.attempt_log(&record.key)? {
        return Ok(log);
    }
    let log = store.result_folder(&record.key).join("log");
    if log.exists() {
        return Ok(log);
    }
    bail!("the log of {} is no longer in the store", record.node)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::{Digest, Key, NodeId};

    fn record(recipe: &str, node: &str) -> LatestNode {
        LatestNode { recipe: recipe.into(), run: "run".into(), node: NodeId(node.into()), key: Key(Digest::of(b"")) }
    }

    #[test]
    fn a_stage_is_found_by_its_name_and_its_recipe() {
        let records = || vec![record("one", "probe[seed=0]"), record("two", "probe[seed=0]")];
        assert_eq!(find(records(), None, "probe[seed=0]").unwrap().recipe, "one");
        assert_eq!(find(records(), Some("two"), "probe[seed=0]").unwrap().recipe, "two");
        assert_eq!(recipe_name("recipes/two.yaml"), "two");
        let error = find(records(), None, "prob[seed=0]").unwrap_err().to_string();
        assert_eq!(error, "no stage `prob[seed=0]` has run in this store; the nearest name is `probe[seed=0]`");
    }
}
