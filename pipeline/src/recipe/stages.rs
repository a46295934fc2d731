//! `stages:` as they are written.

use super::problem::{Problem, nearest_or};
use super::raw::{known_names, map, plain_name};
use super::tree::{Content, Name, Span, Tree};
use super::{policy, resources};
use crate::plan::{NodeResources, Policy};

pub struct RawStage {
    pub name: Name,
    /// Broken where the recipe does not say it: others may still need the stage, and its name is known.
    pub use_: Tree,
    pub needs: Vec<(Name, Tree)>,
    /// Maps, or expressions that stand for maps; later ones win.
    pub with: Vec<Tree>,
    pub resources: NodeResources,
    /// Whether the stage itself says where it is computed.
    pub has_device: bool,
    pub policy: Policy,
}

/// What holds for stages that say nothing else.
pub struct Otherwise {
    pub policy: Policy,
    pub resources: NodeResources,
}

/// What a stage can have.
pub const WORDS: [&str; 7] = ["use", "needs", "with", "resources", "retries", "timeout", "keep"];

/// `is_changed`: whether the recipe is of several texts.
pub fn read(tree: &Tree, otherwise: &Otherwise, is_changed: bool, problems: &mut Vec<Problem>) -> Vec<RawStage> {
    let found = tree.get("stages");
    let stages = map(found, "`stages`", "a map of stages by their names", problems);
    if stages.is_empty() && found.is_none_or(|found| found.entries().is_some()) {
        let start = tree.span.start;
        let span: Span = found.map_or(start..start, |stages| stages.span.clone());
        let label = "add `stages:`; `pretext stages` lists the kinds";
        problems.push(Problem::new(span, "the recipe has no stages", label));
    }
    let whole: Vec<&str> = match is_changed {
        true => {
            stages.iter().filter(|(_, tree)| tree.get("use").is_some()).map(|(name, _)| name.text.as_str()).collect()
        }
        false => vec![],
    };
    stages.iter().map(|(name, tree)| stage(name, tree, otherwise, &whole, problems)).collect()
}

fn stage(name: &Name, tree: &Tree, otherwise: &Otherwise, whole: &[&str], problems: &mut Vec<Problem>) -> RawStage {
    plain_name(name, "a stage", problems);
    known_names(tree, &WORDS, "word", problems);
    let with = match tree.get("with") {
        None => vec![],
        Some(Tree { content: Content::List(items), .. }) => items.clone(),
        Some(one) => vec![one.clone()],
    };
    let use_ = tree.get("use").cloned().unwrap_or_else(|| {
        problems.push(without_use(name, tree, whole));
        Tree { span: name.span.clone(), content: Content::Broken }
    });
    RawStage {
        name: name.clone(),
        use_,
        needs: map(tree.get("needs"), "`needs`", "a map of ports and stages: { data: photos }", problems),
        with,
        resources: resources::read(tree.get("resources"), &otherwise.resources, problems),
        has_device: tree.get("resources").is_some_and(|own| own.get("device").is_some()),
        policy: policy::read(tree, &otherwise.policy, problems),
    }
}

/// `whole`: the stages that one without `use` may be meant to change, where the recipe changes another one.
fn without_use(name: &Name, tree: &Tree, whole: &[&str]) -> Problem {
    if !whole.is_empty() {
        let label = nearest_or(&name.text, whole.iter().copied(), "a new one needs `use: KIND`");
        return Problem::new(name.span.clone(), format!("unknown stage `{}`", name.text), label);
    }
    match tree.entries() {
        None => Problem::wrong_value(&format!("stage `{}`", name.text), tree, "a map: { use: KIND }"),
        Some(_) => {
            let title = format!("stage `{}` does not say what it is", name.text);
            Problem::new(name.span.clone(), title, "add `use: KIND`; `pretext stages` lists the kinds")
        }
    }
}
