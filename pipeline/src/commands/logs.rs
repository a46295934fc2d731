use super::places::StorePlace;
use super::{print, target};
use crate::plan::NodePattern;
use crate::recipe::nearest;
use crate::store::{LatestNode, Store};
use anyhow::{Context, Result, bail};
use clap::Args;
use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

#[derive(Debug, Args)]
#[command(override_usage = "pretext logs [OPTIONS] [RECIPE] <STAGE>")]
pub(super) struct LogsArgs {
    /// The stage, as it is shown: 'probe[method=simclr,seed=0]', or with fewer axes several; before it the recipe's name
    /// or file, where several have it
    #[arg(num_args = 1..=2, required = true, value_names = ["RECIPE", "STAGE"])]
    names: Vec<String>,
    /// Of how many stages, where several are meant: those that ran last
    #[arg(long, value_name = "N", default_value_t = 10)]
    last: usize,
    #[command(flatten)]
    store: StorePlace,
}

pub(super) fn logs(args: &LogsArgs) -> Result<ExitCode> {
    let store = args.store.open()?;
    let (recipe, node) = match args.names.as_slice() {
        [recipe, node] => (Some(recipe_name(&store, recipe)?), node),
        names => (None, &names[0]),
    };
    let mut records = find(store.latest_nodes()?, recipe.as_deref(), &target::pattern(node)?)?;
    records.truncate(args.last);
    for record in &records {
        if records.len() > 1 {
            print(format!("==> {} <==\n", record.node).as_bytes())?;
        }
        let log = latest_log(&store, record)?;
        print(&fs::read(&log).with_context(|| format!("cannot read {}", log.display()))?)?;
    }
    Ok(ExitCode::SUCCESS)
}

/// A recipe may be given by its file: then it is called as it was when it last ran, or like the file.
fn recipe_name(store: &Store, word: &str) -> Result<String> {
    if !target::is_file_name(word) {
        return Ok(word.to_owned());
    }
    let same = |path: &str| {
        path == word || fs::canonicalize(path).ok().is_some_and(|it| fs::canonicalize(word).ok() == Some(it))
    };
    let run = store.runs()?.into_iter().rev().find(|run| same(&run.path));
    let stem = || Path::new(word).file_stem().unwrap_or_default().to_string_lossy().into_owned();
    Ok(run.map_or_else(stem, |run| run.recipe))
}

/// The stages that are meant, of the recipe in which they ran last; the latest first.
fn find(records: Vec<LatestNode>, recipe: Option<&str>, pattern: &NodePattern) -> Result<Vec<LatestNode>> {
    if records.is_empty() {
        bail!("no stage has run in this store");
    }
    let of_recipe = |record: &&LatestNode| recipe.is_none_or(|recipe| record.recipe == recipe);
    if let (Some(recipe), None) = (recipe, records.iter().find(of_recipe)) {
        let recipes: BTreeSet<&str> = records.iter().map(|record| record.recipe.as_str()).collect();
        bail!("no recipe `{recipe}` has run in this store; {}", nearest(recipe, recipes));
    }
    let pattern = &target::spelt_as(pattern, records.iter().filter(of_recipe).map(|record| &record.node))?;
    let Some(first) = records.iter().filter(of_recipe).find(|record| pattern.matches(&record.node)) else {
        let of = recipe.map_or(String::new(), |recipe| format!(" of `{recipe}`"));
        let names = records.iter().filter(of_recipe).map(|record| &*record.node.0);
        bail!("no stage `{pattern}`{of} has run in this store; {}", nearest(&pattern.to_string(), names));
    };
    let recipe = first.recipe.clone();
    Ok(records.into_iter().filter(|record| pattern.matches(&record.node) && record.recipe == recipe).collect())
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
        let (recipe, node, key) = (recipe.into(), NodeId(node.into()), Key(Digest::of(b"")));
        LatestNode { recipe, run: "run".into(), node, key }
    }

    #[test]
    fn a_stage_is_found_by_its_name_and_its_recipe() {
        let records =
            || vec![record("one", "probe[seed=0]"), record("two", "probe[seed=0]"), record("one", "probe[seed=1]")];
        let find = |recipe, text| find(records(), recipe, &NodePattern::parse(text).unwrap());
        assert_eq!(find(None, "probe[seed=0]").unwrap(), [record("one", "probe[seed=0]")]);
        assert_eq!(find(Some("two"), "probe[seed=0]").unwrap(), [record("two", "probe[seed=0]")]);
        assert_eq!(find(None, "probe").unwrap(), [record("one", "probe[seed=0]"), record("one", "probe[seed=1]")]);
        let error = find(None, "prob[seed=0]").unwrap_err().to_string();
        assert_eq!(error, "no stage `prob[seed=0]` has run in this store; did you mean `probe[seed=0]`?");
        let error = find(Some("three"), "probe").unwrap_err().to_string();
        assert_eq!(error, "no recipe `three` has run in this store; there is: one, two");
    }
}
