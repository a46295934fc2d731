use crate::ids::{Key, NodeId};
use crate::store::{LastRun, StageResult};
use std::sync::Arc;

/// What is there under a key.
#[derive(Debug, Clone, PartialEq)]
pub enum Lookup {
    Found(Arc<StageResult>),
    /// The result is there, and its artifacts' bytes were deleted on purpose: as good as found where nothing needs them.
    Dropped(Arc<StageResult>),
    Missing,
    /// There is something, but not whole: what is wrong with it. It is computed again.
    Damaged(String),
}

/// What earlier runs have left behind. The store is one; tests have others. Many are asked for at once.
pub trait Known: Sync {
    /// The result under a key.
    fn result(&self, key: &Key) -> Lookup;
    /// What the node of this recipe led to when it was last settled.
    fn last(&self, recipe: &str, node: &NodeId) -> Option<LastRun>;
}
