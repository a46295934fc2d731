//! Which place answers for which object, in FCOS (Tian et al. 2019, arXiv:1904.01355, sections 3.1 and 3.2, and the centre sampling of
//! its code): made on the host, of boxes that are there already.

use crate::data::Region;

/// A place answers for an object only if it is within so many strides of its centre.
const RADIUS: f32 = 1.5;
/// A place of a level, seen in the image.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Place {
    /// Its middle, in pixels.
    pub x: f32,
    pub y: f32,
    pub stride: f32,
    /// The largest distance to an edge of an object that it answers for lies between these.
    pub reach: [f32; 2],
}

/// What a place answers for.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Answer {
    pub class: i32,
    /// From the place to the left, top, right and bottom edge, in pixels.
    pub distances: [f32; 4],
}

/// All places in the order in which a [`crate::nn::Detector`] has them, of levels that are `stride` and `[height, width]`. A level answers
/// for distances up to `reach` strides, and down to where the finer one ends; the last for all that are larger. The paper's levels have
/// strides of 8, 16, ... and end at 64, 128, ...: a `reach` of 8.
pub fn places(levels: &[(usize, [usize; 2])], reach: f32) -> Vec<Place> {
    let end = |level: usize| reach * levels[level].0 as f32;
    let of_level = |(number, &(stride, [height, width])): (usize, &(usize, [usize; 2]))| {
        let low = if number == 0 { 0.0 } else { end(number - 1) };
        let high = if number + 1 == levels.len() { f32::INFINITY } else { end(number) };
        let middle = move |place: usize| (place as f32 + 0.5) * stride as f32;
        let place = move |row: usize, column: usize| Place {
            x: middle(column),
            y: middle(row),
            stride: stride as f32,
            reach: [low, high],
        };
        (0..height).flat_map(move |row| (0..width).map(move |column| place(row, column)))
    };
    levels.iter().enumerate().flat_map(of_level).collect()
}

/// What each place of an image answers for: of the objects that it may answer for the smallest; `None`: nothing is there.
pub fn assign(places: &[Place], regions: &[Region]) -> Vec<Option<Answer>> {
    let area = |region: &&Region| (region.edges[2] - region.edges[0]) * (region.edges[3] - region.edges[1]);
    let of_place = |place: &Place| {
        let fitting = regions.iter().filter(|region| place.may_answer_for(region));
        let smallest = fitting.min_by(|a, b| area(a).total_cmp(&area(b)))?;
        Some(Answer { class: smallest.class, distances: place.distances(smallest) })
    };
    places.iter().map(of_place).collect()
}

impl Place {
    fn distances(&self, region: &Region) -> [f32; 4] {
        let [left, top, right, bottom] = region.edges;
        [self.x - left, self.y - top, right - self.x, bottom - self.y]
    }

    fn may_answer_for(&self, region: &Region) -> bool {
        let distances = self.distances(region);
        let [least, most] = [f32::min, f32::max].map(|of| distances.into_iter().reduce(of).expect("there are four"));
        let [left, top, right, bottom] = region.edges;
        let off_centre = (self.x - (left + right) / 2.0).abs().max((self.y - (top + bottom) / 2.0).abs());
        least > 0.0 && off_centre < RADIUS * self.stride && (self.reach[0]..=self.reach[1]).contains(&most)
    }
}

impl Answer {
    /// 1 in the middle of the object, 0 at its edges (equation 3).
    pub fn centreness(&self) -> f32 {
        let [left, top, right, bottom] = self.distances;
        let along = |a: f32, b: f32| a.min(b) / a.max(b);
        (along(left, right) * along(top, bottom)).sqrt()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Level by level and place by place, as the paper says it.
    fn literal(sizes: &[(usize, [usize; 2])], regions: &[Region]) -> Vec<Option<(i32, [f32; 4], f32)>> {
        let mut said = vec![];
        for (level, (stride, [rows, columns])) in sizes.iter().enumerate() {
            let m = [0.0, 16.0, 32.0];
            for row in 0..*rows {
                for column in 0..*columns {
                    let (x, y) = (
                        column as f32 * *stride as f32 + *stride as f32 / 2.0,
                        row as f32 * *stride as f32 + *stride as f32 / 2.0,
                    );
                    let mut best: Option<(f32, usize)> = None;
                    for (number, region) in regions.iter().enumerate() {
                        let (l, t) = (x - region.edges[0], y - region.edges[1]);
                        let (r, b) = (region.edges[2] - x, region.edges[3] - y);
                        if !(l > 0.0 && t > 0.0 && r > 0.0 && b > 0.0) {
                            continue;
                        }
                        let (cx, cy) =
                            ((region.edges[0] + region.edges[2]) / 2.0, (region.edges[1] + region.edges[3]) / 2.0);
                        let reach = 1.5 * *stride as f32;
                        if x <= cx - reach || x >= cx + reach || y <= cy - reach || y >= cy + reach {
                            continue;
                        }
                        let most = l.max(t).max(r).max(b);
                        if most < m[level] || level + 1 < sizes.len() && most > m[level + 1] {
                            continue;
                        }
                        let area = (region.edges[2] - region.edges[0]) * (region.edges[3] - region.edges[1]);
                        if best.is_none_or(|(smallest, _)| area < smallest) {
                            best = Some((area, number));
                        }
                    }
                    said.push(best.map(|(_, number)| {
                        let [left, top, right, bottom] = regions[number].edges;
                        let (l, t, r, b) = (x - left, y - top, right - x, bottom - y);
                        let centreness = (l.min(r) / l.max(r) * (t.min(b) / t.max(b))).sqrt();
                        (regions[number].class, [l, t, r, b], centreness)
                    }));
                }
            }
        }
        said
    }

    fn region() -> impl Strategy<Value = Region> {
        // Halves of pixels, so that places on edges and equal areas are drawn too.
        (0..4, 0..160i32, 0..160i32, 2..90i32, 2..90i32).prop_map(|(class, x, y, width, height)| {
            let edges = [x, y, (x + width).min(192), (y + height).min(192)].map(|edge| edge as f32 / 2.0);
            Region { class, edges }
        })
    }

    proptest! {
        #[test]
        fn places_answer_as_the_paper_says(regions in prop::collection::vec(region(), 0..6)) {
            let levels = [(4, [24, 24]), (8, [12, 12]), (16, [6, 6])];
            let found = assign(&places(&levels, 4.0), &regions);
            let found: Vec<_> = found.into_iter().map(|answer| answer.map(|a| (a.class, a.distances, a.centreness()))).collect();
            prop_assert_eq!(found, literal(&levels, &regions));
        }
    }

    #[test]
    fn an_object_is_answered_for_by_the_level_of_its_size_and_near_its_centre() {
        let levels = [(4, [24, 24]), (8, [12, 12]), (16, [6, 6])];
        let places = places(&levels, 4.0);
        let answering = |edges: [f32; 4]| -> Vec<(f32, f32, f32)> {
            let answers = assign(&places, &[Region { class: 1, edges }]);
            let those = places.iter().zip(answers).filter(|(_, answer)| answer.is_some());
            those.map(|(place, _)| (place.stride, place.x, place.y)).collect()
        };
        // Of 8, 38 and 80 pixels around a place; levels end at 16 and 32.
        let small = answering([6.0, 6.0, 14.0, 14.0]);
        assert_eq!(small, [(4.0, 10.0, 10.0)]);
        let middle = answering([25.0, 25.0, 63.0, 63.0]);
        assert_eq!(middle.len(), 9);
        assert!(
            middle.iter().all(|&(stride, x, y)| stride == 8.0 && (x - 44.0).abs() <= 8.0 && (y - 44.0).abs() <= 8.0)
        );
        assert!(answering([0.0, 0.0, 80.0, 80.0]).iter().all(|place| place.0 == 16.0));
        // Of two the smaller is answered for.
        let both = [[25.0, 25.0, 63.0, 63.0], [30.0, 30.0, 62.0, 62.0]];
        let regions = [(0, both[0]), (1, both[1])].map(|(class, edges)| Region { class, edges });
        let classes = assign(&places, &regions).into_iter().flatten().map(|answer| answer.class);
        assert!(classes.clone().filter(|&class| class == 1).count() >= 9, "{:?}", classes.collect::<Vec<_>>());
    }
}
