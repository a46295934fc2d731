//! From what a head says of places to objects.

use super::assign::Place;
use super::nms::nms;
use crate::metrics::detection::Found;
use crate::nn::Said;
use burn::tensor::Tensor;
use burn::tensor::activation::sigmoid;

/// What counts as found.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// A class counts from this probability.
    pub score: f32,
    /// Of two boxes of a class that overlap by more, the surer is kept.
    pub overlap: f32,
}

/// As many of an image go into non-maximum suppression, and as many come out of it (COCO looks at no more).
const BEFORE: usize = 1000;
const AFTER: usize = 100;

/// What is needed of an image to decode it, `[image, number]`: probabilities of the classes, distances and centre-ness of every place.
pub fn flat(said: Said) -> Tensor<2> {
    let [batch, places, classes] = said.classes.dims();
    let parts = [
        sigmoid(said.classes).reshape([batch, places * classes]),
        said.distances.reshape([batch, places * 4]),
        sigmoid(said.centreness),
    ];
    Tensor::cat(parts.into(), 1)
}

/// The objects of an image `[height, width]`, the surest first, by what [`flat`] says of it. Their scores are the class's probability times
/// the centre-ness.
pub fn decode(
    values: &[f32],
    places: &[Place],
    classes: usize,
    [height, width]: [usize; 2],
    limits: Limits,
) -> Vec<Found> {
    let (probabilities, rest) = values.split_at(places.len() * classes);
    let (distances, centreness) = rest.split_at(places.len() * 4);
    let likely = probabilities.iter().enumerate().filter(|&(_, &probability)| probability > limits.score);
    let mut candidates: Vec<(f32, usize, usize)> = likely
        .map(|(number, probability)| {
            let place = number / classes;
            (probability * centreness[place], place, number % classes)
        })
        .collect();
    candidates.sort_by(|a, b| b.0.partial_cmp(&a.0).expect("a score is a number"));
    candidates.truncate(BEFORE);
    let edges = |&(_, place, _): &(f32, usize, usize)| {
        let [left, top, right, bottom]: [f32; 4] = std::array::from_fn(|edge| distances[place * 4 + edge]);
        let Place { x, y, .. } = places[place];
        let [most_x, most_y] = [width, height].map(|side| side as f32);
        [(x - left).max(0.0), (y - top).max(0.0), (x + right).min(most_x), (y + bottom).min(most_y)]
    };
    // A place may lie beyond the border of an image that strides do not divide.
    candidates
        .retain(|candidate| matches!(edges(candidate), [left, top, right, bottom] if left < right && top < bottom));
    let boxes: Vec<[f32; 4]> = candidates.iter().map(edges).collect();
    let (scores, of_class): (Vec<f32>, Vec<usize>) = candidates.iter().map(|&(score, _, class)| (score, class)).unzip();
    let found = |place: usize| Found {
        class: of_class[place],
        edges: boxes[place].map(f64::from),
        score: f64::from(scores[place]),
    };
    nms(&boxes, &scores, &of_class, limits.overlap).into_iter().take(AFTER).map(found).collect()
}

#[cfg(test)]
mod tests {
    use super::super::assign::{assign, places};
    use super::*;
    use crate::data::Region;

    /// A head that says of every place what it answers for is understood, but for what overlaps.
    #[test]
    fn what_is_assigned_is_found() {
        let places = places(&[(4, [24, 24]), (8, [12, 12]), (16, [6, 6])], 4.0);
        let regions = [
            Region { class: 1, edges: [3.0, 5.0, 21.5, 20.0] },
            Region { class: 0, edges: [30.0, 40.0, 70.0, 78.0] },
            Region { class: 1, edges: [60.0, 2.0, 96.0, 34.0] },
        ];
        let answers = assign(&places, &regions);
        let mut values = vec![0.0; places.len() * 7];
        for (place, answer) in answers.iter().enumerate() {
            let Some(answer) = answer else { continue };
            values[place * 2 + answer.class as usize] = 0.9;
            values[places.len() * 2 + place * 4..][..4].copy_from_slice(&answer.distances);
            values[places.len() * 6 + place] = answer.centreness();
        }
        let limits = Limits { score: 0.05, overlap: 0.6 };
        let mut found = decode(&values, &places, 2, [96, 96], limits);
        assert!(found.is_sorted_by(|a, b| a.score >= b.score));
        found.sort_by(|a, b| a.edges[0].total_cmp(&b.edges[0]));
        assert_eq!(found.len(), 3, "{found:?}");
        for (found, region) in found.iter().zip(regions) {
            assert_eq!(found.class, region.class as usize);
            assert!(found.edges.iter().zip(region.edges).all(|(a, b)| (a - f64::from(b)).abs() < 1e-4), "{found:?}");
        }
        // What is told of a smaller image ends with it, and nothing is found that is not likely enough.
        let of_smaller = decode(&values, &places, 2, [50, 96], limits);
        assert!(of_smaller.iter().all(|found| found.edges[1] < found.edges[3] && found.edges[3] <= 50.0));
        assert!(decode(&values, &places, 2, [40, 96], limits).len() < found.len());
        assert!(decode(&values, &places, 2, [96, 96], Limits { score: 0.95, ..limits }).is_empty());
    }
}
