use super::ffi;
use super::operation::apply;
use super::raw::{from_raw, raw};
use super::weighted::Weighted;
use burn::tensor::Tensor;
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
    apply(Product, [Some(x.into()), Some(weight.into()), bias.map(Into::into)])
}

/// Changes a linear layer's weight `[out, in]` and bias `[out]` in place, so that it makes of inputs what it made of
/// `(inputs - mean) * scale`, `[1, in]` both.
pub fn take_inputs_from(weight: &Tensor<2>, bias: &Tensor<1>, mean: &Tensor<2>, scale: &Tensor<2>) {
    let (mut weight, mut bias) = (raw(weight), raw(bias));
    tch::no_grad(|| {
        drop(weight.g_mul_(&raw(scale)));
        drop(bias.g_sub_(&weight.matmul(&raw(mean).squeeze_dim(0))));
    });
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
