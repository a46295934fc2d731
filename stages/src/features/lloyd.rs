//! k-means: centres that are the means of what is nearest to them (Lloyd 1982), begun by k-means++ (Arthur &
//! Vassilvitskii 2007). Distances come from products of blocks, so that memory beyond the vectors does not grow with them.

use crate::nn::ops;
use crate::random::{Purpose, Rng};
use burn::tensor::{Tensor, TensorData};

/// Vectors that are compared with the centres at once.
const BLOCK: usize = 4096;
/// Most are done in a few dozen.
const ITERATIONS: usize = 300;

/// Vectors that are near each other.
#[derive(Debug)]
pub struct Clusters {
    /// `[cluster, feature]`
    pub centres: Tensor<2>,
    /// The sum of the squared distances of all vectors to their centre.
    pub inertia: f64,
}

/// The best of `restarts` runs by its inertia. `x` is `[n, features]` with at least `clusters` rows. `go_on` is asked
/// between two iterations and told how many runs are done; `None` is its no.
pub fn kmeans(
    x: &Tensor<2>,
    clusters: usize,
    restarts: usize,
    seed: u64,
    mut go_on: impl FnMut(usize) -> bool,
) -> Option<Clusters> {
    let mut best: Option<Clusters> = None;
    for restart in 0..restarts {
        let mut rng = Rng::new(seed, Purpose::Cluster, &[restart as u64]);
        let found = settle(x, plus_plus(x, clusters, &mut rng), || go_on(restart))?;
        if best.as_ref().is_none_or(|best| found.inertia < best.inertia) {
            best = Some(found);
        }
    }
    best
}

/// Number of the nearest centre of every vector, and the squared distance to it.
pub fn assign(x: &Tensor<2>, centres: &Tensor<2>) -> (Vec<u32>, Vec<f64>) {
    let ([n, _], [clusters, _]) = (x.dims(), centres.dims());
    let lengths = squared_lengths(centres); // [1, clusters]
    let (mut nearest, mut distances) = (Vec::with_capacity(n), Vec::with_capacity(n));
    for block in blocks(x) {
        // |x - c|^2 = |x|^2 - 2 x c + |c|^2, of which the first is the same for all centres.
        let own = squared_lengths(&block).into_data().iter::<f32>().collect::<Vec<_>>();
        let products = ops::product(&block, &centres.clone().transpose()).mul_scalar(-2.0) + lengths.clone();
        ops::read(&products, |products| {
            for (row, own) in products.chunks_exact(clusters).zip(own) {
                let nearer = |best: usize, other: usize| if row[other] < row[best] { other } else { best };
                let cluster = (0..clusters).reduce(nearer).expect("there is a centre");
                nearest.push(cluster as u32);
                distances.push(f64::from(row[cluster] + own).max(0.0));
            }
        });
    }
    (nearest, distances)
}

/// Lloyd's iterations until no vector changes its cluster.
fn settle(x: &Tensor<2>, mut centres: Tensor<2>, mut go_on: impl FnMut() -> bool) -> Option<Clusters> {
    let (mut nearest, mut distances) = assign(x, &centres);
    for _ in 0..ITERATIONS {
        if !go_on() {
            return None;
        }
        centres = means(x, &nearest, &distances, centres.dims()[0]);
        let (next, next_distances) = assign(x, &centres);
        let is_settled = next == nearest;
        (nearest, distances) = (next, next_distances);
        if is_settled {
            break;
        }
    }
    Some(Clusters { centres, inertia: distances.iter().sum() })
}

/// The mean of every cluster. One without vectors becomes the vector that is farthest from its centre, the next such one
/// the next farthest.
fn means(x: &Tensor<2>, nearest: &[u32], distances: &[f64], clusters: usize) -> Tensor<2> {
    let (mut means, counts) = averages(x, nearest, clusters);
    let mut farthest: Vec<usize> = vec![];
    if counts.contains(&0.0) {
        farthest = (0..distances.len()).collect();
        farthest.sort_by(|&a, &b| distances[b].total_cmp(&distances[a]));
    }
    let empty = counts.iter().enumerate().filter(|&(_, &count)| count == 0.0);
    for ((cluster, _), vector) in empty.zip(farthest) {
        let features = x.dims()[1];
        let vector = x.clone().narrow(0, vector, 1);
        means = means.slice_assign([cluster..cluster + 1, 0..features], vector);
    }
    means
}

/// The mean of every cluster, `[cluster, feature]`, and how many vectors it has. One without vectors has a mean of 0.
pub fn averages(x: &Tensor<2>, of: &[u32], clusters: usize) -> (Tensor<2>, Vec<f32>) {
    let mut counts = vec![0.0f32; clusters];
    of.iter().for_each(|&cluster| counts[cluster as usize] += 1.0);
    let mut sums: Option<Tensor<2>> = None;
    for (block, of) in blocks(x).zip(of.chunks(BLOCK)) {
        let mut members = vec![0.0f32; clusters * of.len()];
        for (place, &cluster) in of.iter().enumerate() {
            members[cluster as usize * of.len() + place] = 1.0;
        }
        let members = matrix(members, [clusters, of.len()], x);
        let sum = ops::product(&members, &block); // [clusters, features]
        sums = Some(match sums {
            Some(sums) => sums + sum,
            None => sum,
        });
    }
    let divisors = matrix(counts.iter().map(|count| count.max(1.0)).collect(), [clusters, 1], x);
    (sums.expect("there are vectors") / divisors, counts)
}

/// The first centres: each a vector, drawn with a probability that grows with its squared distance to the nearest before.
fn plus_plus(x: &Tensor<2>, clusters: usize, rng: &mut Rng) -> Tensor<2> {
    let [n, _] = x.dims();
    let mut chosen = vec![x.clone().narrow(0, rng.below(n), 1)];
    let mut distances = vec![f64::INFINITY; n];
    while chosen.len() < clusters {
        let (_, to_last) = assign(x, chosen.last().expect("one is drawn already"));
        distances.iter_mut().zip(to_last).for_each(|(nearest, new)| *nearest = nearest.min(new));
        let mut left = distances.iter().sum::<f64>() * f64::from(rng.uniform());
        let mut reaches = |&distance: &f64| {
            left -= distance;
            left < 0.0
        };
        // None where all vectors are centres already, or rounding leaves a little.
        let vector = distances.iter().position(&mut reaches).unwrap_or_else(|| rng.below(n));
        chosen.push(x.clone().narrow(0, vector, 1));
    }
    Tensor::cat(chosen, 0)
}

fn blocks(x: &Tensor<2>) -> impl Iterator<Item = Tensor<2>> {
    let n = x.dims()[0];
    (0..n).step_by(BLOCK).map(move |start| x.clone().narrow(0, start, BLOCK.min(n - start)))
}

/// `[n, features]` to `[1, n]`.
fn squared_lengths(x: &Tensor<2>) -> Tensor<2> {
    x.clone().square().sum_dim(1).transpose()
}

/// On the device of `like`.
fn matrix(values: Vec<f32>, shape: [usize; 2], like: &Tensor<2>) -> Tensor<2> {
    Tensor::from_data(TensorData::new(values, shape), &like.device())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn vectors() -> Tensor<2> {
        let value = |i: usize, j: usize| {
            let wave = (1.7 * (3 * i + j) as f64).sin() as f32;
            wave + (i % 4) as f32 * if j == 0 { 1.5 } else { 0.25 }
        };
        let values: Vec<f32> = (0..200).flat_map(|i| (0..3).map(move |j| value(i, j))).collect();
        Tensor::from_data(TensorData::new(values, [200, 3]), &crate::nn::device("cpu").unwrap())
    }

    /// scikit-learn 1.9.1, `KMeans(k, n_init=200)`, in float64. A few dozen restarts may miss the best by a little, as
    /// its own ten do.
    #[test]
    fn inertia_is_that_of_scikit_learn() {
        for (clusters, expected) in [(3, 299.2358618296351), (4, 237.16917274691684), (6, 172.08242572880795)] {
            let found = kmeans(&vectors(), clusters, 50, 0, |_| true).unwrap();
            let excess = found.inertia / expected - 1.0;
            assert!((-1e-6..1e-3).contains(&excess), "{clusters}: {} in place of {expected}", found.inertia);
            let (_, distances) = assign(&vectors(), &found.centres);
            assert_eq!(distances.iter().sum::<f64>(), found.inertia);
        }
    }

    #[test]
    fn there_may_be_as_many_clusters_as_vectors_and_a_seed_says_all() {
        let few = vectors().narrow(0, 0, 5);
        assert!(kmeans(&few, 5, 3, 0, |_| true).unwrap().inertia < 1e-5);
        let centres = |seed| kmeans(&vectors(), 6, 1, seed, |_| true).unwrap().centres.into_data();
        assert_eq!(centres(1), centres(1));
        assert_ne!(centres(1), centres(2));
        assert!(kmeans(&vectors(), 6, 2, 0, |done| done == 0).is_none());
    }

    #[test]
    fn a_cluster_without_vectors_becomes_the_farthest_vector() {
        let x = vectors();
        let distances: Vec<f64> = (0..200).map(|i| if i == 77 { 9.0 } else { 1.0 }).collect();
        let means = means(&x, &[0; 200], &distances, 2);
        let row = |x: &Tensor<2>, row| x.clone().narrow(0, row, 1).into_data();
        assert_eq!(row(&means, 1), row(&x, 77));
    }
}
