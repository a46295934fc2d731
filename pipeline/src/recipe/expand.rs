//! Stages times axes: the nodes of the graph.

use super::axes::Axis;
use super::combinations::{Budget, combinations};
use super::expression::Scope;
use super::problem::{Problem, nearest};
use super::raw::Raw;
use super::spread::Spread;
use super::tree::Tree;
use super::{schema, with};
use crate::ids::NodeId;
use crate::plan::{Graph, Node};
use petgraph::Direction;
use petgraph::graph::NodeIndex;
use pretext_protocol::{Catalogue, StageKind};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

/// The place of a node on its stage's axes: axis and value numbers.
pub(super) type Place = Vec<(usize, usize)>;

pub(super) struct Expansion<'a> {
    pub raw: &'a Raw,
    pub spread: &'a Spread,
    catalogue: &'a Catalogue,
    /// The names of all axes.
    declared: &'a [&'a str],
    kinds: HashMap<String, Arc<StageKind>>,
    numerics: Arc<str>,
    /// The nodes of each stage.
    pub nodes: Vec<BTreeMap<Place, NodeIndex>>,
    pub graph: Graph,
    pub problems: &'a mut Vec<Problem>,
}

/// The graph, its nodes in an order in which each comes after what it needs.
pub fn expand(raw: &Raw, spread: &Spread, catalogue: &Catalogue, problems: &mut Vec<Problem>) -> Graph {
    let nodes = vec![BTreeMap::new(); raw.stages.len()];
    let declared: Vec<&str> = raw.axis_names().collect();
    let (kinds, graph) = (HashMap::new(), Graph::new());
    let numerics = Arc::from(catalogue.numerics.as_str());
    let mut expansion =
        Expansion { raw, spread, catalogue, declared: &declared, kinds, numerics, nodes, graph, problems };
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
        let axes: Vec<&Axis> = self.spread.axes[number].iter().map(|&axis| &self.raw.axes[axis]).collect();
        if !budget.allows(&axes, &self.raw.stages[number].name, self.problems) {
            return;
        }
        for values in combinations(&axes) {
            let place: Place = self.spread.axes[number].iter().copied().zip(values).collect();
            if !self.raw.exclusions.cover(&place)
                && let Some(node) = self.node(number, &place)
            {
                self.nodes[number].insert(place, node);
            }
        }
    }

    /// `None` where a mistake was found and told.
    fn node(&mut self, number: usize, place: &Place) -> Option<NodeIndex> {
        let (raw, declared, stage) = (self.raw, self.declared, &self.raw.stages[number]);
        let values = place.iter().map(|&(axis, value)| (&raw.axes[axis], &raw.axes[axis].values[value].tree)).collect();
        let scope = Scope { axes: values, declared, env: &raw.env, stage: &stage.name.text };
        let with = with::merged(stage, &scope, self.problems);
        let use_ = scope.resolve(&stage.use_, self.problems);
        let kind = self.kind(&use_)?;
        let edges = self.edges(stage, &kind, place, &scope);
        let params = schema::typed_map(&kind.params, &with, &kind.name, self.problems);
        let edges = edges?;
        let axes = self.labels(place);
        let node = self.graph.add_node(Node {
            id: node_id(&stage.name.text, &axes),
            stage: stage.name.text.clone(),
            axes,
            keyed_params: keyed(&kind, &params),
            numerics: self.numerics.clone(),
            kind,
            params,
            resources: stage.resources.clone(),
            policy: Default::default(),
            worker: Default::default(),
            code: Default::default(),
            is_checked: true,
        });
        for (source, edge) in edges {
            self.graph.add_edge(source, node, edge);
        }
        Some(node)
    }

    /// Axis and label for each number.
    fn labels(&self, place: &Place) -> Vec<(String, String)> {
        let label = |&(axis, value): &(usize, usize)| {
            let axis = &self.raw.axes[axis];
            (axis.name.text.clone(), axis.values[value].label.clone())
        };
        place.iter().map(label).collect()
    }

    fn kind(&mut self, use_: &Tree) -> Option<Arc<StageKind>> {
        let name = use_.text().unwrap_or_default();
        if use_.is_broken() || self.kinds.contains_key(name) {
            return self.kinds.get(name).cloned();
        }
        let Some(kind) = self.catalogue.kind(name) else {
            let names = self.catalogue.kinds.iter().map(|kind| kind.name.as_str());
            let label = format!("{} `pretext stages` lists all kinds", nearest(name, names));
            self.problems.push(Problem::new(use_.span.clone(), format!("there is no kind {}", use_.describe()), label));
            return None;
        };
        let kind = Arc::new(kind.clone());
        self.kinds.insert(name.to_owned(), kind.clone());
        Some(kind)
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

fn keyed(kind: &StageKind, params: &serde_json::Map<String, Value>) -> BTreeMap<String, Value> {
    match schema::keyed(&kind.params, &Value::Object(params.clone())) {
        Some(Value::Object(keyed)) => keyed.into_iter().collect(),
        _ => BTreeMap::new(),
    }
}

/// `probe[method=simclr,seed=0]`
pub fn node_id(stage: &str, axes: &[(String, String)]) -> NodeId {
    if axes.is_empty() {
        return NodeId(stage.to_owned());
    }
    let places: Vec<String> = axes.iter().map(|(axis, label)| format!("{axis}={label}")).collect();
    NodeId(format!("{stage}[{}]", places.join(",")))
}
