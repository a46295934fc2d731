//! Vision Transformer (Dosovitskiy et al. 2021, arXiv:2010.11929), in the tiny size of DeiT (Touvron et al. 2021,
//! arXiv:2012.12877, table 1): 12 blocks of width 192 with 3 heads.
//! In what it differs from them is said in [`super::encoder::DEVIATIONS`].

use super::Init;
use super::layers::{Conv2d, LayerNorm, Linear};
use super::ops;
use burn::module::{Module, Param};
use burn::tensor::activation::gelu;
use burn::tensor::{Device, Int, Tensor};

/// What tells one from another.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ViTSpec {
    /// Pixels of a patch's side.
    pub patch: usize,
    pub width: usize,
    pub depth: usize,
    pub heads: usize,
}

/// The hidden layer of a block's MLP is this many times as wide as the block.
const MLP_RATIO: usize = 4;

#[derive(Module, Debug)]
struct Block {
    norm1: LayerNorm,
    qkv: Linear,
    proj: Linear,
    norm2: LayerNorm,
    fc1: Linear,
    fc2: Linear,
    heads: usize,
}

impl Block {
    fn new(init: &mut Init, ViTSpec { width, heads, .. }: ViTSpec) -> Self {
        Self {
            norm1: LayerNorm::new(init, width),
            qkv: Linear::glorot(init, width, 3 * width, 3),
            proj: Linear::glorot(init, width, width, 1),
            norm2: LayerNorm::new(init, width),
            fc1: Linear::glorot(init, width, MLP_RATIO * width, 1),
            fc2: Linear::glorot(init, MLP_RATIO * width, width, 1),
            heads,
        }
    }

    /// `[batch, tokens, width]` to the same.
    fn forward(&self, x: Tensor<3>) -> Tensor<3> {
        let attended = ops::self_attention(self.qkv.forward(self.norm1.forward(x.clone())), self.heads);
        let x = x + self.proj.forward(attended);
        let hidden = gelu(self.fc1.forward(self.norm2.forward(x.clone())));
        x + self.fc2.forward(hidden)
    }
}

#[derive(Module, Debug)]
pub struct ViT {
    patches: Conv2d,
    /// `[width]`
    class_token: Param<Tensor<1>>,
    blocks: Vec<Block>,
    norm: LayerNorm,
    width: usize,
}

impl ViT {
    pub fn new(init: &mut Init, spec: ViTSpec) -> Self {
        Self {
            patches: Conv2d::patches(init, 3, spec.width, spec.patch),
            class_token: Param::from_tensor(init.normal([spec.width]) * 0.02),
            blocks: (0..spec.depth).map(|_| Block::new(init, spec)).collect(),
            norm: LayerNorm::new(init, spec.width),
            width: spec.width,
        }
    }

    pub fn blocks(&self) -> usize {
        self.blocks.len()
    }

    /// Length of a feature vector.
    pub fn features(&self) -> usize {
        self.width
    }

    /// `[batch, 3, h, w]` to the class token's `[batch, width]`. Image sides are multiples of the patch's.
    pub fn forward(&self, x: Tensor<4>) -> Tensor<2> {
        let map = self.patches.forward(x); // [batch, width, rows, columns]
        let [batch, _, rows, columns] = map.dims();
        let dtype = map.dtype();
        let patches = map.flatten::<3>(2, 3).swap_dims(1, 2); // [batch, rows columns, width]
        let patches = patches.clone() + positions(rows, columns, self.width, &patches.device()).cast(dtype);
        let class_token = self.class_token.val().cast(dtype).unsqueeze::<3>().expand([batch, 1, self.width]);
        let tokens = Tensor::cat(vec![class_token, patches], 1);
        let tokens = self.blocks.iter().fold(tokens, |x, block| block.forward(x));
        self.norm.forward(tokens.narrow(1, 0, 1)).squeeze_dim(1)
    }
}

/// `[1, rows columns, width]`: half of the numbers of a place say its row, half its column, each by sines and cosines of
/// wavelengths from 2 pi to 20,000 pi (Vaswani et al. 2017, section 3.5).
fn positions(rows: usize, columns: usize, width: usize, device: &Device) -> Tensor<3> {
    let waves = width / 4;
    let steps = |n: usize| Tensor::<1, Int>::arange(0..n as i64, device).float();
    let frequencies = (steps(waves) * (-(10_000f64.ln()) / waves as f64)).exp().unsqueeze_dim::<2>(0); // [1, waves]
    let code = |n: usize| {
        let angles = steps(n).unsqueeze_dim::<2>(1) * frequencies.clone(); // [n, waves]
        Tensor::cat(vec![angles.clone().sin(), angles.cos()], 1) // [n, width / 2]
    };
    let by_row = code(rows).unsqueeze_dim::<3>(1).expand([rows, columns, width / 2]);
    let by_column = code(columns).unsqueeze_dim::<3>(0).expand([rows, columns, width / 2]);
    Tensor::cat(vec![by_row, by_column], 2).reshape([1, rows * columns, width])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::nn::state;
    use crate::train::{Optimiser, OptimiserConfig};

    /// Made by `generate.py` beside it, with PyTorch's own Transformer.
    const EXPECTED: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/vit/expected.safetensors");

    #[test]
    fn features_and_gradients_are_those_of_pytorchs_transformer() {
        let expected = state::load(EXPECTED.as_ref()).unwrap();
        let device = crate::nn::device("cpu").unwrap().autodiff();
        let vit = ViT::new(&mut Init::new(0, &device), ViTSpec { patch: 4, width: 12, depth: 12, heads: 3 });
        state::restore(&vit, &expected).unwrap();
        let features = vit.forward(tensor::<4>(&expected["image"], &device));
        assert_close("features", &ops::raw(&features), &expected["features"]);
        let grads = (features * tensor::<2>(&expected["upstream"], &device)).sum().backward();
        let mut optimiser = Optimiser::new(&vit, &OptimiserConfig::default());
        optimiser.add(&vit, grads);
        let mut compared = 0;
        for (name, gradient) in optimiser.state() {
            if let Some(expected) = expected.get(&name) {
                assert_close(&name, &gradient, expected);
                compared += 1;
            }
        }
        assert_eq!(compared, 17, "of patches, class token, a block and the last norm");
    }

    fn tensor<const D: usize>(values: &tch::Tensor, device: &Device) -> Tensor<D> {
        let shape: Vec<usize> = values.size().iter().map(|&n| n as usize).collect();
        let values = Vec::<f32>::try_from(&values.flatten(0, -1)).unwrap();
        Tensor::from_data(burn::tensor::TensorData::new(values, shape), device)
    }

    fn assert_close(name: &str, got: &tch::Tensor, expected: &tch::Tensor) {
        assert_eq!(got.size(), expected.size(), "{name}");
        let worst = (got - expected).abs().max().double_value(&[]);
        // Float32 through 12 blocks.
        assert!(worst <= 1e-4 * expected.abs().max().double_value(&[]), "{name} is off by {worst:e}");
    }
}
