//! `cargo xtask gpu`: on a machine with a GPU, all that can only be seen on one; or a kit that does it elsewhere.

use crate::libtorch::{self, Part};
use crate::shell::{self, command, output};
use crate::{bench, build, kit, root};
use std::process::ExitCode;

pub fn run(arguments: &[&str]) -> Result<ExitCode, String> {
    match arguments {
        [] => here()?,
        ["--kit", folder] => kit::pack(&std::path::absolute(folder).map_err(|e| format!("--kit {folder}: {e}"))?)?,
        _ => return Err("expected `gpu` or `gpu --kit FOLDER`".into()),
    }
    Ok(ExitCode::SUCCESS)
}

/// The kit of this machine's own libtorch, run at once.
fn here() -> Result<(), String> {
    let names = output("nvidia-smi", &["--query-gpu=name", "--format=csv,noheader"]);
    let names = names.filter(|names| !names.is_empty()).ok_or(
        "this machine has no GPU that a driver knows: `nvidia-smi` gives none. Nothing was done; `cargo xtask test` \
         tests all that a processor can, and `cargo xtask gpu --kit FOLDER` makes what another machine can run",
    )?;
    println!("on {}\n", names.replace('\n', ", "));
    libtorch::make_way(Part::Whole)?;
    build::everything(Part::Whole)?;
    bench::install_peers(bench::TORCH)?;
    let folder = root().join("target/gpu-kit");
    kit::assemble(&folder, &kit::own_programs()?, libtorch::VERSION)?;
    let script = folder.join("run.sh");
    shell::run(command(&script.to_string_lossy(), &[]).env("PYTHON", root().join(".python/bin/python")))
}
