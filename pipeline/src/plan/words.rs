//! Reasons in words, the same in a plan, an explanation and a comparison of runs.

use super::Reason;
use crate::ids::Digest;
use crate::recipe::schema;
use crate::text::duration;
use pretext_protocol::StageKind;
use serde_json::Value;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// A reason, and what each node has of its own in it: digests and damages.
pub type Words = (String, Option<String>);

/// Why a node is spared.
pub const SPARED: &str = "of these only what `choose` picks is computed (`run --only` computes any)";

/// A reason in words. The kind tells the value where it is the default.
pub fn words(reason: &Reason, kind: Option<&StageKind>) -> Words {
    let reason = kind.map_or_else(|| reason.clone(), |kind| reason.with_defaults(kind));
    let plain = match &reason {
        Reason::Parameter { name, from, to } if kind.is_some_and(|kind| schema::is_path(&kind.params, name)) => {
            let digest = |value: &Option<Value>| value.as_ref()?.as_str()?.parse().ok();
            return (format!("what lies at `{name}` changed"), Some(change(&digest(from), &digest(to))));
        }
        Reason::Damaged { damage } => return ("its result is damaged".into(), Some(format!(": {damage}"))),
        Reason::Input { port, from, to } => return (format!("input `{port}` changed"), Some(change(from, to))),
        Reason::Code { path, from, to } => return (format!("{path} changed"), Some(change(from, to))),
        Reason::Command { from, to } => format!("command {} -> {}", command(from), command(to)),
        Reason::NeverRan => "never ran".into(),
        Reason::Failed => "failed".into(),
        Reason::CutOff => "was stopped before its end".into(),
        Reason::Gone => "its result is no longer in the store".into(),
        Reason::Parameter { name, from, to } => format!("{name} {} -> {}", value(from), value(to)),
        Reason::Version { from, to } => format!("version {from} -> {to}"),
        Reason::Kind { from, to } => format!("kind {from} -> {to}"),
        Reason::BytesNeeded { by } => {
            return ("its bytes were dropped and are needed".into(), Some(format!(" by {by}")));
        }
        Reason::Forced => "forced".into(),
        Reason::Numerics { from, to } => format!("numerics {from} -> {to}"),
    };
    (plain, None)
}

/// `[python3, w.py, --fp16]`
fn command(words: &[String]) -> String {
    format!("[{}]", words.join(", "))
}

/// Reasons as one sentence.
pub fn sentence(reasons: &[Reason], kind: Option<&StageKind>) -> String {
    let whole = |reason: &Reason| {
        let (plain, own) = words(reason, kind);
        plain + &own.unwrap_or_default()
    };
    reasons.iter().map(whole).collect::<Vec<_>>().join("; ")
}

fn value(value: &Option<Value>) -> String {
    value.as_ref().map_or("default".into(), schema::plain)
}

fn change(from: &Option<Digest>, to: &Option<Digest>) -> String {
    let short = |digest: &Option<Digest>| digest.map_or("none".into(), |digest| digest.short());
    format!(" ({} -> {})", short(from), short(to))
}

/// `2 h 00 min ago`; nothing for a moment that a clock says is still to come. `at` is in seconds since 1970.
pub fn ago(at: u64, now: SystemTime) -> Option<String> {
    let passed = now.duration_since(UNIX_EPOCH.checked_add(Duration::from_secs(at))?).ok()?;
    Some(format!("{} ago", duration(passed.as_secs_f64())))
}
