//! Benches, ours beside the peers', which live in a Python environment of their own.

use crate::shell::{self, cargo, command};
use crate::{build, root};
use std::process::ExitCode;

/// Every bench, and the Python packages of its peers.
const BENCHES: [(&str, &[&str]); 1] = [("engine", &["torch==2.9.0"])];

fn run_named(name: &str, arguments: &[&str]) -> Result<ExitCode, String> {
    let known: Vec<&str> = BENCHES.iter().map(|(name, _)| *name).collect();
    let Some((_, packages)) = BENCHES.iter().find(|(known, _)| *known == name) else {
        return Err(format!("unknown bench `{name}`; there is: {}", known.join(", ")));
    };
    build::binaries()?;
    install_peers(packages)?;
    shell::run(cargo(&["run", "--release", "--package", "pretext-benches", "--", name]).args(arguments))?;
    Ok(ExitCode::SUCCESS)
}

pub fn run(arguments: &[&str]) -> Result<ExitCode, String> {
    match arguments {
        [name, rest @ ..] if rest.is_empty() || rest == ["--json"] => run_named(name, rest),
        _ => Err("expected `bench NAME` or `bench NAME --json`".into()),
    }
}

/// The packages in `.python`, fetched once.
fn install_peers(packages: &[&str]) -> Result<(), String> {
    let python = root().join(".python/bin/python");
    if !python.exists() {
        println!("making .python, the environment of the peers");
        shell::run(&mut command("python3", &["-m", "venv", ".python"]))?;
    }
    println!("peers: {} (some gigabytes and minutes the first time)", packages.join(", "));
    let python = python.to_string_lossy().into_owned();
    shell::run(command(&python, &["-m", "pip", "install", "--quiet", "--disable-pip-version-check"]).args(packages))
}
