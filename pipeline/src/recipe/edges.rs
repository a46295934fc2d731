//! What stands on the ports of a node.

use super::expand::{Expansion, Place};
use super::expression::Scope;
use super::problem::{Problem, nearest, nearest_name};
use super::raw::RawStage;
use super::tree::{Name, Span, Tree};
use crate::plan::{Edge, Node};
use petgraph::graph::NodeIndex;
use pretext_protocol::{Port, StageKind};

impl Expansion<'_> {
    /// `None` where a mistake was found and told, here or in what is needed.
    pub(super) fn edges(
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
        for port in missing(stage, kind) {
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
            let title = format!("{} has no port `{}`", kind.name, name.text);
            self.problems.push(Problem::new(name.span.clone(), title, label));
            return None;
        };
        let source = self.source(tree, place)?;
        match output_for(port, &self.graph[source], &kind.name, &tree.span) {
            Ok(output) => Some((source, Edge { port: port.name.clone(), output, used: port.used })),
            Err(problem) => {
                self.problems.push(problem);
                None
            }
        }
    }

    /// The node of the stage that `tree` names, at the same place on the axes that both vary along.
    fn source(&self, tree: &Tree, place: &Place) -> Option<NodeIndex> {
        let number = self.raw.stage_named(tree)?;
        let axes = &self.spread.axes[number];
        let shared: Place = place.iter().copied().filter(|(axis, _)| axes.contains(axis)).collect();
        self.nodes[number].get(&shared).copied()
    }
}

/// Required ports that nothing stands on. One that is only misspelt is told as such.
fn missing<'a>(stage: &RawStage, kind: &'a StageKind) -> Vec<&'a Port> {
    let names: Vec<&str> = kind.needs.iter().map(|port| port.name.as_str()).collect();
    let connected = |port: &Port| {
        let stands_for = |given: &str| given == port.name || nearest_name(given, &names) == Some(port.name.as_str());
        stage.needs.iter().any(|(given, _)| stands_for(&given.text))
    };
    kind.needs.iter().filter(|port| port.required && !connected(port)).collect()
}

/// The one output of the port's type.
fn output_for(port: &Port, source: &Node, kind: &str, span: &Span) -> Result<String, Problem> {
    let gives = &source.kind.gives;
    let fitting: Vec<&str> = gives.iter().filter(|out| out.type_ == port.type_).map(|out| out.name.as_str()).collect();
    let (stage, type_) = (&source.stage, &port.type_);
    let label = match fitting[..] {
        [output] => return Ok(output.to_owned()),
        [] if gives.is_empty() => format!("expected {type_}; `{stage}` gives measurements only"),
        [] => {
            let types: Vec<&str> = gives.iter().map(|out| out.type_.as_str()).collect();
            format!("expected {type_}; `{stage}` gives {}", types.join(", "))
        }
        _ => format!("expected one {type_}; `{stage}` gives several: {}", fitting.join(", ")),
    };
    Err(Problem::new(span.clone(), format!("`{stage}` does not fit port `{}` of {kind}", port.name), label))
}
