//! Vision Transformer (Dosovitskiy et al. 2021, arXiv:2010.11929), in the tiny size of DeiT (Touvron et al. 2021,
//! arXiv:2012.12877, table 1): 12 blocks of width 192 with 3 heads.
//! In what it differs from them is said in [`super::encoder::DEVIATIONS`].

use super::Init;
use super::encoder::{Architecture, EncoderConfig, Library, Map, Positions, Tokens};
use super::layers::{Conv2d, LayerNorm, Linear, Mode};
use super::ops;
use anyhow::{Result, ensure};
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
    /// Rows and columns of patches, where each has a position that is learned.
    pub grid: Option<[usize; 2]>,
}

const HEADS: usize = 3;
const DEPTH: usize = 12;
/// Positions by sines and cosines of rows and columns, and heads, divide a token's numbers.
const UNIT: usize = 4 * HEADS;

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
    /// `[1 + patches, width]`: of the class token and of each patch, where they are learned.
    positions: Option<Param<Tensor<2>>>,
    blocks: Vec<Block>,
    norm: LayerNorm,
    width: usize,
    patch: usize,
    /// Of what positions are learned; zero where they are fixed.
    rows: usize,
    columns: usize,
}

impl ViT {
    pub fn new(init: &mut Init, channels: usize, spec: ViTSpec) -> Self {
        let small = |init: &mut Init, rows: usize| init.normal([rows, spec.width]) * 0.02;
        let [rows, columns] = spec.grid.unwrap_or_default();
        Self {
            patches: Conv2d::patches(init, channels, spec.width, spec.patch),
            class_token: Param::from_tensor(init.normal([spec.width]) * 0.02),
            positions: spec.grid.map(|_| Param::from_tensor(small(init, 1 + rows * columns))),
            blocks: (0..spec.depth).map(|_| Block::new(init, spec)).collect(),
            norm: LayerNorm::new(init, spec.width),
            width: spec.width,
            patch: spec.patch,
            rows,
            columns,
        }
    }

    /// `[batch, 1 + patches, width]` behind the last block, the class token first, and the grid of all patches. Image sides are multiples
    /// of the patch's.
    fn run(&self, x: Tensor<4>, keep: Option<Tensor<2, Int>>) -> (Tensor<3>, [usize; 2]) {
        let map = self.patches.forward(x); // [batch, width, rows, columns]
        let [batch, width, rows, columns] = map.dims();
        let dtype = map.dtype();
        let patches = map.flatten::<3>(2, 3).swap_dims(1, 2); // [batch, rows columns, width]
        let learned = self.positions.as_ref().map(|positions| positions.val().unsqueeze::<3>().cast(dtype));
        let of_patches = match &learned {
            Some(positions) => positions.clone().narrow(1, 1, rows * columns),
            None => positions(rows, columns, self.width, &patches.device()).cast(dtype),
        };
        let mut patches = patches.clone() + of_patches;
        if let Some(keep) = keep {
            let kept = keep.dims()[1];
            patches = patches.gather(1, keep.unsqueeze_dim::<3>(2).expand([batch, kept, width]));
        }
        let mut class_token = self.class_token.val().cast(dtype).unsqueeze::<3>();
        if let Some(positions) = learned {
            class_token = class_token + positions.narrow(1, 0, 1);
        }
        let tokens = Tensor::cat(vec![class_token.expand([batch, 1, width]), patches], 1);
        (self.blocks.iter().fold(tokens, |x, block| block.forward(x)), [rows, columns])
    }
}

impl Architecture for ViT {
    fn check(config: &EncoderConfig) -> Result<()> {
        config.draws_its_own("vit_tiny")?;
        ensure!(
            config.width.is_multiple_of(UNIT as u32),
            "encoder.width is {}: a vit_tiny needs a multiple of {UNIT}",
            config.width
        );
        Ok(())
    }

    fn build(config: &EncoderConfig, init: &mut Init, [channels, height, width]: [usize; 3]) -> Self {
        let patch = config.patch as usize;
        let spec = ViTSpec {
            patch,
            width: config.width_or(192),
            depth: if config.depth == 0 { DEPTH } else { config.depth as usize },
            heads: HEADS,
            grid: (config.positions == Positions::Learned).then_some([height / patch, width / patch]),
        };
        Self::new(init, channels, spec)
    }

    fn name(&self) -> &'static str {
        "a Vision Transformer"
    }

    fn takes(&self, [height, width]: [usize; 2]) -> Result<()> {
        let Self { patch, rows, columns, .. } = self;
        ensure!(
            height.is_multiple_of(*patch) && width.is_multiple_of(*patch),
            "encoder.patch is {patch} and the images or their views have {height} x {width} pixels, which are no multiples \
             of it: choose another `patch`, or other sizes of the views"
        );
        ensure!(
            self.positions.is_none() || [height, width] == [rows * patch, columns * patch],
            "encoder.positions is learned, for images of {} x {} pixels, and these images or views have {height} x {width}: use views of \
             the images' own size, or `positions: fixed`",
            rows * patch,
            columns * patch
        );
        Ok(())
    }

    fn features(&self) -> usize {
        self.width
    }

    /// Its patches and its blocks, the last with the norm behind it.
    fn layer_of(&self, name: &[&str]) -> usize {
        match name {
            ["blocks", block, ..] => 1 + block.parse::<usize>().expect("blocks are numbered"),
            ["norm", ..] => self.blocks.len(),
            _ => 0,
        }
    }

    fn name_in(&self, library: Library, name: &[&str]) -> Option<String> {
        (library == Library::Timm).then(|| match name {
            ["patches", leaf] => format!("patch_embed.proj.{leaf}"),
            ["class_token"] => "cls_token".to_owned(),
            ["positions"] => "pos_embed".to_owned(),
            ["blocks", block, layer @ ("qkv" | "proj"), leaf] => format!("blocks.{block}.attn.{layer}.{leaf}"),
            ["blocks", block, layer @ ("fc1" | "fc2"), leaf] => format!("blocks.{block}.mlp.{layer}.{leaf}"),
            _ => name.join("."),
        })
    }

    fn shape_in(&self, _: Library, name: &[&str], own: &[i64]) -> Vec<i64> {
        match (name, own) {
            (["class_token"], &[width]) => vec![1, 1, width],
            (["positions"], &[tokens, width]) => vec![1, tokens, width],
            _ => own.to_vec(),
        }
    }

    /// The class token's.
    fn pooled(&self, x: Tensor<4>, _: Mode) -> Tensor<2> {
        let (tokens, _) = self.run(x, None);
        ops::float32(self.norm.forward(tokens.narrow(1, 0, 1)).squeeze_dim(1))
    }

    /// One, of its patches.
    fn maps(&self, x: Tensor<4>, mode: Mode) -> Option<Vec<Map>> {
        let Tokens { patches, grid: [rows, columns], .. } = self.tokens(x, None, mode)?;
        let batch = patches.dims()[0];
        let x = patches.reshape([batch, rows, columns, self.width]).permute([0, 3, 1, 2]);
        Some(vec![Map { stride: self.patch, x }])
    }

    fn tokens(&self, x: Tensor<4>, keep: Option<Tensor<2, Int>>, _: Mode) -> Option<Tokens> {
        let (tokens, grid) = self.run(x, keep);
        let tokens = ops::float32(self.norm.forward(tokens));
        let patches = tokens.dims()[1] - 1;
        Some(Tokens {
            class: tokens.clone().narrow(1, 0, 1).squeeze_dim(1),
            patches: tokens.narrow(1, 1, patches),
            grid,
        })
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
        let spec = ViTSpec { patch: 4, width: 12, depth: 12, heads: 3, grid: None };
        let vit = ViT::new(&mut Init::new(0, &device), 3, spec);
        state::restore(&vit, &expected).unwrap();
        let features = vit.pooled(tensor::<4>(&expected["image"], &device), Mode::Eval);
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
