//! A recipe's `choose`, as what it says of what is to be computed.

use crate::ids::NodeId;
use crate::plan::{self, Node, Status};
use crate::recipe::Recipe;
use crate::run::{Choosing, NodeOutcome};
use crate::store::{StageResult, View};
use crate::table::{self, Finished, Outcome, RecipeInfo};
use petgraph::graph::NodeIndex;
use std::collections::{BTreeMap, HashSet};

pub(super) struct Chooser<'a> {
    recipe: &'a Recipe,
}

impl<'a> Chooser<'a> {
    /// `None` where nothing is chosen.
    pub(super) fn of(recipe: &'a Recipe) -> Option<Self> {
        (!table::decide(&recipe.tables).is_empty()).then_some(Self { recipe })
    }

    /// What would become of each node, by its index, with what `chooser` makes needless spared.
    pub(super) fn statuses(recipe: &Recipe, view: &View, chooser: Option<&Self>) -> Vec<Status> {
        let mut statuses = plan::evaluate(&recipe.graph, view);
        chooser.inspect(|chooser| chooser.spare(&mut statuses));
        statuses
    }

    /// `results`: in the order of the graph.
    fn wanted_by<'r>(&self, results: impl Iterator<Item = Option<&'r StageResult>>) -> HashSet<NodeIndex> {
        let Recipe { name, path, digest, axes, tables, graph, .. } = self.recipe;
        let finished: BTreeMap<NodeId, Finished> = graph
            .node_weights()
            .zip(results)
            .filter_map(|(node, result)| Some((node.id.clone(), Finished { node, result: result?, provenance: None })))
            .collect();
        table::wanted(&Outcome {
            recipe: RecipeInfo { name, path, digest: *digest, numerics: "" },
            axes,
            tables,
            graph,
            finished: &finished,
            failed: &BTreeMap::new(),
        })
    }

    /// Marks what has no result and need not have one.
    fn spare(&self, statuses: &mut [Status]) {
        let result = |status: &'_ Status| match status {
            Status::Hit { result, .. } => Some(result.clone()),
            _ => None,
        };
        let results: Vec<_> = statuses.iter().map(result).collect();
        let wanted = self.wanted_by(results.iter().map(Option::as_deref));
        for index in self.recipe.graph.node_indices().filter(|index| !wanted.contains(index)) {
            let status = &mut statuses[index.index()];
            if matches!(status, Status::Run { .. } | Status::Open { .. }) {
                *status = Status::Spared;
            }
        }
    }
}

impl Choosing for Chooser<'_> {
    fn wanted(&self, nodes: &[NodeOutcome]) -> HashSet<NodeIndex> {
        self.wanted_by(nodes.iter().map(|node| node.result().map(|result| &**result)))
    }

    fn decides(&self, node: &Node) -> bool {
        table::decide(&self.recipe.tables).contains(&*node.stage)
    }
}
