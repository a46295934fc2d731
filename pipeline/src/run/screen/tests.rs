//! What the tests of bars and lines share, and those of what both leave out.

use super::sweep::Sweep;
use crate::ids::{Digest, Key, NodeId};
use crate::plan::{Node, NodeResources, canonical};
use crate::run::{Observer, Update};
use std::time::Duration;

pub(super) fn planned(to_run: usize) -> Update<'static> {
    Update::Planned { recipe: "sweep", stages: to_run, axes: vec![], reused: 0, to_run, estimate_seconds: None }
}

/// One of the given name, and nothing else to speak of.
pub(in crate::run) fn node(id: &NodeId) -> Node {
    Node {
        id: id.clone(),
        stage: "probe".into(),
        axes: vec![],
        kind: Default::default(),
        params: Default::default(),
        keyed_params: Default::default(),
        resources: NodeResources { threads: 1, memory_bytes: vec![0], ..NodeResources::default() },
        policy: Default::default(),
        worker: Default::default(),
        program: Default::default(),
        is_checked: true,
        numerics: Default::default(),
    }
}

pub(super) fn done(screen: &mut dyn Observer, id: &NodeId, seconds: f64) {
    let node = node(id);
    let canonical = &canonical(&node, Default::default());
    screen.on(&Update::Done {
        node: &node,
        key: Key(Digest::of(b"")),
        seconds,
        measurements: &[],
        notes: &[],
        canonical,
    });
}

#[test]
fn short_stages_of_a_large_sweep_scroll_by_at_a_bounded_rate() {
    let id = NodeId("probe".into());
    let node = node(&id);
    let canonical = &canonical(&node, Default::default());
    let update = |seconds| Update::Done {
        node: &node,
        key: Key(Digest::of(b"")),
        seconds,
        measurements: &[],
        notes: &[],
        canonical,
    };
    let shown = |to_run, every, seconds| {
        let mut sweep = Sweep::new(every);
        sweep.lines(&planned(to_run));
        (0..100).filter(|_| sweep.lines(&update(seconds)).is_some()).count()
    };
    let hour = Some(Duration::from_secs(3600));
    assert_eq!(shown(40, hour, 0.1), 100, "a small one is shown in full");
    assert_eq!(shown(41, hour, 0.1), 1);
    assert_eq!(shown(41, None, 0.1), 0);
    assert_eq!(shown(41, None, 10.0), 100, "whoever waits for a long stage wants to see it end");
    assert_eq!(shown(41, Some(Duration::ZERO), 0.1), 100);
}
