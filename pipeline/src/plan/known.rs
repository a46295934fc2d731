use super::{Earlier, Reason};
use crate::ids::{Key, NodeId};
use crate::store::{LastRun, StageResult};
use std::sync::Arc;

/// What is there under a key.
#[derive(Debug, Clone, PartialEq)]
pub enum Lookup {
    Found(Arc<StageResult>),
    /// Its result is there, and the bytes of an artifact were removed on purpose: as good, unless something needs them.
    Dropped(Arc<StageResult>),
    Missing,
    /// There is something, but not whole: what is wrong with it. It is computed again.
    Damaged(String),
}

/// What earlier runs of a recipe have left behind. The store has a view of it; tests have others. Many are asked for at once.
pub trait Known: Sync {
    /// The result under a key.
    fn result(&self, key: &Key) -> Lookup;
    /// What the node led to when it was last settled.
    fn last(&self, node: &NodeId) -> Option<LastRun>;
    /// Why a node has never been settled that began once, and when that was.
    fn unfinished(&self, _node: &NodeId) -> Option<(Reason, Earlier)> {
        None
    }
}
