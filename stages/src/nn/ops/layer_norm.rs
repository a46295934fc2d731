use super::ffi;
use super::operation::{Operation, apply};
use burn::tensor::Tensor;
use burn_tch::TchTensor;
use std::ptr::null_mut;
use tch::Tensor as Tch;

/// Layer normalisation over the last dimension (Ba et al. 2016, arXiv:1607.06450), by the biased variance plus `eps`.
///
/// `x` is `[..., features]`, `weight` and `bias` are `[features]`.
pub fn layer_norm<const D: usize>(x: Tensor<D>, weight: Tensor<1>, bias: Tensor<1>, eps: f64) -> Tensor<D> {
    apply(LayerNorm { eps }, [Some(x.into()), Some(weight.into()), Some(bias.into())])
}

#[derive(Debug, Clone)]
struct LayerNorm {
    eps: f64,
}

#[derive(Debug, Clone)]
struct Saved {
    x: TchTensor,
    weight: TchTensor,
    bias: TchTensor,
    mean: TchTensor,
    inverse_sd: TchTensor,
}

impl Operation<3> for LayerNorm {
    type Saved = Saved;

    fn forward(&self, inputs: [Option<TchTensor>; 3]) -> (TchTensor, Saved) {
        let [Some(x), Some(weight), Some(bias)] = inputs else { panic!("x, its scale and its shift") };
        let [scale, shift] = [&weight, &bias].map(|parameter| beside(&x.tensor, &parameter.tensor));
        let size = weight.tensor.size();
        let (y, mean, inverse_sd) = x.tensor.native_layer_norm(size, Some(&scale), Some(&shift), self.eps);
        let [y, mean, inverse_sd] = [y, mean, inverse_sd].map(TchTensor::new);
        (y, Saved { x, weight, bias, mean, inverse_sd })
    }

    fn backward(&self, grad: TchTensor, saved: Saved, _: [bool; 3]) -> [Option<TchTensor>; 3] {
        let Saved { x, weight, bias, mean, inverse_sd } = saved;
        let [scale, shift] = [&weight, &bias].map(|parameter| beside(&x.tensor, &parameter.tensor));
        let mut out = [null_mut(); 3];
        // Safety: all pointers are valid for the call, and there is room for three results, which are owned below.
        ffi::check(unsafe {
            ffi::pretext_layer_norm_backward(
                ffi::borrow(&grad.tensor),
                ffi::borrow(&x.tensor),
                ffi::borrow(&mean.tensor),
                ffi::borrow(&inverse_sd.tensor),
                ffi::borrow(&scale),
                ffi::borrow(&shift),
                out.as_mut_ptr(),
            )
        });
        let [of_x, of_weight, of_bias] = out.map(ffi::own);
        let own = |gradient: Tch| gradient.to_kind(weight.tensor.kind());
        [of_x, own(of_weight), own(of_bias)].map(|gradient| Some(TchTensor::new(gradient)))
    }
}

/// A parameter as libtorch takes it beside `x`: only the processor's kernel mixes bfloat16 and float32.
pub(super) fn beside(x: &Tch, parameter: &Tch) -> Tch {
    if x.device() == tch::Device::Cpu { parameter.shallow_clone() } else { parameter.to_kind(x.kind()) }
}
