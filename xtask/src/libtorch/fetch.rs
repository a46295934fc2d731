//! PyPI's torch package, all of it or the processor's part.

use super::{Part, create, remove};
use crate::shell::{command, run};
use std::fs;
use std::path::Path;
use std::process::Child;
use std::thread::sleep;
use std::time::{Duration, Instant};

/// torch itself, and two small libraries that its processor part links to.
const PACKAGES: [&str; 3] = ["torch==2.9.0", "nvidia-cuda-runtime-cu12==12.8.90", "nvidia-cuda-cupti-cu12==12.8.90"];
const MEGABYTES: u64 = 911;

/// What torch itself requires beside, for GPUs: the `Requires-Dist: nvidia-...` of its metadata.
const FOR_GPUS: [&str; 13] = [
    "nvidia-cuda-nvrtc-cu12==12.8.93",
    "nvidia-cudnn-cu12==9.10.2.21",
    "nvidia-cublas-cu12==12.8.4.1",
    "nvidia-cufft-cu12==11.3.3.83",
    "nvidia-curand-cu12==10.3.9.90",
    "nvidia-cusolver-cu12==11.7.3.90",
    "nvidia-cusparse-cu12==12.5.8.93",
    "nvidia-cusparselt-cu12==0.7.1",
    "nvidia-nccl-cu12==2.27.5",
    "nvidia-nvshmem-cu12==3.3.20",
    "nvidia-nvtx-cu12==12.8.90",
    "nvidia-nvjitlink-cu12==12.8.93",
    "nvidia-cufile-cu12==1.13.1.3",
];
const MEGABYTES_FOR_GPUS: u64 = 2_990;

/// What a kit is linked to: its libraries for GPUs too, which nothing here runs.
pub const FOR_KIT: &str = "torch==2.11.0";
const MEGABYTES_FOR_KIT: u64 = 531;

/// Any Python can fetch them: a package's files are the same for all but its own binding, which is not used.
const PLATFORM: [&str; 14] = [
    "--python-version",
    "3.11",
    "--implementation",
    "cp",
    "--abi",
    "cp311",
    "--abi",
    "none",
    "--platform",
    "manylinux_2_28_x86_64",
    "--platform",
    "manylinux2014_x86_64",
    "--platform",
    "manylinux_2_17_x86_64",
];

/// All libraries come to lie side by side, where each finds the others.
pub fn fetch(partial: &Path, part: Part) -> Result<(), String> {
    let (further, megabytes, kept): (&[&str], _, _) = match part {
        Part::Processor => (&[], MEGABYTES, "keeping its processor part (490 MB)"),
        Part::Whole => (&FOR_GPUS, MEGABYTES + MEGABYTES_FOR_GPUS, "what it needs for GPUs (6 GB unpacked)"),
    };
    println!("libtorch: fetching PyPI's torch 2.9.0 ({megabytes} MB, once; 20 seconds to some minutes) and {kept}");
    unpacked(partial, &[&PACKAGES, further].concat(), megabytes, part)?;
    match part {
        Part::Processor => stub(partial),
        Part::Whole => Ok(()),
    }
}

/// What a kit is linked to.
pub fn fetch_for_kit(partial: &Path) -> Result<(), String> {
    println!("libtorch: fetching PyPI's {FOR_KIT} ({MEGABYTES_FOR_KIT} MB, once) to link a kit to (1 GB unpacked)");
    unpacked(partial, &[FOR_KIT], MEGABYTES_FOR_KIT, Part::Whole)
}

/// What a part takes out of packages.
fn unpacked(partial: &Path, packages: &[&str], megabytes: u64, part: Part) -> Result<(), String> {
    let wheels = partial.join("wheels");
    create(&wheels)?;
    let mut pip = command("python3", &["-m", "pip", "download", "--quiet", "--no-deps", "--only-binary=:all:"]);
    pip.args(PLATFORM).args(packages).arg("--dest").arg(&wheels);
    // Not into the user's cache, and not through a /tmp that may be small.
    pip.args(["--no-cache-dir", "--disable-pip-version-check"]).env("TMPDIR", partial);
    watch(pip.spawn().map_err(|e| format!("cannot start pip: {e}"))?, partial, megabytes)?;
    println!("libtorch: unpacking");
    run(command("python3", &["-c", include_str!("unpack.py")]).arg(&wheels).arg(partial).arg(part.word()))
        .map_err(|_| "could not unpack libtorch; what Python said is above".to_owned())?;
    remove(&wheels)
}

impl Part {
    /// As `unpack.py` calls it.
    fn word(self) -> &'static str {
        match self {
            Self::Processor => "processor",
            Self::Whole => "whole",
        }
    }
}

/// Waits for pip and says every few seconds how far it is.
fn watch(mut pip: Child, partial: &Path, megabytes: u64) -> Result<(), String> {
    let (started, mut said) = (Instant::now(), Instant::now());
    loop {
        match pip.try_wait().map_err(|e| format!("cannot wait for pip: {e}"))? {
            Some(status) if status.success() => return Ok(()),
            Some(_) => {
                return Err("pip could not fetch libtorch; what it said is above. To use a libtorch 2.9 of your own: \
                            LIBTORCH=FOLDER cargo xtask setup"
                    .into());
            }
            None => sleep(Duration::from_millis(200)),
        }
        if said.elapsed() > Duration::from_secs(5) {
            said = Instant::now();
            println!("libtorch: {}", progress(size(partial) / 1_000_000, megabytes, started.elapsed()));
        }
    }
}

fn progress(megabytes: u64, all: u64, elapsed: Duration) -> String {
    // At the end pip copies, and for a moment there is more than all.
    let megabytes = megabytes.min(all);
    let rate = megabytes as f64 / elapsed.as_secs_f64();
    if megabytes == 0 {
        return format!("nothing of {all} MB yet");
    }
    let left = (all - megabytes) as f64 / rate;
    format!("{megabytes} of {all} MB, {rate:.1} MB/s, about {left:.0} s left")
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
    fs::write(&source, "void pretext_libtorch_stub(void) {}\n")
        .map_err(|e| format!("cannot write {}: {e}", source.display()))?;
    run(command("c++", &["-x", "c", "-shared", "-fPIC", "-Wl,-soname,libtorch.so", "-o"])
        .arg(partial.join("lib/libtorch.so"))
        .arg(&source))?;
    fs::remove_file(&source).map_err(|e| format!("cannot remove {}: {e}", source.display()))
}

#[cfg(test)]
mod tests {
    use super::progress;
    use std::time::Duration;

    #[test]
    fn progress_has_rate_and_remaining_time() {
        assert_eq!(progress(0, 911, Duration::from_secs(5)), "nothing of 911 MB yet");
        assert_eq!(progress(511, 911, Duration::from_secs(10)), "511 of 911 MB, 51.1 MB/s, about 8 s left");
        assert_eq!(progress(920, 911, Duration::from_secs(10)), "911 of 911 MB, 91.1 MB/s, about 0 s left");
    }
}
