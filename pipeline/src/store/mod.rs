//! Artifacts by content, results by key, attempts in progress. All plain files.

mod records;
pub use records::*;
