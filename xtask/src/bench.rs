//! Benches, ours beside the peers', which live in a Python environment of their own.

use crate::shell::{self, command};
use crate::{binary, build, root};
use std::process::ExitCode;

/// Every bench, and the Python packages of its peers.
const BENCHES: [(&str, &[&str]); 1] = [("engine", &["torch==2.9.0"])];

pub fn run(arguments: &[&str]) -> Result<ExitCode, String> {
    match arguments {
        [name, rest @ ..] if rest.is_empty() || rest == ["--json"] => run_named(name, rest),
        _ => Err(format!("expected `bench NAME` or `bench NAME --json`; NAME is one of: {}", names())),
    }
}

fn names() -> String {
    BENCHES.map(|(name, _)| name).join(", ")
}

fn run_named(name: &str, arguments: &[&str]) -> Result<ExitCode, String> {
    let Some((_, packages)) = BENCHES.iter().find(|(known, _)| *known == name) else {
        return Err(format!("unknown bench `{name}`; there is: {}", names()));
    };
    build::programs(&["pretext", "pretext-worker", "pretext-benches"])?;
    install_peers(packages)?;
    let program = binary("pretext-benches").to_string_lossy().into_owned();
    shell::run(command(&program, &[name]).args(arguments))?;
    Ok(ExitCode::SUCCESS)
}

/// The packages in `.python`, fetched once.
fn install_peers(packages: &[&str]) -> Result<(), String> {
    // Without ensurepip a python is made and no pip.
    if !root().join(".python/bin/pip").exists() {
        eprintln!("making .python, the environment of the peers");
        shell::run(&mut command("python3", &["-m", "venv", ".python"]))
            .map_err(|error| format!("{error}\n    Debian: sudo apt install python3-venv"))?;
    }
    eprintln!("peers: {} (some gigabytes and minutes the first time)", packages.join(", "));
    let python = root().join(".python/bin/python").to_string_lossy().into_owned();
    shell::run(command(&python, &["-m", "pip", "install", "--quiet", "--disable-pip-version-check"]).args(packages))
}
