//! Masked autoencoder (He et al. 2021, arXiv:2111.06377): restore the patches of an image that the encoder was not shown. It sees a quarter
//! of them (section 3), a light decoder then draws all, and the loss is the mean squared error of the masked ones, each of which is
//! normalised by its own mean and deviation.

use super::shared::patches::{columns, crops_and_flips, kept, masked_patch_error, optimiser};
use super::shared::pretrain::{Common, ENCODERS, Inputs, TRAINED, pretrain};
use crate::augment::masking::patch_order;
use crate::augment::{Batch, Wants};
use crate::context::Context;
use crate::nn::encoder::{Encoder, EncoderConfig, EncoderKind};
use crate::nn::layers::Mode;
use crate::nn::state::Part;
use crate::nn::{HeadConfig, Init, PatchDecoder, ops};
use crate::stage::{About, Deviations, Stage};
use crate::train::{At, Objective, Term};
use anyhow::{Result, ensure};
use burn::tensor::{Device, Int, Tensor};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub struct Mae;

#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct Params {
    #[serde(flatten)]
    common: Common,
    /// share of an image's patches that the encoder does not see
    #[schemars(extend("exclusiveMinimum" = 0, "exclusiveMaximum" = 1))]
    mask_ratio: f64,
    /// of the decoder's tokens, a multiple of 12
    #[schemars(range(min = 12, max = 1024), extend("x-unit" = "channels"))]
    decoder_width: u32,
    /// how many blocks the decoder has, of 3 heads each
    #[schemars(range(min = 1, max = 48), extend("x-unit" = "blocks"))]
    decoder_depth: u32,
}

impl Default for Params {
    fn default() -> Self {
        let encoder = EncoderConfig::of(EncoderKind::VitTiny);
        let common = Common { encoder, optimiser: optimiser(), ..Common::default() };
        Self { common, mask_ratio: 0.75, decoder_width: 96, decoder_depth: 2 }
    }
}

impl Stage for Mae {
    type Params = Params;
    const ABOUT: About = About {
        name: "pretrain/mae",
        summary: "Masked autoencoder: restore the patches that the encoder was not shown (He et al. 2021, arXiv:2111.06377)",
        docs: "For encoders that work on patches (`encoder.kind: vit_tiny`). Which are masked is drawn anew in every epoch, of each image the \
               same number. An image counts once in `images`, though only the patches that are seen pass through the network. Without views: \
               crops of a fifth of the area at least, and flips. drawn.png shows images, what of them is seen, and what is restored, to \
               which the true mean and deviation of each patch are given back, since the network is not asked for them. What it has learned \
               shows by fine-tuning (`eval/finetune` with `layer_decay`) more than by kNN or a linear probe (section 4.3).",
        deviations: &[
            Deviations::from_paper(&[
                "batch, learning rate and length are parameters, whose defaults are for small images on one machine: adamw's rate is .001, \
                 where the paper has .00015 for each 256 images of a batch, and warm-up takes one epoch, where it takes 40 of 800",
                "the decoder has, unless `decoder_width` and `decoder_depth` say otherwise, 2 blocks of width 96 with 3 heads, where the \
                 paper's has 8 of width 512 with 16",
                "crops are scaled bilinearly, where the paper's are bicubically",
                "positions name a patch's row first, where the authors' code has its column first: another order of the same numbers",
            ]),
            ENCODERS,
        ],
        ..TRAINED
    };

    fn run(params: Params, context: &Context) -> Result<()> {
        PatchDecoder::check(params.decoder_width as usize)?;
        let inputs = Inputs::open(context, crops_and_flips(LEAST_AREA))?;
        let size = inputs.size_of_view();
        pretrain(&params.common, &inputs, context, |init, encoder, data| {
            Ok(Box::new(MaskedReconstruction::new(init, encoder, data.channels, size, &params)?))
        })
    }
}

/// Appendix A.1, table 8.
const LEAST_AREA: f32 = 0.2;

struct MaskedReconstruction {
    decoder: PatchDecoder,
    mask_ratio: f64,
    /// Pixels of a patch's side.
    patch: usize,
}

impl MaskedReconstruction {
    fn new(
        init: &mut Init,
        encoder: &Encoder,
        channels: usize,
        [height, width]: [usize; 2],
        params: &Params,
    ) -> Result<Self> {
        let &Params { mask_ratio, decoder_width, decoder_depth, .. } = params;
        let patch = encoder.patch()?;
        let values = patch * patch * channels;
        ensure!(
            values > 1,
            "encoder.patch is 1 and images have one channel: a patch of one value is its own mean, so write a larger `patch`"
        );
        let patches = (height / patch) * (width / patch);
        let kept = kept(patches, mask_ratio);
        ensure!(
            (1..patches).contains(&kept),
            "mask_ratio is {mask_ratio}, by which {kept} of {patches} patches would be seen (views have {height} x {width} pixels, and a \
             patch {patch} x {patch}): change it, or lower encoder.patch, so that some are seen and some are not"
        );
        let decoder =
            PatchDecoder::new(init, encoder.features(), values, decoder_width as usize, decoder_depth as usize);
        Ok(Self { decoder, mask_ratio, patch })
    }

    /// Of normalised images `[batch, channels, height, width]`.
    fn mask(&self, images: &Tensor<4>, ids: &[u32], at: &At) -> Mask {
        let [_, _, height, width] = images.dims();
        let patches = (height / self.patch) * (width / self.patch);
        let orders = ids.iter().map(|&image| patch_order(patches, at.seed, at.epoch, image as usize));
        Mask::new(&orders.collect::<Vec<_>>(), kept(patches, self.mask_ratio), &images.device().inner())
    }

    /// `[batch, patches, values]`, in float32.
    fn restored(&self, encoder: &Encoder, images: Tensor<4>, mask: &Mask, mode: Mode) -> Tensor<3> {
        let seen = encoder.tokens(images, Some(mask.keep.clone()), mode).expect("its patches were asked for");
        self.decoder.forward(seen, mask.places.clone())
    }
}

impl Objective for MaskedReconstruction {
    fn wants(&self) -> Wants {
        Wants::views(1)
    }

    fn heads(&self) -> Vec<(&'static str, &dyn Part)> {
        vec![("decoder", &self.decoder)]
    }

    fn heads_to_keep(&self) -> Vec<(&'static str, HeadConfig)> {
        vec![("decoder", self.decoder.config())]
    }

    fn losses(&mut self, encoder: &Encoder, batch: Batch, at: &At) -> Vec<Term> {
        let ids = batch.ids.clone();
        let [images] = batch.into_views();
        let mask = self.mask(&images, &ids, at);
        let restored = self.restored(encoder, images.clone(), &mask, Mode::Train);
        let masked = Tensor::from_inner(mask.masked).cast(restored.dtype());
        Term::alone(masked_patch_error(restored, ops::float32(images), masked, self.patch))
    }

    fn shown(&self, encoder: &Encoder, batch: Batch, at: &At) -> Vec<Tensor<4>> {
        let ids = batch.ids.clone();
        let [images] = batch.into_views();
        let mask = self.mask(&images, &ids, at);
        let restored = self.restored(encoder, images.clone(), &mask, Mode::Eval);
        columns(images, restored, Tensor::from_inner(mask.masked), self.patch)
    }
}

/// Which patches of a batch's images the encoder sees.
struct Mask {
    /// `[batch, kept]`: the numbers of those that it does.
    keep: Tensor<2, Int>,
    /// `[batch, patches]`: each patch's place among those that are seen, and behind them those that are not.
    places: Tensor<2, Int>,
    /// `[batch, patches]`: 1 where a patch is not seen, else 0.
    masked: Tensor<2>,
}

impl Mask {
    /// Of each image's `order` of its patches the first are seen.
    fn new(orders: &[Vec<usize>], kept: usize, device: &Device) -> Self {
        let (batch, patches) = (orders.len(), orders[0].len());
        let (mut places, mut masked) = (vec![0; batch * patches], vec![0.0; batch * patches]);
        for (image, order) in orders.iter().enumerate() {
            for (place, &patch) in order.iter().enumerate() {
                places[image * patches + patch] = place as i32;
                masked[image * patches + patch] = f32::from(u8::from(place >= kept));
            }
        }
        let keep: Vec<i32> = orders.iter().flat_map(|order| &order[..kept]).map(|&patch| patch as i32).collect();
        Self {
            keep: ops::integers(&keep, device).reshape([batch, kept]),
            places: ops::integers(&places, device).reshape([batch, patches]),
            masked: ops::floats(&masked, device).reshape([batch, patches]),
        }
    }
}

#[cfg(test)]
mod tests;
