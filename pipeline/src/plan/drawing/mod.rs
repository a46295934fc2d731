//! The graph of a recipe as a picture: one shape for each stage or each node, in three notations.

mod dot;
mod mermaid;
mod text;

use super::{Counts, Graph, Status};
use crate::text::count;
use petgraph::graph::NodeIndex;
use std::collections::{BTreeMap, BTreeSet, HashMap};

/// Shapes and the arrows between them, in the order of the recipe.
#[derive(Debug, Default)]
pub struct Drawing {
    title: String,
    shapes: Vec<Shape>,
    arrows: Vec<Arrow>,
}

/// A stage with all its nodes, or one node.
#[derive(Debug)]
struct Shape {
    name: String,
    /// `eval/knn`, or `pretrain/* (6 kinds)`.
    kind: String,
    /// Each axis with the number of its labels; none of a single node, whose name has them.
    axes: Vec<(String, usize)>,
    nodes: usize,
    /// How many arrows lead to it on the longest way.
    depth: usize,
    /// Of its nodes, where a plan was made.
    counts: Option<Counts>,
}

/// From what is needed to what needs it.
#[derive(Debug)]
struct Arrow {
    from: usize,
    to: usize,
    /// The ports that it leads to.
    ports: Vec<String>,
    /// False where every node ignores what it is given.
    used: bool,
}

impl Drawing {
    /// One shape for each stage, or with `unfolded` for each node.
    pub fn of(title: &str, graph: &Graph, statuses: Option<&[Status]>, unfolded: bool) -> Self {
        let mut drawing = Self { title: title.to_owned(), ..Self::default() };
        let mut members: Vec<Vec<NodeIndex>> = vec![];
        let mut place_of: HashMap<&str, usize> = HashMap::new();
        let mut places = Vec::with_capacity(graph.node_count());
        for index in graph.node_indices() {
            let name = if unfolded { &*graph[index].id.0 } else { &*graph[index].stage };
            let place = *place_of.entry(name).or_insert(members.len());
            if place == members.len() {
                members.push(vec![]);
            }
            members[place].push(index);
            places.push(place);
        }
        drawing.shapes = members.iter().map(|members| Shape::of(graph, members, statuses, unfolded)).collect();
        drawing.connect(graph, &places);
        drawing
    }

    fn connect(&mut self, graph: &Graph, places: &[usize]) {
        let mut arrows: BTreeMap<(usize, usize), (Vec<String>, bool)> = BTreeMap::new();
        for edge in graph.raw_edges() {
            let (from, to) = (places[edge.source().index()], places[edge.target().index()]);
            let (ports, used) = arrows.entry((to, from)).or_default();
            if !ports.iter().any(|port| **port == *edge.weight.port) {
                ports.push(edge.weight.port.to_string());
            }
            *used |= edge.weight.used;
        }
        let arrow = |((to, from), (ports, used))| Arrow { from, to, ports, used };
        self.arrows = arrows.into_iter().map(arrow).collect();
        // Nodes come after what they need, and so do stages.
        for arrow in &self.arrows {
            self.shapes[arrow.to].depth = self.shapes[arrow.to].depth.max(self.shapes[arrow.from].depth + 1);
        }
    }

    fn nodes(&self) -> usize {
        self.shapes.iter().map(|shape| shape.nodes).sum()
    }
}

impl Shape {
    fn of(graph: &Graph, members: &[NodeIndex], statuses: Option<&[Status]>, unfolded: bool) -> Self {
        let first = &graph[members[0]];
        let kinds: BTreeSet<&str> = members.iter().map(|index| graph[*index].kind.name.as_str()).collect();
        let kind = match kinds.len() {
            1 => first.kind.name.clone(),
            several => format!("{}/* ({several} kinds)", first.kind.family()),
        };
        let counts = statuses.map(|statuses| Counts::of(members.iter().map(|index| &statuses[index.index()])));
        let (name, axes) = match unfolded {
            true => (first.id.to_string(), vec![]),
            false => (first.stage.to_string(), axes(graph, members)),
        };
        Self { name, kind, axes, nodes: members.len(), depth: 0, counts }
    }

    /// `x18, method 6, seed 3`; nothing of a single node.
    fn size(&self) -> String {
        let axes = self.axes.iter().map(|(axis, labels)| format!("{axis} {}", count(*labels as u64)));
        match self.nodes {
            1 => String::new(),
            nodes => [format!("x{}", count(nodes as u64))].into_iter().chain(axes).collect::<Vec<_>>().join(", "),
        }
    }

    /// What most concerns it: `run` if any node must run, else `open`, else `hit`.
    fn status(&self) -> Option<&'static str> {
        let counts = self.counts.as_ref()?;
        Some(match counts {
            Counts { run: 1.., .. } => "run",
            Counts { open: 1.., .. } => "open",
            Counts { unchecked: 1.., .. } => "unchecked",
            Counts { hit: 0, spared: 1.., .. } => "spared",
            _ => "hit",
        })
    }

    /// `hit`, or `3 hit, 1 run` of several nodes.
    fn fate(&self) -> String {
        let Some(Counts { hit, run, open, spared, unchecked }) = &self.counts else { return String::new() };
        let numbers = [(hit, "hit"), (run, "run"), (open, "open"), (spared, "spared"), (unchecked, "unchecked")];
        let there: Vec<(&u64, &str)> = numbers.into_iter().filter(|(number, _)| **number > 0).collect();
        match there.as_slice() {
            [(_, word)] => (*word).to_owned(),
            several => several.iter().map(|(number, word)| format!("{number} {word}")).collect::<Vec<_>>().join(", "),
        }
    }
}

/// Each axis that they vary along with the number of labels, in their order.
fn axes(graph: &Graph, members: &[NodeIndex]) -> Vec<(String, usize)> {
    let mut axes: Vec<(&str, BTreeSet<&str>)> = vec![];
    for (axis, label) in members.iter().flat_map(|index| &graph[*index].axes) {
        let place = axes.iter().position(|(known, _)| **known == **axis).unwrap_or(axes.len());
        if place == axes.len() {
            axes.push((axis, BTreeSet::new()));
        }
        axes[place].1.insert(label);
    }
    axes.into_iter().map(|(axis, labels)| (axis.to_owned(), labels.len())).collect()
}
