//! Between Burn's tensors and libtorch's.

use super::ffi;
use burn::backend::{Autodiff, LibTorch};
use burn::tensor::Tensor;
use burn_tch::TchTensor;
use std::ptr::null_mut;

/// The libtorch tensor beneath, sharing its memory: writing to it writes to `tensor` and to its clones.
pub fn raw<const D: usize>(tensor: &Tensor<D>) -> tch::Tensor {
    primitive(tensor).tensor
}

/// The same, with how many hold its memory.
pub(super) fn primitive<const D: usize>(tensor: &Tensor<D>) -> TchTensor {
    if tensor.is_autodiff() {
        tensor.clone().try_into_primitive::<Autodiff<LibTorch>>().expect("on libtorch").into_primitive()
    } else {
        tensor.clone().try_into_primitive::<LibTorch>().expect("on libtorch")
    }
}

/// A Burn tensor without autodiff over a libtorch tensor that nothing else refers to.
pub(super) fn from_raw<const D: usize>(tensor: tch::Tensor) -> Tensor<D> {
    from_primitive(TchTensor::new(tensor))
}

/// A Burn tensor without autodiff.
pub(super) fn from_primitive<const D: usize>(tensor: TchTensor) -> Tensor<D> {
    Tensor::from_primitive::<LibTorch>(tensor)
}

/// The same values in the same layout, in memory of their own.
pub fn copy<const D: usize>(x: &Tensor<D>) -> Tensor<D> {
    let y = from_raw(raw(x).copy());
    if x.is_autodiff() { Tensor::from_inner(y) } else { y }
}

/// The same values in channels-last memory (`[batch, channels, height, width]` stays the logical order).
pub fn channels_last(x: Tensor<4>) -> Tensor<4> {
    let autodiff = x.is_autodiff();
    let y = from_raw(in_channels_last(&raw(&x)));
    if autodiff { Tensor::from_inner(y) } else { y }
}

pub(super) fn in_channels_last(x: &tch::Tensor) -> tch::Tensor {
    let mut out = null_mut();
    // Safety: both pointers are valid for the call, and the result is owned here.
    ffi::check(unsafe { ffi::pretext_channels_last(ffi::borrow(x), &mut out) });
    ffi::own(out)
}

/// The values in the number format and memory layout of `like`, which has their shape; themselves where they lie so already.
pub fn laid_out_as(like: &tch::Tensor, values: tch::Tensor) -> tch::Tensor {
    if same_layout(like, &values) {
        return values;
    }
    tch::no_grad(|| {
        let mut copy = like.empty_like();
        copy.copy_(&values);
        copy
    })
}

/// Whether tensors have one shape and number format, and lie alike in memory. The stride of a dimension of length 1 says
/// nothing.
fn same_layout(a: &tch::Tensor, b: &tch::Tensor) -> bool {
    let strides = || a.size().into_iter().zip(a.stride().into_iter().zip(b.stride()));
    a.kind() == b.kind() && a.size() == b.size() && strides().all(|(n, (a, b))| n == 1 || a == b)
}

/// The version of the libtorch that was loaded, whatever this was built with: `2.9.0`.
pub fn libtorch_version() -> String {
    // Safety: it reads a constant.
    let [major, minor, patch, ..] = unsafe { ffi::aoti_torch_abi_version() }.to_be_bytes();
    format!("{major}.{minor}.{patch}")
}

/// Asks cuDNN for convolutions that give the same bits each time, in place of the fastest.
pub fn make_gpus_repeatable() {
    // Safety: it takes nothing and sets two flags.
    ffi::check(unsafe { ffi::pretext_deterministic() });
}

/// Whether GPUs multiply float32 with 10 bits of precision in place of 23 (TF32), in products and convolutions. libtorch does so in
/// convolutions unless it is told otherwise.
pub fn allow_tf32(allow: bool) {
    // Safety: it sets two flags.
    ffi::check(unsafe { ffi::pretext_allow_tf32(allow.into()) });
}

/// Whether either is so.
pub fn allows_tf32() -> bool {
    // Safety: it reads two flags.
    unsafe { ffi::pretext_allows_tf32() != 0 }
}

/// Keeps freed memory and asks for huge pages: a training step frees and takes the same blocks again and again
/// (`ARCHITECTURE.md`, Speed). Call once, before the first tensor.
pub fn tune_allocator() {
    const RESERVE: usize = 2 << 30;
    const HUGE: usize = 2 << 20;
    // Safety: plain libc calls; the block is freed at once and only its pages' advice remains.
    unsafe {
        libc::mallopt(libc::M_MMAP_MAX, 0);
        libc::mallopt(libc::M_TRIM_THRESHOLD, i32::MAX);
        libc::mallopt(libc::M_TOP_PAD, 256 << 20);
        let block = libc::malloc(RESERVE);
        if block.is_null() {
            return;
        }
        let start = (block as usize).next_multiple_of(HUGE);
        let end = (block as usize + RESERVE) & !(HUGE - 1);
        libc::madvise(start as *mut libc::c_void, end - start, libc::MADV_HUGEPAGE);
        libc::free(block);
    }
}
