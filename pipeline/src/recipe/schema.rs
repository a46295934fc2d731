//! Parameters against a kind's JSON Schema: types, bounds, names; defaults filled in; what counts in the key.

mod contradictions;
mod wording;

pub use contradictions::Rule;
pub use wording::{describe, plain, plain_default, shape};

use super::problem::{Problem, nearest_name};
use super::scalar::Scalar;
use super::stages;
use super::tree::{Content, Name, Tree};
use serde_json::{Map, Number, Value};

/// The value of a parameter map, every default filled in, typed as the schema says. What is wrong goes to `problems`.
pub fn typed_map(schema: &Value, given: &Tree, owner: &str, problems: &mut Vec<Problem>) -> Map<String, Value> {
    let empty = Map::new();
    let properties = schema["properties"].as_object().unwrap_or(&empty);
    let Some(entries) = given.entries() else {
        let title = format!("{} where {owner} has a map", given.describe());
        let example = match given.text().filter(|_| properties.contains_key("kind")) {
            Some(kind) => format!("kind: {kind}"),
            None => properties.keys().next().map_or("epochs: 10".to_owned(), |name| format!("{name}: ...")),
        };
        problems.push(Problem::new(given.span.clone(), title, format!("a map: {{ {example} }}")));
        return Map::new();
    };
    for (name, _) in entries.iter().filter(|(name, _)| !properties.contains_key(&name.text)) {
        problems.push(unknown(name, properties, owner));
    }
    let required: Vec<&str> = schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    let mut value = |name: &str, property: &Value| {
        let nothing = Tree { span: given.span.clone(), content: Content::Map(vec![]) };
        match given.get(name) {
            Some(tree) => typed(property, tree, name, problems),
            None if property["properties"].is_object() => typed(property, &nothing, name, problems),
            None => {
                if required.contains(&name) {
                    let label = format!("add `{name}` to `with` ({})", describe(property));
                    problems.push(Problem::new(given.span.clone(), format!("{owner} needs `{name}`"), label));
                }
                default(property)
            }
        }
    };
    properties.iter().map(|(name, property)| (name.clone(), value(name, property))).collect()
}

/// What is left at its default and has a value by another parameter of its map takes that: what is written and what is left out are one
/// setting, and one key.
fn by_sibling(schema: &Value, mut values: Map<String, Value>) -> Map<String, Value> {
    for (name, property) in schema["properties"].as_object().into_iter().flatten() {
        // There is none where something else than a map was written.
        if values.get(name) != Some(&default(property)) {
            continue;
        }
        values[name] = default_beside(property, &values);
    }
    values
}

/// What holds where nothing is said of a parameter, beside the others of its map.
pub fn default_beside(schema: &Value, others: &Map<String, Value>) -> Value {
    let own = schema["x-default-by"].as_object().into_iter().flatten();
    let own = own.filter_map(|(sibling, own)| own.get(others.get(sibling)?.as_str()?)).next();
    own.map_or_else(|| default(schema), |own| canonical(schema, own))
}

/// The parameter that is given and stands for another of its map, and its value.
pub fn giver<'a>(
    schema: &'a Value,
    name: &str,
    value: impl Fn(&str) -> Option<&'a Value>,
) -> Option<(&'a str, &'a Value)> {
    let properties = schema["properties"].as_object().into_iter().flatten();
    let mut givers = properties.filter(|(_, property)| property["x-gives"].as_str() == Some(name));
    givers.find_map(|(giver, _)| Some((giver.as_str(), value(giver).filter(|value| !value.is_null())?)))
}

fn unknown(found: &Name, properties: &Map<String, Value>, owner: &str) -> Problem {
    let names: Vec<&str> = properties.keys().map(String::as_str).collect();
    let within = properties.iter().find(|(_, property)| property["properties"].get(&found.text).is_some());
    let label = match (nearest_name(&found.text, &names), within) {
        (Some(name), _) => format!("did you mean `{name}` ({})?", describe(&properties[name])),
        (None, Some((outer, _))) => format!("did you mean `{outer}: {{ {}: ... }}`?", found.text),
        _ if stages::WORDS.contains(&found.text.as_str()) => {
            format!("`{}` is said of a stage: write it beside `with`, not in it", found.text)
        }
        (None, None) if names.is_empty() => "it has none".into(),
        (None, None) => format!("it has: {}", names.join(", ")),
    };
    let title = format!("unknown parameter `{}` for {owner}", found.text);
    Problem::new(found.span.clone(), title, label).of_each_kind()
}

/// What holds where nothing is said.
pub fn default(schema: &Value) -> Value {
    match schema["properties"].as_object() {
        Some(properties) => {
            let values = properties.iter().map(|(name, property)| (name.clone(), default(property))).collect();
            Value::Object(by_sibling(schema, values))
        }
        None => canonical(schema, &schema["default"]),
    }
}

/// The default of the parameter at a path: `encoder.width`.
pub fn default_at(schema: &Value, path: &str) -> Option<Value> {
    let parameter = path.split('.').try_fold(schema, |schema, name| schema["properties"].get(name))?;
    Some(default(parameter)).filter(|default| !default.is_null())
}

/// Whether the parameter at a path (`encoder.width`) is the place of a file or a folder.
pub fn is_path(schema: &Value, path: &str) -> bool {
    let parameter = path.split('.').try_fold(schema, |schema, name| schema["properties"].get(name));
    parameter.is_some_and(|parameter| parameter["x-path"] == true)
}

/// A schema may write a number as `1`, a recipe as `1.0`: both are the float that the parameter is.
fn canonical(schema: &Value, value: &Value) -> Value {
    match value {
        Value::Number(number) if type_name(schema) == "number" => number.as_f64().map_or(Value::Null, Value::from),
        Value::Array(items) => items.iter().map(|item| canonical(&schema["items"], item)).collect(),
        other => other.clone(),
    }
}

pub(super) fn typed(schema: &Value, tree: &Tree, name: &str, problems: &mut Vec<Problem>) -> Value {
    if tree.is_broken() {
        return default(schema);
    }
    if schema["properties"].is_object() {
        let owner = format!("`{name}`");
        let values = by_sibling(schema, typed_map(schema, tree, &owner, problems));
        let rules = Rule::of(schema).into_iter();
        problems.extend(rules.filter_map(|rule| rule.broken(schema, |name| values.get(name), tree, &owner)));
        return Value::Object(values);
    }
    let before = problems.len();
    let value = match (&tree.content, type_name(schema)) {
        (Content::Scalar(scalar), _) if allows_null(schema) && scalar.is_nothing() => return Value::Null,
        (Content::Scalar(scalar), wanted) => typed_scalar(scalar, wanted),
        (Content::List(items), "array") => {
            Some(items.iter().map(|item| typed(&schema["items"], item, name, problems)).collect())
        }
        (Content::Map(entries), "object") => {
            let items = schema.get("additionalProperties").unwrap_or(&Value::Null);
            let value = |(inner, tree): &(Name, Tree)| (inner.text.clone(), typed(items, tree, &inner.text, problems));
            Some(entries.iter().map(value).collect())
        }
        _ => None,
    };
    match value.filter(|value| within(schema, value)) {
        Some(value) => value,
        None => {
            // An item of the list that is wrong itself was told already.
            if problems.len() == before {
                let is_number = |text: &str| Scalar::plain(text).value().is_number();
                let is_quoted = tree.value().is_string() && tree.text().is_some_and(is_number);
                let quotes = if is_quoted { ", without quotes" } else { "" };
                let expected = format!("expected {}{quotes}", describe(schema));
                problems.push(Problem::wrong_value(&format!("`{name}`"), tree, expected));
            }
            default(schema)
        }
    }
}

/// Whatever was written may be a text; a number is one only where that is wanted.
fn typed_scalar(scalar: &Scalar, wanted: &str) -> Option<Value> {
    if wanted == "string" {
        return scalar.text().map(Value::from);
    }
    match (scalar.value(), wanted) {
        // There is no minus zero: it would be another key than zero.
        (Value::Number(number), "number") => number.as_f64().map(|number| Value::from(number + 0.0)),
        (Value::Number(number), "integer") => integer(&number),
        (value @ Value::Bool(_), "boolean") => Some(value),
        _ => None,
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
        && schema["enum"].as_array().is_none_or(|choices| choices.iter().any(|c| canonical(schema, c) == *value))
        && schema.get("const").is_none_or(|only| canonical(schema, only) == *value)
}

/// What counts in the key: used parameters that differ from their default and change an output, of nested maps only what
/// differs.
pub fn keyed(schema: &Value, value: &Value) -> Option<Value> {
    if schema["x-unused"] == true || schema["x-unkeyed"] == true {
        return None;
    }
    match schema["properties"].as_object() {
        Some(properties) => {
            let mut differing: Map<String, Value> = properties
                .iter()
                .filter_map(|(name, property)| Some((name.clone(), keyed(property, value.get(name)?)?)))
                .collect();
            // The order in which a worker declares its parameters counts in no key.
            differing.sort_keys();
            (!differing.is_empty()).then_some(Value::Object(differing))
        }
        None => (*value != default(schema)).then(|| value.clone()),
    }
}
