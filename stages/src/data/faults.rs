//! Files that cannot be used: they end a data set's stage with their names, unless they are to be left out.

use anyhow::{Result, bail};
use std::path::Path;

/// `faulty`: from the root on, and why; of `all`.
pub fn refuse(root: &Path, all: usize, faulty: &[(&Path, &str)], skips: bool) -> Result<()> {
    const NAMED: usize = 10;
    if skips || faulty.is_empty() {
        return Ok(());
    }
    let named: Vec<String> =
        faulty.iter().take(NAMED).map(|(path, fault)| format!("\n    {}: {fault}", path.display())).collect();
    let more = faulty.len().saturating_sub(NAMED);
    bail!(
        "{} of {all} pictures beneath {} cannot be read: mend, convert or remove them, or say `skip_damaged: true` to leave them \
         out{}{}",
        faulty.len(),
        root.display(),
        named.concat(),
        if more > 0 { format!("\n    and {more} more") } else { String::new() }
    )
}
