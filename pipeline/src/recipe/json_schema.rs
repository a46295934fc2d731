//! The recipe's JSON Schema, with the parameters of every kind: what an editor completes and checks by.
//!
//! It accepts every right recipe, those that extend another included; what it cannot see (names of stages and axes, values
//! behind expressions) `pretext plan` checks.

mod parameters;

use super::{choices, command, resources, stages, workers};
use parameters::{definition, families, of_any};
use pretext_protocol::{Catalogue, Port, StageKind};
use serde_json::{Map, Value, json};

/// What stands for any value.
const EXPRESSION: &str = r"\$\(.+\)";

const MEMORY: &str = r"^[0-9.]+ ?(KiB|MiB|GiB|TiB)$";
const TIME: &str = r"^[0-9.]+ ?(s|min|h|d)$";
const DEVICE: &str = r"^(auto|cpu|cuda:[0-9]+)$";

/// Draft 2020-12.
pub fn json_schema(catalogue: &Catalogue) -> Value {
    let command = command::kind();
    let kinds: Vec<&StageKind> = catalogue.kinds.iter().chain([&command]).collect();
    let choice = json!({ "$ref": "#/$defs/choice" });
    let combinations = json!({ "type": "array", "items": { "type": "object", "minProperties": 1 } });
    let mut schema = json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "a recipe of pretext",
        "type": "object",
        "additionalProperties": false,
        "required": ["name"],
        "properties": {
            "name": described(json!({ "type": parameters::TEXT, "pattern": r"^[\w-]+$" }), "its tables go to out/NAME"),
            "extends": described(text(), "another recipe, relative to this one, that this one changes"),
            "axes": described(
                json!({ "type": "object", "additionalProperties": { "type": "array", "minItems": 1 } }),
                "what is varied: values, or maps with a `name`"
            ),
            "zip": described(
                json!({ "type": "array", "items": { "type": "array", "minItems": 2, "items": text() } }),
                "lists of axes that are walked together"
            ),
            "exclude": described(combinations.clone(), "combinations that are left out"),
            "include": described(combinations, "combinations that are added"),
            "env": described(json!({ "type": "object" }), "variables of the environment and their defaults: $(env.NAME)"),
            "workers": described(map_of("worker"), "programs that compute kinds of their own"),
            "stages": described(map_of("stage"), "what is computed"),
            "choose": described(
                json!({ "anyOf": [choice, { "type": "array", "items": choice }] }),
                "the values along axes that are best on validation, for tables that leave these axes open"
            ),
            "tables": described(map_of("table"), "what becomes of the measurements"),
            "resources": described(json!({ "$ref": "#/$defs/resources" }), "for stages that say nothing else"),
            "retries": retries(),
            "timeout": timeout(),
            "keep_going": described(json!({ "type": "boolean", "default": true }), "go on where a stage has failed"),
        },
        // What extends another recipe may leave the rest to it.
        "if": { "not": { "required": ["extends"] } },
        "then": {
            "required": ["stages"],
            "properties": { "stages": { "minProperties": 1, "additionalProperties": { "required": ["use"] } } }
        },
        "$defs": {
            "expression": { "type": "string", "pattern": EXPRESSION },
            "worker": closed(&workers::WORDS, &|_| json!({ "type": "array", "items": text() })),
            "stage": stage(&kinds),
            "resources": closed(&resources::WORDS, &resource),
            "choice": closed(&choices::WORDS, &choice_word),
            "table": closed(&super::table_specs::WORDS, &table_word),
            "column": closed(&super::table_specs::COLUMN_WORDS, &table_word),
        }
    });
    for (name, map) in parameters::definitions(&kinds) {
        schema["$defs"][name] = map;
    }
    schema
}

fn described(mut schema: Value, description: &str) -> Value {
    schema["description"] = description.into();
    schema
}

fn map_of(definition: &str) -> Value {
    json!({ "type": "object", "additionalProperties": { "$ref": format!("#/$defs/{definition}") } })
}

/// Where a text is wanted, a number is one as it is written.
fn text() -> Value {
    json!({ "type": parameters::TEXT })
}

/// A map with these words and no others.
fn closed(words: &[&str], of: &dyn Fn(&str) -> Value) -> Value {
    let properties: Map<String, Value> = words.iter().map(|&word| (word.to_owned(), of(word))).collect();
    json!({ "type": "object", "additionalProperties": false, "properties": properties })
}

fn retries() -> Value {
    let schema = json!({ "type": "integer", "minimum": 0, "maximum": 100, "default": 0 });
    described(schema, "how often a stage that failed is tried again")
}

fn timeout() -> Value {
    described(
        json!({ "type": ["string", "null"], "pattern": TIME }),
        "an attempt that takes longer is ended: 30min, 2h",
    )
}

fn resource(word: &str) -> Value {
    let by_attempt = |pattern: &str| {
        let one = json!({ "type": "string", "pattern": pattern });
        json!({ "anyOf": [one, { "type": "array", "minItems": 1, "items": one }] })
    };
    match word {
        "memory" => described(by_attempt(MEMORY), "4GiB, or a list by attempt"),
        "time" => described(by_attempt(TIME), "how long it takes: 2h, or a list by attempt"),
        "device" => described(
            json!({ "type": "string", "pattern": DEVICE, "default": "auto" }),
            "auto: a GPU where there is one and the kind has use for it; or cpu, cuda:0",
        ),
        "threads" => json!({ "type": "integer", "minimum": 1, "maximum": 1024, "default": 1 }),
        _ => described(
            json!({ "type": "integer", "minimum": 0, "maximum": 64, "default": 0 }),
            "how many GPUs it needs, whichever are free",
        ),
    }
}

/// One or several.
fn names() -> Value {
    json!({ "anyOf": [text(), { "type": "array", "items": text() }] })
}

fn choice_word(word: &str) -> Value {
    match word {
        "axis" => described(names(), "along which it is chosen; of several, the values that are best together"),
        "by" => described(text(), "the measurement that decides: probe.accuracy"),
        "split" => json!({ "const": choices::SPLIT }),
        "where" => described(
            json!({ "type": "object" }),
            "at which values of other axes it is chosen, for all of them: { seed: 0 }",
        ),
        _ => described(json!({ "enum": choices::BEST }), "of a fraction the highest, where nothing is said"),
    }
}

fn table_word(word: &str) -> Value {
    match word {
        "rows" => described(names(), "a row for each of the axis' values; of several axes for each combination"),
        "over" => described(names(), "axes that are averaged over: mean, standard deviation and how many"),
        "against" => described(
            json!({ "type": ["string", "number", "object", "null"] }),
            "the row that the others are held against: their differences in pairs, with intervals; of several axes some with a value each: { \
             method: scratch }",
        ),
        "columns" => described(
            json!({ "anyOf": [text(), { "type": "array", "minItems": 1, "items": { "$ref": "#/$defs/column" } }] }),
            "an axis, for a column for each of its values; or a list of what stands in each",
        ),
        "from" => described(text(), "the stage whose measurement is shown"),
        "value" => described(text(), "which of its measurements"),
        "split" => described(text(), "of which split: test, where nothing is said"),
        "where" => {
            described(json!({ "type": "object" }), "AXIS: VALUE, for what is shown of an axis that stands nowhere else")
        }
        "reference" => described(
            json!({ "type": "object" }),
            "published values to stand beside: ROW: { value: 37.3, source: where it was published }",
        ),
        "title" => described(text(), "what stands above it"),
        _ => text(),
    }
}

fn stage(kinds: &[&StageKind]) -> Value {
    let names: Vec<&str> = kinds.iter().map(|kind| kind.name.as_str()).collect();
    let mut stage = closed(&stages::WORDS, &|word| match word {
        // Any text may be the kind of another worker, or an expression; the list is what an editor offers.
        "use" => described(json!({ "type": "string", "anyOf": [{ "enum": names }, {}] }), "its kind"),
        "needs" => json!({ "type": "object", "additionalProperties": text() }),
        "with" => json!({ "type": ["object", "array", "string"] }),
        "resources" => json!({ "$ref": "#/$defs/resources" }),
        "retries" => retries(),
        "timeout" => timeout(),
        _ => described(
            json!({ "type": "boolean", "default": true }),
            "false: what it yields is dropped when nothing needs it any more",
        ),
    });
    let families = families(kinds).into_iter().map(|family| {
        // `pretrain/$(method)`: what any kind of the family takes.
        let is_of_family = json!({ "pattern": format!("^{family}/.*{EXPRESSION}") });
        json!({ "if": using(is_of_family), "then": { "properties": { "with": with(&of_any(family)) } } })
    });
    stage["allOf"] = kinds.iter().map(|kind| of_kind(kind)).chain(families).collect();
    stage
}

fn of_kind(kind: &StageKind) -> Value {
    let mut properties = json!({ "with": with(&definition(kind)) });
    if kind.name != command::KIND {
        let port = |port: &Port| {
            let description = format!("{}: {}", port.type_, port.doc);
            (port.name.clone(), described(text(), &description))
        };
        let ports: Map<String, Value> = kind.needs.iter().map(port).collect();
        properties["needs"] = json!({ "additionalProperties": false, "properties": ports });
    }
    json!({ "if": using(json!({ "const": kind.name })), "then": { "properties": properties } })
}

fn using(kind: Value) -> Value {
    json!({ "required": ["use"], "properties": { "use": kind } })
}

/// One map, what stands for one, or a list of them.
fn with(definition: &str) -> Value {
    let map = json!({ "$ref": format!("#/$defs/{definition}") });
    let expression = json!({ "$ref": "#/$defs/expression" });
    json!({ "anyOf": [map, expression, { "type": "array", "items": { "anyOf": [map, expression] } }] })
}
