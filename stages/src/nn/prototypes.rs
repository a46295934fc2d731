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

    /// Squared distances, from differences: `[batch, feature]` to `[batch, cluster]`.
    pub fn squared_distances(&self, x: Tensor<2>) -> Tensor<2> {
        let differences = x.unsqueeze_dim::<3>(1) - self.centres.val().unsqueeze_dim::<3>(0); // [batch, cluster, feature]
        differences.square().sum_dim(2).squeeze_dim::<2>(2)
    }

    /// Scores, of which the largest is of the nearest centre: `[batch, feature]` to `[batch, cluster]`.
    pub fn forward(&self, x: Tensor<2>) -> Tensor<2> {
        self.squared_distances(x).neg()
    }
}
