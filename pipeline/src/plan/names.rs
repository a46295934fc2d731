//! Names of nodes: of several at once, and as a person writes them.

use crate::ids::NodeId;
use crate::recipe::spelling_of_number;
use crate::text::count;
use std::collections::BTreeSet;

/// The stage's name with the axes on which all of them have the same place, and how many they are:
/// `pretrain[method=pixels] x3`.
pub fn common_name<'a, A: AsRef<str> + PartialEq + Clone + 'a>(
    stage: &str,
    mut places: impl Iterator<Item = &'a [(A, A)]>,
) -> String {
    let mut shared: Vec<(A, A)> = places.next().unwrap_or_default().to_vec();
    let mut number = 1;
    for place in places {
        number += 1;
        // Most often the shared ones stand where they stood, or there are none left.
        shared.retain(|one| place.contains(one));
    }
    let places: Vec<String> =
        shared.iter().map(|(axis, label)| format!("{}={}", axis.as_ref(), label.as_ref())).collect();
    let places = if places.is_empty() { String::new() } else { format!("[{}]", places.join(",")) };
    let times = if number > 1 { format!(" x{}", count(number)) } else { String::new() };
    format!("{stage}{places}{times}")
}

/// A node, or all nodes that have the given places: `probe`, `probe[method=pixels]`, `probe[seed=0,method=sim*]`, `pre*`.
#[derive(Debug, Clone, PartialEq)]
pub struct NodePattern {
    text: String,
    stage: String,
    places: Vec<Place>,
}

#[derive(Debug, Clone, PartialEq)]
struct Place {
    axis: String,
    label: String,
    /// Whether a `*` of it stands for any letters: not where a node has just this label.
    is_pattern: bool,
}

/// What stands for any letters.
const ANY: char = '*';

impl NodePattern {
    /// Reads a name as [`NodeId`] is written, in which axes may be missing and stand in any order.
    pub fn parse(text: &str) -> Result<Self, String> {
        let wrong = || {
            let expected = "expected probe, 'probe[method=pixels,seed=0]', or 'probe[method=sim*]' for several";
            format!("`{text}` is no name of a stage: {expected}")
        };
        let (stage, places) = split(text).ok_or_else(wrong)?;
        if stage.is_empty() {
            return Err(wrong());
        }
        let place = |(axis, label): (&str, &str)| Place {
            axis: axis.to_owned(),
            label: label.to_owned(),
            is_pattern: label.contains(ANY),
        };
        Ok(Self { text: text.to_owned(), stage: stage.to_owned(), places: places.into_iter().map(place).collect() })
    }

    /// With its labels as some nodes have them: one that is written so, or else the one that is the same number.
    pub fn spelt_as<'a>(mut self, nodes: impl Iterator<Item = &'a NodeId>) -> Result<Self, String> {
        let mut known: Vec<BTreeSet<&str>> = vec![BTreeSet::new(); self.places.len()];
        for (_, there) in nodes.filter_map(|node| split(&node.0)).filter(|(stage, _)| fits(&self.stage, stage)) {
            for (place, known) in self.places.iter().zip(&mut known) {
                known.extend(there.iter().filter(|(axis, _)| *axis == place.axis).map(|(_, label)| *label));
            }
        }
        for (place, known) in self.places.iter_mut().zip(known) {
            place.respell(&known)?;
        }
        Ok(self)
    }

    /// Whether a node is meant.
    pub fn matches(&self, node: &NodeId) -> bool {
        let Some((stage, places)) = split(&node.0) else { return false };
        let there = |place: &Place| places.iter().any(|(axis, label)| *axis == place.axis && place.fits(label));
        fits(&self.stage, stage) && self.places.iter().all(there)
    }
}

impl Place {
    fn fits(&self, label: &str) -> bool {
        if self.is_pattern { fits(&self.label, label) } else { self.label == label }
    }

    /// `known`: the labels that there are.
    fn respell(&mut self, known: &BTreeSet<&str>) -> Result<(), String> {
        if known.contains(self.label.as_str()) {
            self.is_pattern = false;
            return Ok(());
        }
        let Some(number) = spelling_of_number(&self.label) else { return Ok(()) };
        let is_same = |label: &&&str| spelling_of_number(label).is_some_and(|spelling| spelling == number);
        let same: Vec<&str> = known.iter().filter(is_same).copied().collect();
        match same[..] {
            [] => {}
            [one] => self.label = one.to_owned(),
            _ => {
                let Self { axis, label, .. } = self;
                return Err(format!("`{axis}={label}` may be {}: write one of them", same.join(" or ")));
            }
        }
        Ok(())
    }
}

/// Whether a text is as a pattern says.
fn fits(pattern: &str, text: &str) -> bool {
    let Some((start, rest)) = pattern.split_once(ANY) else { return pattern == text };
    let (middle, end) = rest.rsplit_once(ANY).unwrap_or(("", rest));
    let Some(between) = text.strip_prefix(start).and_then(|text| text.strip_suffix(end)) else { return false };
    // The first place where a part stands leaves most room for the others.
    middle.split(ANY).try_fold(between, |text, part| Some(&text[text.find(part)? + part.len()..])).is_some()
}

impl std::fmt::Display for NodePattern {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.text)
    }
}

/// Stage, and axis and label for each place. Labels hold no comma.
pub(crate) fn split(node: &str) -> Option<(&str, Vec<(&str, &str)>)> {
    let Some((stage, places)) = node.split_once('[') else { return Some((node, vec![])) };
    let places = places.strip_suffix(']')?.split(',').map(|place| place.trim().split_once('='));
    Some((stage, places.collect::<Option<_>>()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pattern_means_every_node_that_has_its_places() {
        let node = NodeId("probe[method=a=b,seed=0]".into());
        let matches = |pattern: &str| NodePattern::parse(pattern).unwrap().matches(&node);
        let meant = ["probe", "probe[seed=0]", "probe[method=a=b]", "probe[seed=0, method=a=b]"];
        assert_eq!(meant.map(matches), [true; 4]);
        let others = ["prob", "probe[seed=1]", "probe[method=a]", "probe[seed=0,labels=1]"];
        assert_eq!(others.map(matches), [false; 4]);
        for wrong in ["probe[seed]", "probe[seed=0", "[seed=0]", ""] {
            assert!(NodePattern::parse(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_star_stands_for_any_letters() {
        let fits = |pattern: &str| super::fits(pattern, "random-range");
        for pattern in ["*", "ran*", "*nge", "r*r*e", "**", "random-range*", "*dom-*", "r*range"] {
            assert!(fits(pattern), "{pattern}");
        }
        for pattern in ["ran", "*ran", "r*x*e", "random-range*e", "random*dom*"] {
            assert!(!fits(pattern), "{pattern}");
        }
        let node = NodeId("probe[method=random,seed=0]".into());
        let matches = |pattern: &str| NodePattern::parse(pattern).unwrap().matches(&node);
        assert_eq!(["pro*", "*", "*[method=ran*]", "probe[seed=*]"].map(matches), [true; 4]);
        assert_eq!(["pre*", "*[labels=*]", "probe[method=*x]"].map(matches), [false; 3]);
    }

    #[test]
    fn a_label_is_the_one_that_is_written_so_or_else_the_one_that_is_the_same_number() {
        let nodes = ["a[v=1e-3,s=x*]", "a[v=0.1,s=xy]", "a[v=0.10,s=xz]", "b[v=0.001]"].map(|id| NodeId(id.into()));
        let meant = |pattern: &str| {
            let pattern = NodePattern::parse(pattern).unwrap().spelt_as(nodes.iter())?;
            Ok(nodes.iter().filter(|node| pattern.matches(node)).map(|node| &*node.0).collect::<Vec<_>>())
        };
        assert_eq!(meant("a[v=1e-3]"), Ok(vec!["a[v=1e-3,s=x*]"]));
        assert_eq!(meant("a[v=.0010]"), meant("a[v=1e-3]"));
        assert_eq!(meant("b[v=1e-3]"), Ok(vec!["b[v=0.001]"]));
        assert_eq!(meant("a[v=0.1]"), Ok(vec!["a[v=0.1,s=xy]"]));
        assert_eq!(meant("a[v=.1]"), Err("`v=.1` may be 0.1 or 0.10: write one of them".to_owned()));
        assert_eq!(meant("*[v=0.001]"), Ok(vec!["b[v=0.001]"]), "what is written so comes first");
        assert_eq!(meant("a[s=x*]"), Ok(vec!["a[v=1e-3,s=x*]"]), "a label may have a star");
        assert_eq!(meant("a[s=*y]"), Ok(vec!["a[v=0.1,s=xy]"]));
    }

    #[test]
    fn a_common_name_has_what_is_common() {
        let place = |seed| [("method", "pixels"), ("seed", seed)];
        let (one, other) = (place("0"), place("1"));
        assert_eq!(common_name("probe", [&one[..]].into_iter()), "probe[method=pixels,seed=0]");
        assert_eq!(common_name("probe", [&one[..], &other].into_iter()), "probe[method=pixels] x2");
        assert_eq!(common_name("photos", [&[] as &[(&str, &str)]].into_iter()), "photos");
    }
}
