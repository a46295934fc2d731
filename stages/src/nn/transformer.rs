//! What Vision Transformers and the decoders behind them are made of.

use super::Init;
use super::layers::{LayerNorm, Linear};
use super::ops;
use burn::module::Module;
use burn::tensor::activation::gelu;
use burn::tensor::{Device, Int, Tensor};

pub const HEADS: usize = 3;
/// Positions by sines and cosines of rows and columns, and heads, divide a token's numbers.
pub const UNIT: usize = 4 * HEADS;

/// The hidden layer of a block's MLP is this many times as wide as the block.
const MLP_RATIO: usize = 4;

/// Attention, then an MLP, each with a norm before it and its input added (pre-norm).
#[derive(Module, Debug)]
pub struct Block {
    norm1: LayerNorm,
    qkv: Linear,
    proj: Linear,
    norm2: LayerNorm,
    fc1: Linear,
    fc2: Linear,
    heads: usize,
}

impl Block {
    pub fn new(init: &mut Init, width: usize, heads: usize) -> Self {
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
    pub fn forward(&self, x: Tensor<3>) -> Tensor<3> {
        let attended = ops::self_attention(self.qkv.forward(self.norm1.forward(x.clone())), self.heads);
        let x = x + self.proj.forward(attended);
        let hidden = gelu(self.fc1.forward(self.norm2.forward(x.clone())));
        x + self.fc2.forward(hidden)
    }
}

/// `[1, rows columns, width]`: half of the numbers of a place say its row, half its column, each by sines and cosines of
/// wavelengths from 2 pi to 20,000 pi (Vaswani et al. 2017, section 3.5).
pub fn positions(rows: usize, columns: usize, width: usize, device: &Device) -> Tensor<3> {
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
