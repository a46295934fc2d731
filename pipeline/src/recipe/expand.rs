//! Stages times axes: the nodes and edges of the graph.

use super::axes::Axis;
use super::expression::Scope;
use super::problem::{Problem, nearest};
use super::raw::{Raw, RawStage};
use super::schema;
use super::spread::{Spread, combinations};
use super::tree::{Content, Name, Span, Tree};
use crate::ids::NodeId;
use crate::plan::{Edge, Graph, Node, NodeResources};
use petgraph::Direction;
use petgraph::graph::NodeIndex;
use pretext_protocol::{Catalogue, StageKind};
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

/// The place of a node on its stage's axes: axis and value numbers.
type Place = Vec<(usize, usize)>;

pub struct Expansion<'a> {
    raw: &'a Raw,
    spread: &'a Spread,
    catalogue: &'a Catalogue,
    kinds: HashMap<String, Arc<StageKind>>,
    /// The nodes of each stage.
    nodes: Vec<BTreeMap<Place, NodeIndex>>,
    graph: Graph,
    problems: &'a mut Vec<Problem>,
}

/// The graph, its nodes in an order in which each comes after what it needs.
pub fn expand(raw: &Raw, spread: &Spread, catalogue: &Catalogue, problems: &mut Vec<Problem>) -> Graph {
    let nodes = vec![BTreeMap::new(); raw.stages.len()];
    let mut expansion =
        Expansion { raw, spread, catalogue, kinds: HashMap::new(), nodes, graph: Graph::new(), problems };
    for &stage in &spread.order {
        expansion.stage(stage);
    }
    expansion.drop_unneeded();
    expansion.graph
}

impl Expansion<'_> {
    fn stage(&mut self, number: usize) {
        let axes: Vec<&Axis> = self.spread.axes[number].iter().map(|&axis| &self.raw.axes[axis]).collect();
        for values in combinations(&axes) {
            let place: Place = self.spread.axes[number].iter().copied().zip(values).collect();
            if self.raw.exclusions.cover(&self.raw.axes, &place) {
                continue;
            }
            if let Some(node) = self.node(number, &place) {
                self.nodes[number].insert(place, node);
            }
        }
    }

    /// `None` where a mistake was found and told.
    fn node(&mut self, number: usize, place: &Place) -> Option<NodeIndex> {
        let (raw, stage) = (self.raw, &self.raw.stages[number]);
        let declared: Vec<&str> = raw.axes.iter().map(|axis| axis.name.text.as_str()).collect();
        let values = place.iter().map(|&(axis, value)| (&raw.axes[axis], &raw.axes[axis].values[value].tree)).collect();
        let scope = Scope { axes: values, declared: &declared, env: &raw.env, stage: &stage.name.text };
        let with = merge(stage, &scope, self.problems);
        let use_ = scope.resolve(&stage.use_, self.problems);
        let kind = self.kind(&use_)?;
        let edges = self.edges(stage, &kind, place, &scope);
        let params = schema::typed_map(&kind.params, &with, &kind.name, self.problems);
        let keyed = schema::keyed(&kind.params, &serde_json::Value::Object(params.clone()));
        let labels =
            place.iter().map(|&(axis, value)| (declared[axis].to_owned(), raw.axes[axis].values[value].label.clone()));
        let axes: Vec<(String, String)> = labels.collect();
        let edges = edges?;
        let node = self.graph.add_node(Node {
            id: node_id(&stage.name.text, &axes),
            stage: stage.name.text.clone(),
            axes,
            kind,
            params,
            keyed_params: keyed.and_then(|value| value.as_object().cloned()).unwrap_or_default().into_iter().collect(),
            resources: NodeResources { threads: stage.threads, memory_bytes: stage.memory_bytes },
        });
        for (source, edge) in edges {
            self.graph.add_edge(source, node, edge);
        }
        Some(node)
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

    /// What stands on the ports. `None` where a mistake was found and told, here or in what is needed.
    fn edges(
        &mut self,
        stage: &RawStage,
        kind: &StageKind,
        place: &Place,
        scope: &Scope,
    ) -> Option<Vec<(NodeIndex, Edge)>> {
        let mut edges = vec![];
        for (name, tree) in &stage.needs {
            let resolved = scope.resolve(tree, self.problems);
            edges.push(self.edge(kind, name, &resolved, place));
        }
        let missing = kind
            .needs
            .iter()
            .filter(|port| port.required && !stage.needs.iter().any(|(name, _)| name.text == port.name));
        for port in missing {
            let title = format!(
                "{} needs `{}` ({}) and `{}` does not connect it",
                kind.name, port.name, port.doc, stage.name.text
            );
            let label = format!("add `needs: {{ {}: STAGE }}` with a stage that gives {}", port.name, port.type_);
            self.problems.push(Problem::new(stage.name.span.clone(), title, label));
            edges.push(None);
        }
        edges.into_iter().collect()
    }

    fn edge(&mut self, kind: &StageKind, name: &Name, tree: &Tree, place: &Place) -> Option<(NodeIndex, Edge)> {
        let Some(port) = kind.needs.iter().find(|port| port.name == name.text) else {
            let label = nearest(&name.text, kind.needs.iter().map(|port| port.name.as_str()));
            self.problems.push(Problem::new(
                name.span.clone(),
                format!("{} has no port `{}`", kind.name, name.text),
                label,
            ));
            return None;
        };
        let source = self.source(tree, place)?;
        match output_of_type(&self.graph[source], &port.type_, &port.name, &kind.name, &tree.span) {
            Ok(output) => Some((source, Edge { port: port.name.clone(), output, used: port.used })),
            Err(problem) => {
                self.problems.push(problem);
                None
            }
        }
    }

    /// The node of the stage that `tree` names, at the same place on the axes that both vary along.
    fn source(&self, tree: &Tree, place: &Place) -> Option<NodeIndex> {
        let number = self.raw.stages.iter().position(|stage| Some(stage.name.text.as_str()) == tree.text())?;
        let axes = &self.spread.axes[number];
        let shared: Place = place.iter().copied().filter(|(axis, _)| axes.contains(axis)).collect();
        self.nodes[number].get(&shared).copied()
    }

    /// Where an exclusion took away all that needed a node, the node is not needed either.
    fn drop_unneeded(&mut self) {
        if self.raw.exclusions.is_empty() {
            return;
        }
        let is_source = |stage: &str| {
            let number = self.raw.stages.iter().position(|raw| raw.name.text == stage);
            number.is_some_and(|number| self.spread.sources.iter().any(|sources| sources.contains(&number)))
        };
        loop {
            let graph = &self.graph;
            let unneeded = graph.node_indices().find(|&node| {
                is_source(&graph[node].stage) && graph.neighbors_directed(node, Direction::Outgoing).next().is_none()
            });
            let Some(node) = unneeded else { return };
            // Indices shift, but the order stays: the rest is rebuilt without the node.
            self.graph =
                graph.filter_map(|index, weight| (index != node).then(|| weight.clone()), |_, edge| Some(edge.clone()));
        }
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

fn output_of_type(source: &Node, type_: &str, port: &str, kind: &str, span: &Span) -> Result<String, Problem> {
    let fitting: Vec<&str> =
        source.kind.gives.iter().filter(|out| out.type_ == type_).map(|out| out.name.as_str()).collect();
    if let [output] = fitting[..] {
        return Ok(output.to_owned());
    }
    let gives: Vec<&str> = source.kind.gives.iter().map(|out| out.type_.as_str()).collect();
    let gives = if gives.is_empty() { "measurements only".to_owned() } else { gives.join(", ") };
    let title = format!("`{}` does not fit port `{port}` of {kind}", source.stage);
    Err(Problem::new(span.clone(), title, format!("expected {type_}; {} gives {gives}", source.kind.name)))
}

/// `with`: maps merged from left to right, nested ones too.
fn merge(stage: &RawStage, scope: &Scope, problems: &mut Vec<Problem>) -> Tree {
    let mut merged = Tree { span: stage.name.span.clone(), content: Content::Map(vec![]) };
    for tree in &stage.with {
        let resolved = scope.resolve(tree, problems);
        if resolved.entries().is_some() {
            merged = overlay(merged, resolved);
        } else if !resolved.is_broken() {
            let title = format!("`with` of `{}` has {}", stage.name.text, resolved.describe());
            problems.push(Problem::new(resolved.span.clone(), title, "a map of parameters: { epochs: 10 }"));
        }
    }
    merged
}

fn overlay(under: Tree, over: Tree) -> Tree {
    match (under.content, over.content) {
        (Content::Map(mut entries), Content::Map(additions)) => {
            for (name, value) in additions {
                match entries.iter_mut().find(|(other, _)| other.text == name.text) {
                    Some((_, existing)) => *existing = overlay(existing.clone(), value),
                    None => entries.push((name, value)),
                }
            }
            Tree { span: over.span, content: Content::Map(entries) }
        }
        (_, content) => Tree { span: over.span, content },
    }
}
