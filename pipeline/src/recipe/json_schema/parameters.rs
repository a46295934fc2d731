//! `with` in the JSON Schema: a definition for the parameters of each kind, and one for what any kind of a family takes.

use crate::recipe::command;
use pretext_protocol::StageKind;
use serde_json::{Map, Value, json};
use std::collections::BTreeSet;

/// What may be written where a text is wanted.
pub const TEXT: [&str; 3] = ["string", "number", "boolean"];

/// The name of a kind's definition.
pub fn definition(kind: &StageKind) -> String {
    kind.name.replace('/', ".")
}

/// The name of the definition for any kind of a family.
pub fn of_any(family: &str) -> String {
    format!("{family}.any")
}

pub fn families<'a>(kinds: &[&'a StageKind]) -> BTreeSet<&'a str> {
    kinds.iter().filter(|kind| kind.name.contains('/')).map(|kind| kind.family()).collect()
}

/// All definitions by their names.
pub fn definitions(kinds: &[&StageKind]) -> Vec<(String, Value)> {
    let of_kinds = kinds.iter().map(|kind| (definition(kind), of_kind(kind)));
    let of_families = families(kinds).into_iter().map(|family| {
        let members: Vec<&StageKind> = kinds.iter().copied().filter(|kind| kind.family() == family).collect();
        (of_any(family), of_family(&members))
    });
    of_kinds.chain(of_families).collect()
}

fn of_kind(kind: &StageKind) -> Value {
    let mut map = parameters(&kind.params);
    if kind.name == command::KIND
        && let Some(either) = map["properties"]["measures"]["anyOf"].as_array_mut()
    {
        either.push(json!({ "type": "array", "items": { "type": TEXT } }));
    }
    map
}

/// Of each parameter that any of them has, all that it can be.
fn of_family(kinds: &[&StageKind]) -> Value {
    let mut union: Map<String, Value> = Map::new();
    for kind in kinds {
        let map = of_kind(kind);
        for (name, property) in map["properties"].as_object().into_iter().flatten() {
            let known = union.entry(name.clone()).or_insert_with(|| json!({ "anyOf": [] }));
            if let Some(known) = known["anyOf"].as_array_mut().filter(|known| !known.contains(property)) {
                known.push(property.clone());
            }
        }
    }
    json!({ "type": "object", "additionalProperties": false, "properties": union })
}

/// A kind's map of parameters. None is required here: a further map of a list, or the recipe that is extended, may have it.
fn parameters(schema: &Value) -> Value {
    let properties = schema["properties"].as_object().into_iter().flatten();
    let properties: Map<String, Value> =
        properties.map(|(name, property)| (name.clone(), parameter(property))).collect();
    json!({ "type": "object", "additionalProperties": false, "properties": properties })
}

/// A value as the kind's schema says, or an expression.
fn parameter(schema: &Value) -> Value {
    let mut plain = Map::new();
    let words = schema.as_object().into_iter().flatten();
    for (word, value) in words.filter(|(word, _)| !word.starts_with("x-") && *word != "description") {
        let value = match word.as_str() {
            "properties" => continue,
            "type" if value == "string" => json!(TEXT),
            "items" | "additionalProperties" => parameter(value),
            _ => value.clone(),
        };
        plain.insert(word.clone(), value);
    }
    if schema["properties"].is_object() {
        plain.extend(
            parameters(schema).as_object().into_iter().flatten().map(|(word, value)| (word.clone(), value.clone())),
        );
        plain.remove("required");
    }
    let mut either = json!({ "anyOf": [plain, { "$ref": "#/$defs/expression" }] });
    for word in ["description", "default"] {
        if let Some(value) = schema.get(word) {
            either[word] = value.clone();
        }
    }
    either
}
