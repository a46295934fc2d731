//! The messages between `pretext` and a worker: one JSON object a line, requests on the worker's standard
//! input, replies on its standard output. The worker's standard error is its log.
//!
//! A worker answers [`Request::Hello`] and [`Request::Describe`] at once. It runs one stage at a time: after
//! [`Request::Run`] or [`Request::Rehearse`] it sends [`Reply::Progress`] and [`Reply::Heartbeat`] until [`Reply::Done`],
//! [`Reply::Stopped`] or [`Reply::Failed`]. [`Request::Stop`] asks it to save a checkpoint and end.
//! Anything that speaks this is a worker.

mod catalogue;
mod exchange;
mod numbers;
mod removal;
mod requests;
pub use catalogue::*;
pub use exchange::{cannot, exchange};
pub use numbers::from_line;
pub use removal::remove_folder;
pub use requests::requests;

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// The version of the protocol. A worker of another version is refused.
pub const PROTOCOL: u32 = 1;

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
#[allow(clippy::large_enum_variant, reason = "one is made for each stage that runs, not many at once")]
pub enum Request {
    Hello {
        protocol: u32,
    },
    Describe,
    /// Say what there is to compute with. Only `pretext-worker` is asked; others need not know it.
    Doctor {
        /// Whether nothing is to be asked of the network.
        offline: bool,
    },
    Run(Run),
    /// Begin a stage on what it is given, or on what rehearsals of other stages have left, and end where it would begin to compute: with
    /// [`Reply::Done`], or with [`Reply::Failed`] where it would have failed before. Outputs that can be told without computing are written
    /// as [`Request::Run`] would write them, whole, with an encoder that was never trained in the place of a trained one. Only workers are
    /// asked whose [`Catalogue::rehearses`] is true.
    Rehearse(Run),
    /// Save a checkpoint of what is running, answer [`Reply::Stopped`], and end. Idle workers just end.
    Stop,
}

/// One stage to be computed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Run {
    /// Chosen by `pretext`; every reply about this stage repeats it.
    pub id: u64,
    /// `pretrain/simclr`
    pub kind: String,
    /// Every parameter, defaults included, as the kind's schema types it.
    pub params: serde_json::Map<String, serde_json::Value>,
    /// The artifact's folder on each connected port. Not to be written to.
    pub inputs: BTreeMap<String, PathBuf>,
    /// An empty folder. Output NAME goes into the folder `out/NAME`, which the worker creates.
    pub out: PathBuf,
    /// An empty folder for side files: pictures, curves. They count in no digest.
    pub side: PathBuf,
    /// An empty folder of this attempt for checkpoints, each written elsewhere in it and renamed to
    /// [`CHECKPOINT`] when whole.
    pub scratch: PathBuf,
    /// `scratch` of an earlier attempt at the same key, whose [`CHECKPOINT`] is to be continued.
    pub resume: Option<PathBuf>,
    /// Where downloads are kept, shared by all runs.
    pub cache: PathBuf,
    pub resources: Resources,
}

impl Run {
    /// A request as tests and benches make them: on one thread of the processor, in a folder whose parts are made here.
    pub fn in_folder(
        kind: &str,
        params: serde_json::Map<String, serde_json::Value>,
        inputs: &[(&str, &Path)],
        folder: &Path,
    ) -> std::io::Result<Self> {
        let part = |name: &str| {
            let part = folder.join(name);
            std::fs::create_dir_all(&part).map(|()| part)
        };
        Ok(Self {
            id: 1,
            kind: kind.to_owned(),
            params,
            inputs: inputs.iter().map(|(port, artifact)| ((*port).to_owned(), (*artifact).to_owned())).collect(),
            out: part("out")?,
            side: part("side")?,
            scratch: part("scratch")?,
            resume: None,
            cache: part("cache")?,
            resources: Resources { threads: 1, device: "cpu".to_owned() },
        })
    }
}

/// The name of the last whole checkpoint in [`Run::scratch`] (a folder).
pub const CHECKPOINT: &str = "checkpoint";
/// The one before it, for the moment in which the two change places where the file system has no call for that.
pub const CHECKPOINT_BEFORE: &str = "checkpoint-before";

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Resources {
    pub threads: usize,
    /// `cpu`, `cuda:0`
    pub device: String,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Reply {
    Hello {
        protocol: u32,
        worker: String,
        version: String,
    },
    Catalogue(Catalogue),
    /// The answer to [`Request::Doctor`].
    Doctor {
        findings: Vec<Finding>,
    },
    Progress(Progress),
    /// A final measurement of the stage. It is part of the result and must not differ between two runs.
    Measure {
        id: u64,
        #[serde(flatten)]
        measurement: Measurement,
    },
    /// What a person should know of the result and its numbers do not say: what a folder was taken for. Shown when the stage
    /// is done, and kept beside the result; counts nowhere.
    Note {
        id: u64,
        text: String,
    },
    /// The stage is alive though it has nothing to show. Sent at least every [`HEARTBEAT_SECONDS`].
    Heartbeat {
        id: u64,
    },
    Done {
        id: u64,
        cost: Cost,
    },
    /// Ended by [`Request::Stop`] with a checkpoint saved.
    Stopped {
        id: u64,
    },
    /// `error`: what went wrong and what to do about it. The worker itself goes on.
    Failed {
        id: u64,
        error: String,
    },
}

/// What there is to say of a part of the machine or of the worker, with what to type where something is amiss.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Finding {
    /// `libtorch`, `devices`, `data/cifar10`
    pub name: String,
    /// May have several lines.
    pub text: String,
}

pub const HEARTBEAT_SECONDS: u64 = 2;

/// How far a stage is.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Progress {
    pub id: u64,
    /// What is being done now: `train`, `download`.
    pub phase: String,
    pub done: u64,
    /// 0 when not known.
    pub total: u64,
    /// What `done` counts: `images`, `bytes`.
    pub unit: String,
    /// In units per second, over the last few seconds.
    pub rate: Option<f64>,
    /// Figures worth seeing while it runs: `loss`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty", deserialize_with = "numbers::each_or_nan")]
    pub values: BTreeMap<String, f64>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Measurement {
    /// `accuracy`
    pub name: String,
    /// `train`, `validation`, `test`; empty where there is none (a parameter that was chosen).
    #[serde(default)]
    pub split: String,
    /// NaN, which is `null` in JSON, where it is no finite number: a gap in tables.
    #[serde(deserialize_with = "numbers::or_nan")]
    pub value: f64,
}

/// What a stage cost beside its time, which `pretext` measures itself. Goes into the provenance.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Cost {
    /// Training images per second, where the stage trains.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub images_per_second: Option<f64>,
    /// Share of the training time in which the network waited for its next batch, in [0, 1].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub data_wait_share: Option<f64>,
    /// The most bytes of heap that the stage held at once, beyond what its worker held before it: live ones, as malloc
    /// counts them, seen some times a second. Mapped files and a GPU's memory are not among them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub peak_bytes: Option<u64>,
    /// Peak resident memory of the worker process: with what its allocator keeps from earlier stages, and with the pages
    /// of mapped files and libraries.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub peak_rss_bytes: Option<u64>,
    /// Seconds spent on this stage by earlier attempts whose checkpoint it went on from.
    #[serde(default)]
    pub seconds_before_resume: f64,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_survive_a_round_trip_and_have_stable_tags() {
        let line = r#"{"type":"measure","id":3,"name":"accuracy","split":"test","value":0.5}"#;
        let reply: Reply = serde_json::from_str(line).unwrap();
        assert_eq!(serde_json::to_string(&reply).unwrap(), line);
        assert_eq!(serde_json::to_string(&Request::Stop).unwrap(), r#"{"type":"stop"}"#);
    }
}
