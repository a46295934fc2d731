//! Names of nodes: of several at once, and as a person writes them.

use crate::ids::NodeId;
use crate::text::count;

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

/// A node, or all nodes of a stage that have the given places: `probe`, `probe[method=pixels]`,
/// `probe[seed=0,method=pixels]`.
#[derive(Debug, Clone, PartialEq)]
pub struct NodePattern {
    text: String,
    stage: String,
    places: Vec<(String, String)>,
}

impl NodePattern {
    /// Reads a name as [`NodeId`] is written, in which axes may be missing and stand in any order.
    pub fn parse(text: &str) -> Result<Self, String> {
        let wrong = || format!("`{text}` is no name of a stage: expected probe, or 'probe[method=pixels,seed=0]'");
        let (stage, places) = split(text).ok_or_else(wrong)?;
        if stage.is_empty() {
            return Err(wrong());
        }
        let places = places.into_iter().map(|(axis, label)| (axis.to_owned(), label.to_owned())).collect();
        Ok(Self { text: text.to_owned(), stage: stage.to_owned(), places })
    }

    /// Whether a node is meant.
    pub fn matches(&self, node: &NodeId) -> bool {
        let Some((stage, places)) = split(&node.0) else { return false };
        let there = |(axis, label): &(String, String)| places.contains(&(axis, label));
        stage == self.stage && self.places.iter().all(there)
    }
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
    fn a_common_name_has_what_is_common() {
        let place = |seed| [("method", "pixels"), ("seed", seed)];
        let (one, other) = (place("0"), place("1"));
        assert_eq!(common_name("probe", [&one[..]].into_iter()), "probe[method=pixels,seed=0]");
        assert_eq!(common_name("probe", [&one[..], &other].into_iter()), "probe[method=pixels] x2");
        assert_eq!(common_name("photos", [&[] as &[(&str, &str)]].into_iter()), "photos");
    }
}
