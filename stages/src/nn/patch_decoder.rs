use super::encoder::Tokens;
use super::layers::{LayerNorm, Linear};
use super::transformer::{Block, HEADS, UNIT, positions};
use super::{HeadConfig, Init};
use anyhow::{Result, ensure};
use burn::module::{Module, Param};
use burn::tensor::{Int, Tensor};

/// What an encoder says of some patches of an image to the values of all of them (He et al. 2021, arXiv:2111.06377, section 3): a narrow
/// transformer, in which one token, that is learned, stands wherever a patch is missing.
#[derive(Module, Debug)]
pub struct PatchDecoder {
    embed: Linear,
    /// `[width]`
    mask_token: Param<Tensor<1>>,
    blocks: Vec<Block>,
    norm: LayerNorm,
    to_values: Linear,
}

impl PatchDecoder {
    /// An error where no transformer has this width.
    pub fn check(width: usize) -> Result<()> {
        ensure!(width.is_multiple_of(UNIT), "decoder_width is {width}: write a multiple of {UNIT}");
        Ok(())
    }

    /// From tokens of `features` numbers to patches of `values`, by `depth` blocks of `width`, a multiple of 12.
    pub fn new(init: &mut Init, features: usize, values: usize, width: usize, depth: usize) -> Self {
        Self {
            embed: Linear::glorot(init, features, width, 1),
            mask_token: Param::from_tensor(init.normal([width]) * 0.02),
            blocks: (0..depth).map(|_| Block::new(init, width, HEADS)).collect(),
            norm: LayerNorm::new(init, width),
            to_values: Linear::glorot(init, width, values, 1),
        }
    }

    /// How it is built.
    pub fn config(&self) -> HeadConfig {
        let ([width, features], [values, _]) = (self.embed.dims(), self.to_values.dims());
        HeadConfig::PatchDecoder { features, values, width, depth: self.blocks.len() }
    }

    /// `places`, `[batch, patches]`: where each patch of an image, row by row, is found among those that were `seen` (in their order), and
    /// behind them those that were not. Gives `[batch, patches, values]`.
    pub fn forward(&self, seen: Tokens, places: Tensor<2, Int>) -> Tensor<3> {
        let Tokens { class, patches, grid: [rows, columns] } = seen;
        let [batch, kept, _] = patches.dims();
        let [width, _] = self.embed.dims();
        let seen = self.embed.forward(Tensor::cat(vec![class.unsqueeze_dim::<3>(1), patches], 1));
        let missing = self.mask_token.val().cast(seen.dtype()).unsqueeze::<3>();
        let missing = missing.expand([batch, rows * columns - kept, width]);
        let tokens = Tensor::cat(vec![seen.clone().narrow(1, 1, kept), missing], 1);
        let places = places.unsqueeze_dim::<3>(2).expand([batch, rows * columns, width]);
        let tokens = tokens.gather(1, places) + positions(rows, columns, width, &seen.device()).cast(seen.dtype());
        let tokens = Tensor::cat(vec![seen.narrow(1, 0, 1), tokens], 1);
        let tokens = self.blocks.iter().fold(tokens, |x, block| block.forward(x)); // [batch, 1 + patches, width]
        self.to_values.forward(self.norm.forward(tokens.narrow(1, 1, rows * columns)))
    }
}
