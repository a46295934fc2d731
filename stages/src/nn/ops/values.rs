//! What tensors hold, seen from the processor.

use super::raw;
use std::slice;
use tch::{Device, Kind, Tensor};

/// Lets `look` see a tensor's values in logical order; they are not copied where they lie so in the processor's memory.
pub fn read<const D: usize, R>(tensor: &burn::tensor::Tensor<D>, look: impl FnOnce(&[f32]) -> R) -> R {
    let host = raw(tensor).to_device(Device::Cpu).to_kind(Kind::Float).contiguous();
    // Safety: as many floats lie there one after the other, and `host` lives longer than the slice.
    look(unsafe { slice::from_raw_parts(host.data_ptr().cast(), host.numel()) })
}

/// The place of the first tensor that holds a NaN or an infinity. One transfer from the device for all of them.
pub fn first_not_finite(tensors: &[Tensor]) -> Option<usize> {
    let gather = |f: fn(&Tensor) -> Tensor| -> Vec<f64> {
        let each: Vec<Tensor> = tensors.iter().map(|tensor| f(&tensor.detach())).collect();
        let flat = Tensor::stack(&each, 0).to_device(Device::Cpu).to_kind(Kind::Double);
        Vec::try_from(&flat).expect("one number for each tensor")
    };
    if tensors.is_empty() {
        return None;
    }
    // A sum is one pass, and finite only if all terms are. Finite terms may overflow it, so the rest is looked at.
    let sums = gather(|tensor| tensor.sum(Kind::Float));
    if sums.iter().all(|sum| sum.is_finite()) {
        return None;
    }
    gather(|tensor| tensor.isfinite().all().to_kind(Kind::Float)).iter().position(|&all| all == 0.0)
}

/// A tensor in a few numbers.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Summary {
    /// Euclidean length, summed in float64.
    pub norm: f64,
    /// The largest absolute value.
    pub largest: f64,
    pub nans: i64,
    pub infinities: i64,
}

pub fn summary(tensor: &Tensor) -> Summary {
    let x = tensor.detach().to_kind(Kind::Double);
    Summary {
        norm: x.square().sum(Kind::Double).sqrt().double_value(&[]),
        largest: x.abs().max().double_value(&[]),
        nans: x.isnan().sum(Kind::Int64).int64_value(&[]),
        infinities: x.isinf().sum(Kind::Int64).int64_value(&[]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_tensor_that_is_not_finite_is_found_and_large_ones_are_none() {
        let tensor = |values: &[f32]| Tensor::from_slice(values);
        let large = || tensor(&[3e38, 3e38, 3e38]);
        assert_eq!(first_not_finite(&[]), None);
        assert_eq!(first_not_finite(&[tensor(&[1.0]), large()]), None);
        assert_eq!(first_not_finite(&[large(), tensor(&[1.0, f32::NAN]), tensor(&[f32::INFINITY])]), Some(1));
        let both = tensor(&[f32::INFINITY, 0.0, f32::NEG_INFINITY, f32::NAN, 2.0]);
        assert_eq!(first_not_finite(&[tensor(&[0.0]), both.shallow_clone()]), Some(1));
        assert_eq!((summary(&both).nans, summary(&both).infinities), (1, 2));
        assert_eq!(summary(&tensor(&[3.0, -4.0])), Summary { norm: 5.0, largest: 4.0, nans: 0, infinities: 0 });
    }
}
