use serde::{Deserialize, Serialize};
use serde_json::Value;

/// What a worker can do.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Catalogue {
    /// What the numbers depend on beside kinds and parameters (`libtorch 2.9, float32 unless a stage says otherwise`).
    /// Counts in the keys of all kinds that say nothing else.
    pub numerics: String,
    /// Whether it knows [`crate::Request::Rehearse`].
    #[serde(default)]
    pub rehearses: bool,
    pub kinds: Vec<StageKind>,
}

impl Catalogue {
    pub fn kind(&self, name: &str) -> Option<&StageKind> {
        self.kinds.iter().find(|kind| kind.name == name)
    }
}

/// A kind of stage: `pretrain/simclr`. Kinds with the same text before the slash are a family.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct StageKind {
    pub name: String,
    /// Raised whenever the output for the same parameters and inputs changes. Counts in the key.
    pub version: u32,
    /// One line: what it is, and its source (`Chen et al. 2020, arXiv:2002.05709`).
    pub summary: String,
    /// Further paragraphs: the equation, deviations from the paper.
    #[serde(default)]
    pub docs: String,
    pub needs: Vec<Port>,
    pub gives: Vec<Output>,
    /// JSON Schema (an object with `properties`) of its parameters: types, bounds, defaults, descriptions.
    /// Only `type` (boolean, integer, number, string, array, object, or a pair with `null`), `enum`, `const`, `items`,
    /// `minItems`, `maxItems`, `minimum`, `maximum`, `exclusiveMinimum`, `exclusiveMaximum`, `properties`,
    /// `required`, `default`, `examples` and `description` occur, and the extensions `x-unit` (text), `x-unused` (true for a
    /// parameter of the family that this kind accepts and ignores: it does not count in the key), `x-path` (true for a text
    /// that is a path: relative to the recipe's file; the worker is given it absolute, and what lies there counts),
    /// `x-unkeyed` (true for one that changes progress and side files but no output and no measurement: it does not count
    /// in the key either) and, in a map within the parameters, `x-default-by` (`{"kind": {"sgd": 0.06, "adamw": 0.001}}`: where it has
    /// its default, the value that `kind` of the same map gives it; the worker is given that value, and it is what counts) and
    /// `x-contradicts` (`[{"epochs": "given"}, {"momentum": [0.0], "kind": ["sgd"]}]`: where it has not its default, it contradicts
    /// what all names of one of these maps say of others of its map, that they are given or have one of some values) and `x-gives`
    /// (`"encoder"`: where it is given, it stands for that parameter of its map, which then says nothing).
    pub params: Value,
    #[serde(default)]
    pub measures: Vec<Measure>,
    /// What its numbers depend on beside its parameters, where that is not what the catalogue says: empty for a kind that
    /// touches no tensor.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub numerics: Option<String>,
    /// What a GPU is to it: where a recipe says nothing else, it is given one if there is one.
    #[serde(default, skip_serializing_if = "Gpu::is_unused")]
    pub gpu: Gpu,
}

/// What a GPU is to a kind of stage.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Gpu {
    /// It computes nothing that a GPU would be faster at.
    #[default]
    Unused,
    /// It could use one, and this worker was built without what that takes.
    Missing,
    /// It computes on a GPU where it is given one.
    Used,
}

impl Gpu {
    fn is_unused(&self) -> bool {
        *self == Self::Unused
    }
}

impl StageKind {
    /// `pretrain` of `pretrain/simclr`.
    pub fn family(&self) -> &str {
        self.name.split_once('/').map_or(self.name.as_str(), |(family, _)| family)
    }
}

/// An input of a stage.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Port {
    pub name: String,
    /// `dataset`, `views`, `encoder`, `features`, ...
    #[serde(rename = "type")]
    pub type_: String,
    pub required: bool,
    /// False for a port of the family that this kind accepts and ignores: it does not count in the key,
    /// and the worker is not given it.
    pub used: bool,
    pub doc: String,
}

/// An artifact that a stage yields. A port is connected to the stage's one output of the port's type.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Output {
    pub name: String,
    #[serde(rename = "type")]
    pub type_: String,
    pub doc: String,
}

/// A measurement that a stage's result holds.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Measure {
    pub name: String,
    /// Of which splits it is given: `["validation", "test"]`; empty for figures without one.
    pub splits: Vec<String>,
    /// `fraction` (shown as percent), `seconds`, or empty for a plain number.
    pub unit: String,
    /// Whether it is a setting chosen by the stage itself, to be printed under a table (k, L2).
    #[serde(default)]
    pub setting: bool,
    pub doc: String,
}
