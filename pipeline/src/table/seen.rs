//! Whether encoders were trained on what they are evaluated with.

use super::Outcome;
use super::build::Row;
use super::gaps::listed;
use super::nodes::with_upstream;
use crate::recipe::Column;
use crate::text::count;
use petgraph::graph::NodeIndex;
use std::collections::{BTreeMap, BTreeSet};

/// A measurement: how many images of a split an encoder was trained on. A kind that has it gives what is no number where nobody knows.
const SEEN: &str = "seen";

/// Lines below a table; `nodes`: of each row's cells, in the order of the columns.
pub(super) fn notes(outcome: &Outcome, columns: &[Column], rows: &[Row], nodes: &[Vec<Vec<NodeIndex>>]) -> Vec<String> {
    let splits: BTreeSet<&str> =
        columns.iter().map(|column| column.split.as_str()).filter(|split| !split.is_empty()).collect();
    // Where no kind says it, nothing is said of it.
    let has_encoders = outcome.graph.node_weights().any(|node| node.kind.measures.iter().any(|m| m.name == SEEN));
    let of_split = |split: &str| {
        let mut most: BTreeMap<String, f64> = BTreeMap::new();
        let mut unknown: BTreeSet<String> = BTreeSet::new();
        for (row, cells) in rows.iter().zip(nodes) {
            let label = row.labels.join(", ");
            let here: Vec<NodeIndex> = columns
                .iter()
                .zip(cells)
                .filter(|(column, _)| column.split == split)
                .flat_map(|(_, cell)| cell.iter().copied())
                .collect();
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
        lines(split, &most, &unknown)
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

fn lines(split: &str, most: &BTreeMap<String, f64>, unknown: &BTreeSet<String>) -> Vec<String> {
    let (clean, others): (Vec<_>, Vec<_>) = most.iter().partition(|(_, images)| **images == 0.0);
    let mut lines = vec![];
    if !clean.is_empty() && others.is_empty() && unknown.is_empty() {
        lines.push(format!("no {split} image was among those that the encoders were trained on, told by their pixels"));
    }
    lines.extend(others.iter().map(|(row, images)| {
        format!(
            "the encoder of {row} was trained on {} of the {split} images, told by their pixels: what it is evaluated with is not new to it",
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
        let clean = lines("test", &rows(&[("random", 0.0), ("simclr", 0.0)]), &none);
        assert_eq!(clean, ["no test image was among those that the encoders were trained on, told by their pixels"]);
        let some = lines("test", &rows(&[("random", 0.0), ("simclr", 1200.0)]), &none);
        assert_eq!(some.len(), 1);
        assert!(some[0].starts_with("the encoder of simclr was trained on 1,200 of the test images"), "{some:?}");
        let unknown = lines("test", &rows(&[("random", 0.0)]), &["imported".to_owned()].into());
        assert_eq!(unknown, ["nobody knows whether the encoder of imported was trained on test images"]);
        assert_eq!(lines("test", &rows(&[]), &none), [""; 0]);
    }
}
