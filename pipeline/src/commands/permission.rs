//! Whether a recipe may start programs of its own. Reading, planning or drawing a stranger's recipe runs nothing.

use crate::plan::WorkerName;
use crate::recipe::Recipe;
use crate::terminal::visible;
use crate::text::counted;
use anyhow::{Context, Result, bail};
use clap::Args;
use serde::Deserialize;
use std::collections::HashSet;
use std::fmt::Write;
use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

#[derive(Debug, Args)]
pub(super) struct Permission {
    /// Let the recipe start the programs that it names: `workers:`, and the commands of tool/command
    #[arg(long)]
    allow_commands: bool,
}

/// The user's own settings: `~/.config/pretext/config.yaml`.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct UserConfig {
    /// Recipes in these folders, and below them, may start programs.
    #[serde(default)]
    allow_commands: Vec<PathBuf>,
}

impl Permission {
    /// Whether the user has allowed what is in this recipe's folder, now or for good.
    pub(super) fn is_given(&self, recipe: &Path) -> Result<bool> {
        if self.allow_commands {
            return Ok(true);
        }
        let Some(config) = config_place() else { return Ok(false) };
        let allowed = UserConfig::read(&config)?.allow_commands;
        let Ok(recipe) = fs::canonicalize(recipe) else { return Ok(false) };
        Ok(allowed.iter().filter_map(|folder| fs::canonicalize(folder).ok()).any(|folder| recipe.starts_with(folder)))
    }
}

impl UserConfig {
    fn read(place: &Path) -> Result<Self> {
        match fs::read_to_string(place) {
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(Self::default()),
            text => {
                let text = text.with_context(|| format!("cannot read {}", place.display()))?;
                serde_yaml::from_str(&text).with_context(|| {
                    format!("{} should hold `allow_commands: [FOLDER]` and nothing else", place.display())
                })
            }
        }
    }
}

fn config_place() -> Option<PathBuf> {
    Some(crate::user::folder("XDG_CONFIG_HOME", ".config")?.join("pretext/config.yaml"))
}

/// So many commands of one stage are listed, where they differ between its instances.
const MOST_OF_A_STAGE: usize = 20;

/// The commands of each stage, each once.
fn commands(recipe: &Recipe) -> Vec<(&str, Vec<&str>)> {
    let mut stages: Vec<(&str, Vec<&str>)> = vec![];
    let mut known = HashSet::new();
    for node in recipe.graph.node_weights().filter(|node| node.worker == WorkerName::Command) {
        let command = node.params.get("run").and_then(|run| run.as_str()).unwrap_or_default();
        if !known.insert((&node.stage, command)) {
            continue;
        }
        match stages.iter_mut().find(|(stage, _)| *stage == node.stage) {
            Some((_, commands)) => commands.push(command),
            None => stages.push((&node.stage, vec![command])),
        }
    }
    stages
}

/// Refuses to run a recipe that starts programs, and lists them, unless that is allowed.
pub(super) fn refuse_unless(is_allowed: bool, recipe: &Recipe) -> Result<()> {
    if is_allowed {
        return Ok(());
    }
    let mut programs = String::new();
    for worker in &recipe.workers {
        let _ = write!(programs, "\n    worker `{}`: {}", worker.name, visible(&worker.program.command.join(" ")));
    }
    for (stage, commands) in commands(recipe) {
        for command in commands.iter().take(MOST_OF_A_STAGE) {
            // All of it, since the next lines may be the ones that matter; and nothing that a terminal would hide.
            let command = visible(command.trim()).replace('\n', "\n        ");
            let _ = write!(programs, "\n    stage `{stage}`: {command}");
        }
        let more = commands.len().saturating_sub(MOST_OF_A_STAGE);
        if more > 0 {
            let more = counted(more, "further command");
            let _ = write!(
                programs,
                "\n    stage `{stage}`: {more}, which `pretext show {} '{stage}[...]'` shows",
                recipe.path
            );
        }
    }
    if programs.is_empty() {
        return Ok(());
    }
    let config = config_place().map_or("your configuration".to_owned(), |place| place.display().to_string());
    bail!(
        "{} starts programs of its own, and nobody has allowed it:{programs}\nRead them; then say --allow-commands, or \
         write `allow_commands: [FOLDER]` into {config} for all recipes in a folder. Nothing was run",
        recipe.path
    )
}
