//! What the fake worker can do. Every kind gives `value`, a folder with a number in `value.txt`.

use pretext_protocol::{Catalogue, Gpu, Measure, Output, Port, StageKind};
use serde_json::{Map, Value, json};

/// The kinds of `fake-worker`, of which most go wrong in one way each.
pub fn catalogue() -> Catalogue {
    let kinds = vec![
        kind("source", "writes `value`; `noise` counts in its key and changes nothing", &["value", "noise"]),
        reading(kind("read", "the number in the file `path`; waits as `hold` says", &["hold"])),
        kind("add", "the sum of `a`, `b` and `plus`", &["plus"]),
        kind(
            "slow",
            "counts `steps`, each of `milliseconds`, with a checkpoint after each; on a GPU where there is one",
            &["steps", "milliseconds", "seed"],
        ),
        kind(
            "haunted",
            "as `slow`; a process that it has started outlives it and writes into its folders",
            &["steps", "milliseconds"],
        ),
        kind("flood", "writes to standard output or, with `errors`, to standard error without end", &["errors"]),
        kind("fail", "reports `error`", &[]),
        kind("flaky", "fails `failures` times, and then gives `value`", &["failures", "value"]),
        kind("panic", "panics", &[]),
        kind("exit", "ends with `code`", &["code"]),
        kind("die", "kills itself by the signal `signal`", &["signal"]),
        kind("garbage", "writes something that is no reply", &[]),
        kind("hang", "gives no sign of life", &[]),
        kind("forgetful", "does not write its output", &[]),
        kind("stray", "sends a measurement that it does not declare", &[]),
    ];
    Catalogue { numerics: "fake numbers".to_owned(), rehearses: false, kinds }
}

/// Has it need a path.
fn reading(mut kind: StageKind) -> StageKind {
    kind.params["properties"]["path"] = json!({ "type": "string", "x-path": true });
    kind.params["required"] = json!(["path"]);
    kind
}

/// `params`: the names of its parameters, all of them integers that are 0 unless a recipe says otherwise.
fn kind(name: &str, summary: &str, params: &[&str]) -> StageKind {
    let port = |name: &str| Port {
        name: name.to_owned(),
        type_: "number".to_owned(),
        required: false,
        used: true,
        doc: String::new(),
    };
    let measure = |name: &str, splits: &[&str]| Measure {
        name: name.to_owned(),
        splits: splits.iter().map(|split| (*split).to_owned()).collect(),
        unit: String::new(),
        setting: false,
        doc: String::new(),
    };
    let integer = |name: &&str| ((*name).to_owned(), json!({ "type": "integer", "default": 0 }));
    let properties: Map<String, Value> = params.iter().map(integer).collect();
    StageKind {
        name: format!("fake/{name}"),
        version: 1,
        summary: summary.to_owned(),
        docs: String::new(),
        needs: vec![port("a"), port("b")],
        gives: vec![Output { name: "value".to_owned(), type_: "number".to_owned(), doc: String::new() }],
        params: json!({ "type": "object", "properties": properties }),
        measures: vec![measure("value", &["test"]), measure("digits", &[])],
        numerics: None,
        gpu: if name == "slow" { Gpu::Used } else { Gpu::Unused },
    }
}
