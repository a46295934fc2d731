//! Benches, ours beside the peers', which live in a Python environment of their own.

use crate::shell::{self, command};
use crate::{binary, build, root};
use std::process::ExitCode;

/// A bench, the programs that it measures with, and the Python packages of its peers.
struct Bench {
    name: &'static str,
    programs: &'static [&'static str],
    peers: &'static [&'static str],
}

pub const TORCH: &[&str] = &["torch==2.9.0", "torchvision==0.24.0"];
const LIGHTLY: &[&str] = &["torch==2.9.0", "torchvision==0.24.0", "lightly==1.6.0"];

const BENCHES: [Bench; 5] = [
    Bench { name: "engine", programs: &[], peers: TORCH },
    Bench { name: "methods", programs: &[], peers: LIGHTLY },
    Bench { name: "speedrun", programs: &[], peers: LIGHTLY },
    Bench { name: "views", programs: &[], peers: TORCH },
    Bench { name: "pipeline", programs: &["pretext", "fake-worker"], peers: &["snakemake==9.27.1", "dvc==3.67.1"] },
];

pub fn run(arguments: &[&str]) -> Result<ExitCode, String> {
    match arguments {
        [name, rest @ ..] if rest.iter().all(|word| *word == "--json" || !word.starts_with('-')) => measure(name, rest),
        _ => Err(format!("expected `bench NAME [FIGURE] [--json]`; NAME is one of: {}", names())),
    }
}

fn names() -> String {
    BENCHES.map(|bench| bench.name).join(", ")
}

fn measure(name: &str, arguments: &[&str]) -> Result<ExitCode, String> {
    let Some(bench) = BENCHES.iter().find(|bench| bench.name == name) else {
        return Err(format!("unknown bench `{name}`; there is: {}", names()));
    };
    let program = format!("pretext-bench-{name}");
    build::programs(&[bench.programs, &[&program]].concat())?;
    install_peers(bench.peers)?;
    let program = binary(&program);
    shell::run(&mut command(&program.to_string_lossy(), arguments))?;
    Ok(ExitCode::SUCCESS)
}

/// The packages in `.python`, fetched once.
pub fn install_peers(packages: &[&str]) -> Result<(), String> {
    // Without ensurepip a python is made and no pip.
    if !root().join(".python/bin/pip").exists() {
        eprintln!("making .python, the environment of the peers");
        shell::run(&mut command("python3", &["-m", "venv", ".python"]))
            .map_err(|error| format!("{error}\n    Debian: sudo apt install python3-venv"))?;
    }
    eprintln!("peers: {} (minutes the first time)", packages.join(", "));
    let python = root().join(".python/bin/python").to_string_lossy().into_owned();
    shell::run(command(&python, &["-m", "pip", "install", "--quiet", "--disable-pip-version-check"]).args(packages))
}
