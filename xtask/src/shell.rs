//! Running other programs.

use crate::root;
use std::process::{Command, Stdio};

/// A command in the repository's root.
pub fn command(program: &str, arguments: &[&str]) -> Command {
    let mut command = Command::new(program);
    command.args(arguments).current_dir(root());
    command
}

/// Cargo, the one that runs this. A libtorch of the user's counts only through setup's links in `.libtorch`: else each
/// shell with other variables would build everything again.
pub fn cargo(arguments: &[&str]) -> Command {
    let mut cargo = command(&std::env::var("CARGO").unwrap_or_else(|_| "cargo".into()), arguments);
    for name in ["", "_USE_PYTORCH", "_LIB", "_INCLUDE", "_STATIC", "_CXX11_ABI"] {
        cargo.env_remove(format!("LIBTORCH{name}"));
    }
    // What the cargo that runs this says of xtask itself. Build scripts that look at such variables (ring's does) would
    // run again each time `cargo xtask` and plain `cargo` take turns, and with them all that links libtorch.
    let of_xtask = ["CARGO_PKG_", "CARGO_MANIFEST_", "CARGO_CRATE_", "CARGO_BIN_", "CARGO_PRIMARY_"];
    for (name, _) in std::env::vars().filter(|(name, _)| of_xtask.iter().any(|start| name.starts_with(start))) {
        cargo.env_remove(name);
    }
    // Relative to where the user is, not to the root.
    if let Some(target) = std::env::var_os("CARGO_TARGET_DIR").and_then(|folder| std::path::absolute(folder).ok()) {
        cargo.env("CARGO_TARGET_DIR", target);
    }
    cargo
}

/// Runs it to the end, its output on the terminal.
pub fn run(command: &mut Command) -> Result<(), String> {
    let shown = format!("{command:?}").replace('"', "");
    let status = command.status().map_err(|error| format!("cannot start `{shown}`: {error}"))?;
    if status.success() { Ok(()) } else { Err(format!("`{shown}` failed ({status})")) }
}

/// What it prints, or nothing if it cannot be run or fails.
pub fn output(program: &str, arguments: &[&str]) -> Option<String> {
    let output = command(program, arguments).stdin(Stdio::null()).stderr(Stdio::null()).output().ok()?;
    output.status.success().then(|| String::from_utf8_lossy(&output.stdout).trim().to_owned())
}
