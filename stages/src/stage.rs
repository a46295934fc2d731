//! What a stage kind is, and how its description is made from its parameter struct.

use crate::context::Context;
use anyhow::Result;
use pretext_protocol::{Gpu, Measure, Output, Port, StageKind};
use schemars::JsonSchema;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

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
    pub needs: &'static [PortAbout],
    pub gives: &'static [OutputAbout],
    /// Parameters of the family that this kind accepts and ignores.
    pub unused: &'static [&'static str],
    pub measures: &'static [MeasureAbout],
}

impl About {
    /// What the rest is filled up from.
    pub const NONE: Self =
        Self { name: "", version: 1, summary: "", docs: "", needs: &[], gives: &[], unused: &[], measures: &[] };
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

pub fn describe<S: Stage>() -> StageKind {
    let about = S::ABOUT;
    let owned = |text: &str| text.to_owned();
    StageKind {
        name: owned(about.name),
        version: about.version,
        summary: owned(about.summary),
        docs: owned(about.docs),
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

/// What takes the yield of another stage does; what does not makes images or policies, for which it does not matter which
/// libtorch there is, and a GPU would be idle.
fn computes_on_tensors(about: &About) -> bool {
    about.needs.iter().any(|port| port.used)
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
        }
        object.shift_remove("default");
    }
    if let Some(items) = object.get_mut("items").and_then(Value::as_object_mut) {
        items.shift_remove("format");
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
