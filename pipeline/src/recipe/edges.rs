//! What stands on the ports of a node.

use super::combinations::Place;
use super::expand::Expansion;
use super::expression::Scope;
use super::kinds::Kind;
use super::problem::{Problem, nearest, nearest_name};
use super::stages::RawStage;
use super::tree::{Name, Span, Tree};
use crate::plan::{Edge, Node};
use petgraph::graph::NodeIndex;
use pretext_protocol::{Output, Port, StageKind};

impl Expansion<'_> {
    /// `None` where a mistake was found and told, here or in what is needed.
    pub(super) fn edges(
        &mut self,
        stage: &RawStage,
        kind: &Kind,
        place: &Place,
        scope: &Scope,
    ) -> Option<Vec<(NodeIndex, Edge)>> {
        let mut edges = Some(Vec::with_capacity(stage.needs.len()));
        let mut add = |edge: Option<(NodeIndex, Edge)>| match (&mut edges, edge) {
            (Some(edges), Some(edge)) => edges.push(edge),
            (edges, _) => *edges = None,
        };
        for (name, tree) in &stage.needs {
            let resolved = scope.resolve(tree, self.problems);
            add(self.edge(kind, name, &resolved, place));
        }
        for port in missing(stage, &kind.stage) {
            let kind = &kind.stage.name;
            let title =
                format!("{kind} needs `{}` ({}) and `{}` does not connect it", port.name, port.doc, stage.name.text);
            let label = format!("add `needs: {{ {}: STAGE }}` with a stage that gives {}", port.name, port.type_);
            self.problems.push(Problem::new(stage.name.span.clone(), title, label));
            add(None);
        }
        edges
    }

    fn edge(&mut self, kind: &Kind, name: &Name, tree: &Tree, place: &Place) -> Option<(NodeIndex, Edge)> {
        let port = kind.stage.needs.iter().find(|port| port.name == name.text);
        if port.is_none() && kind.is_checked {
            let label = nearest(&name.text, kind.stage.needs.iter().map(|port| port.name.as_str()));
            let title = format!("{} has no port `{}`", kind.stage.name, name.text);
            self.problems.push(Problem::new(name.span.clone(), title, label));
            return None;
        }
        let source = self.source(tree, place)?;
        let Some(port) = port else {
            // Which output it takes is told when it is known what it takes.
            let output = fitting(&name.text, None, &self.graph[source]).map(|output| output.name.clone());
            return Some((source, Edge { port: name.text.clone(), output: output.unwrap_or_default(), used: true }));
        };
        match output_for(port, &self.graph[source], &kind.stage.name, &tree.span) {
            Ok(output) => Some((source, Edge { port: port.name.clone(), output, used: port.used })),
            Err(problem) => {
                self.problems.push(problem);
                None
            }
        }
    }

    /// The node of the stage that `tree` names, at the same place on the axes that both vary along.
    fn source(&self, tree: &Tree, place: &Place) -> Option<NodeIndex> {
        self.nodes[self.raw.stage_named(tree)?].at(place)
    }
}

/// Required ports that nothing stands on. One that is only misspelt is told as such.
fn missing<'a>(stage: &RawStage, kind: &'a StageKind) -> Vec<&'a Port> {
    let connected = |port: &Port| {
        let names = || kind.needs.iter().map(|port| port.name.as_str()).collect::<Vec<_>>();
        let stands_for = |given: &str| given == port.name || nearest_name(given, &names()) == Some(port.name.as_str());
        stage.needs.iter().any(|(given, _)| given.text == port.name)
            || stage.needs.iter().any(|(given, _)| stands_for(&given.text))
    };
    kind.needs.iter().filter(|port| port.required && !connected(port)).collect()
}

/// The one output of the port's type.
fn output_for(port: &Port, source: &Node, kind: &str, span: &Span) -> Result<String, Problem> {
    let type_ = Some(port.type_.as_str()).filter(|type_| !type_.is_empty());
    if !source.is_checked {
        return Ok(String::new());
    }
    if let Some(output) = fitting(&port.name, type_, source) {
        return Ok(output.name.clone());
    }
    let (stage, gives) = (&source.stage, &source.kind.gives);
    let expected = type_.unwrap_or("something");
    let of_type = |output: &&Output| type_.is_none_or(|type_| output.type_ == type_);
    let several: Vec<&str> = gives.iter().filter(of_type).map(|output| output.name.as_str()).collect();
    let label = if gives.is_empty() {
        format!("expected {expected}; `{stage}` gives measurements only")
    } else if several.is_empty() {
        let types: Vec<&str> = gives.iter().map(|output| output.type_.as_str()).collect();
        format!("expected {expected}; `{stage}` gives {}", types.join(", "))
    } else {
        let alternative = if type_.is_none() { "; call the port as one of them" } else { "" };
        format!("expected one {expected}; `{stage}` gives several: {}{alternative}", several.join(", "))
    };
    Err(Problem::new(span.clone(), format!("`{stage}` does not fit port `{}` of {kind}", port.name), label))
}

/// The one output of a type; on a port for any, the one that is called as the port or is of a type that is, or the only one.
fn fitting<'a>(port: &str, type_: Option<&str>, source: &'a Node) -> Option<&'a Output> {
    let only = |fits: &dyn Fn(&Output) -> bool| {
        let mut all = source.kind.gives.iter().filter(|output| fits(output));
        all.next().filter(|_| all.next().is_none())
    };
    match type_ {
        Some(type_) => only(&|output| output.type_ == type_),
        None => only(&|output| output.name == port)
            .or_else(|| only(&|output| output.type_ == port))
            .or_else(|| only(&|_| true)),
    }
}
