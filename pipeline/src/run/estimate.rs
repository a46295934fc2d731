//! How long what is left will take, from how long the like took.

use crate::plan::{Graph, Known, Node};
use crate::store::Store;
use petgraph::graph::NodeIndex;
use std::collections::HashMap;

/// Mean times of the nodes that are alike: instances of one stage with one kind.
#[derive(Debug, Default)]
pub(super) struct Estimates {
    alike: HashMap<(String, String), Mean>,
}

#[derive(Debug, Default)]
struct Mean {
    sum: f64,
    number: usize,
}

/// So many earlier runs of a stage are looked up, and no more: a plan of thousands must not wait for it.
const LOOKED_UP: usize = 8;

impl Estimates {
    /// Adds a time that a node took.
    pub(super) fn add(&mut self, node: &Node, seconds: f64) {
        let mean = self.alike.entry(group(node)).or_default();
        mean.sum += seconds;
        mean.number += 1;
    }

    /// Adds how long nodes took when they were last computed under this recipe.
    pub(super) fn add_earlier(
        &mut self,
        graph: &Graph,
        nodes: impl Iterator<Item = NodeIndex>,
        recipe: &str,
        store: &Store,
    ) {
        let mut looked_up: HashMap<(String, String), usize> = HashMap::new();
        for node in nodes.map(|index| &graph[index]) {
            let number = looked_up.entry(group(node)).or_default();
            *number += 1;
            if *number > LOOKED_UP {
                continue;
            }
            let earlier = store.last(recipe, &node.id).and_then(|last| store.provenance(&last.key));
            if let Some(earlier) = earlier {
                self.add(node, earlier.seconds);
            }
        }
    }

    /// Seconds until all that is pending is done: each with the seconds that it has run, and side by side as `width`
    /// allows. None when nothing tells how long one of them takes.
    pub(super) fn remaining<'a>(
        &self,
        mut pending: impl Iterator<Item = (&'a Node, f64)>,
        width: impl Fn(usize) -> usize,
    ) -> Option<f64> {
        pending.try_fold(0.0, |sum, (node, spent)| {
            let left = (self.of(node)? - spent).max(0.0);
            Some(sum + left / width(node.resources.threads) as f64)
        })
    }

    fn of(&self, node: &Node) -> Option<f64> {
        self.alike.get(&group(node)).map(|mean| mean.sum / mean.number as f64)
    }
}

fn group(node: &Node) -> (String, String) {
    (node.stage.clone(), node.kind.name.clone())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::NodeId;
    use crate::plan::NodeResources;

    fn node(stage: &str, threads: usize) -> Node {
        Node {
            id: NodeId(format!("{stage}[seed=0]")),
            stage: stage.to_owned(),
            axes: Vec::new(),
            kind: Default::default(),
            params: Default::default(),
            keyed_params: Default::default(),
            resources: NodeResources { threads, memory_bytes: vec![0], gpus: 0, seconds: vec![] },
            policy: Default::default(),
            worker: Default::default(),
            code: Default::default(),
            is_checked: true,
            numerics: Default::default(),
        }
    }

    #[test]
    fn what_is_left_is_told_by_what_is_alike() {
        let (pretrain, probe) = (node("pretrain", 2), node("probe", 1));
        let mut estimates = Estimates::default();
        estimates.add(&pretrain, 90.0);
        estimates.add(&pretrain, 110.0);
        let width = |threads| 4 / threads;
        let remaining = |pending: &[(&Node, f64)]| estimates.remaining(pending.iter().copied(), width);
        assert_eq!(remaining(&[(&pretrain, 40.0), (&pretrain, 0.0), (&pretrain, 500.0)]), Some(30.0 + 50.0));
        assert_eq!(remaining(&[(&pretrain, 0.0), (&probe, 0.0)]), None, "nobody knows how long a probe takes");
        assert_eq!(remaining(&[]), Some(0.0));
    }
}
