use super::*;
use crate::ids::{Digest, Key, NodeId};
use crate::run::screen::tests::node;
use pretext_protocol::{Measurement, Progress};
use serde_json::Value;
use std::fs;

#[test]
fn every_update_is_a_line_with_its_own_fields() {
    let (id, key) = (NodeId("probe[method=\"a\"]".into()), Key(Digest::of(b"")));
    let (node, failed) = (node(&id), vec![(id.clone(), "loss became NaN\nat step 3".to_owned())]);
    let summary = Summary { computed: 2, failed, seconds: 1.5, interrupted: true, ..Summary::default() };
    let measurements = [Measurement { name: "accuracy".into(), split: "test".into(), value: 0.5 }];
    let canonical = crate::plan::canonical(&node, Default::default());
    let axes = vec![("method".to_owned(), 6)];
    let updates = [
        Update::Planned { recipe: "small", stages: 3, axes, reused: 1, to_run: 2, estimate_seconds: None },
        Update::Reused { node: &id, key },
        Update::HeldElsewhere { node: &id, holder: "process 1 on box" },
        Update::WaitsForGpu { node: &id, gpu: "cuda:1", holder: "process 2" },
        Update::Started { node: &id, key, attempt: 2, resumed: true, again: Some("lacks a file") },
        Update::Done { node: &node, key, seconds: 2.0, measurements: &measurements, notes: &[], canonical: &canonical },
        Update::Stopped { node: &id, saved: false },
        Update::Retried { node: &id, seconds: 0.5, error: "no", left: 2 },
        Update::Failed { node: &id, key: Some(key), seconds: 0.25, error: "no \"way\"\n" },
        Update::Dropped { node: &id, bytes: 7 },
        Update::Skipped { node: &id, needs: &id },
        Update::Stopping { running: 1 },
        Update::Finished(&summary),
    ];
    let folder = tempfile::tempdir().unwrap();
    let store = crate::store::Store::open(&folder.path().join("store")).unwrap();
    let run = store.begin_run("small", "small.yaml", Digest::of(b"")).unwrap();
    let mut file = EventFile::create(&run).unwrap();
    updates.iter().for_each(|update| file.on(update));
    file.on(&Update::Overall { ended: 1, to_run: 2, remaining_seconds: None });
    file.on(&Update::Progress { node: &id, progress: &Progress::default() });

    let text = fs::read_to_string(store.run_folder(run.id()).join("events.jsonl")).unwrap();
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(lines.len(), updates.len(), "how far it is stands in no line: {text}");
    for (line, update) in lines.iter().zip(&updates) {
        let mut written: Value = serde_json::from_str(line).unwrap();
        let at = written.as_object_mut().unwrap().shift_remove("at").unwrap();
        assert_eq!(at.as_str().unwrap().len(), "2026-11-24T10:17:22Z".len());
        let expected = serde_json::to_value(update).unwrap();
        assert_eq!(written.to_string(), expected.to_string(), "the fields and their order");
    }
    assert!(text.contains(r#""event":"started","node":"probe[method=\"a\"]","#), "{text}");
}
