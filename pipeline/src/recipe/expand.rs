//! Stages times axes: the nodes of the graph.

use super::combinations::{Budget, Instances, Place, combinations};
use super::command;
use super::expression::Scope;
use super::kinds::{Kind, Kinds};
use super::paths::Paths;
use super::problem::Problem;
use super::raw::Raw;
use super::spread::Spread;
use super::with::{Template, axes_of_maps};
use crate::ids::NodeId;
use crate::plan::{Graph, Node};
use petgraph::Direction;
use petgraph::graph::NodeIndex;
use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

pub(super) struct Expansion<'a> {
    pub raw: &'a Raw,
    pub spread: &'a Spread,
    pub paths: &'a Paths<'a>,
    pub kinds: Kinds<'a>,
    /// The nodes of each stage.
    pub nodes: Vec<Instances>,
    pub graph: Graph,
    pub problems: &'a mut Vec<Problem>,
}

/// What was made for earlier instances of a stage: by kind, and by the place on the axes that its maps depend on.
type Templates = HashMap<(String, Place), Arc<Template>>;

/// The graph, its nodes in an order in which each comes after what it needs.
pub fn expand(raw: &Raw, spread: &Spread, paths: &Paths, kinds: Kinds, problems: &mut Vec<Problem>) -> Graph {
    let nodes = raw.stages.iter().map(|_| Instances::default()).collect();
    let mut expansion = Expansion { raw, spread, paths, kinds, nodes, graph: Graph::new(), problems };
    let mut budget = Budget::default();
    for &stage in &spread.order {
        expansion.stage(stage, &mut budget);
    }
    if !raw.exclusions.is_empty() {
        expansion.drop_unneeded();
        if expansion.graph.node_count() == 0 && expansion.problems.is_empty() {
            let span = raw.exclusions.span.clone();
            expansion.problems.push(Problem::new(span, "`exclude` leaves nothing to run", "exclude less"));
        }
    }
    expansion.graph
}

impl Expansion<'_> {
    fn stage(&mut self, number: usize, budget: &mut Budget) {
        let (axes, stage) = (&self.spread.axes[number], &self.raw.stages[number]);
        if !budget.allows(self.raw, axes, &stage.name, self.problems) {
            return;
        }
        let of_maps = axes_of_maps(stage);
        let is_of_maps = |axis: usize| of_maps.contains(&self.raw.axes[axis].name.text.as_str());
        let of_maps: Vec<usize> = axes.iter().copied().filter(|&axis| is_of_maps(axis)).collect();
        let mut templates = Templates::new();
        self.nodes[number] = Instances::along(self.raw, axes);
        for place in combinations(self.raw, axes, &self.raw.exclusions) {
            if let Some(node) = self.node(number, &place, &of_maps, &mut templates) {
                self.nodes[number].insert(place, node);
            }
        }
    }

    /// `None` where a mistake was found and told.
    fn node(
        &mut self,
        number: usize,
        place: &Place,
        of_maps: &[usize],
        templates: &mut Templates,
    ) -> Option<NodeIndex> {
        let (raw, stage) = (self.raw, &self.raw.stages[number]);
        let scope = Scope::at(place, raw, &stage.name.text);
        let use_ = scope.resolve(&stage.use_, self.problems);
        let kind = self.kinds.named(&use_, self.problems)?;
        let of_maps = place.iter().copied().filter(|(axis, _)| of_maps.contains(axis)).collect();
        let known = (kind.stage.name.clone(), of_maps);
        let template = match templates.get(&known) {
            Some(template) => template.clone(),
            None => templates.entry(known).or_insert(self.template(number, kind, &scope)).clone(),
        };
        let edges = self.edges(stage, &template.kind, place, &scope);
        let (params, keyed_params) = template.params(&scope, self.paths, self.problems);
        let edges = edges?;
        let axes = self.labels(place);
        let Kind { stage: kind, numerics, worker, program, is_checked } = &*template.kind;
        let node = self.graph.add_node(Node {
            id: node_id(&stage.name.text, &axes),
            stage: stage.name.text.clone(),
            axes,
            kind: kind.clone(),
            numerics: numerics.clone(),
            params,
            keyed_params,
            resources: stage.resources.for_kind(kind.gpu, stage.has_device),
            policy: stage.policy.clone(),
            worker: worker.clone(),
            program: program.clone(),
            is_checked: *is_checked,
        });
        for (source, edge) in edges {
            self.graph.add_edge(source, node, edge);
        }
        Some(node)
    }

    fn template(&mut self, number: usize, kind: Arc<Kind>, scope: &Scope) -> Arc<Template> {
        let stage = &self.raw.stages[number];
        let kind = match kind.is_command() {
            true => Arc::new(command::declared(stage, scope, self.paths.sources, self.problems)),
            false => kind,
        };
        Arc::new(Template::new(kind, stage, scope, self.paths, self.problems))
    }

    /// Axis and label for each number.
    fn labels(&self, place: &Place) -> Vec<(String, String)> {
        let label = |&(axis, value): &(usize, usize)| {
            let axis = &self.raw.axes[axis];
            (axis.name.text.clone(), axis.values[value].label.clone())
        };
        place.iter().map(label).collect()
    }

    /// Where an exclusion took away all that needed a node, the node is not needed either. Last nodes first: whatever
    /// needs a node comes after it.
    fn drop_unneeded(&mut self) {
        let sources: BTreeSet<usize> = self.spread.sources.iter().flatten().copied().collect();
        let is_source = |node: &Node| self.raw.stage_numbered(&node.stage).is_some_and(|n| sources.contains(&n));
        let graph = &self.graph;
        let mut kept = vec![true; graph.node_count()];
        for node in graph.node_indices().rev() {
            let mut users = graph.neighbors_directed(node, Direction::Outgoing);
            kept[node.index()] = !is_source(&graph[node]) || users.any(|user| kept[user.index()]);
        }
        // Indices shift and the order stays.
        self.graph =
            graph.filter_map(|index, node| kept[index.index()].then(|| node.clone()), |_, edge| Some(edge.clone()));
    }
}

/// `probe[method=simclr,seed=0]`
pub fn node_id(stage: &str, axes: &[(String, String)]) -> NodeId {
    let mut id = stage.to_owned();
    for (number, (axis, label)) in axes.iter().enumerate() {
        id.push(if number == 0 { '[' } else { ',' });
        id.extend([axis, "=", label]);
    }
    if !axes.is_empty() {
        id.push(']');
    }
    id.shrink_to_fit();
    NodeId(id)
}
