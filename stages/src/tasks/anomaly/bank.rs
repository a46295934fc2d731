use crate::features::{check_finite, nearest};
use crate::metrics::squared_distance;
use crate::nn::ops;
use anyhow::Result;
use burn::tensor::{Device, Tensor, TensorData};

/// Vectors of which those that are nearest to others are asked for, by the Euclidean distance.
#[derive(Debug)]
pub struct Bank {
    /// `[vector, width]`, seen from their mean, so that products of large numbers hide no small distances.
    values: Vec<f32>,
    width: usize,
    mean: Vec<f32>,
    /// The same, and less half of the squared length behind each: its product with a query and 1 is the larger the nearer it is.
    longer: Tensor<2>,
}

/// A vector of the bank.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Near {
    pub index: usize,
    pub distance: f32,
}

impl Bank {
    /// Of `[vector, width]`. An error where one is not finite.
    pub fn new(mut values: Vec<f32>, width: usize, device: &Device) -> Result<Self> {
        check_finite(&values)?;
        let count = values.len() / width;
        let mut mean = vec![0.0f64; width];
        for row in values.chunks_exact(width) {
            mean.iter_mut().zip(row).for_each(|(mean, &value)| *mean += f64::from(value) / count as f64);
        }
        let mean: Vec<f32> = mean.into_iter().map(|mean| mean as f32).collect();
        values
            .chunks_exact_mut(width)
            .for_each(|row| row.iter_mut().zip(&mean).for_each(|(value, mean)| *value -= mean));
        let last = |row: &[f32]| -0.5 * squared_distance(row, &vec![0.0; width]);
        let longer = longer(&values, width, last, device);
        Ok(Self { values, width, mean, longer })
    }

    /// Of each of the queries `[query, width]` its `k` nearest, the nearest first, of equally near ones the first of the bank. The
    /// choice is by products in float32, the distances are exact.
    pub fn nearest(&self, queries: &[f32], k: usize) -> Result<Vec<Vec<Near>>> {
        check_finite(queries)?;
        let rows = queries.chunks_exact(self.width);
        let seen: Vec<f32> =
            rows.flat_map(|row| row.iter().zip(&self.mean).map(|(value, mean)| value - mean)).collect();
        let tensor = longer(&seen, self.width, |_| 1.0, &self.longer.device());
        let found = nearest(&self.longer, &tensor, k, |_| true).expect("nothing stops it");
        let in_order = found.into_iter().zip(seen.chunks_exact(self.width)).map(|(found, query)| {
            let distance = |index: usize| squared_distance(query, self.seen(index)).sqrt();
            let near = |index: u32| Near { index: index as usize, distance: distance(index as usize) };
            let mut near: Vec<Near> = found.into_iter().map(|neighbour| near(neighbour.index)).collect();
            near.sort_by(|a, b| a.distance.total_cmp(&b.distance));
            near
        });
        Ok(in_order.collect())
    }

    /// Of a query to one of the bank.
    pub fn distance(&self, query: &[f32], index: usize) -> f32 {
        let seen: Vec<f32> = query.iter().zip(&self.mean).map(|(value, mean)| value - mean).collect();
        squared_distance(&seen, self.seen(index)).sqrt()
    }

    fn seen(&self, index: usize) -> &[f32] {
        &self.values[index * self.width..][..self.width]
    }

    /// A vector as it was given.
    pub fn vector(&self, index: usize) -> Vec<f32> {
        self.seen(index).iter().zip(&self.mean).map(|(value, mean)| value + mean).collect()
    }
}

/// Rows with one value more.
fn longer(values: &[f32], width: usize, last: impl Fn(&[f32]) -> f32, device: &Device) -> Tensor<2> {
    let rows = values.chunks_exact(width);
    let shape = [rows.len(), width + 1];
    let values: Vec<f32> = rows.flat_map(|row| row.iter().copied().chain([last(row)])).collect();
    Tensor::from_data(TensorData::new(values, shape), device)
}

/// `[batch, channels, rows, columns]` as a vector of each place, `[batch * rows * columns, channels]`.
pub fn vectors(maps: Tensor<4>) -> Vec<f32> {
    let [batch, channels, rows, columns] = maps.dims();
    ops::read(&maps.permute([0, 2, 3, 1]).reshape([batch * rows * columns, channels]), <[f32]>::to_vec)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn waves(rows: usize, far: f32, stream: usize) -> Vec<f32> {
        (0..rows * 3).map(|i| far + (1.7 * (i + 1000 * stream) as f64).sin() as f32).collect()
    }

    /// Every distance by itself, near zero and far from it.
    #[test]
    fn the_nearest_are_those_of_all_distances() {
        for far in [0.0, 3000.0] {
            let (values, queries) = (waves(50, far, 0), waves(8, far, 1));
            let bank = Bank::new(values.clone(), 3, &crate::nn::device("cpu").unwrap()).unwrap();
            let found = bank.nearest(&queries, 4).unwrap();
            for (found, query) in found.iter().zip(queries.chunks_exact(3)) {
                let all = values.chunks_exact(3).map(|row| {
                    row.iter().zip(query).map(|(a, b)| (f64::from(*a) - f64::from(*b)).powi(2)).sum::<f64>().sqrt()
                });
                let mut all: Vec<(f64, usize)> = all.zip(0..).collect();
                all.sort_by(|a, b| a.0.total_cmp(&b.0));
                for (near, (distance, index)) in found.iter().zip(&all) {
                    assert_eq!(near.index, *index, "{found:?} in place of {:?}", &all[..4]);
                    assert!((f64::from(near.distance) - distance).abs() < 1e-5, "{near:?} and {distance}");
                }
            }
        }
    }

    #[test]
    fn a_vector_of_the_bank_is_at_no_distance_from_itself() {
        let values = waves(5, 100.0, 0);
        let bank = Bank::new(values.clone(), 3, &crate::nn::device("cpu").unwrap()).unwrap();
        let found = bank.nearest(&values, 1).unwrap();
        assert!(found.iter().enumerate().all(|(row, near)| near[0] == Near { index: row, distance: 0.0 }), "{found:?}");
        assert!(Bank::new(vec![1.0, f32::NAN], 2, &crate::nn::device("cpu").unwrap()).is_err());
        assert!(bank.nearest(&[0.0, f32::INFINITY, 0.0], 1).is_err());
    }
}
