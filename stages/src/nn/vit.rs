//! Vision Transformer (Dosovitskiy et al. 2021, arXiv:2010.11929), in the tiny size of DeiT (Touvron et al. 2021,
//! arXiv:2012.12877, table 1): 12 blocks of width 192 with 3 heads.
//! In what it differs from them is said in [`super::encoder::DEVIATIONS`].

use super::Init;
use super::encoder::{Architecture, EncoderConfig, Library, Map, Positions, Tokens};
use super::layers::{Conv2d, LayerNorm, Mode};
use super::ops;
use super::transformer::{Block, HEADS, UNIT, positions};
use anyhow::{Result, ensure};
use burn::module::{Module, Param};
use burn::tensor::{Int, Tensor};

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

const DEPTH: usize = 12;

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
            blocks: (0..spec.depth).map(|_| Block::new(init, spec.width, spec.heads)).collect(),
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

    fn patch(&self) -> Option<usize> {
        Some(self.patch)
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::nn::state;
    use crate::train::{Optimiser, OptimiserConfig};
    use burn::tensor::Device;

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
