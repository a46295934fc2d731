use crate::ids::{Digest, Key, NodeId};
use crate::plan::Canonical;
use pretext_protocol::Measurement;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::sync::OnceLock;

/// What a key leads to.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct StageResult {
    pub key: Key,
    /// Content digest of the artifact of each output.
    pub artifacts: BTreeMap<String, Digest>,
    pub measurements: Vec<Measurement>,
}

/// How a result came about: what differs from run to run and counts nowhere.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Provenance {
    pub node: NodeId,
    pub recipe: String,
    pub pretext_version: String,
    pub worker_version: String,
    /// RFC 3339, UTC.
    pub finished: String,
    /// Wall time, all attempts that contributed together.
    pub seconds: f64,
    pub attempts: u32,
    pub images_per_second: Option<f64>,
    /// As [`pretext_protocol::Cost`] has it; older results do not.
    #[serde(default)]
    pub data_wait_share: Option<f64>,
    #[serde(default)]
    pub peak_bytes: Option<u64>,
    pub peak_rss_bytes: Option<u64>,
    pub threads: usize,
    pub device: String,
    pub machine: Machine,
    /// What the stage had to say of it: what a folder was taken for.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<String>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Machine {
    pub host: String,
    pub processor: String,
    pub cores: usize,
}

/// What was last computed under a node's name in a recipe, to say later what changed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LastRun {
    pub key: Key,
    pub canonical: Canonical,
    /// Seconds since 1970.
    pub at: u64,
    /// The run that it was part of.
    pub run: String,
}

impl Machine {
    /// The one that this runs on.
    pub fn this() -> &'static Self {
        static THIS: OnceLock<Machine> = OnceLock::new();
        THIS.get_or_init(|| {
            let read = |path| std::fs::read_to_string(path).unwrap_or_default();
            let processors = read("/proc/cpuinfo");
            let model = processors.lines().find_map(|line| line.strip_prefix("model name")?.split_once(':'));
            Self {
                host: read("/proc/sys/kernel/hostname").trim().to_owned(),
                processor: model.map_or("unknown", |(_, name)| name.trim()).to_owned(),
                cores: std::thread::available_parallelism().map_or(1, usize::from),
            }
        })
    }
}
