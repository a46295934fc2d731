//! What maps an image to a feature vector, and how a recipe names it.

use super::convnet::ConvNet;
use super::layers::{Mode, global_average_pool};
use super::ops::float32;
use super::resnet::{ResNet, ResNetSpec, Stem};
use super::state::{self, Part};
use super::vit::{ViT, ViTSpec};
use super::{ConvInit, Init};
use anyhow::{Result, ensure};
use burn::module::Module;
use burn::tensor::Tensor;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum EncoderKind {
    Conv4,
    Resnet20,
    Resnet18,
    Resnet34,
    Resnet50,
    #[serde(rename = "vit_tiny")]
    VitTiny,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum StemKind {
    Small,
    Imagenet,
}

/// The network that is trained and then evaluated.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct EncoderConfig {
    /// conv4: four convolutions, fast on a processor; resnet20: the narrow CIFAR ResNet; resnet18, resnet34, resnet50;
    /// vit_tiny: Vision Transformer, 12 blocks of 3 heads
    pub kind: EncoderKind,
    /// channels of the first stage; 0: the kind's own (conv4 32, resnet20 16, the other ResNets 64). Of vit_tiny the width
    /// of its tokens, a multiple of 12 (192)
    #[schemars(range(min = 0, max = 1024), extend("x-unit" = "channels"))]
    pub width: u32,
    /// of a ResNet. small: 3x3 without pooling, for images up to about 64 pixels; imagenet: 7x7 of stride 2 and pooling
    pub stem: StemKind,
    /// of vit_tiny: the side of a patch, of which the image's side is a multiple
    #[serde(skip_serializing_if = "is_default_patch")]
    #[schemars(range(min = 1, max = 64), extend("x-unit" = "pixels", "default" = DEFAULT_PATCH))]
    pub patch: u32,
    /// what the first weights of convolutions are drawn from. torchvision: normal, by the fan-out, as its ResNets; pytorch: uniform,
    /// by the fan-in, as PyTorch's layers by themselves. An untrained encoder is judged by up to five points differently.
    /// vit_tiny starts as its paper says
    #[serde(skip_serializing_if = "is_default_init")]
    #[schemars(extend("default" = "torchvision"))]
    pub init: ConvInit,
}

/// In what the encoders differ from their papers.
pub const DEVIATIONS: &[&str] = &[
    "ResNets have, unless `encoder.stem` says otherwise, a stem of one 3x3 convolution without pooling, as contrastive papers \
         use on CIFAR (Chen et al. 2020, arXiv:2002.05709, B.9)",
    "resnet50's bottlenecks stride in their 3x3 convolution, as torchvision's",
    "resnet20 projects its shortcuts (option B) where the paper fills up with zeros (A)",
    "vit_tiny has fixed positions, sines and cosines of row and column, as in MoCo v3 (Chen et al. 2021, arXiv:2104.02057, \
         section 4.3) and MAE, so that one network takes images of any size; no dropout; and uniform first weights (Glorot & \
         Bengio 2010), queries, keys and values each by their own size, biases at 0, as in the code of those two",
    "conv4 is of no paper",
];

const DEFAULT_PATCH: u32 = 4;

/// What is so by default is left out, so that the encoders of those who say nothing of it are the same files as before it was there.
fn is_default_patch(patch: &u32) -> bool {
    *patch == DEFAULT_PATCH
}

fn is_default_init(init: &ConvInit) -> bool {
    *init == ConvInit::default()
}

impl Default for EncoderConfig {
    fn default() -> Self {
        let init = ConvInit::default();
        Self { kind: EncoderKind::Conv4, width: 0, stem: StemKind::Small, patch: DEFAULT_PATCH, init }
    }
}

/// Below this many pixels ImageNet's stem (stride 4) costs an encoder much of what it could see (lightly#1419).
const IMAGENET_STEM_FROM: usize = 64;

const VIT_HEADS: usize = 3;

impl EncoderConfig {
    /// What is probably a mistake about this encoder on images of this size.
    pub fn warning(&self, [height, width]: [usize; 2]) -> Option<String> {
        let unsuited = self.stem == StemKind::Imagenet && height.min(width) < IMAGENET_STEM_FROM;
        unsuited.then(|| format!(
            "encoder.stem is imagenet and the images have {height} x {width} pixels: its stride of 4 leaves little of \
             them; write `stem: small`"
        ))
    }

    fn resnet(&self, width: usize, blocks: &[usize], bottleneck: bool) -> ResNetSpec {
        let width = if self.width == 0 { width } else { self.width as usize };
        let stem = if self.stem == StemKind::Small { Stem::Small } else { Stem::ImageNet };
        ResNetSpec { width, blocks: blocks.to_vec(), bottleneck, stem }
    }

    /// An error where it cannot take images of this size, or cannot be built at all.
    pub fn check(&self, [height, width]: [usize; 2]) -> Result<()> {
        if self.kind != EncoderKind::VitTiny {
            return Ok(());
        }
        ensure!(
            self.init == ConvInit::default(),
            "encoder.init says what convolutions are drawn from, and vit_tiny is drawn as its paper says: leave `init` out"
        );
        let patch = self.patch as usize;
        ensure!(
            height.is_multiple_of(patch) && width.is_multiple_of(patch),
            "encoder.patch is {patch} and the images or their views have {height} x {width} pixels, which are no multiples \
             of it: choose another `patch`, or other sizes of the views"
        );
        let unit = 4 * VIT_HEADS;
        ensure!(
            self.width.is_multiple_of(unit as u32),
            "encoder.width is {}: a vit_tiny needs a multiple of {unit}",
            self.width
        );
        Ok(())
    }

    pub fn build(&self, init: &mut Init) -> Encoder {
        init.with(self.init, |init| self.build_with(init))
    }

    fn build_with(&self, init: &mut Init) -> Encoder {
        let resnet = match self.kind {
            EncoderKind::Conv4 => {
                let width = if self.width == 0 { 32 } else { self.width as usize };
                return Encoder::Conv(ConvNet::new(init, width));
            }
            EncoderKind::VitTiny => {
                let width = if self.width == 0 { 192 } else { self.width as usize };
                let spec = ViTSpec { patch: self.patch as usize, width, depth: 12, heads: VIT_HEADS };
                return Encoder::ViT(ViT::new(init, spec));
            }
            EncoderKind::Resnet20 => self.resnet(16, &[3, 3, 3], false),
            EncoderKind::Resnet18 => self.resnet(64, &[2, 2, 2, 2], false),
            EncoderKind::Resnet34 => self.resnet(64, &[3, 4, 6, 3], false),
            EncoderKind::Resnet50 => self.resnet(64, &[3, 4, 6, 3], true),
        };
        Encoder::ResNet(ResNet::new(init, &resnet))
    }
}

/// Whether it is a scale or a shift behind a layer.
fn is_of_a_norm(name: &str) -> bool {
    matches!(name.rsplit('.').nth(1), Some("bn" | "norm" | "norm1" | "norm2"))
}

#[derive(Module, Debug)]
#[allow(clippy::large_enum_variant, reason = "there is one of them, and boxing it would hide its parameters' names")]
pub enum Encoder {
    Conv(ConvNet),
    ResNet(ResNet),
    ViT(ViT),
}

impl Encoder {
    /// Length of a feature vector.
    pub fn features(&self) -> usize {
        match self {
            Self::Conv(net) => net.features(),
            Self::ResNet(net) => net.features(),
            Self::ViT(net) => net.features(),
        }
    }

    /// How many layers there are, as [`Encoder::layer_of`] counts them.
    pub fn depth(&self) -> usize {
        1 + self.entries().iter().map(|entry| self.layer_of(&entry.name)).max().unwrap_or_default()
    }

    /// The layer, from 0 at the images, that a tensor belongs to by its name: convolutions of conv4; a ResNet's stem and its stages; a
    /// transformer's patches and its blocks, the last with the norm behind it.
    pub fn layer_of(&self, name: &str) -> usize {
        let number = |number: &str| number.parse::<usize>().expect("layers are numbered");
        match name.split('.').collect::<Vec<_>>()[..] {
            [_, "convs", convolution, ..] => number(convolution),
            [_, "layers" | "blocks", layer, ..] => 1 + number(layer),
            [_, "norm", ..] => match self {
                Self::ViT(net) => net.blocks(),
                _ => 0,
            },
            _ => 0,
        }
    }

    /// The same encoder, of which only the last `layers` are trained, and with `norms` the scales and shifts of all norms.
    pub fn frozen_but(self, layers: usize, norms: bool) -> Self {
        let first = self.depth() - layers;
        let trained: BTreeSet<String> = self
            .entries()
            .into_iter()
            .map(|entry| entry.name)
            .filter(|name| self.layer_of(name) >= first || norms && is_of_a_norm(name))
            .collect();
        state::frozen_but(self, &trained)
    }

    /// `[batch, 3, h, w]` (channels-last) to `[batch, features]` in float32: of a convolutional network the average over the
    /// places, of a transformer its class token. It computes in the precision of `x`.
    pub fn forward(&self, x: Tensor<4>, mode: Mode) -> Tensor<2> {
        match self {
            Self::Conv(net) => global_average_pool(net.feature_map(x, mode)),
            Self::ResNet(net) => global_average_pool(net.feature_map(x, mode)),
            Self::ViT(net) => float32(net.forward(x)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Of an encoder of a kind, the names of the layers that are trained, once each.
    fn trained(kind: EncoderKind, layers: usize, norms: bool) -> (usize, Vec<String>) {
        let config = EncoderConfig { kind, width: 12, ..EncoderConfig::default() };
        let encoder = config.build(&mut Init::new(0, &crate::nn::device("cpu").unwrap().autodiff()));
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
}
