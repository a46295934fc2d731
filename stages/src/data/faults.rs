//! Files that cannot be used: they end a data set's stage with their names, unless they are to be left out.

use anyhow::{Result, bail};
use std::path::Path;

/// `faulty`: from the root on, and why; of `all`.
pub fn refuse(root: &Path, all: usize, faulty: &[(&Path, &str)], skips: bool) -> Result<()> {
    if skips || faulty.is_empty() {
        return Ok(());
    }
    bail!(
        "{} of {all} pictures beneath {} cannot be read: mend, convert or remove them, or say `skip_damaged: true` to leave them out{}",
        faulty.len(),
        root.display(),
        listed(faulty)
    )
}

/// The first ones, a line each, and how many more there are.
pub fn listed(faulty: &[(&Path, &str)]) -> String {
    const NAMED: usize = 10;
    let named = faulty.iter().take(NAMED).map(|(path, fault)| format!("\n    {}: {fault}", path.display()));
    let more = faulty.len().saturating_sub(NAMED);
    named.chain((more > 0).then(|| format!("\n    and {more} more"))).collect()
}
