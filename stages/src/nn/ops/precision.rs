//! Number formats. An operation computes in that of its input; parameters are kept in float32 and seen through
//! [`as_kind`].

use burn::tensor::{FloatDType, Tensor};
use tch::Kind;

/// The tensor in another number format, in the same memory layout; itself where it is of that format.
pub(super) fn as_kind(tensor: &tch::Tensor, kind: Kind) -> tch::Tensor {
    if tensor.kind() == kind { tensor.shallow_clone() } else { tensor.to_kind(kind) }
}

/// In float32, where it is in less: what losses and averages over many numbers are computed in.
pub fn float32<const D: usize>(x: Tensor<D>) -> Tensor<D> {
    if x.dtype() == FloatDType::BF16.into() { x.cast(FloatDType::F32) } else { x }
}

/// In bfloat16: 8 bits of exponent as float32 has, 8 of precision in place of 24.
pub fn bfloat16<const D: usize>(x: Tensor<D>) -> Tensor<D> {
    x.cast(FloatDType::BF16)
}

/// Whether products of bfloat16 are faster than those of float32 here: on a GPU, and on processors with instructions
/// for them. Elsewhere they work and are several times slower.
pub fn has_fast_bfloat16(device: &str) -> bool {
    #[cfg(target_arch = "x86_64")]
    let processor = || std::arch::is_x86_feature_detected!("avx512bf16") || has_amx();
    #[cfg(not(target_arch = "x86_64"))]
    let processor = || false;
    device.starts_with("cuda") || processor()
}

/// AMX's bfloat16 tiles, by CPUID (leaf 7, EDX bit 22): the standard library names them on nightly only.
#[cfg(target_arch = "x86_64")]
fn has_amx() -> bool {
    std::arch::x86_64::__cpuid(0).eax >= 7 && std::arch::x86_64::__cpuid_count(7, 0).edx & (1 << 22) != 0
}
