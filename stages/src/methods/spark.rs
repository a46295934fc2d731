//! SparK (Tian et al. 2023, arXiv:2301.03580): masked image modelling for convolutional networks. Patches that are masked are left out by
//! every convolution and every norm (section 3.1), a light U-Net draws the image from all scales (section 3.2), and the loss is the mean
//! squared error of the masked patches, each of which is normalised by its own mean and deviation.

use super::shared::patches::{columns, crops_and_flips, kept, masked_patch_error, optimiser, patches};
use super::shared::pretrain::{Common, ENCODERS, Inputs, TRAINED, pretrain};
use crate::augment::masking::patch_order;
use crate::augment::{Batch, Wants};
use crate::context::Context;
use crate::nn::encoder::{Encoder, EncoderConfig, EncoderKind};
use crate::nn::layers::Mode;
use crate::nn::sparse::Seen;
use crate::nn::state::Part;
use crate::nn::{Init, SparseDecoder, ops};
use crate::stage::{About, Deviations, Stage};
use crate::train::{At, Objective, Term};
use anyhow::{Result, ensure};
use burn::tensor::Tensor;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub struct Spark;

#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct Params {
    #[serde(flatten)]
    common: Common,
    /// share of an image's patches that the encoder does not see
    #[schemars(extend("exclusiveMinimum" = 0, "exclusiveMaximum" = 1))]
    mask_ratio: f64,
    /// pixels of a patch's side, a multiple of the stride of the encoder's last map; 0: that stride
    #[schemars(range(min = 0, max = 1024), extend("x-unit" = "pixels"))]
    patch: u32,
    /// channels of the decoder
    #[schemars(range(min = 1, max = 4096), extend("x-unit" = "channels"))]
    decoder_width: u32,
}

impl Default for Params {
    fn default() -> Self {
        let encoder = EncoderConfig::of(EncoderKind::Resnet20);
        let common = Common { encoder, optimiser: optimiser(), ..Common::default() };
        Self { common, mask_ratio: 0.6, patch: 0, decoder_width: 64 }
    }
}

impl Stage for Spark {
    type Params = Params;
    const ABOUT: About = About {
        name: "pretrain/spark",
        summary: "SparK: masked image modelling for convolutional networks (Tian et al. 2023, arXiv:2301.03580)",
        docs: "For encoders of convolutions with batch norms (conv4, the ResNets, MobileNetV2, EfficientNet-Lite). Which patches are masked is \
               drawn anew in every epoch, of each image the same number; an image counts once in `images`. Without views: crops of two \
               thirds of the area at least, and flips. drawn.png shows images, what of them is seen, and what is restored, to which the true \
               mean and deviation of each patch are given back, since the network is not asked for them.\n\n\
               Its batch norms' running statistics are of images that are shown in part, as in the authors' code: frozen features of whole \
               images (`features`, kNN, the linear probe) are normalised by them, and say less than fine-tuning does.",
        deviations: &[
            Deviations::from_paper(&[
                "adamw, where the paper has lamb; its rate of .0002 for each 256 images of a batch is a parameter here, .001 unless it says \
                 otherwise, and warm-up takes one epoch, where it takes 40 of 1600",
                "weight decay stays what it is, where theirs grows from .04 to .2, and gradients are not cut off at a norm of 5 unless \
                 `optimiser.clip_norm` says so",
                "patches are as large as the stride of the encoder's last map unless `patch` says otherwise, as the paper's 32 pixels are; on \
                 small images that is 4 or 8",
                "the decoder has a convolution a scale (`decoder_width`, 64), into which each scale enters behind a norm, where the paper's has two of \
                 768 channels and fewer and projects every scale first; it makes maps larger by interpolation, where the paper's learns to, \
                 and draws what lies within a place of the finest map at once; mask tokens are drawn from a normal that is not cut off",
                "crops are scaled bilinearly, where their code does it bicubically",
                "first weights are torchvision's and PyTorch's (`encoder.init`), where the authors draw theirs otherwise",
            ]),
            ENCODERS,
        ],
        ..TRAINED
    };

    fn run(params: Params, context: &Context) -> Result<()> {
        let inputs = Inputs::open(context, crops_and_flips(LEAST_AREA))?;
        let size = inputs.size_of_view();
        pretrain(&params.common, &inputs, context, |init, encoder, data| {
            Ok(Box::new(SparseRestoration::new(init, encoder, data.channels, size, &params)?))
        })
    }
}

/// As the authors' code has it.
const LEAST_AREA: f32 = 0.67;

struct SparseRestoration {
    decoder: SparseDecoder,
    /// Of an image's patches so many are seen.
    kept: usize,
    /// Pixels of a patch's side.
    patch: usize,
}

impl SparseRestoration {
    fn new(init: &mut Init, encoder: &Encoder, channels: usize, size: [usize; 2], params: &Params) -> Result<Self> {
        ensure!(
            encoder.can_be_sparse(),
            "this encoder has more than convolutions with batch norms, and cannot leave patches out: write `encoder: {{ kind: resnet20 }}`, or \
             use pretrain/mae, which is for vit_tiny"
        );
        let [height, width] = size;
        let of_maps = encoder.maps_of([channels, height, width], &init.device.clone().inner())?;
        let strides: Vec<usize> = of_maps.iter().map(|(stride, _)| *stride).collect();
        let coarsest = *strides.last().expect("an encoder has maps");
        let patch = if params.patch == 0 { coarsest } else { params.patch as usize };
        ensure!(
            patch.is_multiple_of(coarsest),
            "patch is {patch}, and places of the encoder's last map lie {coarsest} pixels apart: write a multiple of {coarsest}, or 0"
        );
        ensure!(
            height.is_multiple_of(patch) && width.is_multiple_of(patch),
            "views have {height} x {width} pixels, which patches of {patch} x {patch} do not fill: change `patch` or the views' size"
        );
        ensure!(
            patch * patch * channels > 1,
            "a patch of one value is its own mean, and nothing is left to restore: write a larger `patch`"
        );
        let patches = (height / patch) * (width / patch);
        let kept = kept(patches, params.mask_ratio);
        ensure!(
            (1..patches).contains(&kept),
            "mask_ratio is {}, by which {kept} of {patches} patches would be seen (views have {height} x {width} pixels, and a patch {patch} \
             x {patch}): change it, or use an encoder with finer maps, so that some are seen and some are not",
            params.mask_ratio
        );
        let of_maps: Vec<usize> = of_maps.into_iter().map(|(_, channels)| channels).collect();
        let decoder = SparseDecoder::new(init, &of_maps, strides[0], params.decoder_width as usize, channels);
        Ok(Self { decoder, kept, patch })
    }

    fn seen(&self, images: &Tensor<4>, ids: &[u32], at: &At) -> Seen {
        let [_, _, height, width] = images.dims();
        let grid = [height / self.patch, width / self.patch];
        let patches = grid[0] * grid[1];
        let of_image = |&image: &u32| {
            let mut seen = vec![false; patches];
            let order = patch_order(patches, at.seed, at.epoch, image as usize);
            order[..self.kept].iter().for_each(|&patch| seen[patch] = true);
            seen
        };
        Seen::new(ids.iter().flat_map(of_image).collect(), grid)
    }

    /// `[batch, patches, values]`, in float32.
    fn restored(&self, encoder: &Encoder, images: Tensor<4>, seen: &Seen, train: bool) -> Tensor<3> {
        let maps = encoder.maps(images, Mode::Sparse { seen, train }).expect("its maps were asked for");
        let mode = if train { Mode::Train } else { Mode::Eval };
        patches(self.decoder.forward(maps, seen, mode), self.patch)
    }

    /// `[batch, patches]`: 1 where a patch is not seen, else 0.
    fn masked(&self, seen: &Seen, images: &Tensor<4>) -> Tensor<2> {
        let [_, _, height, width] = images.dims();
        seen.mask([height / self.patch, width / self.patch], &images.device()).neg().add_scalar(1.0).flatten(1, 3)
    }
}

impl Objective for SparseRestoration {
    fn wants(&self) -> Wants {
        Wants::views(1)
    }

    fn heads(&self) -> Vec<(&'static str, &dyn Part)> {
        vec![("decoder", &self.decoder)]
    }

    fn losses(&mut self, encoder: &Encoder, batch: Batch, at: &At) -> Vec<Term> {
        let ids = batch.ids.clone();
        let [images] = batch.into_views();
        let seen = self.seen(&images, &ids, at);
        let restored = self.restored(encoder, images.clone(), &seen, true);
        let masked = self.masked(&seen, &images);
        Term::alone(masked_patch_error(restored, ops::float32(images), masked, self.patch))
    }

    fn shown(&self, encoder: &Encoder, batch: Batch, at: &At) -> Vec<Tensor<4>> {
        let ids = batch.ids.clone();
        let [images] = batch.into_views();
        let seen = self.seen(&images, &ids, at);
        let restored = self.restored(encoder, images.clone(), &seen, false);
        let masked = self.masked(&seen, &images);
        columns(images, restored, masked, self.patch)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::augment::Targets;
    use burn::tensor::TensorData;

    const AT: At = At { seed: 3, step: 0, steps: 1, epoch: 2, epochs: 5, turn: 0 };
    const IDS: [u32; 4] = [4, 0, 7, 31];

    /// Catches a loss of patches that are shown, targets that are not normalised each by itself, and an encoder that sees them all.
    #[test]
    fn the_loss_is_of_what_is_drawn_where_nothing_is_shown() {
        let device = crate::nn::device("cpu").unwrap().autodiff();
        let init = &mut Init::new(0, &device);
        let encoder = EncoderConfig { width: 4, ..EncoderConfig::of(EncoderKind::Resnet20) }.build(init, [3, 8, 12]);
        let params = Params { mask_ratio: 0.6, decoder_width: 8, ..Params::default() };
        let mut spark = SparseRestoration::new(init, &encoder, 3, [8, 12], &params).unwrap();
        let tensor = |values: &[f32]| {
            ops::channels_last(Tensor::<4>::from_data(TensorData::new(values.to_vec(), [4, 3, 8, 12]), &device))
        };
        // Means and deviations differ from patch to patch.
        let value = |place: usize| (0.37 * place as f32).sin() * (1 + place % 12) as f32 + (place / 96) as f32;
        let images: Vec<f32> = (0..4 * 288).map(value).collect();
        let batch = Batch { ids: IDS.to_vec(), views: vec![tensor(&images)], targets: Targets::None };
        let found = spark.losses(&encoder, batch, &AT).remove(0).value.into_scalar::<f32>();

        // Patches of 4 x 4 pixels lie in two rows of three, and .6 of six are 3.6: two are shown.
        let orders = IDS.map(|id| patch_order(6, AT.seed, AT.epoch, id as usize));
        let is_shown = |image: usize, patch: usize| orders[image][..2].contains(&patch);
        let patch_of = |place: usize| place % 96 / 48 * 3 + place % 12 / 4;
        let shown = |place: usize| if is_shown(place / 288, patch_of(place)) { images[place] } else { 0.0 };
        let shown: Vec<f32> = (0..images.len()).map(shown).collect();
        let seen = Seen::new((0..24).map(|patch| is_shown(patch / 6, patch % 6)).collect(), [2, 3]);
        let maps = encoder.maps(tensor(&shown), Mode::Sparse { seen: &seen, train: true }).unwrap();
        let drawn: Vec<f64> = spark.decoder.forward(maps, &seen, Mode::Train).into_data().iter::<f64>().collect();
        let error = |image: usize, patch: usize| {
            let of_image = image * 288..(image + 1) * 288;
            let places: Vec<usize> = of_image.filter(|&place| patch_of(place) == patch).collect();
            let values: Vec<f64> = places.iter().map(|&place| f64::from(images[place])).collect();
            let mean = values.iter().sum::<f64>() / 48.0;
            let variance = values.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / 47.0;
            let target = |value: f64| (value - mean) / (variance + 1e-6).sqrt();
            places.iter().zip(values).map(|(&place, value)| (drawn[place] - target(value)).powi(2)).sum::<f64>() / 48.0
        };
        let masked = (0..24).map(|patch| (patch / 6, patch % 6)).filter(|&(image, patch)| !is_shown(image, patch));
        let errors: Vec<f64> = masked.map(|(image, patch)| error(image, patch)).collect();
        assert_eq!(errors.len(), 4 * 4);
        let expected = errors.iter().sum::<f64>() / errors.len() as f64;
        assert!((f64::from(found) - expected).abs() < 1e-5 * expected, "{found} and {expected}");
    }
}
