//! What is there to build with, and what to type for what is missing; then `pretext doctor`, which says the rest.

use crate::platform::{self, TOOLS};
use crate::shell::{cargo, command, output};
use crate::{binary, libtorch};
use std::process::ExitCode;

const UNKNOWN: &str = "unknown";

pub fn run(arguments: &[&str]) -> Result<ExitCode, String> {
    line("platform", platform::supported().err().unwrap_or_else(platform::describe));
    let version = cargo(&["--version"]).output().ok();
    let version = version.map(|output| String::from_utf8_lossy(&output.stdout).into_owned());
    line("cargo", version.unwrap_or_else(|| UNKNOWN.into()));
    for tool in &TOOLS {
        line(tool.name, tool.version().unwrap_or_else(|| tool.remedy()));
    }
    line("disk", format!("{} free here; setup, build and CIFAR-10 take about 5", free_here()));
    line("libtorch", libtorch::describe());
    let (pretext, worker) = (binary("pretext"), binary("pretext-worker"));
    if !pretext.exists() || !worker.exists() {
        line("pretext", "not built yet: `cargo xtask setup` builds it, and `pretext doctor` says more");
        return Ok(ExitCode::SUCCESS);
    }
    println!("\n{} doctor", pretext.display());
    let status = command(&pretext.to_string_lossy(), &["doctor"]).args(arguments).status();
    let status = status.map_err(|e| format!("cannot start {}: {e}", pretext.display()))?;
    Ok(if status.success() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// A name and what is to be said of it; further lines stand under the first.
fn line(name: &str, text: impl AsRef<str>) {
    println!("{name:<16}{}", text.as_ref().trim().replace('\n', "\n                "));
}

fn free_here() -> String {
    let disk = output("df", &["--output=avail", "--block-size=1K", "."]);
    disk.as_deref().and_then(|text| gibibytes(text.lines().last()?)).unwrap_or_else(|| UNKNOWN.into())
}

/// Of a number of kibibytes.
fn gibibytes(text: &str) -> Option<String> {
    let kibibytes: f64 = text.trim().parse().ok()?;
    Some(format!("{:.1} GiB", kibibytes / f64::from(1 << 20)))
}

#[cfg(test)]
mod tests {
    use super::gibibytes;

    #[test]
    fn what_is_free_is_in_gibibytes() {
        assert_eq!(gibibytes("25165824").as_deref(), Some("24.0 GiB"));
        assert_eq!(gibibytes("Avail"), None);
    }
}
