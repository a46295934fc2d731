use super::print;
use super::source::Source;
use crate::recipe::Recipe;
use anyhow::{Context, Result, ensure};
use clap::Args;
use serde::Deserialize;
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

#[derive(Debug, Args)]
pub(super) struct ResultsArgs {
    /// Folder with the published tables, each recipe's in one of its own
    #[arg(default_value = "results")]
    folder: PathBuf,
    #[command(flatten)]
    source: Source,
}

/// How the line begins that says in a table's heading that it is no longer what its recipe would give.
const MARK: &str = "> Not of today's recipe and kinds: ";

/// What is read of a published `about.json`.
#[derive(Deserialize)]
struct About {
    recipe: AboutRecipe,
    kinds: BTreeMap<String, u32>,
}

#[derive(Deserialize)]
struct AboutRecipe {
    path: PathBuf,
    digest: String,
}

/// Compares published tables with what their recipes say today, and has each table's heading say what has changed since.
pub(super) fn results(args: &ResultsArgs) -> Result<ExitCode> {
    let cannot = || format!("cannot list {}", args.folder.display());
    let mut folders =
        fs::read_dir(&args.folder).with_context(cannot)?.collect::<Result<Vec<_>, _>>().with_context(cannot)?;
    folders.sort_by_key(fs::DirEntry::file_name);
    let published = folders.iter().map(fs::DirEntry::path).filter(|folder| folder.join("about.json").is_file());
    let published: Vec<PathBuf> = published.collect();
    ensure!(
        !published.is_empty(),
        "no published tables lie in {}: expected a folder for each recipe, as `pretext run RECIPE --publish` writes it",
        args.folder.display()
    );
    for folder in published {
        let Some(changes) = changes(&folder, &args.source)? else {
            print(&format!(
                "{:<28}  its recipe is not here: call this where it was run\n",
                folder.display().to_string()
            ))?;
            continue;
        };
        mark(&folder, &changes)?;
        let state =
            if changes.is_empty() { "as its recipe and kinds are today".to_owned() } else { changes.join("; ") };
        print(&format!("{:<28}  {state}\n", folder.display().to_string()))?;
    }
    Ok(ExitCode::SUCCESS)
}

/// What is no longer as it was when the tables of a folder were made; none where their recipe is not found.
fn changes(folder: &Path, source: &Source) -> Result<Option<Vec<String>>> {
    let place = folder.join("about.json");
    let text = fs::read_to_string(&place).with_context(|| format!("cannot read {}", place.display()))?;
    let about: About = serde_json::from_str(&text)
        .with_context(|| format!("{} is no about.json of published tables", place.display()))?;
    if !about.recipe.path.is_file() {
        return Ok(None);
    }
    let recipe = source.recipe(&about.recipe.path, &source.look()?);
    Ok(Some(match recipe {
        Ok(recipe) => differences(&about, &recipe),
        Err(_) => {
            vec![format!("its recipe is no longer valid: `pretext plan {}` says why", about.recipe.path.display())]
        }
    }))
}

fn differences(about: &About, recipe: &Recipe) -> Vec<String> {
    let now: BTreeMap<&str, u32> =
        recipe.graph.node_weights().map(|node| (node.kind.name.as_str(), node.kind.version)).collect();
    let of_recipe = (!recipe.has_digest(&about.recipe.digest)).then(|| "the recipe has changed".to_owned());
    let changed = about.kinds.iter().filter_map(|(kind, was)| match now.get(kind.as_str()) {
        Some(version) if version != was => Some(format!("{kind} is of version {version} and was of {was}")),
        _ => None,
    });
    of_recipe.into_iter().chain(changed).collect()
}

/// Has the line stand behind the title of each page of a folder, or takes it away.
fn mark(folder: &Path, changes: &[String]) -> Result<()> {
    let entries = fs::read_dir(folder).with_context(|| format!("cannot list {}", folder.display()))?;
    for page in
        entries.flatten().map(|entry| entry.path()).filter(|path| path.extension().is_some_and(|end| end == "md"))
    {
        let text = fs::read_to_string(&page).with_context(|| format!("cannot read {}", page.display()))?;
        let marked = marked(&text, changes);
        if marked != text {
            fs::write(&page, marked).with_context(|| format!("cannot write {}", page.display()))?;
        }
    }
    Ok(())
}

fn marked(page: &str, changes: &[String]) -> String {
    let plain = match page.split_once(&format!("\n\n{MARK}")) {
        Some((title, rest)) => format!("{title}\n{}", rest.split_once('\n').map_or("", |(_, rest)| rest)),
        None => page.to_owned(),
    };
    match (changes.is_empty(), plain.split_once('\n')) {
        (false, Some((title, rest))) => format!("{title}\n\n{MARK}{}\n{rest}", changes.join("; ")),
        _ => plain,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_heading_says_what_has_changed_and_only_once() {
        let page = "# title\n\nRecipe `a`.\n\n| a |\n";
        let changes = |number: u32| [format!("eval/knn is of version {number} and was of 1")];
        let once = marked(page, &changes(2));
        assert_eq!(once, format!("# title\n\n{MARK}eval/knn is of version 2 and was of 1\n\nRecipe `a`.\n\n| a |\n"));
        assert_eq!(marked(&once, &changes(2)), once);
        assert_eq!(marked(&once, &changes(3)), marked(page, &changes(3)));
        assert_eq!(marked(&once, &[]), page);
    }
}
