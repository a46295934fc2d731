//! The Python that results are compared with: `PRETEXT_PYTHON` names it, or the repository's own `.python` is it (`cargo xtask bench
//! engine` makes that).

use std::path::{Path, PathBuf};
use std::process::Command;

/// One that has all of these modules (`numpy, torch`). Without one a line on standard error says what is not compared then, and the
/// tests are to be ignored, so that they count as skipped.
pub fn with(modules: &str) -> Option<PathBuf> {
    let own = Path::new(env!("CARGO_MANIFEST_DIR")).join("../.python/bin/python");
    let python = std::env::var_os("PRETEXT_PYTHON").map_or(own, PathBuf::from);
    let found = Command::new(&python).args(["-c", &format!("import {modules}")]).output();
    let has_all = found.is_ok_and(|output| output.status.success());
    if !has_all {
        eprintln!("nothing is compared with {modules}: {} has not all of them", python.display());
    }
    has_all.then_some(python)
}
