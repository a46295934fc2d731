use crate::ids::{Key, NodeId};
use crate::store::{LastRun, StageResult};
use std::sync::Arc;

/// What is there under a key.
#[derive(Debug, Clone, PartialEq)]
pub enum Lookup {
    Found(Arc<StageResult>),
    Missing,
    /// There is something, but not whole: what is wrong with it. It is computed again.
    Damaged(String),
}

/// What earlier runs have left behind. The store is one; tests have others.
pub trait Known {
    /// The result under a key.
    fn result(&self, key: &Key) -> Lookup;
    /// What the node of this recipe led to when it was last settled.
    fn last(&self, recipe: &str, node: &NodeId) -> Option<LastRun>;
}
