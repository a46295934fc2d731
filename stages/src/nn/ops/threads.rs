//! Threads of our own around libtorch's operations.

use super::raw;
use burn::tensor::Tensor;

/// Gives every thread that libtorch may use some of `items`, to `work` on with operations that stay on that thread.
///
/// Small operations with work of our own between them are slow on libtorch's threads: between two of them these spin on
/// the cores that we want. Results do not depend on the number of threads. Where the tensors that are `used`
/// are a GPU's, one thread is enough.
pub fn share_out<T: Send, const D: usize>(items: Vec<T>, used: &Tensor<D>, work: impl Fn(T) + Sync) {
    let threads = tch::get_num_threads();
    let workers = if raw(used).device() == tch::Device::Cpu { threads as usize } else { 1 };
    let mut shares: Vec<Vec<T>> = (0..workers).map(|_| vec![]).collect();
    for (place, item) in items.into_iter().enumerate() {
        shares[place % workers].push(item);
    }
    std::thread::scope(|scope| {
        for share in shares {
            scope.spawn(|| {
                tch::set_num_threads(1);
                share.into_iter().for_each(&work);
            });
        }
    });
    // libtorch remembers the last number for threads to come.
    tch::set_num_threads(threads);
}
