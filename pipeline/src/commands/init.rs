use super::{print, schema};
use anyhow::{Context, Result, bail};
use clap::Args;
use std::fs::File;
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// The recipe that is written.
const RECIPE: &str = include_str!("init.yaml");

#[derive(Debug, Args)]
pub(super) struct InitArgs {
    /// The recipe's file
    #[arg(default_value = "recipe.yaml")]
    file: PathBuf,
}

/// Writes a recipe that runs as it is. What is there is not touched.
pub(super) fn init(args: &InitArgs) -> Result<ExitCode> {
    let path = args.file.display();
    let mut file = match File::create_new(&args.file) {
        Err(error) if error.kind() == ErrorKind::AlreadyExists => {
            bail!("{path} is there already; name another file: pretext init FILE")
        }
        other => other.with_context(|| format!("cannot write {path}"))?,
    };
    file.write_all(text(&args.file).as_bytes()).with_context(|| format!("cannot write {path}"))?;
    print(&format!("wrote {path}; `pretext plan {path}` says what it would compute\n"))?;
    Ok(ExitCode::SUCCESS)
}

/// With a word to the editor where the schema lies beside it.
fn text(path: &Path) -> String {
    match path.with_file_name(schema::FILE).is_file() {
        true => format!("# yaml-language-server: $schema={}\n{RECIPE}", schema::FILE),
        false => RECIPE.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_recipe_is_written_once_and_is_right() {
        let catalogue = concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/recipes/catalogue.json");
        let catalogue = serde_json::from_slice(&std::fs::read(catalogue).unwrap()).unwrap();
        let folder = tempfile::tempdir().unwrap();
        let args = InitArgs { file: folder.path().join("first.yaml") };
        init(&args).unwrap();
        assert_eq!(std::fs::read_to_string(&args.file).unwrap(), RECIPE);
        let recipe = crate::recipe::parse("first.yaml", RECIPE, &catalogue).unwrap_or_else(|errors| panic!("{errors}"));
        assert_eq!((recipe.graph.node_count(), recipe.tables.len()), (13, 1));
        std::fs::write(&args.file, "mine").unwrap();
        assert!(init(&args).unwrap_err().to_string().contains("is there already"));
        assert_eq!(std::fs::read_to_string(&args.file).unwrap(), "mine");
        std::fs::write(folder.path().join(schema::FILE), "{}").unwrap();
        assert!(text(&args.file).starts_with("# yaml-language-server: $schema=recipe.schema.json\n"));
    }
}
