//! The plan as people read it: nodes of a stage with the same fate on one line.

use super::evaluate::Status;
use super::words::{Words, ago, words};
use super::{Graph, Node};
use crate::text::{count, counted};
use std::collections::HashMap;
use std::fmt::Write;
use std::time::SystemTime;

/// How far the reasons stand to the right of the names.
const NAMES: usize = 44;
/// What `hit`, `run` and `open` take, and a space.
const NARROWEST: usize = 5;
/// So many lines of one stage; in a sweep in which each node has reasons of its own nobody reads more.
const LINES_OF_A_STAGE: usize = 20;

/// One line for each group, then what the recipe says and a kind ignores. `now` is what times are told from.
pub fn text(recipe: &str, graph: &Graph, statuses: &[Status], now: SystemTime) -> String {
    let groups = groups(graph, statuses);
    let counts = Counts::of(statuses);
    let mut text = format!("{recipe}: {} · {counts}\n", counted(statuses.len(), "stage"));
    let width = groups.iter().map(|group| group.word.len()).max().unwrap_or_default().max(NARROWEST);
    let mut lines_of: HashMap<&str, usize> = HashMap::new();
    let mut left_out: Vec<(&str, usize)> = vec![];
    for group in &groups {
        let stage = &*group.nodes[0].stage;
        let lines = lines_of.entry(stage).or_default();
        *lines += 1;
        if *lines <= LINES_OF_A_STAGE {
            let line = format!("{:<width$} {:<NAMES$} {}", group.word, group.name(), group.why(now));
            let _ = writeln!(text, "{}", line.trim_end());
        } else {
            match left_out.iter_mut().find(|(of, _)| *of == stage) {
                Some((_, number)) => *number += group.nodes.len(),
                None => left_out.push((stage, group.nodes.len())),
            }
        }
    }
    for (stage, number) in left_out {
        let _ =
            writeln!(text, "...   {stage} x{}, each for reasons of its own: `--json` has all", count(number as u64));
    }
    for note in super::notes(graph) {
        let _ = writeln!(text, "note: {note}");
    }
    text
}

/// How many nodes have which status.
#[derive(Debug, Default, PartialEq, serde::Serialize)]
pub struct Counts {
    pub hit: u64,
    pub run: u64,
    pub open: u64,
    #[serde(skip_serializing_if = "is_none")]
    pub spared: u64,
    pub unchecked: u64,
}

impl Counts {
    /// Of these.
    pub fn of<'a>(statuses: impl IntoIterator<Item = &'a Status>) -> Self {
        let mut counts = Self::default();
        for status in statuses {
            match status {
                Status::Hit { .. } => counts.hit += 1,
                Status::Run { .. } => counts.run += 1,
                Status::Open { .. } => counts.open += 1,
                Status::Spared => counts.spared += 1,
                Status::Unchecked => counts.unchecked += 1,
            }
        }
        counts
    }
}

fn is_none(count: &u64) -> bool {
    *count == 0
}

impl std::fmt::Display for Counts {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { hit, run, open, spared, unchecked } = self;
        write!(f, "{} hit, {} to run, {} open", count(*hit), count(*run), count(*open))?;
        if *spared > 0 {
            write!(f, ", {} spared", count(*spared))?;
        }
        if *unchecked > 0 {
            write!(f, ", {} unchecked", count(*unchecked))?;
        }
        Ok(())
    }
}

/// Nodes of one stage that have the same fate for the same reasons.
struct Group<'a> {
    word: &'static str,
    nodes: Vec<&'a Node>,
    /// What is the same for all of them.
    reasons: Vec<String>,
    /// What every node has of its own; shown where all have the same.
    details: Vec<Option<String>>,
    last: Option<u64>,
}

/// In the order of the graph.
fn groups<'a>(graph: &'a Graph, statuses: &[Status]) -> Vec<Group<'a>> {
    let mut groups: Vec<Group> = vec![];
    let mut places: HashMap<(&str, &'static str, Vec<String>), usize> = HashMap::new();
    for (node, status) in graph.node_weights().zip(statuses) {
        let (said, last) = fate(node, status);
        let (reasons, details): (Vec<String>, Vec<Option<String>>) = said.into_iter().unzip();
        let place = *places.entry((&node.stage, status.word(), reasons)).or_insert_with_key(|(_, word, reasons)| {
            let (reasons, details) = (reasons.clone(), details.clone());
            groups.push(Group { word, nodes: vec![], reasons, details, last });
            groups.len() - 1
        });
        groups[place].add(node, &details, last);
    }
    groups
}

impl<'a> Group<'a> {
    fn add(&mut self, node: &'a Node, details: &[Option<String>], last: Option<u64>) {
        self.nodes.push(node);
        for (common, detail) in self.details.iter_mut().zip(details) {
            if common != detail {
                *common = None;
            }
        }
        self.last = self.last.max(last);
    }

    fn name(&self) -> String {
        let places = self.nodes.iter().map(|node| &node.axes[..]);
        super::common_name(&self.nodes[0].stage, places)
    }

    fn why(&self, now: SystemTime) -> String {
        let with_detail = |(reason, detail): (&String, &Option<String>)| match detail {
            Some(detail) => format!("{reason}{detail}"),
            None => reason.clone(),
        };
        let reasons: Vec<String> = self.reasons.iter().zip(&self.details).map(with_detail).collect();
        let ago = self.last.and_then(|last| ago(last, now));
        let ago = ago.map_or(String::new(), |ago| format!(" (last run {ago})"));
        format!("{}{ago}", reasons.join("; "))
    }
}

/// Its reasons, and when it last ran.
fn fate(node: &Node, status: &Status) -> (Vec<Words>, Option<u64>) {
    match status {
        Status::Hit { .. } => (vec![], None),
        Status::Open { waits_for } => {
            let stage = waits_for.0.split('[').next().unwrap_or_default();
            (vec![(format!("waits for what {stage} yields"), None)], None)
        }
        Status::Spared => (vec![(super::SPARED.into(), None)], None),
        Status::Unchecked => (vec![("its worker is not allowed yet".into(), None)], None),
        Status::Run { reasons, last, .. } => {
            let words = reasons.iter().map(|reason| words(reason, Some(&node.kind))).collect();
            (words, last.as_ref().map(|last| last.at))
        }
    }
}
