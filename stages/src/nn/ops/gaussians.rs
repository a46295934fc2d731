use super::raw::{from_raw, raw};
use anyhow::{Context, Result};
use burn::tensor::Tensor;
use tch::{Kind, Tensor as Tch};

/// Sums of which a Gaussian is made for each of many places, in float64.
#[derive(Debug)]
pub struct GaussianSums {
    /// What vectors are seen from, so that a mean far from zero costs no digits: `[place, 1, feature]`.
    origin: Tch,
    /// `[place, 1, feature]`
    sums: Tch,
    /// `[place, feature, feature]`
    products: Tch,
    vectors: f64,
}

/// A Gaussian for each of many places.
#[derive(Debug)]
pub struct Gaussians {
    /// `[place, 1, feature]`
    mean: Tch,
    /// The inverses of the covariances' Cholesky factors, transposed: `[place, feature, feature]`.
    whitening: Tch,
}

impl GaussianSums {
    /// Of the first vectors, `[place, vector, feature]`.
    pub fn new(x: &Tensor<3>) -> Self {
        let origin = double(x).mean_dim([1i64].as_slice(), true, Kind::Double);
        let [places, features] = [origin.size()[0], origin.size()[2]];
        let zeros = |columns: i64| Tch::zeros([places, columns, features], (Kind::Double, origin.device()));
        let mut sums = Self { sums: zeros(1), products: zeros(features), vectors: 0.0, origin };
        sums.add(x);
        sums
    }

    /// Of as many places and features.
    pub fn add(&mut self, x: &Tensor<3>) {
        let x = double(x) - &self.origin;
        self.vectors += x.size()[1] as f64;
        self.sums += x.sum_dim_intlist([1i64].as_slice(), true, Kind::Double);
        self.products += x.transpose(1, 2).bmm(&x);
    }

    /// With the unbiased covariance, to whose diagonal `ridge` is added.
    pub fn fit(self, ridge: f64) -> Result<Gaussians> {
        let Self { origin, sums, products, vectors } = self;
        let mean = sums / vectors;
        let covariance = (products - mean.transpose(1, 2).bmm(&mean) * vectors) / (vectors - 1.0);
        let unit = Tch::eye(covariance.size()[2], (Kind::Double, covariance.device()));
        let factor = (covariance + &unit * ridge).f_linalg_cholesky(false).context(
            "the covariance of the features at a place has no Cholesky factor: they are not finite, or too far apart",
        )?;
        let whitening = factor.linalg_solve_triangular(&unit.expand_as(&factor), false, true, false).transpose(1, 2);
        Ok(Gaussians { mean: mean + origin, whitening })
    }
}

impl Gaussians {
    /// The Mahalanobis distance of vectors `[place, vector, feature]` from the mean of their place, `[place, vector]`.
    pub fn distances(&self, x: &Tensor<3>) -> Tensor<2> {
        let white = (double(x) - &self.mean).bmm(&self.whitening);
        let squares = white.square().sum_dim_intlist([2i64].as_slice(), false, Kind::Double);
        from_raw(squares.sqrt().to_kind(Kind::Float))
    }
}

fn double(x: &Tensor<3>) -> Tch {
    raw(x).to_kind(Kind::Double)
}

#[cfg(test)]
mod tests {
    use super::*;
    use burn::tensor::TensorData;

    const PLACES: usize = 2;
    const VECTORS: usize = 9;
    const FEATURES: usize = 3;

    fn value(place: usize, vector: usize, feature: usize, far: f64) -> f64 {
        let wave = (1.7 * ((place * VECTORS + vector) * FEATURES + feature) as f64).sin();
        f64::from((wave * (1.0 + feature as f64) + far) as f32)
    }

    fn tensor(vectors: std::ops::Range<usize>, far: f64) -> Tensor<3> {
        let shape = [PLACES, vectors.len(), FEATURES];
        let at = |place| vectors.clone().flat_map(move |v| (0..FEATURES).map(move |f| value(place, v, f, far) as f32));
        let values: Vec<f32> = (0..PLACES).flat_map(at).collect();
        Tensor::from_data(TensorData::new(values, shape), &crate::nn::device("cpu").unwrap())
    }

    /// The inverse of a matrix by Gauss and Jordan.
    fn inverse(mut a: [[f64; FEATURES]; FEATURES]) -> [[f64; FEATURES]; FEATURES] {
        let mut b: [[f64; FEATURES]; FEATURES] =
            std::array::from_fn(|i| std::array::from_fn(|j| f64::from(u8::from(i == j))));
        for i in 0..FEATURES {
            let pivot = a[i][i];
            (a[i], b[i]) = (a[i].map(|v| v / pivot), b[i].map(|v| v / pivot));
            for other in (0..FEATURES).filter(|&other| other != i) {
                let factor = a[other][i];
                for j in 0..FEATURES {
                    a[other][j] -= factor * a[i][j];
                    b[other][j] -= factor * b[i][j];
                }
            }
        }
        b
    }

    /// As arXiv:2011.08785 has it, equations 1 and 2, of the last two of nine vectors by the first seven; near zero and far from it.
    #[test]
    fn distances_are_those_of_the_formula() {
        const FITTED: usize = 7;
        for far in [0.0, 1e4] {
            let mut sums = GaussianSums::new(&tensor(0..3, far));
            sums.add(&tensor(3..FITTED, far));
            let found: Vec<f64> =
                sums.fit(0.01).unwrap().distances(&tensor(FITTED..VECTORS, far)).into_data().iter().collect();
            for place in 0..PLACES {
                let of = |f: usize, g: usize, mean: [f64; FEATURES]| {
                    let product = |v| (value(place, v, f, far) - mean[f]) * (value(place, v, g, far) - mean[g]);
                    (0..FITTED).map(product).sum::<f64>() / (FITTED - 1) as f64 + if f == g { 0.01 } else { 0.0 }
                };
                let mean =
                    std::array::from_fn(|f| (0..FITTED).map(|v| value(place, v, f, far)).sum::<f64>() / FITTED as f64);
                let inverse = inverse(std::array::from_fn(|f| std::array::from_fn(|g| of(f, g, mean))));
                for vector in FITTED..VECTORS {
                    let off: [f64; FEATURES] = std::array::from_fn(|f| value(place, vector, f, far) - mean[f]);
                    let square: f64 = (0..FEATURES)
                        .flat_map(|f| (0..FEATURES).map(move |g| (f, g)))
                        .map(|(f, g)| off[f] * inverse[f][g] * off[g])
                        .sum();
                    let found = found[place * (VECTORS - FITTED) + vector - FITTED];
                    assert!((found - square.sqrt()).abs() < 1e-5 * found, "{found} in place of {}", square.sqrt());
                }
            }
        }
    }

    /// scikit-learn 1.9.1's `EmpiricalCovariance` with the same ridge, by `stages/tests/anomaly/reference.py`.
    #[test]
    fn distances_are_those_of_scikit_learn() {
        let found = GaussianSums::new(&tensor(0..7, 0.0)).fit(0.01).unwrap().distances(&tensor(7..9, 0.0));
        let expected = [1.4421388255429015, 1.5515302353145333, 1.4401832883003864, 1.5527266462133495];
        for (found, expected) in found.into_data().iter::<f64>().zip(expected) {
            assert!((found - expected).abs() < 1e-6, "{found} in place of {expected}");
        }
    }

    #[test]
    fn vectors_that_are_all_the_same_have_a_gaussian() {
        let same = || tensor(0..1, 0.0).repeat_dim(1, 4);
        let found = GaussianSums::new(&same()).fit(0.01).unwrap().distances(&same());
        assert!(found.into_data().iter::<f64>().all(|distance| distance == 0.0));
    }
}
