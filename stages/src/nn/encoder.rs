//! What maps an image to a feature vector, and how a recipe names it.

mod architecture;
mod config;

pub use architecture::{Architecture, Library, Map, Tokens};
pub use config::{DEVIATIONS, EncoderConfig, EncoderKind, IMAGENET_FROM, Positions, StemKind};

use super::Init;
use super::convnet::ConvNet;
use super::convnext::ConvNext;
use super::layers::Mode;
use super::mobilenet::MobileNet;
use super::ops;
use super::pixel_mlp::PixelMlp;
use super::resnet::ResNet;
use super::state::{self, Part};
use super::vit::ViT;
use anyhow::{Context, Result};
use burn::module::Module;
use burn::tensor::{Device, Int, Tensor};
use std::collections::BTreeSet;

/// What is known of a kind before there is a network.
struct Blueprint {
    check: fn(&EncoderConfig) -> Result<()>,
    warning: fn(&EncoderConfig, [usize; 2]) -> Option<String>,
    build: fn(&EncoderConfig, &mut Init, [usize; 3]) -> Encoder,
}

/// A line for each architecture: how its tensors' names begin, its network, and the kinds that it builds.
macro_rules! architectures {
    ($($variant:ident($network:ty): $($kind:ident)|+;)+) => {
        #[derive(Module, Debug)]
        #[allow(clippy::large_enum_variant, reason = "there is one of them, and boxing it would hide its parameters' names")]
        pub enum Encoder {
            $($variant($network),)+
        }

        impl Encoder {
            fn network(&self) -> &dyn Architecture {
                match self {
                    $(Self::$variant(network) => network,)+
                }
            }
        }

        impl EncoderKind {
            fn blueprint(self) -> Blueprint {
                match self {
                    $($(Self::$kind)|+ => Blueprint {
                        check: <$network>::check,
                        warning: <$network>::warning,
                        build: |config, init, input| Encoder::$variant(<$network>::build(config, init, input)),
                    },)+
                }
            }
        }
    };
}

architectures! {
    Conv(ConvNet): Conv4;
    ResNet(ResNet): Resnet20 | Resnet18 | Resnet34 | Resnet50;
    ViT(ViT): VitTiny;
    Mlp(PixelMlp): Mlp;
    ConvNext(ConvNext): ConvNextTiny;
    MobileNet(MobileNet): MobileNetV2 | EfficientNetLite0;
}

/// A tensor's name without that of the architecture, in parts.
fn parts(name: &str) -> Vec<&str> {
    name.split('.').skip(1).collect()
}

impl Encoder {
    /// Length of a feature vector.
    pub fn features(&self) -> usize {
        self.network().features()
    }

    /// An error where it cannot take images of this height and width.
    pub fn takes(&self, size: [usize; 2]) -> Result<()> {
        self.network().takes(size)
    }

    /// How many layers there are, as [`Encoder::layer_of`] counts them.
    pub fn depth(&self) -> usize {
        1 + self.entries().iter().map(|entry| self.layer_of(&entry.name)).max().unwrap_or_default()
    }

    /// The layer, from 0 at the images, that a tensor belongs to by its name: a convolution of conv4, a stem or a stage of a ResNet, a
    /// block of a transformer.
    pub fn layer_of(&self, name: &str) -> usize {
        self.network().layer_of(&parts(name))
    }

    /// What a library calls a tensor; `None` where it has no such network.
    pub fn name_in(&self, library: Library, name: &str) -> Option<String> {
        match library {
            Library::Pretext => Some(name.to_owned()),
            _ => self.network().name_in(library, &parts(name)),
        }
    }

    /// The shape that a library's tensor has, where ours has `own` of as many numbers.
    pub fn shape_in(&self, library: Library, name: &str, own: &[i64]) -> Vec<i64> {
        match library {
            Library::Pretext => own.to_vec(),
            _ => self.network().shape_in(library, &parts(name), own),
        }
    }

    /// The same encoder, of which only the last `layers` are trained, and with `norms` the scales and shifts of all norms.
    pub fn frozen_but(self, layers: usize, norms: bool) -> Self {
        let first = self.depth() - layers;
        let trained: BTreeSet<String> = self
            .entries()
            .into_iter()
            .map(|entry| entry.name)
            .filter(|name| self.layer_of(name) >= first || norms && self.network().is_of_a_norm(&parts(name)))
            .collect();
        state::frozen_but(self, &trained)
    }

    /// `[batch, channels, h, w]` (channels-last) to `[batch, features]` in float32: of a convolutional network the average over the
    /// places, of a transformer its class token. It computes in the precision of `x`.
    pub fn pooled(&self, x: Tensor<4>, mode: Mode) -> Tensor<2> {
        self.network().pooled(x, mode)
    }

    /// `[batch, numbers]` in float32: the last map with all its places, over the root of their number, so that a layer behind it learns at
    /// the rates of one behind pooled features; or the features where there are no maps.
    pub fn flat(&self, x: Tensor<4>, mode: Mode) -> Tensor<2> {
        let Some(maps) = self.network().maps(x.clone(), mode) else { return self.pooled(x, mode) };
        let map = maps.into_iter().last().expect("a network has layers").x;
        let [_, _, height, width] = map.dims();
        ops::float32(map.flatten(1, 3)).div_scalar(((height * width) as f64).sqrt())
    }

    /// How many numbers that are, of images `[channels, height, width]`.
    pub fn flat_length(&self, [channels, height, width]: [usize; 3], device: &Device) -> usize {
        let image = ops::channels_last(Tensor::zeros([1, channels, height, width], device));
        self.valid().flat(image, Mode::Eval).dims()[1]
    }

    /// Of an encoder that is linear layers on the pixels, the widths of its input and of each layer's output.
    pub fn linear_layers(&self) -> Option<Vec<usize>> {
        self.network().linear_layers()
    }

    /// Feature maps, the finest first, in the precision of `x`. What is not shown of an image ([`Mode::Sparse`]) changes none.
    pub fn maps(&self, x: Tensor<4>, mode: Mode) -> Result<Vec<Map>> {
        let name = self.network().name();
        let x = match mode.seen() {
            Some(seen) => seen.only(x),
            None => x,
        };
        self.network()
            .maps(x, mode)
            .with_context(|| {
                format!(
                    "{name} has no feature maps: choose an encoder of another kind, such as resnet18 (what pretrain/pca gives is an mlp \
                     whatever it is told)"
                )
            })
    }

    /// Whether it can be shown a part of an image ([`Mode::Sparse`]).
    pub fn can_be_sparse(&self) -> bool {
        self.network().can_be_sparse()
    }

    /// Stride and channels of its maps of images `[channels, height, width]`, the finest first.
    pub fn maps_of(&self, [channels, height, width]: [usize; 3], device: &Device) -> Result<Vec<(usize, usize)>> {
        let image = ops::channels_last(Tensor::zeros([1, channels, height, width], device));
        Ok(self.valid().maps(image, Mode::Eval)?.iter().map(|map| (map.stride, map.x.dims()[1])).collect())
    }

    /// What it says of patches: of all, or of those that `keep` names (`[batch, kept]`, by their numbers row by row), in the order in
    /// which it does, as if the others were not there.
    pub fn tokens(&self, x: Tensor<4>, keep: Option<Tensor<2, Int>>, mode: Mode) -> Result<Tokens> {
        self.network().tokens(x, keep, mode).with_context(|| self.has_no_patches())
    }

    /// Pixels of a patch's side.
    pub fn patch(&self) -> Result<usize> {
        self.network().patch().with_context(|| self.has_no_patches())
    }

    fn has_no_patches(&self) -> String {
        let name = self.network().name();
        format!("{name} does not work on patches: write `encoder: {{ kind: vit_tiny }}`, which does")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Of an encoder of a kind, the names of the layers that are trained, once each.
    fn trained(kind: EncoderKind, layers: usize, norms: bool) -> (usize, Vec<String>) {
        let config = EncoderConfig { kind, width: 12, ..EncoderConfig::default() };
        let encoder = config.build(&mut Init::new(0, &crate::nn::device("cpu").unwrap().autodiff()), [3, 32, 32]);
        let depth = encoder.depth();
        let entries = encoder.frozen_but(layers, norms).entries().into_iter().filter(|entry| entry.trained);
        let mut names: Vec<String> =
            entries.map(|entry| entry.name.split('.').skip(1).collect::<Vec<_>>().join(".")).collect();
        names.dedup();
        (depth, names)
    }

    #[test]
    fn layers_are_counted_from_the_images_and_frozen_from_there() {
        let begin = |kind, layers| -> Vec<String> {
            let (_, names) = trained(kind, layers, false);
            let mut parts: Vec<String> =
                names.iter().map(|name| name.split('.').take(2).collect::<Vec<_>>().join(".")).collect();
            parts.dedup();
            parts
        };
        assert_eq!(begin(EncoderKind::Conv4, 2), ["convs.2", "convs.3"]);
        assert_eq!(begin(EncoderKind::Resnet20, 1), ["layers.2"]);
        assert_eq!(begin(EncoderKind::Resnet20, 3), ["layers.0", "layers.1", "layers.2"]);
        assert_eq!(begin(EncoderKind::VitTiny, 2), ["blocks.10", "blocks.11", "norm.weight", "norm.bias"]);
        let depths = [EncoderKind::Conv4, EncoderKind::Resnet20, EncoderKind::Resnet50, EncoderKind::VitTiny];
        assert_eq!(depths.map(|kind| trained(kind, 0, false).0), [4, 4, 5, 13]);
        assert!(depths.iter().all(|&kind| trained(kind, 0, false).1.is_empty()));
        let all = |kind| trained(kind, trained(kind, 0, false).0, false).1;
        assert_eq!(all(EncoderKind::Resnet20)[0], "stem.conv.weight");
        assert_eq!(all(EncoderKind::VitTiny)[0], "patches.weight");
    }

    #[test]
    fn norms_alone_may_be_trained() {
        let (_, names) = trained(EncoderKind::Conv4, 0, true);
        assert_eq!(names[..2], ["convs.0.bn.weight", "convs.0.bn.bias"]);
        assert_eq!(names.len(), 8);
        let (_, names) = trained(EncoderKind::VitTiny, 0, true);
        assert_eq!(names.len(), 12 * 4 + 2);
        assert!(names.iter().all(|name| name.contains("norm")), "{names:?}");
    }

    fn built(config: EncoderConfig, channels: usize, size: usize) -> Encoder {
        config.build(&mut Init::new(0, &crate::nn::device("cpu").unwrap()), [channels, size, size])
    }

    fn image(channels: usize, size: usize) -> Tensor<4> {
        let values = (0..2 * channels * size * size).map(|j| (0.0173 * j as f32).sin()).collect();
        let data = burn::tensor::TensorData::new::<f32, _>(values, [2, channels, size, size]);
        crate::nn::ops::channels_last(Tensor::from_data(data, &crate::nn::device("cpu").unwrap()))
    }

    fn small(kind: EncoderKind) -> EncoderConfig {
        EncoderConfig { width: 12, ..EncoderConfig::of(kind) }
    }

    #[test]
    fn maps_come_by_stride_the_finest_first() {
        let strides = |config: EncoderConfig| -> Vec<usize> {
            let maps = built(config, 3, 64).maps(image(3, 64), Mode::Eval).unwrap();
            maps.iter().for_each(|map| assert_eq!(map.x.dims()[2..], [64 / map.stride; 2]));
            maps.iter().map(|map| map.stride).collect()
        };
        assert_eq!(strides(small(EncoderKind::Conv4)), [1, 2, 4, 8]);
        assert_eq!(strides(small(EncoderKind::Resnet20)), [1, 2, 4]);
        let imagenet = EncoderConfig { stem: StemKind::Imagenet, ..small(EncoderKind::Resnet50) };
        assert_eq!(strides(imagenet), [4, 8, 16, 32]);
        assert_eq!(strides(small(EncoderKind::ConvNextTiny)), [4, 8, 16, 32]);
        assert_eq!(strides(small(EncoderKind::MobileNetV2)), [2, 4, 8, 16, 32]);
        assert_eq!(strides(small(EncoderKind::EfficientNetLite0)), [2, 4, 8, 16, 32]);
        assert_eq!(strides(small(EncoderKind::VitTiny)), [4]);
        let none = built(small(EncoderKind::Mlp), 3, 64).maps(image(3, 64), Mode::Eval).unwrap_err();
        assert!(none.to_string().starts_with("an mlp has no feature maps"), "{none}");
    }

    /// Without the others, and in the order that was asked for; those of all are the features of the class token and a map.
    #[test]
    fn tokens_are_of_the_patches_that_are_kept() {
        for positions in [Positions::Fixed, Positions::Learned] {
            let vit = built(EncoderConfig { positions, depth: 2, ..small(EncoderKind::VitTiny) }, 3, 8);
            let tokens = |keep: &[i64]| {
                let keep: Vec<i64> = keep.iter().chain(keep).copied().collect();
                let data = burn::tensor::TensorData::new(keep.clone(), [2, keep.len() / 2]);
                let keep = Tensor::<2, Int>::from_data(data, &crate::nn::device("cpu").unwrap());
                vit.tokens(image(3, 8), Some(keep), Mode::Eval).unwrap()
            };
            let all = vit.tokens(image(3, 8), None, Mode::Eval).unwrap();
            assert_eq!((all.grid, all.patches.dims()), ([2, 2], [2, 4, 12]));
            let off = |a: Tensor<2>, b: Tensor<2>| (a - b).abs().max().into_scalar::<f32>();
            let of_patch =
                |tokens: &Tokens, place: usize| tokens.patches.clone().narrow(1, place, 1).squeeze_dim::<2>(1);
            assert!(off(all.class.clone(), vit.pooled(image(3, 8), Mode::Eval)) < 1e-6);
            let turned = tokens(&[3, 1, 0, 2]);
            assert!(off(turned.class.clone(), all.class.clone()) < 1e-5);
            for (place, patch) in [3, 1, 0, 2].into_iter().enumerate() {
                assert!(off(of_patch(&turned, place), of_patch(&all, patch)) < 1e-5);
            }
            let few = tokens(&[3, 1]);
            assert_eq!(few.patches.dims(), [2, 2, 12]);
            assert!(
                off(few.class.clone(), all.class.clone()) > 1e-3 && off(of_patch(&few, 0), of_patch(&all, 3)) > 1e-3
            );
        }
        let none = built(small(EncoderKind::Conv4), 3, 8).tokens(image(3, 8), None, Mode::Eval).unwrap_err();
        assert!(none.to_string().starts_with("conv4 does not work on patches"), "{none}");
        assert_eq!(built(small(EncoderKind::Conv4), 3, 8).patch().unwrap_err().to_string(), none.to_string());
        assert_eq!(built(small(EncoderKind::VitTiny), 3, 8).patch().unwrap(), 4);
    }

    #[test]
    fn images_have_as_many_channels_as_they_have() {
        use EncoderKind::{Conv4, ConvNextTiny, EfficientNetLite0, Mlp, Resnet18, VitTiny};
        for kind in [Conv4, Resnet18, VitTiny, Mlp, ConvNextTiny, EfficientNetLite0] {
            for channels in [1, 4] {
                let encoder = built(small(kind), channels, 64);
                assert_eq!(encoder.pooled(image(channels, 64), Mode::Eval).dims(), [2, encoder.features()]);
            }
        }
    }

    #[test]
    fn what_is_built_for_one_size_takes_no_other() {
        let learned = EncoderConfig { positions: Positions::Learned, ..small(EncoderKind::VitTiny) };
        for (config, word) in
            [(learned, "encoder.positions is learned"), (small(EncoderKind::Mlp), "encoder.kind is mlp")]
        {
            let encoder = built(config, 3, 64);
            assert!(encoder.takes([64, 64]).is_ok());
            let error = encoder.takes([32, 32]).unwrap_err().to_string();
            assert!(error.starts_with(word) && error.contains("64 x 64") && error.contains("32 x 32"), "{error}");
        }
    }

    /// Any less, and there would be no place left in its last maps.
    #[test]
    fn convnext_takes_no_image_smaller_than_its_stride() {
        let encoder = built(small(EncoderKind::ConvNextTiny), 3, 32);
        assert!(encoder.takes([32, 40]).is_ok());
        assert_eq!(encoder.pooled(image(3, 32), Mode::Eval).dims(), [2, encoder.features()]);
        let error = encoder.takes([40, 31]).unwrap_err().to_string();
        assert!(error.contains("40 x 31 pixels"), "{error}");
    }

    /// Encoders of those who say nothing of an option are the same files as before it was there.
    #[test]
    fn options_at_their_defaults_are_not_written() {
        let written = serde_json::to_string(&EncoderConfig::default()).unwrap();
        assert_eq!(written, r#"{"kind":"conv4","width":0,"stem":"small"}"#);
        let old: EncoderConfig = serde_json::from_str(&written).unwrap();
        assert_eq!(old, EncoderConfig::default());
    }
}
