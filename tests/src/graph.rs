use pretext::ids::NodeId;
use pretext::plan::{Device, Edge, Graph, Node, NodeResources, Params, Policy};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use std::sync::Arc;
use std::time::Duration;

/// A graph of fake stages, written by hand; as JSON it goes to `run-graph`.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct GraphSpec {
    pub nodes: Vec<NodeSpec>,
}

#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct NodeSpec {
    pub id: String,
    pub kind: String,
    pub params: Map<String, Value>,
    /// Port and the node on it.
    pub needs: Vec<(String, String)>,
    /// Ports that the kind accepts and ignores.
    pub ignores: Vec<String>,
    pub threads: usize,
    pub gpus: usize,
    pub device: Option<String>,
    pub retries: u32,
    pub timeout_ms: Option<u64>,
    pub is_dropped: bool,
}

impl GraphSpec {
    /// Adds a node; what it needs was added before. Its kind is `fake/KIND`.
    pub fn node(mut self, id: &str, kind: &str, params: Value, needs: &[(&str, &str)]) -> Self {
        let Value::Object(params) = params else { panic!("parameters are a map") };
        let needs = needs.iter().map(|(port, node)| ((*port).to_owned(), (*node).to_owned())).collect();
        let (id, kind) = (id.to_owned(), format!("fake/{kind}"));
        self.nodes.push(NodeSpec { id, kind, params, needs, ..NodeSpec::default() });
        self
    }

    /// Has the last node compute with so many threads.
    pub fn threads(self, threads: usize) -> Self {
        self.last(|node| node.threads = threads)
    }

    /// Has the last node want so many GPUs.
    pub fn gpus(self, gpus: usize) -> Self {
        self.last(|node| node.gpus = gpus)
    }

    /// Says where the last node is computed, as recipes do; on the processor unless this says otherwise.
    pub fn device(self, device: &str) -> Self {
        self.last(|node| node.device = Some(device.to_owned()))
    }

    /// Has the last node tried again so often.
    pub fn retries(self, retries: u32) -> Self {
        self.last(|node| node.retries = retries)
    }

    /// Gives each attempt at the last node so long.
    pub fn timeout_ms(self, limit: u64) -> Self {
        self.last(|node| node.timeout_ms = Some(limit))
    }

    /// Has the last node's bytes dropped when nothing needs them.
    pub fn dropped(self) -> Self {
        self.last(|node| node.is_dropped = true)
    }

    fn last(mut self, change: impl FnOnce(&mut NodeSpec)) -> Self {
        change(self.nodes.last_mut().expect("a node was added"));
        self
    }

    /// Has the last node ignore what is on a port.
    pub fn ignoring(self, port: &str) -> Self {
        self.last(|node| node.ignores.push(port.to_owned()))
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
                    threads: spec.threads.max(1),
                    memory_bytes: vec![1 << 20],
                    device: spec.device.as_deref().map_or(Device::Cpu, |text| text.parse().expect("a device")),
                    gpus: spec.gpus,
                    seconds: vec![],
                },
                policy: Policy {
                    retries: spec.retries,
                    timeout: spec.timeout_ms.map(Duration::from_millis),
                    keep: !spec.is_dropped,
                },
                worker: Default::default(),
                program: Default::default(),
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
