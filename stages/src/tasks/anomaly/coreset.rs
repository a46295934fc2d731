//! A few vectors such that no other one is far from all of them.

use crate::metrics::squared_distance;
use crate::random::{Purpose, Rng};
use burn::tensor::{Device, Tensor, TensorData};
use rayon::prelude::*;

/// Numbers by which vectors are compared at most.
pub const DIRECTIONS: usize = 128;
/// Vectors that a thread looks at in one go.
const CHUNK: usize = 4096;

/// What vectors of more numbers are multiplied by so that they have [`DIRECTIONS`], `[width, DIRECTIONS]`, which keeps their distances
/// nearly (Johnson & Lindenstrauss 1984; normal values).
pub fn projection(width: usize, seed: u64, device: &Device) -> Option<Tensor<2>> {
    let mut rng = Rng::new(seed, Purpose::Evaluate, &[width as u64]);
    let scale = 1.0 / (DIRECTIONS as f32).sqrt();
    (width > DIRECTIONS).then(|| {
        let values: Vec<f32> = (0..width * DIRECTIONS).map(|_| scale * rng.normal()).collect();
        Tensor::from_data(TensorData::new(values, [width, DIRECTIONS]), device)
    })
}

/// The places of `count` of the vectors `[vector, width]`: `first`, and then always the one that is farthest from all before (greedy
/// minimax facility location; arXiv:2106.08265, algorithm 1), of equally far ones the first. Beside the vectors it holds a distance of each.
/// `go_on` is told how many are chosen; `None` is its no.
pub fn greedy(
    vectors: &[f32],
    width: usize,
    count: usize,
    first: usize,
    mut go_on: impl FnMut(usize) -> bool,
) -> Option<Vec<usize>> {
    // Of a chosen one it is less than nothing, so that none is chosen twice where all lie at one point.
    let mut distances = vec![f32::INFINITY; vectors.len() / width];
    let mut chosen = vec![first];
    while chosen.len() < count {
        if !go_on(chosen.len()) {
            return None;
        }
        let last = *chosen.last().expect("there is a first");
        distances[last] = -1.0;
        chosen.push(farthest(&mut distances, vectors, width, &vectors[last * width..][..width]));
    }
    Some(chosen)
}

/// Brings the distances to the nearest chosen one up to date with the last one, and says where the largest is.
fn farthest(distances: &mut [f32], vectors: &[f32], width: usize, last: &[f32]) -> usize {
    let chunks = distances.par_chunks_mut(CHUNK).zip(vectors.par_chunks(CHUNK * width)).enumerate();
    let of_chunk = |(number, (distances, vectors)): (usize, (&mut [f32], &[f32]))| {
        let mut best = (f32::NEG_INFINITY, 0);
        for (place, (distance, vector)) in distances.iter_mut().zip(vectors.chunks_exact(width)).enumerate() {
            *distance = distance.min(squared_distance(vector, last));
            if *distance > best.0 {
                best = (*distance, number * CHUNK + place);
            }
        }
        best
    };
    let nearer_to_begin = |a: (f32, usize), b: (f32, usize)| if b.0 > a.0 || b.0 == a.0 && b.1 < a.1 { b } else { a };
    chunks.map(of_chunk).reduce(|| (f32::NEG_INFINITY, usize::MAX), nearer_to_begin).1
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Algorithm 1 of the paper as it stands there: of all that are not chosen the one whose least distance to a chosen one is largest.
    fn literal(vectors: &[f32], width: usize, count: usize, first: usize) -> Vec<usize> {
        let row = |place: usize| &vectors[place * width..][..width];
        let distance =
            |a: usize, b: usize| row(a).iter().zip(row(b)).map(|(a, b)| f64::from(a - b).powi(2)).sum::<f64>();
        let mut chosen = vec![first];
        while chosen.len() < count {
            let left = (0..vectors.len() / width).filter(|place| !chosen.contains(place));
            let least = |place: usize| chosen.iter().map(|&other| distance(place, other)).fold(f64::INFINITY, f64::min);
            let next = left.rev().max_by(|&a, &b| least(a).total_cmp(&least(b))).unwrap();
            chosen.push(next);
        }
        chosen
    }

    #[test]
    fn it_is_the_algorithm_of_the_paper() {
        // More than a chunk, so that threads share them.
        let vectors: Vec<f32> = (0..2 * (CHUNK + 100)).map(|i| (1.7 * i as f64).sin() as f32).collect();
        assert_eq!(greedy(&vectors, 2, 12, 17, |_| true).unwrap(), literal(&vectors, 2, 12, 17));
        let few = &vectors[..60];
        assert_eq!(greedy(few, 3, 20, 4, |_| true).unwrap(), literal(few, 3, 20, 4));
    }

    #[test]
    fn vectors_at_one_point_are_each_chosen_once_and_it_ends_when_it_may_not_go_on() {
        let mut all = greedy(&[5.0; 8], 2, 4, 2, |_| true).unwrap();
        all.sort_unstable();
        assert_eq!(all, [0, 1, 2, 3]);
        let mut told = vec![];
        let stopped = greedy(&[1.0, 2.0, 3.0, 4.0], 1, 4, 0, |chosen| {
            told.push(chosen);
            chosen < 2
        });
        assert_eq!((stopped, told), (None, vec![1, 2]));
    }

    /// Five standard deviations of a mean of 500 ratios, each of which has one of sqrt(2 / 128).
    #[test]
    fn projected_vectors_keep_their_distances() {
        let device = crate::nn::device("cpu").unwrap();
        assert!(projection(DIRECTIONS, 0, &device).is_none());
        let matrix = projection(300, 7, &device).unwrap();
        let waves = |i: usize| (1.7 * (i * i % 7919) as f64).sin() as f32;
        let x =
            Tensor::<2>::from_data(TensorData::new((0..500 * 300).map(waves).collect::<Vec<_>>(), [500, 300]), &device);
        let lengths = |x: Tensor<2>| x.square().sum_dim(1).into_data().iter::<f64>().collect::<Vec<_>>();
        let [before, after] = [lengths(x.clone()), lengths(x.matmul(matrix))];
        let mean = before.iter().zip(&after).map(|(before, after)| after / before).sum::<f64>() / 500.0;
        assert!((mean - 1.0).abs() < 0.05, "{mean}");
    }
}
