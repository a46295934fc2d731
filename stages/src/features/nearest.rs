//! The nearest of a bank of vectors, without ever holding all similarities: products of blocks, of which each query keeps
//! the few that may still be among its nearest.

use super::feature_set::SplitFeatures;
use super::weighted_knn::unit_rows;
use crate::nn::ops;
use crate::random::{Purpose, Rng};
use burn::tensor::{Device, Tensor};
use std::cmp::Ordering;

/// Queries and vectors of the bank whose products are one block, 2 MiB a thread: it is looked at while it is in the cache.
/// From 128 x 512 to 250 x 4,096 all are within 4% of each other.
const QUERIES: usize = 250;
const BANK: usize = 2048;
/// Queries between two looks whether to go on: some blocks for every thread.
const ROUND: usize = 2000;
/// Similarities that are compared with the threshold in one go.
const CHUNK: usize = 64;

/// A vector of the bank.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Neighbour {
    pub index: u32,
    /// Its product with the query.
    pub similarity: f32,
}

impl Neighbour {
    /// Of equal similarities the earlier one is nearer, so that the choice is the same everywhere.
    fn nearer(&self, other: &Self) -> Ordering {
        other.similarity.total_cmp(&self.similarity).then(self.index.cmp(&other.index))
    }
}

/// For each query those `k` of the bank whose products with it are largest, in the order of the bank. `bank` is
/// `[n, features]`, `queries` `[m, features]`, all finite. The products are made on the tensors' device, the choice is the
/// processor's; `go_on` is asked between blocks of queries and told how many are done, and `None` is its no.
pub fn nearest(
    bank: &Tensor<2>,
    queries: &Tensor<2>,
    k: usize,
    mut go_on: impl FnMut(usize) -> bool,
) -> Option<Vec<Vec<Neighbour>>> {
    let [count, _] = queries.dims();
    let mut found = vec![vec![]; count];
    for (round, found) in found.chunks_mut(ROUND).enumerate() {
        let first = round * ROUND;
        if !go_on(first) {
            return None;
        }
        let blocks: Vec<_> = found.chunks_mut(QUERIES).zip((first..).step_by(QUERIES)).collect();
        ops::share_out(blocks, queries, |(found, start)| {
            let block = queries.clone().narrow(0, start, found.len());
            for (found, candidates) in found.iter_mut().zip(of_block(bank, &block, k, BANK)) {
                *found = candidates.in_order();
            }
        });
    }
    Some(found)
}

/// The candidates that are left of each of a block of queries.
fn of_block(bank: &Tensor<2>, queries: &Tensor<2>, k: usize, bank_block: usize) -> Vec<Candidates> {
    let ([size, _], [count, _]) = (bank.dims(), queries.dims());
    let mut candidates: Vec<Candidates> = (0..count).map(|_| Candidates::new(k)).collect();
    for start in (0..size).step_by(bank_block) {
        let block = bank.clone().narrow(0, start, bank_block.min(size - start));
        let columns = block.dims()[0];
        let products = ops::product(queries, &block.transpose()); // [queries, columns]
        ops::read(&products, |products| {
            for (candidates, row) in candidates.iter_mut().zip(products.chunks_exact(columns)) {
                candidates.look_at(row, start as u32);
            }
        });
    }
    candidates
}

/// What may still be among the `k` nearest of one query.
struct Candidates {
    k: usize,
    /// The similarity of the k-th nearest when last looked; only what is above it can be nearer, as the bank is seen in
    /// its order.
    threshold: f32,
    kept: Vec<Neighbour>,
}

impl Candidates {
    fn new(k: usize) -> Self {
        Self { k, threshold: f32::NEG_INFINITY, kept: Vec::with_capacity(4 * k + CHUNK) }
    }

    /// The similarities of the bank's vectors from number `first` on.
    fn look_at(&mut self, similarities: &[f32], first: u32) {
        for (chunk, first) in similarities.chunks(CHUNK).zip((first..).step_by(CHUNK)) {
            // Nearly all chunks hold nothing: counting is what the compiler makes wide instructions of.
            let above: u32 = chunk.iter().map(|&similarity| u32::from(similarity > self.threshold)).sum();
            if above == 0 {
                continue;
            }
            let numbered = (first..).zip(chunk).map(|(index, &similarity)| Neighbour { index, similarity });
            self.kept.extend(numbered.filter(|neighbour| neighbour.similarity > self.threshold));
            if self.kept.len() >= 4 * self.k {
                self.shrink();
            }
        }
    }

    fn shrink(&mut self) {
        if self.kept.len() > self.k {
            let (_, last, _) = self.kept.select_nth_unstable_by(self.k - 1, Neighbour::nearer);
            self.threshold = last.similarity;
            self.kept.truncate(self.k);
        }
    }

    fn in_order(mut self) -> Vec<Neighbour> {
        self.shrink();
        self.kept.sort_unstable_by_key(|neighbour| neighbour.index);
        self.kept.shrink_to_fit();
        self.kept
    }
}

/// A bank's vectors of length one in [`bank_order`], `[n, features]`, and that order.
pub fn unit_bank(bank: &SplitFeatures, features: usize, device: &Device) -> (Tensor<2>, Vec<usize>) {
    let order = bank_order(bank.labels.len());
    let rows = order.iter().map(|&image| &bank.values[image * features..][..features]);
    (unit_rows(rows, features, device), order)
}

/// In which a bank's images are looked at: an order that has nothing to do with their classes. Of equal similarities the earlier image is
/// nearer, and data sets are often sorted by class.
pub fn bank_order(images: usize) -> Vec<usize> {
    let mut order: Vec<usize> = (0..images).collect();
    Rng::new(0, Purpose::Evaluate, &[]).shuffle(&mut order);
    order
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::{Purpose, Rng};
    use burn::tensor::TensorData;

    const FEATURES: usize = 8;

    /// Small whole numbers: products are exact in any order of summation, and there are many ties.
    fn vectors(count: usize, stream: u64) -> (Vec<f32>, Tensor<2>) {
        let mut rng = Rng::new(0, Purpose::Noise, &[stream]);
        let values: Vec<f32> = (0..count * FEATURES).map(|_| rng.below(5) as f32 - 2.0).collect();
        let device = crate::nn::device("cpu").unwrap();
        (values.clone(), Tensor::from_data(TensorData::new(values, [count, FEATURES]), &device))
    }

    /// All similarities of a query, sorted.
    fn by_sorting(bank: &[f32], query: &[f32], k: usize) -> Vec<u32> {
        let dot = |vector: &[f32]| vector.iter().zip(query).map(|(a, b)| a * b).sum::<f32>();
        let mut order: Vec<(f32, u32)> = bank.chunks_exact(FEATURES).map(dot).zip(0..).collect();
        order.sort_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(&b.1)));
        let mut nearest: Vec<u32> = order[..k].iter().map(|&(_, index)| index).collect();
        nearest.sort_unstable();
        nearest
    }

    #[test]
    fn blocks_of_any_size_give_what_sorting_gives_ties_included() {
        let ((bank, bank_tensor), (queries, query_tensor)) = (vectors(1000, 0), vectors(7, 1));
        for (k, block) in [(1, 1000), (5, 1), (20, 64), (20, 97), (300, 1024), (1000, 333)] {
            let found = of_block(&bank_tensor, &query_tensor, k, block);
            for (found, query) in found.into_iter().zip(queries.chunks_exact(FEATURES)) {
                let found: Vec<u32> = found.in_order().iter().map(|neighbour| neighbour.index).collect();
                assert_eq!(found, by_sorting(&bank, query, k), "k {k}, blocks of {block}");
            }
        }
    }

    #[test]
    fn it_ends_when_it_may_not_go_on() {
        let ((_, bank), (_, queries)) = (vectors(10, 0), vectors(ROUND + 1, 1));
        let mut asked = vec![];
        assert!(
            nearest(&bank, &queries, 3, |done| {
                asked.push(done);
                done == 0
            })
            .is_none()
        );
        assert_eq!(asked, [0, ROUND]);
        assert_eq!(nearest(&bank, &queries, 3, |_| true).unwrap().len(), ROUND + 1);
    }
}
