//! A parameter's schema as people read it.

use super::{allows_null, type_name};
use serde_json::Value;

/// `float, 0 < t, default 0.5`, in words: type, bounds, unit, default.
pub fn describe(schema: &Value) -> String {
    let mut parts = vec![shape(schema)];
    if let Some(default) = schema.get("default").filter(|default| !default.is_null()) {
        parts.push(format!("default {}", plain(default)));
    }
    parts.join(", ")
}

/// `integer >= 1`, `one of sgd, adamw`, `a list of 2 numbers`.
pub fn shape(schema: &Value) -> String {
    if schema["properties"].is_object() {
        return "map".into();
    }
    if let Some(choices) = schema["enum"].as_array() {
        return format!("one of {}", choices.iter().map(plain).collect::<Vec<_>>().join(", "));
    }
    if let Some(only) = schema.get("const") {
        return format!("only {}", plain(only));
    }
    let mut text = match type_name(schema) {
        "array" => {
            let items = shape(&schema["items"]);
            match (schema["minItems"].as_u64(), schema["maxItems"].as_u64()) {
                (Some(min), Some(max)) if min == max => format!("list of {min}: {items}"),
                (Some(min), Some(max)) => format!("list of {min} to {max}: {items}"),
                (Some(min), None) => format!("list of at least {min}: {items}"),
                (None, Some(max)) => format!("list of at most {max}: {items}"),
                (None, None) => format!("list: {items}"),
            }
        }
        "object" => format!("map of names, to each a {}", shape(&schema["additionalProperties"])),
        other => other.to_owned(),
    };
    let bound = |word: &str| schema[word].as_f64();
    match (bound("minimum"), bound("maximum")) {
        (Some(min), Some(max)) => text += &format!(" from {min} to {max}"),
        (Some(min), None) => text += &format!(" >= {min}"),
        (None, Some(max)) => text += &format!(" <= {max}"),
        (None, None) => {}
    }
    for (word, sign) in [("exclusiveMinimum", ">"), ("exclusiveMaximum", "<")] {
        if let Some(bound) = bound(word) {
            text += &format!(" {sign} {bound}");
        }
    }
    if let Some(unit) = schema["x-unit"].as_str() {
        text += &format!(" {unit}");
    }
    if allows_null(schema) { text + " or null" } else { text }
}

/// A value as a recipe would write it.
pub fn plain(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Array(items) => format!("[{}]", items.iter().map(plain).collect::<Vec<_>>().join(", ")),
        Value::Object(entries) if entries.is_empty() => "{}".to_owned(),
        Value::Object(entries) => {
            let entries: Vec<String> =
                entries.iter().map(|(name, value)| format!("{name}: {}", plain(value))).collect();
            format!("{{ {} }}", entries.join(", "))
        }
        Value::Number(number) => match number.as_f64().filter(|_| number.is_f64()) {
            Some(float) => float.to_string(),
            None => number.to_string(),
        },
        Value::Null => "none".to_owned(),
        Value::Bool(_) => value.to_string(),
    }
}
