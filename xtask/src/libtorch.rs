//! libtorch in `.libtorch/`: the one that the user has, or the processor's part of PyPI's package.

use crate::root;
use crate::shell::{command, output, run};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Child;
use std::thread::sleep;
use std::time::{Duration, Instant};

const VERSION: &str = "2.9";
/// torch itself, and two small libraries that its processor part links to.
const PACKAGES: [&str; 3] = ["torch==2.9.0", "nvidia-cuda-runtime-cu12==12.8.90", "nvidia-cuda-cupti-cu12==12.8.90"];

pub fn folder() -> PathBuf {
    root().join(".libtorch")
}

pub fn is_ready() -> bool {
    folder().join("lib/libtorch_cpu.so").exists() && folder().join("include/ATen").is_dir()
}

/// What there is to say of it in one line.
pub fn describe() -> String {
    match fs::read_to_string(folder().join("origin")) {
        Ok(origin) if is_ready() => format!("{} ({})", folder().display(), origin.trim()),
        _ if is_ready() => folder().display().to_string(),
        _ => "not there; `cargo xtask setup` fetches it".into(),
    }
}

/// Puts it in place if it is not there. Nothing appears under the final name before it is whole.
pub fn ensure() -> Result<(), String> {
    if is_ready() {
        return Ok(());
    }
    let partial = root().join(".libtorch.partial");
    remove(&partial)?;
    create(&partial)?;
    match existing() {
        Some(existing) => link(&existing, &partial)?,
        None => fetch(&partial)?,
    }
    remove(&folder())?;
    fs::rename(&partial, folder()).map_err(|e| format!("cannot put libtorch in place: {e}"))?;
    if is_ready() {
        Ok(())
    } else {
        Err("libtorch was prepared and is not whole; remove .libtorch and try again".into())
    }
}

/// A libtorch, or a Python torch, of the right version that is already on the machine.
fn existing() -> Option<PathBuf> {
    let named = std::env::var_os("LIBTORCH").map(PathBuf::from).filter(|path| *path != folder());
    let from_python = || {
        let script = "import torch, os; print(torch.__version__); print(os.path.dirname(torch.__file__))";
        let printed = output("python3", &["-c", script])?;
        let (version, place) = printed.split_once('\n')?;
        is_version(version).then(|| PathBuf::from(place))
    };
    let right_version = |path: &PathBuf| {
        let stated = ["build-version", "version.py"].iter().filter_map(|name| fs::read_to_string(path.join(name)).ok());
        stated.into_iter().any(|text| text.contains(VERSION))
    };
    named.filter(right_version).or_else(from_python).filter(|path| path.join("lib/libtorch_cpu.so").exists())
}

pub fn is_version(version: &str) -> bool {
    version == VERSION || version.starts_with(&format!("{VERSION}."))
}

fn link(existing: &Path, partial: &Path) -> Result<(), String> {
    println!("libtorch: using the one in {}", existing.display());
    for part in ["lib", "include"] {
        std::os::unix::fs::symlink(existing.join(part), partial.join(part))
            .map_err(|e| format!("cannot link {part}: {e}"))?;
    }
    write(&partial.join("origin"), &format!("links to {}", existing.display()))
}

fn fetch(partial: &Path) -> Result<(), String> {
    println!(
        "libtorch: fetching PyPI's torch 2.9.0 (900 MB, once; from half a minute to some minutes) and keeping its processor part (490 MB)"
    );
    let wheels = partial.join("wheels");
    create(&wheels)?;
    let mut pip = command("python3", &["-m", "pip", "download", "--no-deps", "--only-binary=:all:", "--quiet"]);
    // Any Python can fetch it: the package's files are the same for all but its own binding, which is not used.
    pip.args(["--python-version", "3.11", "--implementation", "cp", "--abi", "cp311", "--abi", "none"]);
    pip.args([
        "--platform",
        "manylinux_2_28_x86_64",
        "--platform",
        "manylinux2014_x86_64",
        "--platform",
        "manylinux_2_17_x86_64",
    ]);
    pip.arg("--dest").arg(&wheels).args(PACKAGES).env("TMPDIR", partial).env("PIP_DISABLE_PIP_VERSION_CHECK", "1");
    watch(pip.spawn().map_err(|e| format!("cannot start pip: {e}"))?, partial)?;
    println!("libtorch: unpacking");
    run(command("python3", &["-c", UNPACK]).arg(&wheels).arg(partial))?;
    remove(&wheels)?;
    stub(partial)?;
    write(&partial.join("origin"), "from PyPI's torch 2.9.0, processor part")
}

/// Takes what is needed out of the wheels (zip files) and makes nothing else.
const UNPACK: &str = r#"
import os, re, shutil, sys, zipfile
wheels, target = sys.argv[1:]
wanted = re.compile(r'torch/(lib/(libtorch_cpu|libc10)\.so|lib/libgomp.*\.so.*|include/.*)$|.*/lib/(libcudart|libcupti)\.so[.0-9]*$')
for wheel in os.listdir(wheels):
    with zipfile.ZipFile(os.path.join(wheels, wheel)) as archive:
        for name in archive.namelist():
            if name.endswith('/') or not wanted.match(name):
                continue
            inside = name[len('torch/'):] if name.startswith('torch/') else 'lib/' + os.path.basename(name)
            path = os.path.join(target, inside)
            os.makedirs(os.path.dirname(path), exist_ok=True)
            with archive.open(name) as source, open(path, 'wb') as to:
                shutil.copyfileobj(source, to, 1 << 20)
"#;

/// Waits for pip and says every few seconds how much has arrived.
fn watch(mut pip: Child, partial: &Path) -> Result<(), String> {
    let (started, mut said) = (Instant::now(), Instant::now());
    loop {
        if let Some(status) = pip.try_wait().map_err(|e| e.to_string())? {
            return if status.success() {
                Ok(())
            } else {
                Err("pip could not fetch libtorch; what it said is above. With a torch 2.9 of your own: LIBTORCH=FOLDER cargo xtask setup".into())
            };
        }
        if said.elapsed() > Duration::from_secs(5) {
            said = Instant::now();
            let megabytes = size(partial) >> 20;
            let rate = megabytes as f64 / started.elapsed().as_secs_f64();
            println!("libtorch: {megabytes} of about 910 MB, {rate:.0} MB/s");
        }
        sleep(Duration::from_millis(200));
    }
}

fn size(folder: &Path) -> u64 {
    let entries = fs::read_dir(folder).into_iter().flatten().filter_map(Result::ok);
    entries
        .map(|entry| match entry.metadata() {
            Ok(data) if data.is_dir() => size(&entry.path()),
            Ok(data) => data.len(),
            Err(_) => 0,
        })
        .sum()
}

/// The linker asks for `libtorch.so`, which in the package only joins the processor's part and the GPU's.
fn stub(partial: &Path) -> Result<(), String> {
    let source = partial.join("stub.c");
    write(&source, "void pretext_libtorch_stub(void) {}\n")?;
    run(command("c++", &["-x", "c", "-shared", "-fPIC", "-Wl,-soname,libtorch.so", "-o"])
        .arg(partial.join("lib/libtorch.so"))
        .arg(&source))?;
    fs::remove_file(source).map_err(|e| e.to_string())
}

fn create(folder: &Path) -> Result<(), String> {
    fs::create_dir_all(folder).map_err(|e| format!("cannot create {}: {e}", folder.display()))
}

fn write(path: &Path, text: &str) -> Result<(), String> {
    fs::write(path, text).map_err(|e| format!("cannot write {}: {e}", path.display()))
}

fn remove(folder: &Path) -> Result<(), String> {
    if !folder.exists() && !folder.is_symlink() {
        return Ok(());
    }
    fs::remove_dir_all(folder).map_err(|e| format!("cannot remove {}: {e}", folder.display()))
}

#[cfg(test)]
mod tests {
    #[test]
    fn only_the_right_minor_version_is_used() {
        assert!(super::is_version("2.9.0+cu128") && super::is_version("2.9"));
        assert!(!super::is_version("2.90.1") && !super::is_version("2.8.0") && !super::is_version("12.9.0"));
    }
}
