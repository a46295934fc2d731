//! The JSON Schema of recipes accepts those that are right and refuses mistakes that it can see.

mod common;

use common::{catalogue, folder};
use pretext::recipe::json_schema;
use serde_json::Value;
use std::fs;
use std::path::PathBuf;

/// Whether a value is as a schema says: the words of JSON Schema that ours uses, and a panic at any other.
fn accepts(root: &Value, schema: &Value, value: &Value) -> bool {
    let Some(words) = schema.as_object() else { return schema != &Value::Bool(false) };
    let all = |schemas: &Value, value: &Value| schemas.as_array().unwrap().iter().all(|one| accepts(root, one, value));
    words.iter().all(|(word, said)| match word.as_str() {
        "$schema" | "$defs" | "title" | "description" | "default" | "examples" | "then" => true,
        "$ref" => accepts(root, root.pointer(said.as_str().unwrap().trim_start_matches('#')).unwrap(), value),
        "type" => match said {
            Value::Array(types) => types.iter().any(|type_| is_of(type_, value)),
            type_ => is_of(type_, value),
        },
        "enum" => said.as_array().unwrap().iter().any(|choice| equal(choice, value)),
        "const" => equal(said, value),
        "anyOf" => said.as_array().unwrap().iter().any(|one| accepts(root, one, value)),
        "allOf" => all(said, value),
        "not" => !accepts(root, said, value),
        "if" => !accepts(root, said, value) || accepts(root, &schema["then"], value),
        "required" => value.as_object().is_none_or(|map| names(said).all(|name| map.contains_key(name))),
        "minProperties" => value.as_object().is_none_or(|map| map.len() as u64 >= said.as_u64().unwrap()),
        "properties" => value.as_object().is_none_or(|map| {
            map.iter().all(|(name, inner)| said.get(name).is_none_or(|schema| accepts(root, schema, inner)))
        }),
        "additionalProperties" => value.as_object().is_none_or(|map| {
            let others = map.iter().filter(|(name, _)| schema["properties"].get(name).is_none());
            others.into_iter().all(|(_, inner)| accepts(root, said, inner))
        }),
        "items" => value.as_array().is_none_or(|items| items.iter().all(|item| accepts(root, said, item))),
        "minItems" => value.as_array().is_none_or(|items| items.len() as u64 >= said.as_u64().unwrap()),
        "maxItems" => value.as_array().is_none_or(|items| items.len() as u64 <= said.as_u64().unwrap()),
        "minimum" => value.as_f64().is_none_or(|number| number >= said.as_f64().unwrap()),
        "maximum" => value.as_f64().is_none_or(|number| number <= said.as_f64().unwrap()),
        "exclusiveMinimum" => value.as_f64().is_none_or(|number| number > said.as_f64().unwrap()),
        "exclusiveMaximum" => value.as_f64().is_none_or(|number| number < said.as_f64().unwrap()),
        "pattern" => value.as_str().is_none_or(|text| matches(said.as_str().unwrap(), text)),
        other => panic!("the schema uses `{other}`"),
    })
}

fn names(list: &Value) -> impl Iterator<Item = &str> {
    list.as_array().unwrap().iter().filter_map(Value::as_str)
}

fn equal(a: &Value, b: &Value) -> bool {
    a == b || a.as_f64().zip(b.as_f64()).is_some_and(|(a, b)| a == b)
}

fn is_of(type_: &Value, value: &Value) -> bool {
    match type_.as_str().unwrap() {
        "null" => value.is_null(),
        "boolean" => value.is_boolean(),
        "integer" => value.as_f64().is_some_and(|number| number.fract() == 0.0),
        "number" => value.is_number(),
        "string" => value.is_string(),
        "array" => value.is_array(),
        "object" => value.is_object(),
        other => panic!("there is no type {other}"),
    }
}

/// The patterns that there are.
fn matches(pattern: &str, text: &str) -> bool {
    let ends = |units: &[&str]| {
        units.iter().any(|unit| text.ends_with(unit)) && text.starts_with(|c: char| c.is_ascii_digit())
    };
    match pattern {
        r"\$\(.+\)" => text.contains("$("),
        of_family if of_family.ends_with(r"\$\(.+\)") => {
            text.starts_with(of_family.trim_start_matches('^').split('.').next().unwrap()) && text.contains("$(")
        }
        r"^[\w-]+$" => text.chars().all(|c| c.is_alphanumeric() || c == '_' || c == '-'),
        pattern if pattern.contains("GiB") => ends(&["KiB", "MiB", "GiB", "TiB"]),
        pattern if pattern.contains("cuda") => ["auto", "cpu"].contains(&text) || text.starts_with("cuda:"),
        pattern if pattern.contains("min") => ends(&["s", "min", "h", "d"]),
        other => panic!("an unknown pattern {other}"),
    }
}

fn recipes(folder: PathBuf) -> Vec<PathBuf> {
    let files = fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path());
    files.filter(|path| path.extension().is_some_and(|extension| extension == "yaml")).collect()
}

fn value(path: &PathBuf) -> Value {
    serde_yaml::from_str(&fs::read_to_string(path).unwrap()).unwrap()
}

#[test]
fn right_recipes_are_accepted() {
    let schema = json_schema(&catalogue());
    let all = [folder(), folder().join("../../recipes"), folder().join("../../pipeline/src/commands")];
    let all: Vec<PathBuf> = all.into_iter().flat_map(recipes).collect();
    assert!(all.len() >= 5, "{all:?}");
    all.iter().for_each(|path| assert!(accepts(&schema, &schema, &value(path)), "{} is refused", path.display()));
}

#[test]
fn what_an_editor_can_see_is_refused() {
    let schema = json_schema(&catalogue());
    let mistakes = [
        "unknown_section",
        "unknown_word_in_stage",
        "unknown_parameter",
        "unknown_nested_parameter",
        "unknown_port",
        "wrong_type",
        "number_out_of_range",
        "unknown_choice",
        "fraction_for_integer",
        "list_too_long",
        "empty_axis",
        "no_name",
        "no_stages",
        "stage_without_use",
        "memory_without_unit",
        "memory_list_empty",
        "threads_list",
        "device_unknown",
        "timeout_without_unit",
        "retries_negative",
        "keep_is_text",
        "misspelt_retries",
        "misspelt_keep_going",
        "zip_of_one",
        "zip_of_names",
        "include_empty",
        "worker_misspelt_word",
        "command_outputs_list",
        "command_misspelt",
        "choose_on_test",
        "choose_several_mistakes",
        "extends_with_wrong_parameter",
    ];
    let accepted = |name: &&str| accepts(&schema, &schema, &value(&folder().join(format!("invalid/{name}.yaml"))));
    let accepted: Vec<&str> = mistakes.into_iter().filter(accepted).collect();
    // What extends another recipe need not say of which kind a stage is, and nothing is known of its parameters.
    assert_eq!(accepted, ["extends_with_wrong_parameter"]);
}

#[test]
fn expressions_stand_for_any_value() {
    let schema = json_schema(&catalogue());
    let recipe = |with: &str| -> Value {
        serde_yaml::from_str(&format!("{{ name: x, stages: {{ a: {{ use: pretrain/simclr, with: {with} }} }} }}"))
            .unwrap()
    };
    let is_accepted = |with: &str| accepts(&schema, &schema, &recipe(with));
    for with in ["{ epochs: $(e), encoder: $(x), optimiser: { lr: $(l) } }", "$(x.with)", "[$(x.with), { epochs: 3 }]"]
    {
        assert!(is_accepted(with), "{with}");
    }
    for with in ["{ epochs: many }", "{ optimiser: { lr: fast } }", "[$(x.with), { epoch: 3 }]", "with"] {
        assert!(!is_accepted(with), "{with}");
    }
}
