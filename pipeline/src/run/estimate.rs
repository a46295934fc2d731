//! How long what is left will take, from how long the like took.

use crate::plan::{Graph, Node};
use petgraph::graph::NodeIndex;
use std::collections::HashMap;

/// Mean times of the nodes that are alike: instances of one stage with one kind.
#[derive(Debug)]
pub(super) struct Estimates {
    /// The group of each node of the graph.
    groups: Vec<usize>,
    means: Vec<Mean>,
}

#[derive(Debug, Default, Clone)]
struct Mean {
    sum: f64,
    number: usize,
    /// What the recipe says, for what never ran.
    declared: Option<f64>,
}

/// So many earlier runs of a stage are looked up, and no more: a plan of thousands must not wait for it.
const LOOKED_UP: usize = 8;

impl Estimates {
    pub(super) fn new(graph: &Graph) -> Self {
        let mut places: HashMap<(&str, &str), usize> = HashMap::new();
        let mut means: Vec<Mean> = Vec::new();
        let groups = graph.node_weights().map(|node| {
            *places.entry((&node.stage, &node.kind.name)).or_insert_with(|| {
                let declared = node.resources.seconds_at(1).map(|seconds| seconds as f64);
                means.push(Mean { declared, ..Mean::default() });
                means.len() - 1
            })
        });
        let groups = groups.collect();
        Self { groups, means }
    }

    /// Adds a time that a node took.
    pub(super) fn add(&mut self, node: NodeIndex, seconds: f64) {
        let mean = &mut self.means[self.groups[node.index()]];
        mean.sum += seconds;
        mean.number += 1;
    }

    /// Adds how long nodes took when they were last computed, as far as `earlier` knows.
    pub(super) fn add_earlier(
        &mut self,
        nodes: impl Iterator<Item = NodeIndex>,
        earlier: impl Fn(NodeIndex) -> Option<f64>,
    ) {
        let mut looked_up = vec![0; self.means.len()];
        for node in nodes {
            let number = &mut looked_up[self.groups[node.index()]];
            *number += 1;
            if *number <= LOOKED_UP
                && let Some(seconds) = earlier(node)
            {
                self.add(node, seconds);
            }
        }
    }

    /// Seconds until all that is pending is done: each with the seconds that it has run, and side by side as `width`
    /// allows. None when nothing tells how long one of them takes.
    pub(super) fn remaining<'a>(
        &self,
        mut pending: impl Iterator<Item = (NodeIndex, &'a Node, f64)>,
        width: impl Fn(usize) -> usize,
    ) -> Option<f64> {
        pending.try_fold(0.0, |sum, (index, node, spent)| {
            let left = (self.means[self.groups[index.index()]].value()? - spent).max(0.0);
            Some(sum + left / width(node.resources.threads) as f64)
        })
    }
}

impl Mean {
    fn value(&self) -> Option<f64> {
        if self.number == 0 { self.declared } else { Some(self.sum / self.number as f64) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::NodeId;
    use crate::plan::NodeResources;

    fn node(stage: &str, threads: usize, seconds: Vec<u64>) -> Node {
        Node {
            id: NodeId(format!("{stage}[seed=0]")),
            stage: stage.to_owned(),
            axes: Vec::new(),
            kind: Default::default(),
            params: Default::default(),
            keyed_params: Default::default(),
            resources: NodeResources { threads, memory_bytes: vec![0], seconds, ..NodeResources::default() },
            policy: Default::default(),
            worker: Default::default(),
            program: Default::default(),
            is_checked: true,
            numerics: Default::default(),
        }
    }

    #[test]
    fn what_is_left_is_told_by_what_is_alike() {
        let mut graph = Graph::new();
        let pretrain = graph.add_node(node("pretrain", 2, vec![]));
        let probe = graph.add_node(node("probe", 1, vec![]));
        let declared = graph.add_node(node("finetune", 4, vec![7, 70]));
        let mut estimates = Estimates::new(&graph);
        estimates.add(pretrain, 90.0);
        estimates.add(pretrain, 110.0);
        let width = |threads| 4 / threads;
        let remaining = |pending: &[(NodeIndex, f64)]| {
            estimates.remaining(pending.iter().map(|&(node, spent)| (node, &graph[node], spent)), width)
        };
        assert_eq!(remaining(&[(pretrain, 40.0), (pretrain, 0.0), (pretrain, 500.0)]), Some(30.0 + 50.0));
        assert_eq!(remaining(&[(pretrain, 0.0), (probe, 0.0)]), None, "nobody knows how long a probe takes");
        assert_eq!(remaining(&[(declared, 2.0)]), Some(5.0), "the recipe says it");
        assert_eq!(remaining(&[]), Some(0.0));
    }
}
