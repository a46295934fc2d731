//! A parameter's schema as people read it.

use super::{allows_null, type_name};
use crate::text::plural;
use serde_json::Value;

/// `number > 0, default 0.5`: type, bounds, unit, default; of lists and maps an example.
pub fn describe(schema: &Value) -> String {
    let shape = shape(schema);
    let has_items = |value: &&Value| match value {
        Value::Array(items) => !items.is_empty(),
        Value::Object(entries) => !entries.is_empty(),
        _ => false,
    };
    if matches!(type_name(schema), "array" | "object") {
        let example = [&schema["examples"][0], &schema["default"]].into_iter().find(has_items);
        return format!("a {shape}{}", example.map_or(String::new(), |example| format!(": {}", plain(example))));
    }
    let default = schema.get("default").filter(|default| !default.is_null());
    default.map_or(shape.clone(), |default| format!("{shape}, default {}", plain(default)))
}

/// `integer >= 1`, `one of sgd, adamw`, `list of 2 numbers`.
pub fn shape(schema: &Value) -> String {
    let text = words(schema, false);
    if allows_null(schema) { text + " or null" } else { text }
}

/// `many`: of several, as `numbers > 0`.
fn words(schema: &Value, many: bool) -> String {
    if schema["properties"].is_object() {
        return if many { "maps" } else { "map" }.into();
    }
    if let Some(choices) = schema["enum"].as_array() {
        return format!("one of {}", choices.iter().map(plain).collect::<Vec<_>>().join(", "));
    }
    if let Some(only) = schema.get("const") {
        return format!("only {}", plain(only));
    }
    let noun = match type_name(schema) {
        "array" => "list",
        "object" => "map",
        "string" => "text",
        "boolean" if !many => return "true or false".into(),
        other => other,
    };
    let mut text = if many { plural(noun) } else { noun.to_owned() };
    text += &match (type_name(schema), schema["minItems"].as_u64(), schema["maxItems"].as_u64()) {
        ("array", Some(min), Some(max)) if min == max => format!(" of {}", counted(schema, min)),
        ("array", Some(min), Some(max)) => format!(" of {min} to {}", counted(schema, max)),
        ("array", Some(min), None) => format!(" of at least {}", counted(schema, min)),
        ("array", None, Some(max)) => format!(" of at most {}", counted(schema, max)),
        ("array", None, None) => format!(" of {}", words(&schema["items"], true)),
        ("object", ..) => format!(" of {}", words(&schema["additionalProperties"], true)),
        _ => String::new(),
    };
    text + &bounds(schema)
}

/// `2 numbers > 0`
fn counted(list: &Value, number: u64) -> String {
    format!("{number} {}", words(&list["items"], number != 1))
}

fn bounds(schema: &Value) -> String {
    let bound = |word: &str| schema[word].as_f64();
    let text = match (bound("minimum"), bound("maximum")) {
        (Some(min), Some(max)) => format!(" from {min} to {max}"),
        _ => {
            let signs = [("exclusiveMinimum", ">"), ("minimum", ">="), ("exclusiveMaximum", "<"), ("maximum", "<=")];
            let told = signs.into_iter().filter_map(|(word, sign)| Some(format!("{sign} {}", bound(word)?)));
            let told = told.collect::<Vec<_>>().join(" and ");
            if told.is_empty() { told } else { format!(" {told}") }
        }
    };
    text + &schema["x-unit"].as_str().map_or(String::new(), |unit| format!(" {unit}"))
}

/// The default of a parameter, as it is with each choice of another where it depends on that: `by kind: sgd 0.06, adamw 0.001`.
pub fn plain_default(schema: &Value) -> String {
    let own = schema["x-default-by"].as_object().and_then(|by| by.iter().next());
    let Some((sibling, values)) = own else { return plain(&super::default(schema)) };
    let values = values.as_object().into_iter().flatten();
    let values: Vec<String> = values.map(|(choice, value)| format!("{choice} {}", plain(value))).collect();
    format!("by {sibling}: {}", values.join(", "))
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
            // Of very large and small ones nobody counts the zeros.
            Some(float) if float != 0.0 && !(1e-6..1e16).contains(&float.abs()) => format!("{float:e}"),
            Some(float) => (float + 0.0).to_string(),
            None => number.to_string(),
        },
        Value::Null => "null".to_owned(),
        Value::Bool(_) => value.to_string(),
    }
}
