use super::ffi;
use super::operation::apply;
use super::weighted::Weighted;
use burn::tensor::Tensor;
use std::ptr::null_mut;
use tch::Tensor as Tch;

/// How a kernel is moved over an image, the same in both directions.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ConvSpec {
    pub stride: usize,
    pub padding: usize,
    pub dilation: usize,
    pub groups: usize,
    /// The gradient of a convolution with respect to its input, as an operation of its own: `stride` enlarges.
    pub transposed: bool,
    /// Of a transposed one: rows and columns more, where a stride leaves it open how many there are.
    pub output_padding: usize,
}

impl Default for ConvSpec {
    fn default() -> Self {
        Self { stride: 1, padding: 0, dilation: 1, groups: 1, transposed: false, output_padding: 0 }
    }
}

/// Two-dimensional convolution, or a transposed one.
///
/// # Shapes
/// - `x`: `[batch, in, height, width]`, `bias`: `[out]`
/// - `weight`: `[out, in / groups, kernel, kernel]`, transposed `[in, out / groups, kernel, kernel]`
/// - result: `[batch, out, (height + 2 padding - dilation (kernel - 1) - 1) / stride + 1, ...]`, transposed
///   `[batch, out, (height - 1) stride - 2 padding + dilation (kernel - 1) + output_padding + 1, ...]`
///
/// It computes in the precision of `x`; the gradients of `weight` and `bias` have their own.
pub fn conv2d(x: Tensor<4>, weight: Tensor<4>, bias: Option<Tensor<1>>, spec: ConvSpec) -> Tensor<4> {
    apply(spec, [Some(x.into()), Some(weight.into()), bias.map(Into::into)])
}

impl Weighted for ConvSpec {
    fn forward(&self, x: &Tch, weight: &Tch, bias: Option<&Tch>) -> Tch {
        let both = |n: usize| [n as i64; 2];
        x.convolution(
            weight,
            bias,
            both(self.stride),
            both(self.padding),
            both(self.dilation),
            self.transposed,
            both(self.output_padding),
            self.groups as i64,
        )
    }

    fn backward(&self, grad: &Tch, x: &Tch, weight: &Tch, needed: [bool; 3], _: tch::Kind) -> [Option<Tch>; 3] {
        let mut out = [null_mut(); 3];
        // Safety: all pointers are valid for the call, and there is room for three results, which are owned below.
        ffi::check(unsafe {
            ffi::pretext_conv2d_backward(
                ffi::borrow(grad),
                ffi::borrow(x),
                ffi::borrow(weight),
                self.stride as i64,
                self.padding as i64,
                self.dilation as i64,
                self.transposed.into(),
                self.output_padding as i64,
                self.groups as i64,
                needed.map(i32::from).as_ptr(),
                out.as_mut_ptr(),
            )
        });
        out.map(|raw| (!raw.is_null()).then(|| ffi::own(raw)))
    }
}
