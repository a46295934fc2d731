//! `with`: maps merged from left to right, nested ones too.
//!
//! Most parameters of a stage are the same for all its instances. They are checked once and held once ([`Template`]); what
//! names an axis is looked at for each.

use super::command;
use super::expression::Scope;
use super::kinds::Kind;
use super::paths::Paths;
use super::problem::Problem;
use super::references::axes_named;
use super::schema::{self, Rule};
use super::stages::RawStage;
use super::tree::{Content, Name, Span, Tree};
use crate::plan::Params;
use serde_json::{Map, Value};
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

/// What a parameter is given, one over the other, with expressions.
pub struct Entry {
    pub name: Name,
    pub layers: Vec<Tree>,
}

impl Entry {
    pub fn varies(&self) -> bool {
        let mut named = vec![];
        self.layers.iter().for_each(|layer| axes_named(layer, &mut named));
        !named.is_empty()
    }

    /// Its value in one combination.
    pub fn resolved(&self, scope: &Scope, problems: &mut Vec<Problem>) -> Tree {
        let layers = self.layers.iter().map(|layer| scope.resolve(layer, problems));
        layers.reduce(overlay).expect("an entry has a layer")
    }
}

/// The names of axes that `with` as a whole depends on: those of expressions that stand for maps.
pub fn axes_of_maps(stage: &RawStage) -> Vec<&str> {
    let mut named = vec![];
    let expressions = stage.with.iter().filter(|tree| tree.entries().is_none());
    expressions.for_each(|tree| axes_named(tree, &mut named));
    named.iter().map(|named| named.axis).collect()
}

/// What the instances of a stage share that are of one kind and have the same maps.
pub struct Template {
    pub kind: Arc<Kind>,
    common: Arc<BTreeMap<String, Value>>,
    keyed: Arc<BTreeMap<String, Value>>,
    varying: Vec<(Arc<str>, Entry)>,
    /// Of parameters that may contradict each other in one instance and not in another.
    rules: Vec<Rule>,
    /// The maps as one.
    given: Tree,
}

impl Template {
    /// `scope` is that of any of the instances.
    pub fn new(kind: Arc<Kind>, stage: &RawStage, scope: &Scope, paths: &Paths, problems: &mut Vec<Problem>) -> Self {
        let (entries, span) = entries(stage, scope, problems);
        let entries = if kind.is_command() { command::parameters(entries) } else { entries };
        let (mut varying, mut fixed) = (vec![], vec![]);
        for entry in entries {
            let value = if entry.varies() {
                // Its value comes later; that there is one counts now.
                let nothing = Tree { span: entry.name.span.clone(), content: Content::Broken };
                let name = entry.name.clone();
                varying.push((Arc::from(name.text.as_str()), entry));
                (name, nothing)
            } else {
                (entry.name.clone(), entry.resolved(scope, problems))
            };
            fixed.push(value);
        }
        let given = Tree { span, content: Content::Map(fixed) };
        let before = problems.len();
        let mut common: BTreeMap<String, Value> = typed_map(&kind, &given, problems).into_iter().collect();
        own_parameters(stage, &mut problems[before..]);
        varying.retain(|(name, _)| common.remove(&**name).is_some());
        let mut counting = BTreeMap::new();
        for (name, value) in &mut common {
            let property = &kind.stage.params["properties"][name];
            let digests = given.get(name).and_then(|tree| paths.resolve(property, tree, value, problems));
            counting.extend(keyed(&kind, name, digests.as_ref().unwrap_or(value)).map(|value| (name.clone(), value)));
        }
        let (mut rules, name) = (if kind.is_checked { Rule::of(&kind.stage.params) } else { vec![] }, &kind.stage.name);
        let broken = |rule: &Rule| rule.broken(&kind.stage.params, |name| common.get(name), &given, name);
        problems.extend(rules.iter().filter_map(broken));
        rules.retain(|rule| rule.names().any(|name| varying.iter().any(|(own, _)| **own == *name)));
        Self { common: Arc::new(common), keyed: Arc::new(counting), varying, rules, given, kind }
    }

    /// All parameters of one instance, and those that count in its key.
    pub fn params(&self, scope: &Scope, paths: &Paths, problems: &mut Vec<Problem>) -> (Params, Params) {
        let (mut all, mut counting) = (Vec::with_capacity(self.varying.len()), vec![]);
        for (name, entry) in &self.varying {
            let tree = entry.resolved(scope, problems);
            let mut value = typed(&self.kind, name, &tree, problems);
            let property = &self.kind.stage.params["properties"][&**name];
            let digests = paths.resolve(property, &tree, &mut value, problems);
            let value_counts = keyed(&self.kind, name, digests.as_ref().unwrap_or(&value));
            counting.extend(value_counts.map(|value| (name.clone(), value)));
            all.push((name.clone(), value));
        }
        let value =
            |name: &str| all.iter().find(|(own, _)| **own == *name).map(|(_, value)| value).or(self.common.get(name));
        let (schema, owner) = (&self.kind.stage.params, &self.kind.stage.name);
        problems.extend(self.rules.iter().filter_map(|rule| rule.broken(schema, value, &self.given, owner)));
        (Params::new(self.common.clone(), all), Params::new(self.keyed.clone(), counting))
    }
}

/// Where a stage is of several kinds, how a parameter is given to those that have it.
fn own_parameters(stage: &RawStage, problems: &mut [Problem]) {
    let mut named = vec![];
    axes_named(&stage.use_, &mut named);
    let Some(axis) = named.first().map(|named| named.axis) else { return };
    for problem in problems.iter_mut().filter(|problem| problem.knows_no_better()) {
        problem.label += &format!(
            "; what only some kinds have: with: [{{ ... }}, $({axis}.with)], and a map `with` in each value of `{axis}`"
        );
    }
}

/// The parameters in the order in which they are first given, and where the last map stands.
pub fn entries(stage: &RawStage, scope: &Scope, problems: &mut Vec<Problem>) -> (Vec<Entry>, Span) {
    let (mut entries, mut span): (Vec<Entry>, Span) = (vec![], stage.name.span.clone());
    let mut places: HashMap<String, usize> = HashMap::new();
    for tree in &stage.with {
        let resolved = if tree.entries().is_some() { tree.clone() } else { scope.resolve(tree, problems) };
        match resolved.content {
            Content::Map(found) => {
                span = resolved.span;
                for (name, value) in found {
                    let place = *places.entry(name.text.clone()).or_insert(entries.len());
                    match entries.get_mut(place) {
                        Some(entry) => entry.layers.push(value),
                        None => entries.push(Entry { name, layers: vec![value] }),
                    }
                }
            }
            Content::Broken => {}
            _ => {
                let title = format!("`with` of `{}` has {}", stage.name.text, resolved.describe());
                problems.push(Problem::new(tree.span.clone(), title, "a map of parameters: { epochs: 10 }"));
            }
        }
    }
    (entries, span)
}

fn typed_map(kind: &Kind, given: &Tree, problems: &mut Vec<Problem>) -> Map<String, Value> {
    match kind.is_checked {
        true => schema::typed_map(&kind.stage.params, given, &kind.stage.name, problems),
        false => {
            given.entries().unwrap_or_default().iter().map(|(name, tree)| (name.text.clone(), tree.value())).collect()
        }
    }
}

fn typed(kind: &Kind, name: &str, tree: &Tree, problems: &mut Vec<Problem>) -> Value {
    match kind.is_checked {
        true => schema::typed(&kind.stage.params["properties"][name], tree, name, problems),
        false => tree.value(),
    }
}

fn keyed(kind: &Kind, name: &str, value: &Value) -> Option<Value> {
    schema::keyed(&kind.stage.params["properties"][name], value)
}

fn overlay(under: Tree, over: Tree) -> Tree {
    match (under.content, over.content) {
        (Content::Map(mut entries), Content::Map(additions)) => {
            let before = entries.len();
            for (name, value) in additions {
                match entries[..before].iter_mut().find(|(other, _)| other.text == name.text) {
                    Some((_, existing)) => *existing = overlay(existing.clone(), value),
                    None => entries.push((name, value)),
                }
            }
            Tree { span: over.span, content: Content::Map(entries) }
        }
        (_, content) => Tree { span: over.span, content },
    }
}
