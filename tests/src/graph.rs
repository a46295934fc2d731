use pretext::ids::NodeId;
use pretext::plan::{Edge, Graph, Node, NodeResources, Params};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use std::sync::Arc;

/// A graph of fake stages, written by hand; as JSON it goes to `run-graph`.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct GraphSpec {
    pub nodes: Vec<NodeSpec>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct NodeSpec {
    pub id: String,
    pub kind: String,
    pub params: Map<String, Value>,
    /// Port and the node on it.
    pub needs: Vec<(String, String)>,
    /// Ports that the kind accepts and ignores.
    pub ignores: Vec<String>,
    pub threads: usize,
}

impl GraphSpec {
    /// Adds a node; what it needs was added before. Its kind is `fake/KIND`.
    pub fn node(mut self, id: &str, kind: &str, params: Value, needs: &[(&str, &str)]) -> Self {
        let Value::Object(params) = params else { panic!("parameters are a map") };
        let needs = needs.iter().map(|(port, node)| ((*port).to_owned(), (*node).to_owned())).collect();
        let (id, kind) = (id.to_owned(), format!("fake/{kind}"));
        self.nodes.push(NodeSpec { id, kind, params, needs, ignores: Vec::new(), threads: 1 });
        self
    }

    /// Has the last node compute with so many threads.
    pub fn threads(mut self, threads: usize) -> Self {
        self.nodes.last_mut().expect("a node was added").threads = threads;
        self
    }

    /// Has the last node ignore what is on a port.
    pub fn ignoring(mut self, port: &str) -> Self {
        self.nodes.last_mut().expect("a node was added").ignores.push(port.to_owned());
        self
    }

    /// As recipes become it.
    pub fn graph(&self) -> Graph {
        let catalogue = crate::fake::catalogue();
        let mut graph = Graph::new();
        for spec in &self.nodes {
            let kind = catalogue.kind(&spec.kind).unwrap_or_else(|| panic!("there is no kind {}", spec.kind));
            let params: Params = spec.params.clone().into_iter().collect();
            let node = graph.add_node(Node {
                id: NodeId(spec.id.clone()),
                stage: spec.id.split('[').next().unwrap_or_default().to_owned(),
                axes: Vec::new(),
                kind: Arc::new(kind.clone()),
                params: params.clone(),
                keyed_params: params,
                resources: NodeResources {
                    threads: spec.threads,
                    memory_bytes: vec![1 << 20],
                    gpus: 0,
                    seconds: vec![],
                },
                policy: Default::default(),
                worker: Default::default(),
                code: Default::default(),
                is_checked: true,
                numerics: catalogue.numerics.as_str().into(),
            });
            for (port, needed) in &spec.needs {
                let source = graph.node_indices().find(|index| graph[*index].id.0 == *needed);
                let source = source.unwrap_or_else(|| panic!("there is no node {needed}"));
                let used = !spec.ignores.contains(port);
                graph.add_edge(source, node, Edge { port: port.clone(), output: "value".to_owned(), used });
            }
        }
        graph
    }
}
