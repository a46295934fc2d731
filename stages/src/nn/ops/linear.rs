use super::ffi;
use super::raw::{from_raw, raw};
use super::weighted::{Weighted, plain, tracked};
use burn::backend::tensor::FloatTensor;
use burn::backend::{Autodiff, Backend, Dispatch, LibTorch, backend_extension};
use burn::tensor::Tensor;
use burn_autodiff::checkpoint::strategy::CheckpointStrategy;
use std::ptr::null_mut;
use tch::Tensor as Tch;

/// `x weight^T + bias`.
///
/// # Shapes
/// - `x`: `[..., in]`, `weight`: `[out, in]`, `bias`: `[out]`
/// - result: `[..., out]`
///
/// It computes in the precision of `x`; the gradients of `weight` and `bias` have their own.
pub fn linear<const D: usize>(x: Tensor<D>, weight: Tensor<2>, bias: Option<Tensor<1>>) -> Tensor<D> {
    let (x, weight) = (x.into_dispatch(), weight.into_dispatch());
    Tensor::from_dispatch(match bias {
        Some(bias) => Dispatch::linear_bias_native(x, weight, bias.into_dispatch()),
        None => Dispatch::linear_native(x, weight),
    })
}

#[backend_extension(LibTorch, Autodiff)]
pub trait LinearOps: Backend {
    fn linear_native(x: FloatTensor<Self>, weight: FloatTensor<Self>) -> FloatTensor<Self>;
    fn linear_bias_native(
        x: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        bias: FloatTensor<Self>,
    ) -> FloatTensor<Self>;
}

/// The product of two matrices without gradients, `[n, k]` and `[k, m]`, by the library that is fastest at it.
pub fn product(a: &Tensor<2>, b: &Tensor<2>) -> Tensor<2> {
    from_raw(raw_product(&raw(a), &raw(b)))
}

fn raw_product(a: &Tch, b: &Tch) -> Tch {
    let mut out = null_mut();
    // Safety: all pointers are valid for the call; the result is owned below.
    ffi::check(unsafe { ffi::pretext_matmul(ffi::borrow(a), ffi::borrow(b), &mut out) });
    ffi::own(out)
}

impl LinearOps for LibTorch {
    fn linear_native(x: FloatTensor<Self>, weight: FloatTensor<Self>) -> FloatTensor<Self> {
        plain(&Product, &x, &weight, None)
    }
    fn linear_bias_native(
        x: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        bias: FloatTensor<Self>,
    ) -> FloatTensor<Self> {
        plain(&Product, &x, &weight, Some(&bias))
    }
}

impl<C: CheckpointStrategy> LinearOps for Autodiff<LibTorch, C> {
    fn linear_native(x: FloatTensor<Self>, weight: FloatTensor<Self>) -> FloatTensor<Self> {
        tracked::<_, C>(Product, x, weight, None)
    }
    fn linear_bias_native(
        x: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        bias: FloatTensor<Self>,
    ) -> FloatTensor<Self> {
        tracked::<_, C>(Product, x, weight, Some(bias))
    }
}

#[derive(Debug, Clone)]
struct Product;

impl Weighted for Product {
    fn forward(&self, x: &Tch, weight: &Tch, bias: Option<&Tch>) -> Tch {
        let mut out = null_mut();
        let bias = bias.map_or(null_mut(), ffi::borrow);
        // Safety: all pointers are valid for the call, or null where that is allowed; the result is owned below.
        ffi::check(unsafe { ffi::pretext_linear(ffi::borrow(x), ffi::borrow(weight), bias, &mut out) });
        ffi::own(out)
    }

    /// The weight's gradient lies in memory as the weight does.
    fn backward(&self, grad: &Tch, x: &Tch, weight: &Tch, needed: [bool; 3], own: tch::Kind) -> [Option<Tch>; 3] {
        let [outputs, inputs] = weight.size()[..] else { panic!("a linear layer's weight is a matrix") };
        let grad = grad.reshape([-1, outputs]); // [rows, out]
        let [needs_x, needs_weight, needs_bias] = needed;
        [
            needs_x.then(|| raw_product(&grad, weight).reshape(x.size())),
            needs_weight.then(|| raw_product(&grad.tr(), &x.reshape([-1, inputs]))),
            needs_bias.then(|| grad.sum_dim_intlist([0i64].as_slice(), false, own)),
        ]
    }
}
