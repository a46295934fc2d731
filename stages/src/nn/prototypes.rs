use super::HeadConfig;
use burn::module::{Module, Param};
use burn::tensor::Tensor;

/// Centres in the space of features, to which images belong by how near they are.
#[derive(Module, Debug)]
pub struct Prototypes {
    /// `[cluster, feature]`
    centres: Param<Tensor<2>>,
}

impl Prototypes {
    /// `[cluster, feature]`
    pub fn at(centres: Tensor<2>) -> Self {
        Self { centres: Param::from_tensor(centres) }
    }

    /// How they are built.
    pub fn config(&self) -> HeadConfig {
        let [clusters, features] = self.centres.dims();
        HeadConfig::Prototypes { clusters, features }
    }

    /// Squared distances, from differences, of some rows at once: `[batch, feature]` to `[batch, cluster]`.
    pub fn squared_distances(&self, x: Tensor<2>) -> Tensor<2> {
        const DIFFERENCES: usize = 1 << 24;
        let centres = self.centres.val();
        let [clusters, features] = centres.dims();
        let of_rows = |rows: Tensor<2>| {
            let differences = rows.unsqueeze_dim::<3>(1) - centres.clone().unsqueeze_dim::<3>(0); // [rows, cluster, feature]
            differences.square().sum_dim(2).squeeze_dim::<2>(2)
        };
        let at_once = (DIFFERENCES / (clusters * features)).max(1);
        if x.dims()[0] <= at_once {
            return of_rows(x);
        }
        Tensor::cat(x.split(at_once, 0).into_iter().map(of_rows).collect(), 0)
    }

    /// Scores, of which the largest is of the nearest centre: `[batch, feature]` to `[batch, cluster]`.
    pub fn forward(&self, x: Tensor<2>) -> Tensor<2> {
        self.squared_distances(x).neg()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::nn::ops;
    use burn::tensor::TensorData;

    /// In blocks as at once.
    #[test]
    fn distances_are_the_sums_of_squares() {
        let device = crate::nn::device("cpu").unwrap();
        let values =
            |count: usize, phase: f32| -> Vec<f32> { (0..count).map(|i| (phase + 0.7 * i as f32).sin()).collect() };
        // A row has 2^20 differences, so that sixteen are looked at at once.
        let (clusters, features, rows) = (1 << 10, 1 << 10, 35);
        let (centres, x) = (values(clusters * features, 0.0), values(rows * features, 1.0));
        let tensor = |values: &[f32], rows: usize| {
            Tensor::<2>::from_data(TensorData::new(values.to_vec(), [rows, features]), &device)
        };
        let found = Prototypes::at(tensor(&centres, clusters)).squared_distances(tensor(&x, rows));
        assert_eq!(found.dims(), [rows, clusters]);
        let found = ops::read(&found, <[f32]>::to_vec);
        for (row, cluster) in [(0, 0), (15, 3), (16, 1023), (34, 500)] {
            let of = |values: &[f32], row: usize| values[row * features..][..features].to_vec();
            let (a, b) = (of(&x, row), of(&centres, cluster));
            let expected: f64 = a.iter().zip(&b).map(|(a, b)| f64::from(a - b).powi(2)).sum();
            assert!(
                (f64::from(found[row * clusters + cluster]) - expected).abs() < 1e-4 * expected,
                "{row}, {cluster}"
            );
        }
    }
}
