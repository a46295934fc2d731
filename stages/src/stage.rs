//! What a stage kind is, and how its description is made from its parameter struct.

use crate::context::Context;
use anyhow::{Result, ensure};
use pretext_protocol::{Gpu, Measure, Output, Port, StageKind};
use schemars::JsonSchema;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use std::fmt::Display;

/// A kind of stage.
pub trait Stage {
    /// Types, bounds, defaults and documentation of its parameters, in one place.
    type Params: DeserializeOwned + Serialize + JsonSchema + Default;
    const ABOUT: About;
    fn run(params: Self::Params, context: &Context) -> Result<()>;
}

/// A kind's description, but for its parameters.
#[derive(Debug, Clone, Copy)]
pub struct About {
    pub name: &'static str,
    /// Raised whenever the output for the same parameters and inputs changes.
    pub version: u32,
    /// One line: what it is, and its source.
    pub summary: &'static str,
    pub docs: &'static str,
    /// All in which it differs from its paper, some of it shared with others: the only place that tells it. Follows `docs`.
    pub deviations: &'static [Deviations],
    pub needs: &'static [PortAbout],
    pub gives: &'static [OutputAbout],
    /// Parameters of the family that this kind accepts and ignores.
    pub unused: &'static [&'static str],
    pub measures: &'static [MeasureAbout],
}

impl About {
    /// What the rest is filled up from.
    pub const NONE: Self = Self {
        name: "",
        version: 1,
        summary: "",
        docs: "",
        deviations: &[],
        needs: &[],
        gives: &[],
        unused: &[],
        measures: &[],
    };

    /// `docs`, and a paragraph for each list of deviations.
    fn whole_docs(&self) -> String {
        let paragraph = |Deviations { of, list }: &Deviations| format!("\n\nDeviations {of}: {}.", list.join("; "));
        self.docs.to_owned() + &self.deviations.iter().map(paragraph).collect::<String>()
    }
}

/// In what something differs from its papers.
#[derive(Debug, Clone, Copy)]
pub struct Deviations {
    /// What follows the word: `from the paper`, `of the encoders`.
    pub of: &'static str,
    pub list: &'static [&'static str],
}

impl Deviations {
    pub const fn from_paper(list: &'static [&'static str]) -> Self {
        Self { of: "from the paper", list }
    }
}

#[derive(Debug, Clone, Copy)]
pub struct PortAbout {
    pub name: &'static str,
    pub type_: &'static str,
    pub required: bool,
    pub used: bool,
    pub doc: &'static str,
}

#[derive(Debug, Clone, Copy)]
pub struct OutputAbout {
    pub name: &'static str,
    pub type_: &'static str,
    pub doc: &'static str,
}

#[derive(Debug, Clone, Copy)]
pub struct MeasureAbout {
    pub name: &'static str,
    pub splits: &'static [&'static str],
    pub unit: &'static str,
    pub setting: bool,
    pub doc: &'static str,
}

/// The dataset port of every stage that reads images.
pub const DATA: PortAbout = PortAbout { name: "data", type_: "dataset", required: true, used: true, doc: "the images" };
/// The encoder port of every stage that needs one; what it is for differs.
pub const ENCODER: PortAbout = PortAbout { name: "encoder", type_: "encoder", required: true, used: true, doc: "" };
/// What every data set's stage gives.
pub const DATASET: OutputAbout = OutputAbout {
    name: "dataset",
    type_: "dataset",
    doc: "train, validation and test split, and unlabelled images where there are some",
};
/// The port of every stage that trains.
pub const VIEWS: PortAbout = PortAbout {
    name: "views",
    type_: "views",
    required: false,
    used: true,
    doc: "what is done to an image before the network sees it",
};

/// An error where a parameter that is a range ends before it begins.
pub fn rising<T: PartialOrd + Display>(name: &str, [low, high]: [T; 2]) -> Result<()> {
    ensure!(low <= high, "{name} is [{low}, {high}], and the smaller comes first: write [{high}, {low}]");
    Ok(())
}

pub fn describe<S: Stage>() -> StageKind {
    let about = S::ABOUT;
    let owned = |text: &str| text.to_owned();
    StageKind {
        name: owned(about.name),
        version: about.version,
        summary: owned(about.summary),
        docs: about.whole_docs(),
        needs: about
            .needs
            .iter()
            .map(|port| Port {
                name: owned(port.name),
                type_: owned(port.type_),
                required: port.required,
                used: port.used,
                doc: owned(port.doc),
            })
            .collect(),
        gives: about
            .gives
            .iter()
            .map(|out| Output { name: owned(out.name), type_: owned(out.type_), doc: owned(out.doc) })
            .collect(),
        params: schema::<S::Params>(about.unused),
        numerics: (!computes_on_tensors(&about)).then(String::new),
        gpu: gpu(&about),
        measures: about
            .measures
            .iter()
            .map(|measure| Measure {
                name: owned(measure.name),
                splits: measure.splits.iter().map(|split| owned(split)).collect(),
                unit: owned(measure.unit),
                setting: measure.setting,
                doc: owned(measure.doc),
            })
            .collect(),
    }
}

/// What takes the yield of another stage does; what does not, or makes a data set of it, makes images or policies, for which it does not
/// matter which libtorch there is, and a GPU would be idle.
fn computes_on_tensors(about: &About) -> bool {
    about.needs.iter().any(|port| port.used) && !about.gives.iter().any(|out| out.type_ == DATASET.type_)
}

fn gpu(about: &About) -> Gpu {
    match computes_on_tensors(about) {
        false => Gpu::Unused,
        true if cfg!(cuda) => Gpu::Used,
        true => Gpu::Missing,
    }
}

/// The JSON Schema of a parameter struct in the subset that the protocol names: definitions inlined, defaults taken from
/// the struct's `Default`, so that each stands in exactly one place.
fn schema<P: JsonSchema + Serialize + Default>(unused: &[&str]) -> Value {
    let settings = schemars::generate::SchemaSettings::draft2020_12().with(|settings| {
        settings.inline_subschemas = true;
        settings.meta_schema = None;
    });
    let mut schema = settings.into_generator().into_root_schema_for::<P>().to_value();
    let defaults = serde_json::to_value(P::default()).expect("parameters serialise");
    tidy(&mut schema, &defaults);
    require_paths(&mut schema);
    for name in unused {
        let property = &mut schema["properties"][*name];
        assert!(property.is_object(), "`{name}` is listed as unused and is no parameter");
        property["x-unused"] = json!(true);
    }
    schema
}

/// A path that is empty by default must be said.
fn require_paths(schema: &mut Value) {
    let properties = schema["properties"].as_object_mut().into_iter().flatten();
    let paths = properties.filter(|(_, property)| property["x-path"] == true && property["default"] == "");
    let names = paths.map(|(name, property)| {
        property.as_object_mut().expect("a property is a map").shift_remove("default");
        json!(name)
    });
    let names: Vec<Value> = names.collect();
    if !names.is_empty() {
        schema["required"] = Value::Array(names);
    }
}

/// Sets `default` on every property and drops what the subset does not name. What has a default is not required.
fn tidy(schema: &mut Value, default: &Value) {
    let Some(object) = schema.as_object_mut() else { return };
    for word in ["title", "format", "$schema", "additionalProperties", "required"] {
        object.shift_remove(word);
    }
    // What a file leaves out while it has its default says that in its own schema.
    if !default.is_null() {
        object.insert("default".into(), default.clone());
    }
    flatten_choices(object);
    if let Some(Value::Object(properties)) = object.get_mut("properties") {
        for (name, property) in properties {
            tidy(property, &default[name.as_str()]);
            open_by_sibling(property, default);
        }
        object.shift_remove("default");
    }
    if let Some(items) = object.get_mut("items").and_then(Value::as_object_mut) {
        items.shift_remove("format");
    }
}

/// A parameter that may be null and takes a value by another of its map is null where nothing is said, also where a kind has a value of
/// its own for it: that becomes the one by the other's default. Who writes the other one gets what goes with it.
fn open_by_sibling(property: &mut Value, defaults: &Value) {
    let may_be_null = property["type"].as_array().is_some_and(|types| types.contains(&json!("null")));
    let Some(Value::Object(by_siblings)) = property.get("x-default-by").filter(|_| may_be_null) else { return };
    let beside = by_siblings.keys().find_map(|sibling| Some((sibling.clone(), defaults[sibling].as_str()?)));
    if let Some((sibling, choice)) = beside.filter(|_| !property["default"].is_null()) {
        property["x-default-by"][sibling][choice] = property["default"].take();
    }
}

/// schemars writes a documented enum as `oneOf` constants: here it is `enum`.
fn flatten_choices(object: &mut serde_json::Map<String, Value>) {
    if let Some(Value::Array(choices)) = object.shift_remove("oneOf") {
        let constants = choices.iter().flat_map(|choice| match (&choice["const"], &choice["enum"]) {
            (Value::Null, Value::Array(values)) => values.clone(),
            (constant, _) => vec![constant.clone()],
        });
        let constants: Vec<Value> = constants.collect();
        object.insert("type".into(), json!("string"));
        object.insert("enum".into(), Value::Array(constants));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn deviations_are_the_last_paragraphs_of_the_documentation() {
        const LISTS: &[Deviations] =
            &[Deviations::from_paper(&["one", "two"]), Deviations { of: "of all", list: &["three"] }];
        let about = About { docs: "What it does.", deviations: LISTS, ..About::NONE };
        let paragraphs = "What it does.\n\nDeviations from the paper: one; two.\n\nDeviations of all: three.";
        assert_eq!(about.whole_docs(), paragraphs);
        assert_eq!(About { docs: "Nothing else.", ..About::NONE }.whole_docs(), "Nothing else.");
    }

    #[test]
    fn what_a_kind_refuses_of_its_parameters_is_said_before_it_starts() {
        let kind = describe::<crate::methods::SimClr>();
        let properties = &kind.params["properties"];
        assert_eq!(properties["steps"]["x-contradicts"], json!([{ "epochs": "given" }, { "images": "given" }]));
        assert_eq!(properties["images"]["x-contradicts"], json!([{ "epochs": "given" }]));
        let nesterov = &properties["optimiser"]["properties"]["nesterov"];
        assert_eq!(nesterov["x-contradicts"], json!([{ "momentum": [0.0], "kind": ["sgd", "lars"] }]));
    }

    #[test]
    fn a_kind_may_have_an_optimiser_of_its_own() {
        let optimiser = |kind: StageKind| kind.params["properties"]["optimiser"]["properties"].clone();
        let segment = optimiser(describe::<crate::tasks::Segment>());
        assert_eq!(segment["lr"]["default"], Value::Null);
        assert_eq!(segment["lr"]["x-default-by"], json!({ "kind": { "sgd": 0.01, "adamw": 1e-3, "lars": 0.06 } }));
        assert_eq!([&segment["kind"]["default"], &segment["schedule"]["default"]], ["sgd", "poly"]);
        let detect = optimiser(describe::<crate::tasks::Detect>());
        assert_eq!([&detect["kind"]["default"], &detect["schedule"]["default"]], ["adamw", "cosine"]);
        let finetune = optimiser(describe::<crate::tasks::Finetune>());
        assert_eq!([&finetune["kind"]["default"], &finetune["schedule"]["default"]], ["sgd", "cosine"]);
        for (with, sgd) in [(detect, 0.06), (finetune, 0.06)] {
            assert_eq!(with["lr"]["x-default-by"]["kind"]["sgd"], sgd);
        }
    }

    #[test]
    fn every_kind_that_trains_says_in_what_it_differs_from_its_paper() {
        let trains =
            |kind: &StageKind| kind.family() == "pretrain" && kind.params["properties"]["epochs"]["x-unused"] != true;
        let kinds: Vec<StageKind> = crate::catalog::catalogue().kinds.into_iter().filter(trains).collect();
        assert!(kinds.len() >= 6);
        for kind in kinds {
            assert!(kind.docs.contains("\n\nDeviations from the paper: "), "{}", kind.name);
        }
    }
}
