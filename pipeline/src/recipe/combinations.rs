//! Axes multiplied, within reason.
//!
//! The combinations of a set of axes are the cells of a grid, of which some are excluded, and the included ones. A grid has a
//! dimension for each axis, or for several that are coupled (`zip`).

use super::exclusions::Exclusions;
use super::problem::Problem;
use super::raw::Raw;
use super::tree::Name;
use crate::text;
use petgraph::graph::NodeIndex;
use std::collections::{HashMap, HashSet};

/// A combination: axis and value numbers, in the order of the axes.
pub type Place = Vec<(usize, usize)>;

/// Crossed values of some axes.
#[derive(Debug, Default)]
struct Grid {
    dimensions: Vec<Dimension>,
}

/// Axes that are walked together.
#[derive(Debug)]
struct Dimension {
    axes: Vec<usize>,
    length: usize,
}

impl Grid {
    fn new(raw: &Raw, axes: &[usize]) -> Self {
        let mut dimensions: Vec<Dimension> = vec![];
        for &axis in axes {
            let coupled = raw.zips.iter().find(|group| group.contains(&axis));
            let is_partner = |other: &Dimension| coupled.is_some_and(|group| group.contains(&other.axes[0]));
            match dimensions.iter_mut().find(|dimension| is_partner(dimension)) {
                Some(dimension) => dimension.axes.push(axis),
                None => dimensions.push(Dimension { axes: vec![axis], length: raw.axes[axis].crossed }),
            }
        }
        Self { dimensions }
    }

    fn size(&self) -> Option<usize> {
        self.dimensions.iter().try_fold(1usize, |size, dimension| size.checked_mul(dimension.length))
    }

    /// All cells in their order; the last dimension changes fastest.
    fn places(&self) -> impl Iterator<Item = Place> {
        (0..self.size().unwrap_or_default()).map(|cell| self.place(cell))
    }

    fn place(&self, mut cell: usize) -> Place {
        let mut place = Place::with_capacity(self.dimensions.len());
        for Dimension { axes, length } in self.dimensions.iter().rev() {
            place.extend(axes.iter().map(|&axis| (axis, cell % length)));
            cell /= length;
        }
        place.sort_unstable();
        place
    }

    /// The cell of a combination of these axes and perhaps more, if it is a crossed one.
    fn cell(&self, place: &[(usize, usize)]) -> Option<usize> {
        let value = |axis: usize| place.iter().find(|(other, _)| *other == axis).map(|(_, value)| *value);
        self.dimensions.iter().try_fold(0, |cell, Dimension { axes, length }| {
            let digit = value(axes[0]).filter(|digit| digit < length)?;
            let all_agree = axes.iter().all(|&axis| value(axis) == Some(digit));
            all_agree.then_some(cell * length + digit)
        })
    }
}

/// The nodes of a stage by their combinations.
#[derive(Debug, Default)]
pub struct Instances {
    grid: Grid,
    axes: Vec<usize>,
    crossed: Vec<Option<NodeIndex>>,
    further: HashMap<Place, NodeIndex>,
}

impl Instances {
    /// None yet, of a stage that varies along these axes. They are not too many ([`Budget`]).
    pub fn along(raw: &Raw, axes: &[usize]) -> Self {
        let grid = Grid::new(raw, axes);
        let crossed = vec![None; grid.size().unwrap_or_default()];
        Self { grid, axes: axes.to_vec(), crossed, further: HashMap::new() }
    }

    pub fn insert(&mut self, place: Place, node: NodeIndex) {
        match self.grid.cell(&place) {
            Some(cell) => self.crossed[cell] = Some(node),
            None => {
                self.further.insert(place, node);
            }
        }
    }

    /// The node at the place, which may be one on more axes.
    pub fn at(&self, place: &Place) -> Option<NodeIndex> {
        match self.grid.cell(place) {
            Some(cell) => self.crossed.get(cell).copied().flatten(),
            None => {
                let own: Place = place.iter().copied().filter(|(axis, _)| self.axes.contains(axis)).collect();
                self.further.get(&own).copied()
            }
        }
    }
}

/// All combinations of some axes, given in their order: the crossed ones that are not excluded, then the included ones.
pub fn combinations(raw: &Raw, axes: &[usize], exclusions: &Exclusions) -> Vec<Place> {
    let grid = Grid::new(raw, axes);
    let mut places: Vec<Place> = grid.places().filter(|place| !exclusions.cover(place)).collect();
    let mut added = HashSet::new();
    for (fixed, rest) in inclusions(raw, axes) {
        for free in rest.places().filter(|place| !exclusions.cover(place)) {
            let mut place: Place = fixed.iter().copied().chain(free).collect();
            place.sort_unstable();
            let is_crossed = grid.cell(&place).is_some() && !exclusions.cover(&place);
            if !is_crossed && added.insert(place.clone()) {
                places.push(place);
            }
        }
    }
    places
}

/// What each inclusion says about some axes, and the others, which are crossed.
fn inclusions(raw: &Raw, axes: &[usize]) -> impl Iterator<Item = (Place, Grid)> {
    let of_axes = move |place: &Place| place.iter().copied().filter(|(axis, _)| axes.contains(axis)).collect::<Place>();
    let named = raw.inclusions.iter().map(of_axes).filter(|fixed| !fixed.is_empty());
    named.map(|fixed| {
        let others: Vec<usize> =
            axes.iter().copied().filter(|axis| fixed.iter().all(|(named, _)| named != axis)).collect();
        (fixed, Grid::new(raw, &others))
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
    pub fn allows(&mut self, raw: &Raw, axes: &[usize], stage: &Name, problems: &mut Vec<Problem>) -> bool {
        let crossed = Grid::new(raw, axes).size();
        let count = inclusions(raw, axes).try_fold(crossed, |count, (_, rest)| {
            let count = count.zip(rest.size()).and_then(|(count, more)| count.checked_add(more));
            count.filter(|count| *count <= self.left).map(Some)
        });
        match count.flatten().and_then(|count| self.left.checked_sub(count)) {
            Some(left) => {
                self.left = left;
                return true;
            }
            None if self.told => {}
            None => {
                let names: Vec<&str> = axes.iter().map(|&axis| raw.axes[axis].name.text.as_str()).collect();
                let title = format!("`{}` varies along too many values of {}", stage.text, names.join(", "));
                let label = format!("a recipe has at most {} combinations", text::count(MOST as u64));
                problems.push(Problem::new(stage.span.clone(), title, label));
                self.told = true;
            }
        }
        false
    }
}
