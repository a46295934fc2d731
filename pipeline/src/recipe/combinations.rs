//! Axes multiplied, within reason.

use super::axes::Axis;
use super::problem::Problem;
use super::tree::Name;
use crate::text;

/// All combinations of the values of some axes, as value numbers; the last axis changes fastest.
pub fn combinations(axes: &[&Axis]) -> Vec<Vec<usize>> {
    axes.iter().fold(vec![vec![]], |combinations, axis| {
        let extended = combinations.iter().flat_map(|combination| {
            (0..axis.values.len()).map(move |value| combination.iter().copied().chain([value]).collect())
        });
        extended.collect()
    })
}

/// How many combinations a recipe may still have. A dozen axes of ten values would fill any memory.
pub struct Budget {
    left: usize,
    /// Whether it was told that there are too many: what follows needs no second word.
    told: bool,
}

const MOST: usize = 1_000_000;

impl Default for Budget {
    fn default() -> Self {
        Self { left: MOST, told: false }
    }
}

impl Budget {
    /// Takes the combinations of these axes from the budget, or complains.
    pub fn allows(&mut self, axes: &[&Axis], stage: &Name, problems: &mut Vec<Problem>) -> bool {
        let count = axes.iter().try_fold(1usize, |count, axis| count.checked_mul(axis.values.len()));
        match count.and_then(|count| self.left.checked_sub(count)) {
            Some(left) => {
                self.left = left;
                return true;
            }
            None if self.told => {}
            None => {
                let names: Vec<&str> = axes.iter().map(|axis| axis.name.text.as_str()).collect();
                let title = format!("`{}` varies along too many values of {}", stage.text, names.join(", "));
                let label = format!("a recipe has at most {} combinations", text::count(MOST as u64));
                problems.push(Problem::new(stage.span.clone(), title, label));
                self.told = true;
            }
        }
        false
    }
}
