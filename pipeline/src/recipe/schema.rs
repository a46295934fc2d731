//! Parameters against a kind's JSON Schema: types, bounds, names; defaults filled in; what counts in the key.

use super::problem::{Problem, nearest_name};
use super::tree::{Content, Tree};
use serde_json::{Map, Number, Value};

/// The value of a parameter map, every default filled in, typed as the schema says. What is wrong goes to `problems`.
pub fn typed_map(schema: &Value, given: &Tree, owner: &str, problems: &mut Vec<Problem>) -> Map<String, Value> {
    let empty = Map::new();
    let properties = schema["properties"].as_object().unwrap_or(&empty);
    let Some(entries) = given.entries() else {
        problems.push(Problem::new(
            given.span.clone(),
            format!("{} where {owner} has a map", given.describe()),
            "a map: { epochs: 10 }",
        ));
        return Map::new();
    };
    for (name, _) in entries.iter().filter(|(name, _)| !properties.contains_key(&name.text)) {
        problems.push(unknown(&name.text, name.span.clone(), properties, owner));
    }
    let value = |name: &String, property: &Value| match given.get(name) {
        Some(tree) => typed(property, tree, name, problems),
        None => default(property),
    };
    let mut value = value;
    properties.iter().map(|(name, property)| (name.clone(), value(name, property))).collect()
}

fn unknown(found: &str, span: super::tree::Span, properties: &Map<String, Value>, owner: &str) -> Problem {
    let names: Vec<&str> = properties.keys().map(String::as_str).collect();
    let label = match nearest_name(found, &names) {
        Some(name) => format!("did you mean `{name}` ({})?", describe(&properties[name])),
        None if names.is_empty() => "it has none".into(),
        None => format!("it has: {}", names.join(", ")),
    };
    Problem::new(span, format!("unknown parameter `{found}` for {owner}"), label)
}

/// What holds where nothing is said.
pub fn default(schema: &Value) -> Value {
    match schema["properties"].as_object() {
        Some(properties) => properties.iter().map(|(name, property)| (name.clone(), default(property))).collect(),
        None => schema["default"].clone(),
    }
}

fn typed(schema: &Value, tree: &Tree, name: &str, problems: &mut Vec<Problem>) -> Value {
    if tree.is_broken() {
        return default(schema);
    }
    if schema["properties"].is_object() {
        return Value::Object(typed_map(schema, tree, &format!("`{name}`"), problems));
    }
    let value = match (&tree.content, type_name(schema)) {
        (Content::Scalar(Value::Null), _) if allows_null(schema) => Some(Value::Null),
        (Content::Scalar(Value::Number(number)), "number") => {
            number.as_f64().and_then(Number::from_f64).map(Value::Number)
        }
        (Content::Scalar(Value::Number(number)), "integer") => integer(number),
        (Content::Scalar(value @ Value::Bool(_)), "boolean")
        | (Content::Scalar(value @ Value::String(_)), "string") => Some(value.clone()),
        (Content::List(items), "array") => {
            Some(items.iter().map(|item| typed(&schema["items"], item, name, problems)).collect())
        }
        _ => None,
    };
    match value.filter(|value| within(schema, value)) {
        Some(value) => value,
        None => {
            let title = format!("`{name}` is {}", tree.describe());
            problems.push(Problem::new(tree.span.clone(), title, format!("expected {}", describe(schema))));
            default(schema)
        }
    }
}

/// `10` and `10.0`, but not `10.5`.
fn integer(number: &Number) -> Option<Value> {
    if number.is_i64() || number.is_u64() {
        return Some(Value::Number(number.clone()));
    }
    let float = number.as_f64()?;
    (float.fract() == 0.0 && float.abs() < 9e15).then(|| Value::from(float as i64))
}

fn type_name(schema: &Value) -> &str {
    match &schema["type"] {
        Value::String(name) => name,
        Value::Array(names) => names.iter().filter_map(Value::as_str).find(|&name| name != "null").unwrap_or_default(),
        _ => "",
    }
}

fn allows_null(schema: &Value) -> bool {
    schema["type"].as_array().is_some_and(|names| names.iter().any(|name| name == "null"))
}

fn within(schema: &Value, value: &Value) -> bool {
    let number = value.as_f64();
    let holds = |word: &str, test: fn(f64, f64) -> bool| match (number, schema[word].as_f64()) {
        (Some(value), Some(bound)) => test(value, bound),
        _ => true,
    };
    let length = value.as_array().map(|items| items.len() as f64);
    let long = |word: &str, test: fn(f64, f64) -> bool| match (length, schema[word].as_f64()) {
        (Some(length), Some(bound)) => test(length, bound),
        _ => true,
    };
    holds("minimum", |v, b| v >= b)
        && holds("maximum", |v, b| v <= b)
        && holds("exclusiveMinimum", |v, b| v > b)
        && holds("exclusiveMaximum", |v, b| v < b)
        && long("minItems", |n, b| n >= b)
        && long("maxItems", |n, b| n <= b)
        && schema["enum"].as_array().is_none_or(|choices| choices.contains(value))
}

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
    let mut text = match type_name(schema) {
        "number" => "number".to_owned(),
        "array" => match (schema["minItems"].as_u64(), schema["maxItems"].as_u64()) {
            (Some(min), Some(max)) if min == max => format!("list of {min}: {}", shape(&schema["items"])),
            _ => format!("list: {}", shape(&schema["items"])),
        },
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
    text
}

/// A value as a recipe would write it.
pub fn plain(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Array(items) => format!("[{}]", items.iter().map(plain).collect::<Vec<_>>().join(", ")),
        Value::Object(entries) => {
            format!(
                "{{ {} }}",
                entries.iter().map(|(name, value)| format!("{name}: {}", plain(value))).collect::<Vec<_>>().join(", ")
            )
        }
        Value::Number(number) if number.is_f64() => {
            let float = number.as_f64().unwrap_or_default();
            format!("{float}")
        }
        other => other.to_string(),
    }
}

/// What counts in the key: used parameters that differ from their default, of nested maps only what differs.
pub fn keyed(schema: &Value, value: &Value) -> Option<Value> {
    if schema["x-unused"] == true {
        return None;
    }
    match schema["properties"].as_object() {
        Some(properties) => {
            let differing: Map<String, Value> = properties
                .iter()
                .filter_map(|(name, property)| Some((name.clone(), keyed(property, value.get(name)?)?)))
                .collect();
            (!differing.is_empty()).then_some(Value::Object(differing))
        }
        None => (*value != schema["default"]).then(|| value.clone()),
    }
}
