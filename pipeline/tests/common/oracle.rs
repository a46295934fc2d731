//! What recipes expand to, by looking at every combination of every value: too slow for use, too simple to be wrong.

use std::collections::{BTreeMap, BTreeSet};

/// A recipe, drawn at random.
#[derive(Debug, Default)]
pub struct Spec {
    /// How many values each axis is declared with.
    axes: Vec<usize>,
    zips: Vec<Vec<usize>>,
    /// Axis -> value, all of them declared.
    exclude: Vec<BTreeMap<usize, usize>>,
    /// Axis -> value, which may be a further one.
    include: Vec<BTreeMap<usize, usize>>,
    stages: Vec<Stage>,
}

#[derive(Debug, Default)]
struct Stage {
    /// Axes that its parameters name.
    own: BTreeSet<usize>,
    /// What stands on its ports.
    needs: Vec<Need>,
}

#[derive(Debug, Clone, Copy)]
enum Need {
    Stage(usize),
    /// Value V of the axis names stage V modulo this, which is not after it.
    ByAxis(usize, usize),
}

/// A value of each axis of a stage.
type Place = BTreeMap<usize, usize>;

/// Random numbers that were drawn before, so that what fails can be made smaller.
struct Draws(std::vec::IntoIter<u16>);

impl Draws {
    fn below(&mut self, end: usize) -> usize {
        usize::from(self.0.next().unwrap_or_default()) % end.max(1)
    }

    fn some(&mut self, from: usize) -> BTreeSet<usize> {
        (0..from).filter(|_| self.below(3) == 1).collect()
    }
}

/// No axis has more values than this, further ones included.
const MOST: usize = 5;

impl Spec {
    pub fn drawn(draws: Vec<u16>) -> Self {
        let mut draws = Draws(draws.into_iter());
        let mut spec = Spec { axes: (0..1 + draws.below(4)).map(|_| 1 + draws.below(3)).collect(), ..Spec::default() };
        let mut free: Vec<usize> = (0..spec.axes.len()).collect();
        while draws.below(3) == 1 && free.len() > 1 {
            let group: Vec<usize> = free.drain(..2 + draws.below(free.len() - 1)).collect();
            group.iter().for_each(|&axis| spec.axes[axis] = spec.axes[group[0]]);
            spec.zips.push(group);
        }
        for _ in 0..draws.below(3) {
            let named = draws.some(spec.axes.len());
            spec.exclude.push(named.into_iter().map(|axis| (axis, draws.below(spec.axes[axis]))).collect());
        }
        for _ in 0..draws.below(3) {
            let mut named = draws.some(spec.axes.len());
            let coupled = spec.zips.iter().filter(|group| group.iter().any(|axis| named.contains(axis)));
            let coupled: Vec<usize> = coupled.flatten().copied().collect();
            named.extend(coupled);
            spec.include.push(named.into_iter().map(|axis| (axis, draws.below(MOST))).collect());
        }
        spec.exclude.retain(|entry| !entry.is_empty());
        spec.include.retain(|entry| !entry.is_empty());
        for number in 0..1 + draws.below(5) {
            let own = draws.some(spec.axes.len());
            let needs = (0..draws.below(4)).filter(|_| number > 0).map(|_| match draws.below(3) {
                1 => Need::ByAxis(draws.below(spec.axes.len()), number),
                _ => Need::Stage(draws.below(number)),
            });
            let needs = needs.collect();
            spec.stages.push(Stage { own, needs });
        }
        // An axis that nothing uses would be a mistake.
        let last = spec.stages.len() - 1;
        let used: BTreeSet<usize> = (0..=last).flat_map(|stage| spec.axes_of(stage)).collect();
        spec.stages[last].own.extend((0..spec.axes.len()).filter(|axis| !used.contains(axis)));
        spec
    }

    pub fn text(&self) -> String {
        let value = |axis: usize, value: usize| {
            let stages = (1..=self.stages.len()).map(|count| format!("of{count}: s{}", value % count));
            format!("{{ name: v{value}, axis: {axis}, {} }}", stages.collect::<Vec<_>>().join(", "))
        };
        let list = |items: Vec<String>| format!("[{}]", items.join(", "));
        let map = |items: Vec<String>| format!("{{ {} }}", items.join(", "));
        let mut text = String::from("name: drawn\naxes:\n");
        for (axis, &count) in self.axes.iter().enumerate() {
            text += &format!("  a{axis}: {}\n", list((0..count).map(|number| value(axis, number)).collect()));
        }
        let zips = self.zips.iter().map(|group| list(group.iter().map(|axis| format!("a{axis}")).collect()));
        text += &format!("zip: {}\n", list(zips.collect()));
        let exclude =
            self.exclude.iter().map(|entry| map(entry.iter().map(|(axis, v)| format!("a{axis}: v{v}")).collect()));
        text += &format!("exclude: {}\n", list(exclude.collect()));
        let include = |entry: &Place| {
            let written = |(&axis, &v): (&usize, &usize)| match v < self.axes[axis] {
                true => format!("a{axis}: v{v}"),
                false => format!("a{axis}: {}", value(axis, v)),
            };
            map(entry.iter().map(written).collect())
        };
        text += &format!("include: {}\nstages:\n", list(self.include.iter().map(include).collect()));
        for (number, stage) in self.stages.iter().enumerate() {
            let need = |(port, need): (usize, &Need)| match need {
                Need::Stage(stage) => format!("p{port}: s{stage}"),
                Need::ByAxis(axis, count) => format!("p{port}: $(a{axis}.of{count})"),
            };
            let needs = map(stage.needs.iter().enumerate().map(need).collect());
            // Half of them in one parameter, half in the other.
            let (a, b): (Vec<usize>, Vec<usize>) = stage.own.iter().partition(|axis| *axis % 2 == 0);
            let named = |axes: Vec<usize>| axes.iter().map(|axis| format!("$(a{axis}.name)")).collect::<String>();
            text += &format!(
                "  s{number}: {{ use: any, needs: {needs}, with: {{ a: \"x{}\", b: \"x{}\" }} }}\n",
                named(a),
                named(b)
            );
        }
        text
    }

    /// All stages that can stand on the ports of one.
    fn sources(&self, stage: usize) -> BTreeSet<usize> {
        let of = |need: &Need| match *need {
            Need::Stage(stage) => vec![stage],
            Need::ByAxis(axis, count) => self.values(axis).into_iter().map(|value| value % count).collect(),
        };
        self.stages[stage].needs.iter().flat_map(of).collect()
    }

    /// Declared values and further ones.
    fn values(&self, axis: usize) -> BTreeSet<usize> {
        let further = self.include.iter().filter_map(|entry| entry.get(&axis)).copied();
        (0..self.axes[axis]).chain(further).collect()
    }

    fn axes_of(&self, stage: usize) -> BTreeSet<usize> {
        let by_axis = self.stages[stage].needs.iter().filter_map(|need| match need {
            Need::ByAxis(axis, _) => Some(*axis),
            Need::Stage(_) => None,
        });
        let own = self.stages[stage].own.iter().copied().chain(by_axis);
        own.chain(self.sources(stage).into_iter().flat_map(|source| self.axes_of(source))).collect()
    }

    /// Whether a combination is one of those that are crossed.
    fn is_crossed(&self, place: &Place) -> bool {
        let is_declared = place.iter().all(|(axis, value)| *value < self.axes[*axis]);
        let agrees = |group: &Vec<usize>| {
            let values: BTreeSet<usize> = group.iter().filter_map(|axis| place.get(axis)).copied().collect();
            values.len() <= 1
        };
        let is_excluded =
            self.exclude.iter().any(|entry| entry.iter().all(|(axis, value)| place.get(axis) == Some(value)));
        is_declared && self.zips.iter().all(agrees) && !is_excluded
    }

    /// Whether an inclusion says something about it, and the rest is crossed.
    fn is_included(&self, place: &Place) -> bool {
        self.include.iter().any(|entry| {
            let (named, rest): (Place, Place) = place.iter().partition(|(axis, _)| entry.contains_key(axis));
            !named.is_empty() && named.iter().all(|(axis, value)| entry[axis] == *value) && self.is_crossed(&rest)
        })
    }

    fn places(&self, stage: usize) -> Vec<Place> {
        let mut all = vec![Place::new()];
        for axis in self.axes_of(stage) {
            let longer = |place: &Place| {
                self.values(axis)
                    .into_iter()
                    .map(|value| {
                        let mut longer = place.clone();
                        longer.insert(axis, value);
                        longer
                    })
                    .collect::<Vec<_>>()
            };
            all = all.iter().flat_map(longer).collect();
        }
        all.retain(|place| self.is_crossed(place) || self.is_included(place));
        all
    }

    fn name(&self, stage: usize, place: &Place) -> String {
        let places: Vec<String> = place.iter().map(|(axis, value)| format!("a{axis}=v{value}")).collect();
        if places.is_empty() { format!("s{stage}") } else { format!("s{stage}[{}]", places.join(",")) }
    }

    /// Port and node of everything that a node needs.
    fn needed(&self, stage: usize, place: &Place) -> Vec<(usize, (usize, Place))> {
        let source = |need: &Need| match *need {
            Need::Stage(stage) => stage,
            Need::ByAxis(axis, count) => place[&axis] % count,
        };
        let at = |source: usize| {
            let axes = self.axes_of(source);
            (source, place.iter().filter(|(axis, _)| axes.contains(axis)).map(|(a, v)| (*a, *v)).collect())
        };
        self.stages[stage].needs.iter().map(source).map(at).enumerate().collect()
    }
}

/// The names of all nodes and of all edges.
pub fn expected(spec: &Spec) -> (BTreeSet<String>, BTreeSet<String>) {
    let mut nodes: BTreeSet<(usize, Place)> = BTreeSet::new();
    for stage in 0..spec.stages.len() {
        nodes.extend(spec.places(stage).into_iter().map(|place| (stage, place)));
    }
    let sources: BTreeSet<usize> = (0..spec.stages.len()).flat_map(|stage| spec.sources(stage)).collect();
    // What an exclusion has left without use goes, until nothing more does.
    while !spec.exclude.is_empty() {
        let used: BTreeSet<(usize, Place)> =
            nodes.iter().flat_map(|(stage, place)| spec.needed(*stage, place)).map(|(_, node)| node).collect();
        let before = nodes.len();
        nodes.retain(|node| !sources.contains(&node.0) || used.contains(node));
        if nodes.len() == before {
            break;
        }
    }
    let edges = nodes.iter().flat_map(|(stage, place)| {
        let edge = |(port, (source, at)): (usize, (usize, Place))| {
            format!("{} -> p{port} of {}", spec.name(source, &at), spec.name(*stage, place))
        };
        spec.needed(*stage, place).into_iter().map(edge).collect::<Vec<_>>()
    });
    (nodes.iter().map(|(stage, place)| spec.name(*stage, place)).collect(), edges.collect())
}
