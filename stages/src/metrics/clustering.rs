//! How well clusters agree with classes. All of them look at the contingency table: how many images of each class are in
//! each cluster.

use super::assignment::largest_assignment;

/// `[cluster][class]`: how many images.
#[derive(Debug, Clone, PartialEq)]
pub struct Contingency(Vec<Vec<f64>>);

impl Contingency {
    /// # Panics
    /// When the two differ in length, are empty, or name a cluster or class that there is not.
    pub fn new(clusters: &[u32], labels: &[i32], cluster_count: usize, classes: usize) -> Self {
        assert_eq!(clusters.len(), labels.len(), "one cluster for each label");
        assert!(!labels.is_empty(), "clusters of nothing cannot be judged");
        let mut counts = vec![vec![0.0; classes]; cluster_count];
        for (&cluster, &label) in clusters.iter().zip(labels) {
            counts[cluster as usize][label as usize] += 1.0;
        }
        Self(counts)
    }

    /// The class that each cluster stands for, each for another one, so that most images are right (Hungarian method). A
    /// cluster that is left over stands for none.
    pub fn matching(&self) -> Vec<Option<usize>> {
        largest_assignment(&self.0)
    }

    /// Clustering accuracy (Xie et al. 2016, arXiv:1511.06335, eq. 10): the share of images whose cluster stands for their
    /// class, in [0, 1].
    pub fn accuracy(&self, matching: &[Option<usize>]) -> f64 {
        let right = self.0.iter().zip(matching).filter_map(|(row, class)| Some(row[(*class)?]));
        right.sum::<f64>() / self.total()
    }

    /// Normalised mutual information: that of clusters and classes over the mean of their entropies, in [0, 1]; 1 where
    /// there is one of each, as scikit-learn's `normalized_mutual_info_score`.
    pub fn nmi(&self) -> f64 {
        let (total, rows, columns) = (self.total(), self.cluster_sizes(), self.class_sizes());
        let entropy = |sizes: &[f64]| -sizes.iter().map(|&n| plogp(n / total)).sum::<f64>();
        let (clusters, classes) = (entropy(&rows), entropy(&columns));
        if clusters == 0.0 && classes == 0.0 {
            return 1.0;
        }
        let joint = -self.0.iter().flatten().map(|&n| plogp(n / total)).sum::<f64>();
        // Rounding may leave a little less than nothing.
        ((clusters + classes - joint) / ((clusters + classes) / 2.0)).max(0.0)
    }

    /// Adjusted Rand index (Hubert & Arabie 1985): agreement on pairs of images beyond chance, at most 1, as scikit-learn's
    /// `adjusted_rand_score`.
    pub fn ari(&self) -> f64 {
        let pairs = |n: f64| n * (n - 1.0) / 2.0;
        let sum = |sizes: &[f64]| sizes.iter().map(|&n| pairs(n)).sum::<f64>();
        let (clusters, classes) = (sum(&self.cluster_sizes()), sum(&self.class_sizes()));
        let both: f64 = self.0.iter().map(|row| sum(row)).sum();
        let expected = clusters * classes / pairs(self.total()).max(1.0);
        let most = (clusters + classes) / 2.0;
        if most == expected { 1.0 } else { (both - expected) / (most - expected) }
    }

    fn total(&self) -> f64 {
        self.0.iter().flatten().sum()
    }

    fn cluster_sizes(&self) -> Vec<f64> {
        self.0.iter().map(|row| row.iter().sum()).collect()
    }

    fn class_sizes(&self) -> Vec<f64> {
        (0..self.0[0].len()).map(|class| self.0.iter().map(|row| row[class]).sum()).collect()
    }
}

fn plogp(p: f64) -> f64 {
    if p > 0.0 { p * p.ln() } else { 0.0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Cluster of an image, how many clusters there are, and accuracy, NMI and ARI.
    type Case = (fn(i32) -> u32, usize, [f64; 3]);

    /// Where a split has one class, or one image; scikit-learn has the same.
    #[test]
    fn one_class_or_one_image_has_figures_too() {
        let figures = |clusters: &[u32], labels: &[i32]| {
            let table = Contingency::new(clusters, labels, 2, 1);
            [table.nmi(), table.ari()]
        };
        assert_eq!(figures(&[0, 1, 0], &[0, 0, 0]), [0.0, 0.0]);
        assert_eq!(figures(&[1, 1], &[0, 0]), [1.0, 1.0]);
        assert_eq!(figures(&[1], &[0]), [1.0, 1.0]);
    }

    /// What scikit-learn 1.9.1 and scipy 1.17.1 say: `normalized_mutual_info_score(labels, clusters)`,
    /// `adjusted_rand_score(labels, clusters)`, and `linear_sum_assignment(contingency, maximize=True)`.
    #[test]
    fn they_are_those_of_scikit_learn() {
        let labels: Vec<i32> = (0..60).map(|i| i % 4).collect();
        let cases: [Case; 5] = [
            (|i| ((i % 4 + 1) % 4) as u32, 4, [1.0, 1.0, 1.0]),
            (
                |i| (if i % 7 == 0 { i / 7 % 4 } else { i % 4 }) as u32,
                4,
                [14.0 / 15.0, 0.8583726233617737, 0.8376719576719577],
            ),
            (|i| (i * i % 11 % 6) as u32, 6, [17.0 / 60.0, 0.017452807161774567, -0.04334147002983455]),
            (|i| (i / 4 % 3) as u32, 3, [0.25, 0.0, -0.04240282685512368]),
            (|_| 0, 1, [0.25, 0.0, 0.0]),
        ];
        for (number, (cluster, count, [accuracy, nmi, ari])) in cases.into_iter().enumerate() {
            let clusters: Vec<u32> = (0..60).map(cluster).collect();
            let table = Contingency::new(&clusters, &labels, count, 4);
            let found = [table.accuracy(&table.matching()), table.nmi(), table.ari()];
            for (found, expected) in found.into_iter().zip([accuracy, nmi, ari]) {
                assert!((found - expected).abs() < 1e-12, "case {number}: {found} in place of {expected}");
            }
        }
    }
}
