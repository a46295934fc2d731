//! What is wanted, where that depends on what comes out: of what lies behind a choice, only that for what is chosen.

use super::Scheduler;
use petgraph::graph::NodeIndex;

impl Scheduler<'_> {
    pub(super) fn wants(&self, node: NodeIndex) -> bool {
        let wishes = &self.work.wishes;
        let is_wanted =
            self.wanted.as_ref().is_none_or(|wanted| wanted.contains(&node)) || wishes.forced.contains(&node);
        is_wanted && wishes.wants(node)
    }

    /// Notes that a node has a result.
    pub(super) fn has_result(&mut self, node: NodeIndex) {
        self.may_decide |= self.work.choosing.is_some_and(|choosing| choosing.decides(&self.work.graph[node]));
    }

    /// Makes ready what is wanted now and was not before. What is found thereby may decide further.
    pub(super) fn decide(&mut self) {
        let Some(choosing) = self.work.choosing else { return };
        while std::mem::take(&mut self.may_decide) {
            let before = self.wanted_pending();
            self.wanted = Some(choosing.wanted(self.board.outcomes()));
            self.to_run = self.to_run.map(|to_run| to_run + self.wanted_pending().saturating_sub(before));
            let (now, still) = std::mem::take(&mut self.aside).into_iter().partition(|node| self.wants(*node));
            self.aside = still;
            self.look_up(now);
        }
    }

    /// At the end of a run that nobody has ended: what was never wanted is not missing.
    pub(super) fn spare_the_rest(&mut self) {
        if self.wanted.is_none() || self.stopping_since.is_some() || self.is_closed {
            return;
        }
        let wishes = &self.work.wishes;
        let spared: Vec<NodeIndex> =
            self.board.pending().filter(|node| !self.wants(*node) && wishes.wants(*node)).collect();
        self.board.spare(&spared);
        self.summary.spared = spared.len();
    }
}
