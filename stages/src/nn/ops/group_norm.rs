use super::ffi;
use super::layer_norm::beside;
use super::operation::{Operation, apply};
use super::raw::{in_channels_last, laid_out_as};
use burn::tensor::Tensor;
use burn_tch::TchTensor;
use std::ptr::null_mut;
use tch::Tensor as Tch;

/// Group normalisation (Wu & He 2018, arXiv:1803.08494): of each image by itself, over a group of channels and all places, by the
/// biased variance plus `eps`.
///
/// `x` is `[batch, channels, height, width]`, of which `groups` divides the channels; `weight` and `bias` are `[channels]`.
pub fn group_norm(x: Tensor<4>, weight: Tensor<1>, bias: Tensor<1>, groups: usize, eps: f64) -> Tensor<4> {
    apply(GroupNorm { groups: groups as i64, eps }, [Some(x.into()), Some(weight.into()), Some(bias.into())])
}

#[derive(Debug, Clone)]
struct GroupNorm {
    groups: i64,
    eps: f64,
}

#[derive(Debug, Clone)]
struct Saved {
    x: TchTensor,
    weight: TchTensor,
    mean: TchTensor,
    inverse_sd: TchTensor,
}

impl Operation<3> for GroupNorm {
    type Saved = Saved;

    fn forward(&self, inputs: [Option<TchTensor>; 3]) -> (TchTensor, Saved) {
        let [Some(x), Some(weight), Some(bias)] = inputs else { panic!("x, its scale and its shift") };
        let kind = x.tensor.kind();
        let x = TchTensor::new(laid_out(&x.tensor));
        let [scale, shift] = [&weight, &bias].map(|parameter| beside(&x.tensor, &parameter.tensor));
        let (batch, channels, height, width) = x.tensor.size4().expect("four dimensions");
        let (y, mean, inverse_sd) = x.tensor.native_group_norm(
            Some(&scale),
            Some(&shift),
            batch,
            channels,
            height * width,
            self.groups,
            self.eps,
        );
        let [y, mean, inverse_sd] = [y.to_kind(kind), mean, inverse_sd].map(TchTensor::new);
        (y, Saved { x, weight, mean, inverse_sd })
    }

    fn backward(&self, grad: TchTensor, saved: Saved, _: [bool; 3]) -> [Option<TchTensor>; 3] {
        let Saved { x, weight, mean, inverse_sd } = saved;
        let kind = grad.tensor.kind();
        let grad = laid_out_as(&x.tensor, grad.tensor).to_kind(x.tensor.kind());
        let scale = beside(&x.tensor, &weight.tensor);
        let mut out = [null_mut(); 3];
        // Safety: all pointers are valid for the call, and there is room for three results, which are owned below.
        ffi::check(unsafe {
            ffi::pretext_group_norm_backward(
                ffi::borrow(&grad),
                ffi::borrow(&x.tensor),
                ffi::borrow(&mean.tensor),
                ffi::borrow(&inverse_sd.tensor),
                ffi::borrow(&scale),
                self.groups,
                out.as_mut_ptr(),
            )
        });
        let [of_x, of_weight, of_bias] = out.map(ffi::own);
        let own = |gradient: Tch| gradient.to_kind(weight.tensor.kind());
        [of_x.to_kind(kind), own(of_weight), own(of_bias)].map(|gradient| Some(TchTensor::new(gradient)))
    }
}

/// As libtorch's kernels read memory: channels last on a processor, channel by channel on a GPU. There statistics have the format of the
/// input, of which bfloat16 leaves gradients 2 % off (seen on an H200): float32 in its place.
fn laid_out(x: &Tch) -> Tch {
    match (x.device(), x.kind()) {
        (tch::Device::Cpu, _) => in_channels_last(x),
        (_, tch::Kind::BFloat16) => x.to_kind(tch::Kind::Float).contiguous(),
        _ => x.contiguous(),
    }
}
