//! An order in which each stage comes after what it needs, and what stands in the way of one.

use super::problem::Problem;
use super::raw::Raw;
use std::collections::{BTreeSet, HashMap, VecDeque, btree_set};

/// Of a knot of stages that all need each other, this many cycles are told.
const MOST_TOLD: usize = 10;

#[derive(Clone, Copy, PartialEq)]
enum State {
    New,
    /// What it needs is still being looked at: who meets it again has closed a cycle.
    OnPath,
    Done,
}

/// All stages. Where some need each other in a cycle, that is told, and one of them comes before what it needs.
pub fn order(raw: &Raw, sources: &[BTreeSet<usize>], problems: &mut Vec<Problem>) -> Vec<usize> {
    let mut walk = Walk { sources, state: vec![State::New; sources.len()], order: vec![], closing: vec![] };
    for stage in 0..sources.len() {
        if walk.state[stage] == State::New {
            walk.from(stage);
        }
    }
    let mut cycles: Vec<Vec<usize>> =
        walk.closing.iter().map(|&(from, to)| shortest(sources, from, to)).map(from_the_first).collect();
    cycles.sort();
    cycles.dedup();
    cycles.iter().for_each(|cycle| problems.push(told(raw, cycle)));
    walk.order
}

/// The shortest cycle in which a stage needs another: `from` and `to` are its first two stages, or the same one.
fn shortest(sources: &[BTreeSet<usize>], from: usize, to: usize) -> Vec<usize> {
    let mut came_from: HashMap<usize, usize> = HashMap::new();
    let mut open = VecDeque::from([to]);
    while let Some(stage) = open.pop_front().filter(|stage| *stage != from) {
        for &source in &sources[stage] {
            if source != to && !came_from.contains_key(&source) {
                came_from.insert(source, stage);
                open.push_back(source);
            }
        }
    }
    let mut way: Vec<usize> = std::iter::successors(Some(from), |stage| came_from.get(stage).copied()).collect();
    way.reverse();
    way
}

/// The same cycle, beginning with the stage that the recipe has first.
fn from_the_first(mut cycle: Vec<usize>) -> Vec<usize> {
    let first = (0..cycle.len()).min_by_key(|&place| cycle[place]).unwrap_or_default();
    cycle.rotate_left(first);
    cycle
}

/// So many stages of a cycle are named.
const MOST_NAMED: usize = 12;

fn told(raw: &Raw, cycle: &[usize]) -> Problem {
    let name = |stage: usize| raw.stages[stage].name.text.as_str();
    let mut names: Vec<String> = cycle.iter().take(MOST_NAMED).map(|&stage| name(stage).to_owned()).collect();
    if cycle.len() > MOST_NAMED {
        names.push(format!("... ({} more)", cycle.len() - MOST_NAMED));
    }
    names.push(name(cycle[0]).to_owned());
    let needed = name(cycle[1 % cycle.len()]);
    let stage = &raw.stages[cycle[0]];
    // A name that depends on an axis is not found, and the stage is pointed at.
    let place = stage.needs.iter().map(|(_, tree)| tree).find(|tree| tree.text() == Some(needed));
    let span = place.map_or(&stage.name.span, |tree| &tree.span);
    let title = format!("stages need each other in a cycle: {}", names.join(" needs "));
    Problem::new(span.clone(), title, "one of them must do without")
}

struct Walk<'a> {
    sources: &'a [BTreeSet<usize>],
    state: Vec<State>,
    order: Vec<usize>,
    /// Who needs whom where a cycle was closed.
    closing: Vec<(usize, usize)>,
}

impl Walk<'_> {
    /// Depth first, with a path of its own: recursion would not survive a chain of ten thousand stages.
    fn from(&mut self, start: usize) {
        let mut path: Vec<(usize, btree_set::Iter<usize>)> = vec![];
        let mut next = Some(start);
        loop {
            if let Some(stage) = next.take() {
                self.state[stage] = State::OnPath;
                path.push((stage, self.sources[stage].iter()));
            }
            let Some((stage, rest)) = path.last_mut() else { return };
            match rest.next() {
                Some(&source) if self.state[source] == State::New => next = Some(source),
                Some(&source) if self.state[source] == State::OnPath => {
                    let stage = *stage;
                    if self.closing.len() < MOST_TOLD {
                        self.closing.push((stage, source));
                    }
                }
                Some(_) => {}
                None => {
                    self.state[*stage] = State::Done;
                    self.order.push(*stage);
                    path.pop();
                }
            }
        }
    }
}
