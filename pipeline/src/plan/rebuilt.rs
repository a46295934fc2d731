//! What is computed again because this build is another than the one that computed it.

use super::{Graph, Known, Reason, Status, canonical, differences};
use crate::ids::Key;
use crate::text;

/// One line, or nothing where all is of this build's versions and numerics. `seconds`: how long a result took.
pub fn rebuilt(
    graph: &Graph,
    statuses: &[Status],
    known: &dyn Known,
    seconds: impl Fn(&Key) -> Option<f64>,
) -> Option<String> {
    let (mut stages, mut took) = (0, 0.0);
    for (node, status) in graph.node_weights().zip(statuses) {
        if matches!(status, Status::Hit { .. } | Status::Spared | Status::Unchecked) {
            continue;
        }
        let Some(last) = known.last(&node.id) else { continue };
        // Of one that waits for others its inputs are not known, and do not matter here.
        let own = differences(&last.canonical, &canonical(node, last.canonical.inputs.clone()));
        if own.iter().any(|reason| matches!(reason, Reason::Version { .. } | Reason::Numerics { .. })) {
            stages += 1;
            took += seconds(&last.key).unwrap_or(0.0);
        }
    }
    let are = if stages == 1 { "was" } else { "were" };
    (stages > 0).then(|| {
        format!(
            "{} {are} computed by a build of other versions or numerics and must be computed again: that took {}",
            text::counted(stages, "stage"),
            text::duration(took)
        )
    })
}
