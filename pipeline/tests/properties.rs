//! Axes and keys of recipes that nobody has thought of.

mod common;

use common::oracle::{Spec, expected};
use common::{catalogue, keys};
use pretext::plan::Graph;
use pretext::recipe::parse;
use pretext_protocol::{Catalogue, Output, Port, StageKind};
use proptest::prelude::*;
use proptest::test_runner::TestCaseResult;
use serde_json::{Value, json};
use std::collections::BTreeSet;

/// One kind that takes and gives anything.
fn plain_catalogue() -> Catalogue {
    let port = |name: usize| Port {
        name: format!("p{name}"),
        type_: "thing".into(),
        required: false,
        used: true,
        doc: String::new(),
    };
    let output = Output { name: "out".into(), type_: "thing".into(), doc: String::new() };
    let kind = StageKind {
        name: "any".into(),
        needs: (0..3).map(port).collect(),
        gives: vec![output],
        params: json!({ "type": "object", "properties": {
            "a": { "type": "string", "default": "" }, "b": { "type": "string", "default": "" },
        } }),
        ..StageKind::default()
    };
    Catalogue { numerics: String::new(), rehearses: false, kinds: vec![kind] }
}

/// `source -> port of node` and the nodes themselves.
fn found(graph: &Graph) -> (BTreeSet<String>, BTreeSet<String>) {
    let nodes = graph.node_weights().map(|node| node.id.0.clone()).collect();
    let edges = graph.edge_indices().map(|edge| {
        let (from, to) = graph.edge_endpoints(edge).unwrap();
        format!("{} -> {} of {}", graph[from].id, graph[edge].port, graph[to].id)
    });
    (nodes, edges.collect())
}

fn expands_as_the_oracle_says(draws: Vec<u16>) -> TestCaseResult {
    let spec = Spec::drawn(draws);
    let (text, expected) = (spec.text(), expected(&spec));
    match parse("drawn.yaml", &text, &plain_catalogue()) {
        Ok(recipe) => {
            let (nodes, edges) = found(&recipe.graph);
            prop_assert_eq!(recipe.graph.node_count(), nodes.len(), "two nodes are called alike in\n{}", text);
            prop_assert_eq!(&nodes, &expected.0, "{}", text);
            prop_assert_eq!(&edges, &expected.1, "{}", text);
        }
        Err(errors) => {
            prop_assert!(expected.0.is_empty() && errors.to_string().contains("leaves nothing"), "{}\n{}", text, errors)
        }
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 3000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn axes_are_expanded_as_a_slow_oracle_does(draws in prop::collection::vec(any::<u16>(), 0..120)) {
        expands_as_the_oracle_says(draws)?;
    }
}

/// Used parameters of SimCLR: path, default, other values.
fn parameters() -> Vec<(&'static [&'static str], Value, Vec<Value>)> {
    vec![
        (&["epochs"], json!(100), vec![json!(1), json!(7), json!(99)]),
        (&["batch"], json!(128), vec![json!(64), json!(256)]),
        (&["seed"], json!(0), vec![json!(1), json!(2)]),
        (&["temperature"], json!(0.5), vec![json!(0.1), json!(0.07), json!(1)]),
        (&["encoder", "width"], json!(0), vec![json!(8), json!(16)]),
        (&["optimiser", "lr"], Value::Null, vec![json!(0.5), json!(1), json!(2.0)]),
    ]
}

/// Which of a parameter's values is given; none: it is not written.
type Choice = Vec<Option<usize>>;

fn choice() -> impl Strategy<Value = Choice> {
    prop::collection::vec(prop::option::of(0usize..4), parameters().len())
}

/// The chosen value of each parameter: the default where it is not written or written out.
fn chosen(choice: &Choice) -> Vec<(&'static [&'static str], Option<Value>)> {
    let value = |default: &Value, others: &[Value], which: usize| match which.checked_sub(1) {
        Some(other) => Some(others[other % others.len()].clone()),
        None => Some(default.clone()).filter(|default| !default.is_null()),
    };
    let parameters = parameters().into_iter().zip(choice);
    parameters
        .map(|((path, default, others), &which)| (path, which.and_then(|which| value(&default, &others, which))))
        .collect()
}

/// A way to write the same thing.
#[derive(Debug, Clone)]
struct Style {
    order: Vec<usize>,
    /// Into how many maps `with` is split.
    maps: usize,
    block: bool,
    quoted: bool,
    comments: bool,
}

fn style() -> impl Strategy<Value = Style> {
    let order = Just((0..parameters().len()).collect::<Vec<_>>()).prop_shuffle();
    (order, 1usize..4, any::<bool>(), any::<bool>(), any::<bool>())
        .prop_map(|(order, maps, block, quoted, comments)| Style { order, maps, block, quoted, comments })
}

fn written(choice: &Choice, style: &Style) -> String {
    let (chosen, quote) = (chosen(choice), if style.quoted { "\"" } else { "" });
    let mut maps = vec![vec![]; style.maps];
    for (number, &which) in style.order.iter().enumerate() {
        if let (path, Some(value)) = &chosen[which] {
            let value = path[1..]
                .iter()
                .rev()
                .fold(value.to_string(), |inner, name| format!("{{ {quote}{name}{quote}: {inner} }}"));
            maps[number % style.maps].push(format!("{quote}{}{quote}: {value}", path[0]));
        }
    }
    let comment = if style.comments { " # a comment" } else { "" };
    let with = match (style.block, style.maps) {
        (false, 1) => format!(" {{ {} }}{comment}\n", maps[0].join(", ")),
        (false, _) => format!(
            " [{}]{comment}\n",
            maps.iter().map(|map| format!("{{ {} }}", map.join(", "))).collect::<Vec<_>>().join(", ")
        ),
        (true, _) => {
            let map = |map: &Vec<String>| match map.is_empty() {
                true => "      - {}\n".to_owned(),
                false => format!("      - {}{comment}\n", map.join(&format!("{comment}\n        "))),
            };
            format!("{comment}\n{}", maps.iter().map(map).collect::<String>())
        }
    };
    format!(
        "name: keys\nstages:\n  photos: {{ use: data/cifar10 }}\n  trained:{comment}\n    needs: {{ data: photos }}\n    \
         use: {quote}pretrain/simclr{quote}\n    with:{with}"
    )
}

/// The digest of the trained node's canonical form.
fn key(text: &str) -> String {
    let recipe = parse("keys.yaml", text, &catalogue()).unwrap_or_else(|errors| panic!("{errors}\n{text}"));
    let keys = keys(&recipe.graph);
    keys.iter().find(|(node, _)| node.0 == "trained").unwrap().1.to_string()
}

/// What the choice means: every value, the default where there is none.
fn meaning(choice: &Choice) -> Vec<Option<f64>> {
    let defaults = parameters().into_iter().map(|(_, default, _)| default.as_f64());
    chosen(choice)
        .into_iter()
        .zip(defaults)
        .map(|((_, value), default)| value.and_then(|v| v.as_f64()).or(default))
        .collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 500, failure_persistence: None, ..ProptestConfig::default() })]

    /// Neither order nor style nor defaults written out count; every used parameter does.
    #[test]
    fn keys_follow_what_is_meant(a in choice(), b in choice(), plain in style(), other in style()) {
        let first = key(&written(&a, &plain));
        prop_assert_eq!(&first, &key(&written(&a, &other)), "{}\n{}", written(&a, &plain), written(&a, &other));
        let second = key(&written(&b, &other));
        prop_assert_eq!(first == second, meaning(&a) == meaning(&b), "{}\n{}", written(&a, &plain), written(&b, &other));
    }

    /// One that differs alone counts too, and so does what is upstream.
    #[test]
    fn one_parameter_or_input_is_enough(a in choice(), style in style(), which in 0usize..6, value in 0usize..4) {
        let mut b = a.clone();
        b[which] = Some(value);
        let text = written(&a, &style);
        prop_assert_eq!(key(&text) == key(&written(&b, &style)), meaning(&a) == meaning(&b));
        let upstream = text.replace("use: data/cifar10", "use: data/cifar10, with: { train: 100 }");
        prop_assert_ne!(key(&text), key(&upstream));
    }
}
