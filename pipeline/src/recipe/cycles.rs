//! An order in which each stage comes after what it needs, and what stands in the way of one.

use super::problem::Problem;
use super::raw::Raw;
use std::collections::BTreeSet;
use std::collections::btree_set;

/// Of a knot of stages that all need each other, this many circles are told.
const MOST_TOLD: usize = 10;

#[derive(Clone, Copy, PartialEq)]
enum State {
    New,
    /// What it needs is still being looked at: who meets it again has closed a circle.
    OnPath,
    Done,
}

/// All stages. Where some need each other in a circle, that is told, and one of them comes before what it needs.
pub fn order(raw: &Raw, sources: &[BTreeSet<usize>], problems: &mut Vec<Problem>) -> Vec<usize> {
    let mut walk = Walk { sources, state: vec![State::New; sources.len()], order: vec![], cycles: vec![] };
    for stage in 0..sources.len() {
        if walk.state[stage] == State::New {
            walk.from(stage);
        }
    }
    for cycle in walk.cycles {
        let names: Vec<&str> = cycle.iter().map(|&stage| raw.stages[stage].name.text.as_str()).collect();
        let title = format!("stages need each other in a circle: {}", names.join(" needs "));
        let span = raw.stages[cycle[0]].name.span.clone();
        problems.push(Problem::new(span, title, "one of them must do without"));
    }
    walk.order
}

struct Walk<'a> {
    sources: &'a [BTreeSet<usize>],
    state: Vec<State>,
    order: Vec<usize>,
    cycles: Vec<Vec<usize>>,
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
                Some(&source) if self.state[source] == State::OnPath => self.note_cycle(&path, source),
                Some(_) => {}
                None => {
                    self.state[*stage] = State::Done;
                    self.order.push(*stage);
                    path.pop();
                }
            }
        }
    }

    fn note_cycle(&mut self, path: &[(usize, btree_set::Iter<usize>)], closing: usize) {
        if self.cycles.len() < MOST_TOLD {
            let stages = path.iter().map(|(stage, _)| *stage);
            self.cycles.push(stages.skip_while(|&stage| stage != closing).chain([closing]).collect());
        }
    }
}
