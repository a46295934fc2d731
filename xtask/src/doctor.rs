//! What this machine has, and what to type for what it lacks.

use crate::platform::{self, TOOLS};
use crate::shell::{cargo, output};
use crate::{binary, libtorch};
use std::fs::read_to_string;
use std::process::ExitCode;

const UNKNOWN: &str = "unknown";

pub fn run() -> Result<ExitCode, String> {
    let supported = platform::supported();
    line("platform", supported.err().unwrap_or_else(platform::describe));
    machine();
    let version =
        cargo(&["--version"]).output().ok().map(|output| String::from_utf8_lossy(&output.stdout).into_owned());
    line("cargo", version.unwrap_or_else(|| UNKNOWN.into()));
    for tool in &TOOLS {
        line(tool.name, tool.version().unwrap_or_else(|| tool.remedy()));
    }
    line("libtorch", libtorch::describe());
    for program in ["pretext", "pretext-worker"] {
        let place = binary(program);
        let built =
            if place.exists() { place.display().to_string() } else { "missing; `cargo xtask setup` builds it".into() };
        line(program, built);
    }
    Ok(ExitCode::SUCCESS)
}

/// What decides how fast it is and how much fits.
fn machine() {
    let processor = read_to_string("/proc/cpuinfo").unwrap_or_default();
    line("processor", field(&processor, "model name").unwrap_or(UNKNOWN));
    line("instructions", instruction_sets(&processor));
    line("cores", std::thread::available_parallelism().map_or(UNKNOWN.into(), |cores| cores.to_string()));
    let memory = read_to_string("/proc/meminfo").unwrap_or_default();
    let amount = |name| field(&memory, name).and_then(gibibytes).unwrap_or_else(|| UNKNOWN.into());
    line("memory", format!("{}, {} available", amount("MemTotal"), amount("MemAvailable")));
    let disk = output("df", &["--output=avail", "--block-size=1K", "."]);
    let free = disk.as_deref().and_then(|text| gibibytes(text.lines().last()?));
    line(
        "disk",
        format!("{} free here; setup, build and CIFAR-10 take about 5", free.unwrap_or_else(|| UNKNOWN.into())),
    );
    let pages = read_to_string("/sys/kernel/mm/transparent_hugepage/enabled").unwrap_or_default();
    line("huge pages", huge_pages(&pages));
    let gpu = output("nvidia-smi", &["--query-gpu=name,memory.total,driver_version", "--format=csv,noheader"]);
    line("GPU", gpu.unwrap_or_else(|| "none seen by nvidia-smi".into()));
}

/// A name and what is to be said of it; further lines stand under the first.
fn line(name: &str, text: impl AsRef<str>) {
    println!("{name:<16}{}", text.as_ref().trim().replace('\n', "\n                "));
}

/// The first value of a `name : value` line.
fn field<'a>(text: &'a str, name: &str) -> Option<&'a str> {
    let pair = |line: &'a str| line.split_once(':').filter(|(key, _)| key.trim() == name);
    text.lines().find_map(pair).map(|(_, value)| value.trim())
}

/// Of a text in kibibytes, `24576000 kB` or `24576000`.
fn gibibytes(text: &str) -> Option<String> {
    let kibibytes: f64 = text.split_whitespace().next()?.parse().ok()?;
    Some(format!("{:.1} GiB", kibibytes / f64::from(1 << 20)))
}

/// Those that matter to the speed of convolutions.
fn instruction_sets(processor: &str) -> String {
    let flags: Vec<&str> = field(processor, "flags").unwrap_or_default().split_whitespace().collect();
    let matter = ["avx2", "avx512f", "avx512_bf16", "amx_bf16"];
    let present: Vec<&str> = matter.into_iter().filter(|set| flags.contains(set)).collect();
    if present.is_empty() { "neither AVX2 nor AVX-512: convolutions will be slow".into() } else { present.join(" ") }
}

/// The kernel marks the setting that holds: `always [madvise] never`.
fn huge_pages(setting: &str) -> String {
    let chosen = setting.split_once('[').and_then(|(_, rest)| rest.split_once(']')).map_or(UNKNOWN, |(word, _)| word);
    match chosen {
        "never" => "never: training is some percent slower than it could be.\n    \
                    echo madvise | sudo tee /sys/kernel/mm/transparent_hugepage/enabled"
            .into(),
        _ => chosen.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn instruction_sets_are_read_as_whole_words() {
        let processor = "flags_of_old : avx2\nflags\t\t: fpu avx2 avx512f_not avx512_bf16\n";
        assert_eq!(instruction_sets(processor), "avx2 avx512_bf16");
        assert_eq!(instruction_sets("flags : fpu"), "neither AVX2 nor AVX-512: convolutions will be slow");
    }

    #[test]
    fn memory_is_in_gibibytes() {
        let memory = "MemTotal:       25165824 kB\nMemFree: 1 kB\n";
        assert_eq!(field(memory, "MemTotal").and_then(gibibytes).as_deref(), Some("24.0 GiB"));
        assert_eq!(gibibytes("Avail"), None);
    }

    #[test]
    fn the_marked_huge_page_setting_holds() {
        assert_eq!(huge_pages("always [madvise] never\n"), "madvise");
        assert!(huge_pages("always madvise [never]\n").contains("echo madvise"));
        assert_eq!(huge_pages(""), "unknown");
    }
}
