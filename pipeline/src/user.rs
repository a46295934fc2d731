//! The user's own folders.

use std::env::var_os;
use std::path::PathBuf;

/// The folder that a variable names (`XDG_CONFIG_HOME`, `XDG_CACHE_HOME`), or else the one in the home folder that stands for it.
pub fn folder(variable: &str, in_home: &str) -> Option<PathBuf> {
    let set = |name| var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    set(variable).or_else(|| set("HOME").map(|home| home.join(in_home)))
}
