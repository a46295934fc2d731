//! Whether encoders were trained on what they are evaluated with.

use super::Outcome;
use super::build::Row;
use super::gaps::listed;
use super::nodes::with_upstream;
use super::wording;
use crate::text::count;
use petgraph::graph::NodeIndex;
use std::collections::{BTreeMap, BTreeSet};

/// A measurement: how many images of a split an encoder was trained on. A kind that has it gives what is no number where nobody knows.
const SEEN: &str = "seen";

/// Nodes that measure on a split what a row shows, or what was chosen by for it.
pub(super) struct Measured<'a> {
    pub split: &'a str,
    pub nodes: &'a [NodeIndex],
    pub decides: bool,
}

/// Lines below a table; `measured`: of each row.
pub(super) fn notes(outcome: &Outcome, rows: &[Row], measured: &[Vec<Measured>]) -> Vec<String> {
    let all = || measured.iter().flatten();
    let splits: BTreeSet<&str> = all().map(|measured| measured.split).filter(|split| !split.is_empty()).collect();
    // Where no kind says it, nothing is said of it.
    let measures = || outcome.graph.node_weights().flat_map(|node| &node.kind.measures).filter(|m| m.name == SEEN);
    let has_encoders = measures().next().is_some();
    let of_split = |split: &str| {
        let mut most: BTreeMap<String, f64> = BTreeMap::new();
        let mut unknown: BTreeSet<String> = BTreeSet::new();
        for (row, measured) in rows.iter().zip(measured) {
            let label = wording::row_name(&row.labels);
            let here = measured.iter().filter(|measured| measured.split == split);
            let here: Vec<NodeIndex> = here.flat_map(|measured| measured.nodes.iter().copied()).collect();
            let nodes: BTreeSet<NodeIndex> = here.iter().flat_map(|&node| with_upstream(outcome.graph, node)).collect();
            let answers: Vec<Option<f64>> = nodes.iter().filter_map(|&node| seen(outcome, node, split)).collect();
            let is_known = !answers.is_empty() && answers.iter().all(Option::is_some);
            let is_computed = here.iter().any(|&node| outcome.finished.contains_key(&outcome.graph[node].id));
            if is_known {
                most.insert(label, answers.into_iter().flatten().fold(0.0, f64::max));
            } else if is_computed && has_encoders {
                unknown.insert(label);
            }
        }
        let only_decides = all().filter(|measured| measured.split == split).all(|measured| measured.decides);
        if !unknown.is_empty() && !measures().any(|measure| measure.splits.iter().any(|known| known == split)) {
            return vec![format!("whether encoders were trained on {split} images was not looked at")];
        }
        lines(split, only_decides, &most, &unknown)
    };
    splits.into_iter().flat_map(of_split).collect()
}

/// `None` where a node has nothing to say of it, or is not computed.
fn seen(outcome: &Outcome, node: NodeIndex, split: &str) -> Option<Option<f64>> {
    let node = &outcome.graph[node];
    node.kind.measures.iter().find(|measure| measure.name == SEEN)?;
    let measured = &outcome.finished.get(&node.id)?.result.measurements;
    let of_split = measured.iter().find(|m| m.name == SEEN && m.split == split);
    Some(of_split.map(|m| m.value).filter(|images| images.is_finite()))
}

/// `only_decides`: the split is shown nowhere in the table.
fn lines(split: &str, only_decides: bool, most: &BTreeMap<String, f64>, unknown: &BTreeSet<String>) -> Vec<String> {
    let consequence = match only_decides {
        true => "what was chosen by them may not be the best for new ones",
        false => "what it is evaluated with is not new to it",
    };
    let (clean, others): (Vec<_>, Vec<_>) = most.iter().partition(|(_, images)| **images == 0.0);
    let mut lines = vec![];
    if !clean.is_empty() && others.is_empty() && unknown.is_empty() {
        lines.push(format!("no {split} image was among those that the encoders were trained on, told by their pixels"));
    }
    lines.extend(others.iter().map(|(row, images)| {
        format!(
            "the encoder of {row} was trained on {} of the {split} images, told by their pixels: {consequence}",
            count(**images as u64)
        )
    }));
    if !unknown.is_empty() {
        let rows: Vec<String> = unknown.iter().cloned().collect();
        lines.push(format!("nobody knows whether the encoder of {} was trained on {split} images", listed(&rows)));
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_seen_is_told_row_by_row() {
        let rows = |rows: &[(&str, f64)]| rows.iter().map(|(row, images)| ((*row).to_owned(), *images)).collect();
        let none = BTreeSet::new();
        let clean = lines("test", false, &rows(&[("random", 0.0), ("simclr", 0.0)]), &none);
        assert_eq!(clean, ["no test image was among those that the encoders were trained on, told by their pixels"]);
        let some = lines("test", false, &rows(&[("random", 0.0), ("simclr", 1200.0)]), &none);
        assert_eq!(some.len(), 1);
        assert!(some[0].starts_with("the encoder of simclr was trained on 1,200 of the test images"), "{some:?}");
        let unknown = lines("test", false, &rows(&[("random", 0.0)]), &["imported".to_owned()].into());
        assert_eq!(unknown, ["nobody knows whether the encoder of imported was trained on test images"]);
        assert_eq!(lines("test", false, &rows(&[]), &none), [""; 0]);
    }
}
