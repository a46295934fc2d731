//! Layers on our own operations. Names of parameters are PyTorch's.

use super::Init;
use super::ops::{self, ConvSpec, NormSpec, NormTensors};
use super::sparse::Seen;
use burn::module::{Module, Param, RunningState};
use burn::tensor::Tensor;

/// Which statistics a batch norm uses.
#[derive(Debug, Clone, Copy)]
pub enum Mode<'a> {
    /// The batch's, and updates its running ones.
    Train,
    /// The running ones.
    Eval,
    /// One of these, of images that are shown in part, by networks of convolutions with their norms
    /// ([`super::encoder::Encoder::can_be_sparse`]).
    Sparse { seen: &'a Seen, train: bool },
}

impl<'a> Mode<'a> {
    fn uses_the_batch(self) -> bool {
        matches!(self, Self::Train | Self::Sparse { train: true, .. })
    }

    /// What is shown, where that is a part.
    pub fn seen(self) -> Option<&'a Seen> {
        match self {
            Self::Sparse { seen, .. } => Some(seen),
            Self::Train | Self::Eval => None,
        }
    }
}

/// Convolution, without bias where a batch norm follows.
#[derive(Module, Debug)]
pub struct Conv2d {
    /// `[out, in, kernel, kernel]`, channels-last.
    weight: Param<Tensor<4>>,
    bias: Option<Param<Tensor<1>>>,
    stride: usize,
    padding: usize,
    groups: usize,
    /// Padded as TensorFlow pads, in place of `padding`.
    same: bool,
}

impl Conv2d {
    /// Without bias; padded so that stride 1 keeps the image's size.
    pub fn new(init: &mut Init, channels_in: usize, channels_out: usize, kernel: usize, stride: usize) -> Self {
        let weight = init.convolution([channels_out, channels_in, kernel, kernel]);
        Self::of(weight, None, stride, kernel / 2)
    }

    /// Each channel by itself.
    pub fn depthwise(init: &mut Init, channels: usize, kernel: usize, stride: usize) -> Self {
        let weight = init.convolution([channels, 1, kernel, kernel]);
        Self { groups: channels, ..Self::of(weight, None, stride, kernel / 2) }
    }

    /// Each patch of `size` x `size` pixels to one place, with bias: a linear layer on patches, and drawn as one.
    pub fn patches(init: &mut Init, channels_in: usize, channels_out: usize, size: usize) -> Self {
        let inputs = channels_in * size * size;
        let weight = init.glorot([channels_out, channels_in, size, size], inputs, channels_out);
        Self::of(weight, Some(Tensor::zeros([channels_out], &init.device)), size, 0)
    }

    /// With bias, drawn as ConvNeXt's; its groups are told by the weights.
    pub fn convnext(init: &mut Init, shape: [usize; 4], channels_in: usize, stride: usize, padding: usize) -> Self {
        let bias = Tensor::zeros([shape[0]], &init.device);
        let weight = init.normal(shape) * CONVNEXT_SD;
        Self { groups: channels_in / shape[1], ..Self::of(weight, Some(bias), stride, padding) }
    }

    /// With weights `[out, in, kernel, kernel]` as they are given, and a bias that is the same for all channels; padded so that the
    /// image keeps its size.
    pub fn with_bias(init: &Init, weight: Tensor<4>, bias: f32) -> Self {
        let [channels, _, kernel, _] = weight.dims();
        Self::of(weight, Some(Tensor::zeros([channels], &init.device) + bias), 1, kernel / 2)
    }

    fn of(weight: Tensor<4>, bias: Option<Tensor<1>>, stride: usize, padding: usize) -> Self {
        let weight = Param::from_tensor(ops::channels_last(weight));
        Self { weight, bias: bias.map(Param::from_tensor), stride, padding, groups: 1, same: false }
    }

    /// `[batch, in, h, w]` to `[batch, out, h / stride, w / stride]`.
    pub fn forward(&self, x: Tensor<4>) -> Tensor<4> {
        let (x, padding) = if self.same { (self.padded_like_tensorflow(x), 0) } else { (x, self.padding) };
        let spec = ConvSpec { stride: self.stride, padding, groups: self.groups, ..ConvSpec::default() };
        ops::conv2d(x, self.weight.val(), self.bias.as_ref().map(Param::val), spec)
    }

    /// Zeros around the image, so that there are `h / stride` places, rounded up; where they are odd, one more at the end.
    fn padded_like_tensorflow(&self, x: Tensor<4>) -> Tensor<4> {
        let [_, _, height, width] = x.dims();
        let [_, _, kernel, _] = self.weight.dims();
        let around = |size: usize| {
            let needed = (size.div_ceil(self.stride) - 1) * self.stride + kernel;
            let zeros = needed.saturating_sub(size);
            (zeros / 2, zeros - zeros / 2)
        };
        let ((top, bottom), (left, right)) = (around(height), around(width));
        x.pad((left, right, top, bottom), 0.0)
    }
}

/// Of a ConvNeXt's first weights (Liu et al. 2022, arXiv:2201.03545, table 5).
const CONVNEXT_SD: f32 = 0.02;

const NORM_MOMENTUM: f64 = 0.1;
const NORM_EPS: f64 = 1e-5;
const TENSORFLOW_NORM_EPS: f64 = 1e-3;
const LAYER_NORM_EPS: f64 = 1e-6;

/// Batch normalisation over every dimension but the channels (Ioffe & Szegedy 2015), momentum 0.1.
#[derive(Module, Debug)]
pub struct BatchNorm {
    weight: Param<Tensor<1>>,
    bias: Param<Tensor<1>>,
    running_mean: RunningState<Tensor<1>>,
    running_var: RunningState<Tensor<1>>,
    /// Added to the variance: 1e-5, unless weights of others are of another.
    eps: f64,
}

impl BatchNorm {
    pub fn new(init: &Init, channels: usize) -> Self {
        let (ones, zeros) = (|| Tensor::ones([channels], &init.device), || Tensor::zeros([channels], &init.device));
        Self {
            weight: Param::from_tensor(ones()),
            bias: Param::from_tensor(zeros()),
            running_mean: RunningState::new(zeros()),
            running_var: RunningState::new(ones()),
            eps: NORM_EPS,
        }
    }

    pub fn forward<const D: usize>(&self, x: Tensor<D>, mode: Mode) -> Tensor<D> {
        ops::batch_norm(x, None, self.tensors(), self.spec(mode, false))
    }

    pub fn forward_relu<const D: usize>(&self, x: Tensor<D>, mode: Mode) -> Tensor<D> {
        ops::batch_norm(x, None, self.tensors(), self.spec(mode, true))
    }

    /// Normalise, add `residual`, ReLU.
    pub fn forward_add_relu<const D: usize>(&self, x: Tensor<D>, residual: Tensor<D>, mode: Mode) -> Tensor<D> {
        ops::batch_norm(x, Some(residual), self.tensors(), self.spec(mode, true))
    }

    fn spec(&self, mode: Mode, relu: bool) -> NormSpec {
        NormSpec { train: mode.uses_the_batch(), relu, momentum: NORM_MOMENTUM, eps: self.eps }
    }

    fn tensors(&self) -> NormTensors {
        NormTensors {
            weight: self.weight.val(),
            bias: self.bias.val(),
            running_mean: self.running_mean.value(),
            running_var: self.running_var.value(),
        }
    }
}

/// A convolution and its batch norm.
#[derive(Module, Debug)]
pub struct ConvNorm {
    conv: Conv2d,
    bn: BatchNorm,
}

impl ConvNorm {
    pub fn new(init: &mut Init, channels_in: usize, channels_out: usize, kernel: usize, stride: usize) -> Self {
        Self {
            conv: Conv2d::new(init, channels_in, channels_out, kernel, stride),
            bn: BatchNorm::new(init, channels_out),
        }
    }

    /// Each channel by itself.
    pub fn depthwise(init: &mut Init, channels: usize, kernel: usize, stride: usize) -> Self {
        Self { conv: Conv2d::depthwise(init, channels, kernel, stride), bn: BatchNorm::new(init, channels) }
    }

    /// Padded as TensorFlow pads, with what its networks add to a variance.
    pub fn like_tensorflow(mut self) -> Self {
        self.conv.same = true;
        self.bn.eps = TENSORFLOW_NORM_EPS;
        self
    }

    pub fn forward(&self, x: Tensor<4>, mode: Mode) -> Tensor<4> {
        let y = self.conv.forward(x);
        match mode.seen() {
            Some(seen) => seen.of_shown(y, |places| self.bn.forward(places, mode)),
            None => self.bn.forward(y, mode),
        }
    }

    pub fn forward_relu(&self, x: Tensor<4>, mode: Mode) -> Tensor<4> {
        let y = self.conv.forward(x);
        match mode.seen() {
            Some(seen) => seen.of_shown(y, |places| self.bn.forward_relu(places, mode)),
            None => self.bn.forward_relu(y, mode),
        }
    }

    /// A ReLU that ends at 6.
    pub fn forward_relu6(&self, x: Tensor<4>, mode: Mode) -> Tensor<4> {
        self.forward(x, mode).clamp(0.0, 6.0)
    }

    pub fn forward_add_relu(&self, x: Tensor<4>, residual: Tensor<4>, mode: Mode) -> Tensor<4> {
        match mode.seen() {
            Some(_) => ops::relu(self.forward(x, mode) + residual),
            None => self.bn.forward_add_relu(self.conv.forward(x), residual, mode),
        }
    }
}

/// `x weight^T + bias`.
#[derive(Module, Debug)]
pub struct Linear {
    /// `[out, in]`
    weight: Param<Tensor<2>>,
    bias: Option<Param<Tensor<1>>>,
}

impl Linear {
    pub fn new(init: &mut Init, inputs: usize, outputs: usize) -> Self {
        let weight = Param::from_tensor(init.uniform([outputs, inputs], inputs));
        Self { weight, bias: Some(Param::from_tensor(init.uniform([outputs], inputs))) }
    }

    /// For a batch norm to follow.
    pub fn without_bias(init: &mut Init, inputs: usize, outputs: usize) -> Self {
        Self { weight: Param::from_tensor(init.uniform([outputs, inputs], inputs)), bias: None }
    }

    /// Drawn by fan-in and fan-out (Glorot & Bengio 2010), `parts` layers side by side each by its own; no bias at first.
    pub fn glorot(init: &mut Init, inputs: usize, outputs: usize, parts: usize) -> Self {
        let weight = Param::from_tensor(init.glorot([outputs, inputs], inputs, outputs / parts));
        Self { weight, bias: Some(Param::from_tensor(Tensor::zeros([outputs], &init.device))) }
    }

    /// `[out, in]`
    pub fn dims(&self) -> [usize; 2] {
        self.weight.dims()
    }

    /// Changes its weights so that it makes of inputs what it made of `(inputs - mean) * scale`, `[1, in]` both.
    pub fn take_inputs_from(&self, mean: &Tensor<2>, scale: &Tensor<2>) {
        let bias = self.bias.as_ref().expect("a layer without bias has nowhere to put a mean");
        ops::take_inputs_from(&self.weight.val(), &bias.val(), mean, scale);
    }

    /// Drawn as ConvNeXt's; no bias at first.
    pub fn convnext(init: &mut Init, inputs: usize, outputs: usize) -> Self {
        let weight = Param::from_tensor(init.normal([outputs, inputs]) * CONVNEXT_SD);
        Self { weight, bias: Some(Param::from_tensor(Tensor::zeros([outputs], &init.device))) }
    }

    /// `[..., in]` to `[..., out]`.
    pub fn forward<const D: usize>(&self, x: Tensor<D>) -> Tensor<D> {
        ops::linear(x, self.weight.val(), self.bias.as_ref().map(Param::val))
    }
}

/// Layer normalisation over the last dimension, eps 1e-6 (as torchvision's Vision Transformer).
#[derive(Module, Debug)]
pub struct LayerNorm {
    weight: Param<Tensor<1>>,
    bias: Param<Tensor<1>>,
}

impl LayerNorm {
    pub fn new(init: &Init, features: usize) -> Self {
        let (ones, zeros) = (Tensor::ones([features], &init.device), Tensor::zeros([features], &init.device));
        Self { weight: Param::from_tensor(ones), bias: Param::from_tensor(zeros) }
    }

    /// `[..., features]` to the same.
    pub fn forward<const D: usize>(&self, x: Tensor<D>) -> Tensor<D> {
        ops::layer_norm(x, self.weight.val(), self.bias.val(), LAYER_NORM_EPS)
    }
}

/// Group normalisation, eps 1e-5 (as PyTorch's).
#[derive(Module, Debug)]
pub struct GroupNorm {
    weight: Param<Tensor<1>>,
    bias: Param<Tensor<1>>,
    groups: usize,
}

impl GroupNorm {
    /// `groups` divides the channels.
    pub fn new(init: &Init, channels: usize, groups: usize) -> Self {
        let (ones, zeros) = (Tensor::ones([channels], &init.device), Tensor::zeros([channels], &init.device));
        Self { weight: Param::from_tensor(ones), bias: Param::from_tensor(zeros), groups }
    }

    /// `[batch, channels, h, w]` to the same.
    pub fn forward(&self, x: Tensor<4>) -> Tensor<4> {
        ops::group_norm(x, self.weight.val(), self.bias.val(), self.groups, NORM_EPS)
    }
}

/// Mean over the image, in float32: `[batch, channels, height, width]` to `[batch, channels]`.
pub fn global_average_pool(x: Tensor<4>) -> Tensor<2> {
    let [batch, channels, _, _] = x.dims();
    ops::float32(x).mean_dims(&[2, 3]).reshape([batch, channels])
}
