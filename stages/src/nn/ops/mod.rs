//! Our own operations on libtorch, with their own backward: what Burn's path is slower at than PyTorch's, or PyTorch than
//! the machine. Ratios are of `cargo xtask bench engine` and of LOG.md.
//!
//! | operation | why it is here |
//! | --- | --- |
//! | [`conv2d`] | Burn's backward of a convolution is two forward convolutions; ATen's `convolution_backward` is one call to oneDNN, in channels-last memory: those of the narrow ResNet take Burn 1.8, 1.3 and 1.3 times as long (16, 32, 64 channels) |
//! | [`batch_norm`] | one pass forward and one backward in place of Burn's dozen operations; ReLU and the residual's addition in place |
//! | [`linear`], [`product`] | libtorch multiplies float32 by MKL, which does 112 GFLOP/s a core here where oneDNN does 240: ViT-tiny trains 1.6 times as fast, the linear probe's products are 1.2 to 3.2 times as fast; gradients lie in memory as weights do |
//! | [`self_attention`] | of many tokens it never holds the matrix of all pairs: with 1,040 blocks of ViT-tiny take a quarter of the memory and four fifths of the time, by a kernel of libtorch's choice. Up to 128 on a processor, products are faster |
//! | [`layer_norm`] | one operation each way in place of Burn's eight: blocks of ViT-tiny take 5 to 8 % less time and a sixth less memory |
//! | [`group_norm`] | one operation each way, in channels-last memory on a processor, in place of Burn's dozen on a copy |
//! | [`relu`] | Burn's backward fills by a mask, number by number: 7 % of a detector's training in bfloat16 |
//! | [`channels_last`] | the memory format that oneDNN convolves fastest; ATen keeps it once weights and input have it |
//! | [`bfloat16`], [`float32`] | an operation computes in the precision of its input, parameters stay float32 |
//! | [`fused_sgd`], [`fused_adamw`] | one pass over all parameters, in place |
//! | [`lars_gradients`], [`clip_norm`] | norms stay on the device, so that a GPU does not wait; one call for all parameters |
//! | [`lerp`], [`add`], [`scale`] | moving averages and sums of gradients: one pass, in place, one call |
//! | [`Staging`], [`integers`] | images are made where the tensor has its memory; a GPU copies them, and labels, from pinned memory while nobody waits |
//! | [`without_waiting`] | shows on a GPU that a training step does not wait for it |
//! | [`read`], [`first_not_finite`] | a look at values without a copy; one transfer for all tensors |
//! | [`symmetric_eigen`], [`orthonormal`], [`Gaussians`] | Burn has none that calls LAPACK |
//! | [`share_out`] | many small products beside work of our own: a thread each, in place of all threads for each product |
//!
//! The mechanism is in `operation.rs`; the calls that tch does not expose are in `shim.cpp`. All calculation by libtorch's own operations
//! stays in this folder; elsewhere tensors of libtorch are held, copied, read and written (`nn/state.rs`, the optimiser, `foreign/`).

#![allow(deprecated, reason = "burn-tch is marked deprecated since 0.22 and pinned; only this folder names it")]

mod attention;
mod conv;
mod ffi;
mod foreach;
mod gaussians;
mod group_norm;
mod layer_norm;
mod linalg;
mod linear;
mod norm;
mod operation;
mod optim;
mod precision;
mod raw;
mod relu;
mod rows;
mod staging;
#[cfg(test)]
mod tests;
mod threads;
mod values;
mod waits;
mod weighted;

pub use attention::self_attention;
pub use conv::{ConvSpec, conv2d};
pub use foreach::{add, clip_norm, lerp, scale};
pub use gaussians::{GaussianSums, Gaussians};
pub use group_norm::group_norm;
pub use layer_norm::layer_norm;
pub use linalg::{orthonormal, symmetric_eigen, trace_of_root_of_product};
pub use linear::{linear, product, take_inputs_from};
pub use norm::{NormSpec, NormTensors, batch_norm};
pub use optim::{AdamW, Lars, Sgd, fused_adamw, fused_sgd, lars_gradients};
pub use precision::{bfloat16, float32, has_fast_bfloat16};
pub use raw::{
    allow_tf32, allows_tf32, channels_last, copy, laid_out_as, libtorch_version, make_gpus_repeatable, raw,
    tune_allocator,
};
pub use relu::relu;
pub use rows::{RowNumbers, put_rows, take_rows};
pub use staging::{Staging, floats, integers, is_gpu};
pub use threads::share_out;
pub use values::{Summary, first_not_finite, read, summary};
pub use waits::{while_forbidden, without_waiting};
