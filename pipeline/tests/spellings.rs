//! However a value is written, a text, a label or a path has it as it was written, and a parameter that is a number has the
//! number.

mod common;

use common::keys;
use pretext::plan::{Graph, Node};
use pretext::recipe::{Recipe, parse};
use pretext_protocol::{Catalogue, Measure, StageKind};
use proptest::prelude::*;
use serde_json::{Value, json};

/// One kind with a parameter of each type.
fn catalogue() -> Catalogue {
    let (name, splits, unit, doc) = ("accuracy".into(), vec![], String::new(), String::new());
    let accuracy = Measure { name, splits, unit, doc, setting: false };
    let kind = StageKind {
        name: "any".into(),
        params: json!({ "type": "object", "properties": {
            "text": { "type": "string", "default": "" },
            "choice": { "type": "string", "enum": ["true", "32", "none"], "default": "none" },
            "maybe": { "type": ["string", "null"], "default": null },
            "number": { "type": "number", "default": 0 },
            "whole": { "type": "integer", "default": 0 },
            "truth": { "type": "boolean", "default": false },
        } }),
        measures: vec![accuracy],
        ..StageKind::default()
    };
    Catalogue { numerics: String::new(), rehearses: false, kinds: vec![kind] }
}

fn read(text: &str) -> Result<Recipe, String> {
    parse("recipe.yaml", text, &catalogue()).map_err(|errors| errors.to_string())
}

/// A recipe of one stage that varies along `v`.
fn varied(values: &str, with: &str, further: &str) -> String {
    format!("name: varied\naxes: {{ v: [{values}] }}\nstages: {{ a: {{ use: any, with: {{ {with} }} }} }}\n{further}")
}

fn nodes(text: &str) -> Vec<Node> {
    let graph: Graph = read(text).unwrap_or_else(|error| panic!("{text}\n{error}")).graph;
    graph.node_weights().cloned().collect()
}

fn ids(text: &str) -> Vec<String> {
    nodes(text).into_iter().map(|node| node.id.0).collect()
}

const SPELLINGS: [&str; 27] = [
    "3.10",
    "144e16",
    "True",
    "false",
    "01234",
    "1e-3",
    "123456789012345678901234567890",
    "0x10",
    "0o7",
    "1_000",
    ".5",
    "+1",
    "1.",
    "-0",
    "-0.0",
    "1e400",
    ".inf",
    ".nan",
    "yes",
    "no",
    "on",
    "2026-01-02",
    "12:30:45",
    "1.0",
    "007",
    "'3.10'",
    "\"1e-3\"",
];

#[test]
fn a_text_a_label_and_a_choice_have_a_value_as_it_was_written() {
    for spelling in SPELLINGS {
        let written = spelling.trim_matches(['\'', '"']);
        let node = nodes(&varied(spelling, "text: 'x $(v)y'", "")).remove(0);
        assert_eq!((&*node.id.0, &node.params["text"]), (&*format!("a[v={written}]"), &json!(format!("x {written}y"))));
        let whole = nodes(&varied(spelling, "text: $(v), maybe: $(v)", "")).remove(0);
        assert_eq!([&whole.params["text"], &whole.params["maybe"]], [&json!(written); 2]);
        let direct = nodes(&varied("1", &format!("text: {spelling}, maybe: $(v)"), "")).remove(0);
        assert_eq!(direct.params["text"], json!(written), "as if the axis were not there");
        let named = varied(&format!("{{ name: {spelling}, of: [{spelling}] }}"), "text: $(v.name)", "");
        let named = nodes(&named).remove(0);
        assert_eq!((&*named.id.0, &named.params["text"]), (&*format!("a[v={written}]"), &json!(written)));
    }
    assert_eq!(nodes(&varied("true, 32", "choice: $(v)", "")).len(), 2);
    let env = "name: env\nenv: { V: 3.10, W: ~ }\nstages: { a: { use: any, with: { text: 'v$(env.V)w$(env.W)' } } }";
    assert_eq!(nodes(env)[0].params["text"], "v3.10w~");
}

#[test]
fn a_number_is_one_where_a_schema_wants_one() {
    let value = |spelling: &str, name: &str| {
        nodes(&varied(spelling, &format!("{name}: $(v)"), "")).remove(0).params[name].clone()
    };
    for (spelling, number) in
        [("3.10", 3.1), ("144e16", 144e16), (".5", 0.5), ("0x10", 16.0), ("+1", 1.0), ("1e-3", 0.001)]
    {
        assert_eq!(value(spelling, "number"), json!(number));
    }
    assert_eq!(value("123456789012345678901234567890", "number"), json!(123456789012345678901234567890.0));
    assert_eq!(
        [value("1e3", "whole"), value("-0", "whole"), value("0x10", "whole")],
        [json!(1000), json!(0), json!(16)]
    );
    assert_eq!(value("-0.0", "number").to_string(), "0.0", "which is its default");
    assert_eq!(value("True", "truth"), json!(true));
    for (spelling, name) in
        [("'3'", "number"), ("1e400", "number"), (".inf", "number"), ("1_000", "whole"), ("yes", "truth")]
    {
        let error = read(&varied(spelling, &format!("{name}: $(v)"), "")).unwrap_err();
        let found = spelling.trim_matches('\'');
        assert!(error.starts_with(&format!("error: `{name}` is `{found}`\n")), "{error}");
    }
    let nothing = read(&varied("1", "text: null, number: $(v)", "")).unwrap_err();
    assert!(nothing.starts_with("error: `text` is nothing\n"), "{nothing}");
}

#[test]
fn equal_numbers_that_are_written_differently_are_two_labels_and_one_computation() {
    let numbers = read(&varied("1e-3, 0.001", "number: $(v)", "")).unwrap();
    let keys_of = |recipe: &Recipe| keys(&recipe.graph).into_values().collect::<Vec<_>>();
    assert_eq!(numbers.axes[0].1, ["1e-3", "0.001"]);
    let keys_of_numbers = keys_of(&numbers);
    assert_eq!(keys_of_numbers[0], keys_of_numbers[1]);
    let texts = keys_of(&read(&varied("1e-3, 0.001", "text: $(v)", "")).unwrap());
    assert_ne!(texts[0], texts[1]);
    assert!(read(&varied("1e-3, '1e-3'", "number: $(v)", "")).unwrap_err().contains("axis `v` has `1e-3` twice"));
}

#[test]
fn what_names_a_value_finds_it_as_it_is_written_or_as_the_one_equal_number() {
    let axis = "1e-3, 0.1, '0.20', 16";
    for (excluded, left) in [
        ("1e-3", vec!["0.1", "0.20", "16"]),
        ("0.0010", vec!["0.1", "0.20", "16"]),
        ("[.1, 0x10]", vec!["1e-3", "0.20"]),
        ("'0.20'", vec!["1e-3", "0.1", "16"]),
    ] {
        let found = ids(&varied(axis, "text: $(v)", &format!("exclude: [{{ v: {excluded} }}]")));
        assert_eq!(found, left.iter().map(|label| format!("a[v={label}]")).collect::<Vec<_>>());
    }
    // A text is no number: `3.1` and `3.10` may be versions.
    for (wrong, known) in [("0.2", "axis `v` has no value 0.2"), ("'.1'", "axis `v` has no value `.1`")] {
        let error = read(&varied(axis, "text: $(v)", &format!("exclude: [{{ v: {wrong} }}]"))).unwrap_err();
        assert!(error.contains(known), "{error}");
    }
    let include = "exclude: [{ v: 0.1 }]\ninclude: [{ v: 1.0e-1 }, { v: 0.2 }, { v: '.1' }]";
    let found = ids(&varied(axis, "text: $(v)", include));
    assert_eq!(found, ["1e-3", "0.20", "16", "0.1", "0.2", ".1"].map(|label| format!("a[v={label}]")));

    let table = "tables: { t: { from: a, value: accuracy, rows: v, where: { v: 0.001 }, reference: { 0.001: { value: 1e1, source: x }, 0.20: { value: 2, source: y } } } }";
    let column = &read(&varied(axis, "text: $(v)", table)).unwrap().tables[0].columns[0];
    assert_eq!(column.where_, [("v".to_owned(), "1e-3".to_owned())]);
    let references = column.references.iter().map(|reference| (reference.row.as_str(), reference.value));
    assert_eq!(references.collect::<Vec<_>>(), [("1e-3", 10.0), ("0.20", 2.0)]);
}

#[test]
fn names_and_words_of_a_recipe_may_look_like_numbers() {
    let text = "name: 2026\naxes: { v: [1, 2] }\nstages:\n  1: { use: any }\n  02: { use: any, with: { text: $(v) } }\n\
                tables: { 3: { title: 3.10, from: 02, value: accuracy, rows: v } }";
    let recipe = read(text).unwrap();
    assert_eq!((recipe.name.as_str(), recipe.tables[0].title.as_deref()), ("2026", Some("3.10")));
    assert_eq!(recipe.tables[0].columns[0].from, "02");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, failure_persistence: None, ..ProptestConfig::default() })]

    /// Whatever YAML makes of it.
    #[test]
    fn a_value_is_never_printed_anew(written in "[-+]?[0-9.][0-9._eExXoOabf+-]{0,9}|[tTfFnNyY~][a-zA-Z~]{0,4}") {
        let recipe = read(&varied(&written, "text: $(v), maybe: \"$(v)|$(v)\"", ""));
        let is_nothing = ["~", "null", "Null", "NULL"].contains(&written.as_str());
        prop_assert_eq!(recipe.is_err(), is_nothing, "{:?}", recipe.map(|recipe| recipe.axes));
        if let Ok(recipe) = recipe {
            let node = recipe.graph.node_weights().next().unwrap();
            prop_assert_eq!(&node.id.0, &format!("a[v={written}]"));
            prop_assert_eq!(&node.params["text"], &json!(written));
            prop_assert_eq!(&node.params["maybe"], &json!(format!("{written}|{written}")));
        }
        // As a number it is what YAML says, and equal numbers have one key.
        let expected = serde_yaml::from_str::<Value>(&written).ok().and_then(|value| value.as_f64());
        if let Some(number) = expected {
            let respelt = format!("{written}, !{number:e}").replace('!', "");
            if let Ok(recipe) = read(&varied(&respelt, "number: $(v)", "")) {
                let keys: Vec<_> = keys(&recipe.graph).into_values().collect();
                prop_assert_eq!(keys.first(), keys.last());
                let node = recipe.graph.node_weights().next().unwrap();
                prop_assert_eq!(node.params["number"].as_f64(), Some(number));
            }
        }
    }
}
