//! PaDiM (arXiv:2011.08785), PatchCore (arXiv:2106.08265) and kNN as they are written, in float64 and without haste.

use burn::tensor::{Tensor, TensorData};
use pretext_stages::artifact::EncoderArtifact;
use pretext_stages::data::{Dataset, Split};
use pretext_stages::nn::layers::Mode;
use pretext_stages::nn::{device, ops};
use pretext_stages::random::{Purpose, Rng};
use std::path::Path;

/// `[image][channel][row][column]`
type Map = Vec<Vec<Vec<Vec<f64>>>>;

/// What an encoder says of the images of train, and then of those of test.
pub struct Maps {
    train: usize,
    layers: Vec<Map>,
    features: Vec<Vec<f64>>,
}

pub fn maps(data: &Path, encoder: &Path) -> Maps {
    let device = device("cpu").unwrap();
    let (data, frozen) = (Dataset::open(data).unwrap(), EncoderArtifact::open(encoder, &device).unwrap());
    let rows: Vec<usize> = data.rows(Split::Train).chain(data.rows(Split::Test)).collect();
    let [channels, height, width] = data.manifest.input();
    let mut values = vec![];
    for &row in &rows {
        let image = data.image(row);
        for channel in 0..channels {
            let normal =
                |byte: &u8| (f32::from(*byte) / 255.0 - frozen.artifact.mean[channel]) / frozen.artifact.sd[channel];
            values.extend(image.iter().skip(channel).step_by(channels).map(normal));
        }
    }
    let images = Tensor::<4>::from_data(TensorData::new(values, [rows.len(), channels, height, width]), &device);
    let maps = frozen.encoder().unwrap().maps(ops::channels_last(images.clone()), Mode::Eval).unwrap();
    Maps {
        train: data.len(Split::Train),
        layers: maps.into_iter().map(|map| listed(map.x)).collect(),
        features: rows_of(frozen.features(ops::channels_last(images))),
    }
}

fn rows_of(x: Tensor<2>) -> Vec<Vec<f64>> {
    let width = x.dims()[1];
    let values: Vec<f64> = x.into_data().iter::<f64>().collect();
    values.chunks_exact(width).map(<[f64]>::to_vec).collect()
}

fn listed(x: Tensor<4>) -> Map {
    let [_, channels, height, width] = x.dims();
    let values: Vec<f64> = x.into_data().iter::<f64>().collect();
    let plane = |plane: &[f64]| plane.chunks_exact(width).map(<[f64]>::to_vec).collect();
    let image = |image: &[f64]| image.chunks_exact(height * width).map(plane).collect();
    values.chunks_exact(channels * height * width).map(image).collect()
}

/// `[image][place][channel]`, of which `value` says what a plane says of a place of the first layer.
fn vectors(
    maps: &Maps,
    layers: &[usize],
    value: impl Fn(&[Vec<f64>], usize, usize, usize) -> f64,
) -> Vec<Vec<Vec<f64>>> {
    let first = &maps.layers[layers[0]];
    let rows = first[0][0].len();
    let image = |image: usize| {
        let place = |place: usize| {
            let planes = layers.iter().flat_map(|&layer| &maps.layers[layer][image]);
            planes.map(|plane| value(plane, place / rows, place % rows, rows)).collect()
        };
        (0..rows * rows).map(place).collect()
    };
    (0..first.len()).map(image).collect()
}

/// The largest value of each test image's map of Mahalanobis distances, equations 1 and 2, enlarged to `side`.
pub fn padim(maps: &Maps, layers: &[usize], side: usize) -> Vec<f64> {
    let all =
        vectors(maps, layers, |plane, row, column, rows| plane[row * plane.len() / rows][column * plane.len() / rows]);
    let (train, test) = all.split_at(maps.train);
    let (places, width, count) = (train[0].len(), train[0][0].len(), train.len() as f64);
    let mut distances = vec![vec![]; test.len()];
    for place in 0..places {
        let mean: Vec<f64> = (0..width).map(|i| train.iter().map(|x| x[place][i]).sum::<f64>() / count).collect();
        let product =
            |i: usize, j: usize| train.iter().map(|x| (x[place][i] - mean[i]) * (x[place][j] - mean[j])).sum::<f64>();
        let ridge = |i: usize, j: usize| if i == j { 0.01 } else { 0.0 };
        let covariance: Vec<Vec<f64>> =
            (0..width).map(|i| (0..width).map(|j| product(i, j) / (count - 1.0) + ridge(i, j)).collect()).collect();
        let inverse = inverse(covariance);
        for (distances, x) in distances.iter_mut().zip(test) {
            let off: Vec<f64> = (0..width).map(|i| x[place][i] - mean[i]).collect();
            let square: f64 =
                (0..width).map(|i| off[i] * (0..width).map(|j| inverse[i][j] * off[j]).sum::<f64>()).sum();
            distances.push(square.sqrt());
        }
    }
    let rows = (places as f64).sqrt() as usize;
    let largest = |distances: Vec<f64>| {
        let plane: Vec<Vec<f64>> = distances.chunks_exact(rows).map(<[f64]>::to_vec).collect();
        let of = |place: usize| enlarged(rows, place / side, place % side, side, |y, x| plane[y][x]);
        (0..side * side).map(of).fold(0.0, f64::max)
    };
    distances.into_iter().map(largest).collect()
}

/// By Gauss and Jordan; what is inverted is positive definite.
fn inverse(mut a: Vec<Vec<f64>>) -> Vec<Vec<f64>> {
    let n = a.len();
    (0..n).for_each(|i| a[i].extend((0..n).map(|j| f64::from(u8::from(i == j)))));
    for i in 0..n {
        let pivot = a[i][i];
        a[i].iter_mut().for_each(|value| *value /= pivot);
        let row = a[i].clone();
        for other in (0..n).filter(|&other| other != i) {
            let factor = a[other][i];
            a[other].iter_mut().zip(&row).for_each(|(value, own)| *value -= factor * own);
        }
    }
    a.into_iter().map(|row| row[n..].to_vec()).collect()
}

/// The mean of the 3 x 3 places around one, zeros around the plane counting.
fn local_mean(plane: &[Vec<f64>], row: usize, column: usize) -> f64 {
    let side = plane.len();
    let around = |at: usize| at.saturating_sub(1)..(at + 2).min(side);
    around(row).flat_map(|y| around(column).map(move |x| plane[y][x])).sum::<f64>() / 9.0
}

/// Between the values of the four places whose centres are around that of one of a finer grid of `rows`.
fn enlarged(side: usize, row: usize, column: usize, rows: usize, value: impl Fn(usize, usize) -> f64) -> f64 {
    let along = |at: usize| {
        let place = ((at as f64 + 0.5) * side as f64 / rows as f64 - 0.5).max(0.0);
        let before = (place as usize).min(side - 1);
        [(before, 1.0 - place.fract()), ((before + 1).min(side - 1), place.fract())]
    };
    let corners = along(row).into_iter().flat_map(|(y, down)| along(column).map(|(x, across)| (y, x, down * across)));
    corners.map(|(y, x, weight)| weight * value(y, x)).sum()
}

fn distance(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| (a - b).powi(2)).sum::<f64>().sqrt()
}

/// The score of each test image, algorithm 1 and equations 6 and 7, from a first patch that the seed draws.
pub fn patchcore(maps: &Maps, layers: &[usize], share: f64, neighbours: usize, seed: u64) -> Vec<f64> {
    let value = |plane: &[Vec<f64>], row: usize, column: usize, rows: usize| {
        enlarged(plane.len(), row, column, rows, |y, x| local_mean(plane, y, x))
    };
    let all = vectors(maps, layers, value);
    let (train, test) = all.split_at(maps.train);
    let patches: Vec<&Vec<f64>> = train.iter().flatten().collect();
    let numbers = (patches.len() * patches[0].len()) as u64;
    let mut chosen = vec![Rng::new(seed, Purpose::Evaluate, &[numbers, 1]).below(patches.len())];
    let mut least = vec![f64::INFINITY; patches.len()];
    while chosen.len() < (share * patches.len() as f64).ceil() as usize {
        let last = patches[chosen[chosen.len() - 1]];
        least.iter_mut().zip(&patches).for_each(|(least, patch)| *least = least.min(distance(patch, last)));
        chosen.push((0..least.len()).max_by(|&a, &b| least[a].total_cmp(&least[b])).unwrap());
    }
    let memory: Vec<&Vec<f64>> = chosen.into_iter().map(|place| patches[place]).collect();
    let nearest = |patch: &Vec<f64>| -> Vec<(f64, &Vec<f64>)> {
        let mut near: Vec<(f64, &Vec<f64>)> = memory.iter().map(|&other| (distance(patch, other), other)).collect();
        near.sort_by(|a, b| a.0.total_cmp(&b.0));
        near
    };
    let score = |patches: &Vec<Vec<f64>>| {
        let worst = patches.iter().max_by(|a, b| nearest(a)[0].0.total_cmp(&nearest(b)[0].0)).unwrap();
        let (own, centre) = nearest(worst)[0];
        let around: f64 = nearest(centre)[..neighbours].iter().map(|(_, other)| distance(worst, other).exp()).sum();
        (1.0 - own.exp() / around) * own
    };
    test.iter().map(score).collect()
}

/// The distances of each test image's features to the `k` nearest of train, the nearest first.
pub fn knn(maps: &Maps, k: usize) -> Vec<Vec<f64>> {
    let (train, test) = maps.features.split_at(maps.train);
    let near = |x: &Vec<f64>| {
        let mut all: Vec<f64> = train.iter().map(|other| distance(x, other)).collect();
        all.sort_by(f64::total_cmp);
        all[..k].to_vec()
    };
    test.iter().map(near).collect()
}
