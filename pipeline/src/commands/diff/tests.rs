use super::*;
use crate::commands::assert_is_expected;
use crate::ids::{Digest, NodeId};
use crate::plan::Canonical;
use crate::store::{NodeEvent, RunNode};
use pretext_protocol::Measurement;
use serde_json::json;

fn run(id: &str, text: &str) -> RunRecord {
    RunRecord {
        id: id.into(),
        recipe: "sweep".into(),
        path: "recipes/sweep.yaml".into(),
        recipe_digest: Digest::of(text.as_bytes()),
        process: 1,
        host: "box".into(),
        started: 0,
        finished: Some(60),
        summary: None,
    }
}

fn node(name: &str, kind: &str, epochs: u64, input: &str, accuracy: Option<f64>) -> RunNode {
    let canonical = Canonical {
        kind: kind.into(),
        version: 1,
        numerics: "float32".into(),
        params: [("epochs".to_owned(), json!(epochs))].into(),
        inputs: [("data".to_owned(), Digest::of(input.as_bytes()))].into(),
        command: Default::default(),
        code: Default::default(),
    };
    let measurement = |value| Measurement { name: "accuracy".into(), split: "test".into(), value };
    RunNode {
        node: NodeId(name.into()),
        key: Some(canonical.key()),
        outcome: NodeEvent::Computed,
        seconds: Some(1.0),
        measurements: accuracy.map(measurement).into_iter().collect(),
        canonical: Some(canonical),
        error: None,
    }
}

/// Trainings and probes of 500 seeds: as many as a person will not read one by one.
fn sweep(epochs: u64, better: f64) -> Vec<RunNode> {
    let pretrain =
        |seed: u64| node(&format!("pretrain[method=simclr,seed={seed}]"), "pretrain/simclr", epochs, "", None);
    let probe = |seed: u64| {
        let accuracy = 0.5 + better * (seed as f64 / 250.0 - 0.5);
        node(
            &format!("probe[method=simclr,seed={seed}]"),
            "eval/probe",
            1,
            &format!("{epochs}, {seed}"),
            Some(accuracy),
        )
    };
    [node("photos", "data/photos", 1, "", None)]
        .into_iter()
        .chain((0..500).map(pretrain))
        .chain((0..500).map(probe))
        .collect()
}

#[test]
fn a_sweep_of_a_thousand_stays_readable() {
    let (from, to) = (run("2026-11-24T12-57-03Z", "1"), run("2026-11-24T13-10-11Z", "2"));
    let (before, mut now) = (sweep(100, 0.0), sweep(200, 0.1));
    now.iter_mut().take(4).skip(1).for_each(|node| node.outcome = NodeEvent::Failed);
    now.push(node("features", "features", 1, "", None));
    now.retain(|node| node.node.0 != "probe[method=simclr,seed=499]");
    let text = text::text(&Comparison::of(&from, &to, &before, &now));
    assert_is_expected("diff_sweep.txt", &text);
    assert!(text.lines().count() < 30);
}

#[test]
fn runs_alike_differ_in_nothing() {
    let (from, to) = (run("a", "1"), run("b", "1"));
    let (before, mut now) = (sweep(100, 0.0), sweep(100, 0.0));
    now.iter_mut().for_each(|node| node.outcome = NodeEvent::Reused);
    let comparison = Comparison::of(&from, &to, &before, &now);
    assert!(comparison.changed.is_empty() && comparison.same == 1001);
    let expected = "a -> b\nrecipe: sweep (recipes/sweep.yaml), the same recipe\n\
                    1,001 stages alike, 0 differ, 0 added, 0 removed\n";
    assert_eq!(text::text(&comparison), expected);
}

#[test]
fn the_json_has_every_value() {
    let (from, to) = (run("a", "1"), run("b", "1"));
    let before = [node("probe", "eval/probe", 1, "x", Some(0.25))];
    let now = [node("probe", "eval/probe", 2, "x", Some(0.5))];
    let json = serde_json::to_value(Comparison::of(&from, &to, &before, &now)).unwrap();
    let expected = json!([{
        "node": "probe",
        "reasons": [{ "kind": "parameter", "name": "epochs", "from": 1, "to": 2 }],
        "measurements": [{ "name": "accuracy", "split": "test", "from": 0.25, "to": 0.5, "difference": 0.25 }],
    }]);
    assert_eq!(json["changed"], expected);
}

#[test]
fn a_run_is_found_by_the_beginning_of_its_name() {
    let runs = ["2026-11-23T08-00-00Z", "2026-11-24T12-57-03Z", "2026-11-24T12-57-03Z-2"].map(|id| run(id, ""));
    let found = |word: &str| match one_of(&runs, word) {
        Ok(run) => run.id.clone(),
        Err(error) => format!("{error}"),
    };
    assert_eq!(found("last"), runs[2].id);
    assert_eq!(found("last~2"), runs[0].id);
    assert_eq!(found("2026-11-23"), runs[0].id);
    assert_eq!(found("2026-11-24T12-57-03Z"), runs[1].id, "a whole name means that run");
    assert_eq!(
        found("2026-11-24"),
        "2 runs begin with `2026-11-24`, from 2026-11-24T12-57-03Z to 2026-11-24T12-57-03Z-2"
    );
    assert_eq!(found("last~3"), "`last~3` is before the first run: this store has 3 runs");
    assert_eq!(found("last~x"), "`last~x` is no run: expected last, last~1, last~2, ...");
    assert_eq!(
        found("2025"),
        "there is no run `2025`; the last one is 2026-11-24T12-57-03Z-2, and `pretext status` lists them"
    );
    assert_eq!(one_of(&[], "last").unwrap_err().to_string(), "there is no run in this store yet");
}
