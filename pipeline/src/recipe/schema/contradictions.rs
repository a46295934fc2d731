//! Parameters of one map that contradict each other, as a kind says it: a training's length in steps and in epochs.

use super::{Problem, default, plain};
use crate::recipe::tree::Tree;
use serde_json::Value;

/// One that is given and what contradicts it: each of the others, given or with one of some values.
#[derive(Debug, Clone)]
pub struct Rule {
    pub name: String,
    pub others: Vec<(String, Wanted)>,
}

#[derive(Debug, Clone)]
pub enum Wanted {
    Given,
    OneOf(Vec<Value>),
}

impl Rule {
    /// The rules of a map's schema (`x-contradicts`), but those of what a kind ignores.
    pub fn of(schema: &Value) -> Vec<Self> {
        let properties = schema["properties"].as_object().into_iter().flatten();
        let properties = properties.filter(|(_, property)| property["x-unused"] != true);
        let rules = properties.flat_map(|(name, property)| {
            let said = property["x-contradicts"].as_array().into_iter().flatten();
            said.map(move |others| Self { name: name.clone(), others: wanted(others) })
        });
        rules.collect()
    }

    pub fn names(&self) -> impl Iterator<Item = &str> {
        std::iter::once(self.name.as_str()).chain(self.others.iter().map(|(name, _)| name.as_str()))
    }

    /// What is wrong with a map whose values are typed already; `written`: the map as it stands in the recipe.
    pub fn broken<'a>(
        &self,
        schema: &Value,
        value: impl Fn(&str) -> Option<&'a Value>,
        written: &Tree,
        owner: &str,
    ) -> Option<Problem> {
        let is_given = |name: &str| value(name).is_some_and(|value| *value != default(&schema["properties"][name]));
        let holds = |(name, wanted): &(String, Wanted)| match wanted {
            Wanted::Given => is_given(name),
            Wanted::OneOf(values) => value(name).is_some_and(|value| values.contains(value)),
        };
        if !is_given(&self.name) || !self.others.iter().all(holds) {
            return None;
        }
        let told = |name: &str| format!("`{name}: {}`", plain(value(name).unwrap_or(&Value::Null)));
        let others: Vec<String> = self.others.iter().map(|(name, _)| told(name)).collect();
        let title = format!("{} of {owner} contradicts {}", told(&self.name), others.join(" with "));
        let place = written.get(&self.name).unwrap_or(written).span.clone();
        Some(Problem::new(place, title, "leave one of them out, or change it"))
    }
}

fn wanted(others: &Value) -> Vec<(String, Wanted)> {
    let wanted = |said: &Value| match said.as_array() {
        Some(values) => Wanted::OneOf(values.clone()),
        None => Wanted::Given,
    };
    others.as_object().into_iter().flatten().map(|(name, said)| (name.clone(), wanted(said))).collect()
}
