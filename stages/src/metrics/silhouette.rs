use super::distance::squared_distance;
use rayon::prelude::*;

/// The silhouette coefficient (Rousseeuw 1987): the mean over all vectors of `(b - a) / max(a, b)`, where `a` is the mean Euclidean
/// distance to the others of its cluster and `b` the least mean distance to those of another; 0 for a vector that is alone in its
/// cluster. In [-1, 1], the same as scikit-learn's `silhouette_score`; 0 where all vectors are in one cluster, of which that is not
/// defined.
///
/// `x` is `[vector, width]`, `clusters` the number of the cluster of each.
///
/// # Panics
/// When the two differ in length.
pub fn silhouette(x: &[f32], width: usize, clusters: &[u32]) -> f64 {
    assert_eq!(x.len(), width * clusters.len(), "one cluster for each vector");
    let count = clusters.iter().max().map_or(0, |&most| most as usize + 1);
    let mut sizes = vec![0.0; count];
    clusters.iter().for_each(|&cluster| sizes[cluster as usize] += 1.0);
    let of_vector = |place: usize| {
        let (own, mut sums) = (&x[place * width..][..width], vec![0.0; count]);
        for (other, &cluster) in x.chunks_exact(width).zip(clusters) {
            sums[cluster as usize] += f64::from(squared_distance(own, other)).sqrt();
        }
        coefficient(clusters[place] as usize, &sums, &sizes)
    };
    let coefficients: Vec<f64> = (0..clusters.len()).into_par_iter().map(of_vector).collect();
    coefficients.iter().sum::<f64>() / clusters.len() as f64
}

/// Of a vector of the cluster `own`. `sums`: of its distances to those of each cluster, itself among them.
fn coefficient(own: usize, sums: &[f64], sizes: &[f64]) -> f64 {
    let others = (0..sizes.len()).filter(|&cluster| cluster != own && sizes[cluster] > 0.0);
    let Some(b) = others.map(|cluster| sums[cluster] / sizes[cluster]).min_by(f64::total_cmp) else { return 0.0 };
    let a = sums[own] / (sizes[own] - 1.0);
    let larger = a.max(b);
    // Alone; or all of both clusters lie at one point.
    if sizes[own] == 1.0 || larger == 0.0 { 0.0 } else { (b - a) / larger }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn vectors() -> Vec<f32> {
        let value =
            |i: usize, j: usize| (1.7 * (5 * i + j) as f64).sin() as f32 + if j == 0 { (i % 3) as f32 } else { 0.0 };
        (0..60).flat_map(|i| (0..5).map(move |j| value(i, j))).collect()
    }

    /// scikit-learn 1.9.1, `silhouette_score(x, clusters)`, by `stages/tests/anomaly/reference.py`.
    #[test]
    fn it_is_that_of_scikit_learn() {
        type Case = (fn(u32) -> u32, f64);
        let cases: [Case; 3] = [(|i| i % 3, EXPECTED[0]), (|i| i * i % 7, EXPECTED[1]), (|i| i.min(2), EXPECTED[2])];
        for (cluster, expected) in cases {
            let found = silhouette(&vectors(), 5, &(0..60).map(cluster).collect::<Vec<u32>>());
            assert!((found - expected).abs() < 1e-6, "{found} in place of {expected}");
        }
    }

    const EXPECTED: [f64; 3] = [0.05311681482125288, -0.06636063580435342, -0.3136530346898321];

    /// As the definition says it, by hand: of two vectors side by side and one far away.
    #[test]
    fn it_is_what_the_definition_says() {
        let found = silhouette(&[0.0, 1.0, 10.0], 1, &[0, 0, 1]);
        let expected = ((10.0 - 1.0) / 10.0 + (9.0 - 1.0) / 9.0 + 0.0) / 3.0;
        assert!((found - expected).abs() < 1e-12, "{found}");
    }

    #[test]
    fn where_there_is_nothing_to_compare_it_is_nothing() {
        assert_eq!(silhouette(&[1.0, 2.0, 3.0], 1, &[4, 4, 4]), 0.0, "one cluster");
        assert_eq!(silhouette(&[5.0; 4], 1, &[0, 0, 1, 1]), 0.0, "one point");
        assert_eq!(silhouette(&[1.0, 2.0, 3.0], 1, &[0, 1, 2]), 0.0, "all alone");
    }
}
