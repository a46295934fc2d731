//! Why a node must run.

use super::Canonical;
use crate::ids::{Digest, NodeId};
use crate::recipe::schema;
use pretext_protocol::StageKind;
use serde::Serialize;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

/// Why a node must run.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Reason {
    NeverRan,
    /// It began and has no result: it failed.
    Failed,
    /// It began and has no result: it was stopped, or its run was killed.
    CutOff,
    /// Its result is there and not whole.
    Damaged {
        damage: String,
    },
    /// The same computation ran once, and its result is no longer there.
    Gone,
    /// A value that is not given is the default.
    Parameter {
        name: String,
        from: Option<Value>,
        to: Option<Value>,
    },
    Input {
        port: String,
        from: Option<Digest>,
        to: Option<Digest>,
    },
    Version {
        from: u32,
        to: u32,
    },
    Kind {
        from: String,
        to: String,
    },
    Numerics {
        from: String,
        to: String,
    },
    /// Of a worker that the recipe names.
    Command {
        from: Vec<String>,
        to: Vec<String>,
    },
    /// A file that the recipe names under `code:`.
    Code {
        path: String,
        from: Option<Digest>,
        to: Option<Digest>,
    },
    /// It has a result whose bytes were dropped, and this node needs them.
    BytesNeeded {
        by: NodeId,
    },
    /// The user wants it.
    Forced,
}

impl Reason {
    /// With the kind's defaults where a parameter's value is not given.
    pub fn with_defaults(&self, kind: &StageKind) -> Self {
        let Self::Parameter { name, from, to } = self else { return self.clone() };
        let value = |value: &Option<Value>| value.clone().or_else(|| schema::default_at(&kind.params, name));
        Self::Parameter { name: name.clone(), from: value(from), to: value(to) }
    }
}

/// What changed between two computations; nothing when they are the same.
pub fn differences(before: &Canonical, now: &Canonical) -> Vec<Reason> {
    let mut reasons = vec![];
    if before.kind != now.kind {
        return vec![Reason::Kind { from: before.kind.clone(), to: now.kind.clone() }];
    }
    if before.version != now.version {
        reasons.push(Reason::Version { from: before.version, to: now.version });
    }
    if before.numerics != now.numerics {
        reasons.push(Reason::Numerics { from: before.numerics.clone(), to: now.numerics.clone() });
    }
    if before.params != now.params {
        let pairs = changed(&flat(&before.params), &flat(&now.params));
        reasons.extend(pairs.into_iter().map(|(name, from, to)| Reason::Parameter { name, from, to }));
    }
    let pairs = changed(&before.inputs, &now.inputs);
    reasons.extend(pairs.into_iter().map(|(port, from, to)| Reason::Input { port, from, to }));
    if before.command != now.command {
        reasons.push(Reason::Command { from: before.command.clone(), to: now.command.clone() });
    }
    let pairs = changed(&before.code, &now.code);
    reasons.extend(pairs.into_iter().map(|(path, from, to)| Reason::Code { path, from, to }));
    reasons
}

fn flat(params: &BTreeMap<String, Value>) -> BTreeMap<String, Value> {
    let mut leaves = BTreeMap::new();
    params.iter().for_each(|(name, value)| flatten(name, value, &mut leaves));
    leaves
}

/// `encoder.width`
fn flatten(name: &str, value: &Value, leaves: &mut BTreeMap<String, Value>) {
    match value.as_object() {
        Some(entries) => entries.iter().for_each(|(inner, value)| flatten(&format!("{name}.{inner}"), value, leaves)),
        None => {
            leaves.insert(name.to_owned(), value.clone());
        }
    }
}

/// What differs between two maps.
fn changed<V: Clone + PartialEq>(
    before: &BTreeMap<String, V>,
    now: &BTreeMap<String, V>,
) -> Vec<(String, Option<V>, Option<V>)> {
    let names: BTreeSet<&String> = before.keys().chain(now.keys()).collect();
    let pairs = names.into_iter().map(|name| (name.clone(), before.get(name).cloned(), now.get(name).cloned()));
    pairs.filter(|(_, from, to)| from != to).collect()
}
